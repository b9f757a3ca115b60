"""Archives of Python: built, byte-compiled by pyodide-build, and written the same every time.

`pyodide py-compile` compiles a wheel or a zip of source for the Python that runs it, which must be
the browser's. What it writes bears the time at which it ran, in the zip and in every piece of byte
code; here those times are taken out again.

`pyodide build` has no use here: it sets up a compiler for C, fetches headers for it, and then hands
pure Python to the `build` front end. This project's wheel is given to that front end at once.
"""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from importlib.util import MAGIC_NUMBER
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from flockwasm.errors import SiteError
from flockwasm.inside.packed import INDEX, LOCAL
from flockwasm.runtime import RUNTIME

__all__ = ["built_wheel", "compiled", "indexed", "matches", "stored", "unzipped"]

_EPOCH = (2020, 1, 1, 0, 0, 0)
"""Time of every file in an archive: the same input gives the same bytes."""

_CODE = ".pyc"
_HEADER = 16
"""Bytes before the code in a file of byte code (PEP 552)."""
_UNCHECKED = MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
"""A header that tells of no source to be compared with."""


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of some patterns, as a shell has them, is a path's."""
    return any(fnmatch(path, pattern) for pattern in patterns)


def stored(members: Mapping[str, bytes]) -> bytes:
    """Return a zip in which nothing is deflated: a host compresses it better than a zip does.

    Args:
        members: contents by name, in the order in which they are written.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return written.getvalue()


def indexed(members: Mapping[str, bytes]) -> bytes:
    """Return a stored zip whose first file says where the others are, as `packed` reads it.

    Args:
        members: contents by name: modules as byte code, and whatever else there is.
    """
    places: dict[str, list[int]] = {}
    at = 0
    for name, data in members.items():
        start = at + LOCAL + len(name.encode())
        at = start + len(data)
        places[name] = [start, at]
    modules = {_module(name): place for name, place in places.items() if name.endswith(_CODE)}
    index = {
        "modules": modules,
        "packages": sorted(_module(name) for name in places if name.endswith(f"/__init__{_CODE}")),
        "folders": sorted(set(chain.from_iterable(map(_above, modules)))),
        "files": {name: place for name, place in places.items() if not name.endswith(_CODE)},
    }
    return stored({INDEX: json.dumps(index, separators=(",", ":")).encode(), **members})


def _module(path: str) -> str:
    return path.removesuffix(_CODE).removesuffix("/__init__").replace("/", ".")


def _above(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def unzipped(archive: bytes) -> dict[str, bytes]:
    """Return the files of a zip by name, sorted."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = sorted(name for name in opened.namelist() if not name.endswith("/"))
        return {name: opened.read(name) for name in names}


def compiled(name: str, members: Mapping[str, bytes], *, docs: bool = True) -> dict[str, bytes]:
    """Let pyodide-build compile every module of an archive for the browser's Python.

    Args:
        name: of the archive: a wheel's by the rules for wheels, or one that ends in `.zip`.
        members: its files by name.
        docs: keep docstrings and assertions. A dataclass without a docstring works one out from its
            signature at import, which takes long.

    Returns:
        The files by name, sorted; modules as byte code, all else as it was.

    Raises:
        SiteError: this Python's byte code is not the browser's, or a module cannot be compiled.
    """
    wanted = tuple(int(part) for part in RUNTIME.python.split(".")[:2])
    if sys.version_info[:2] != wanted:
        major, minor = wanted
        raise SiteError(f"the site is built by Python {major}.{minor}, the browser's version")
    with TemporaryDirectory() as folder:
        given = Path(folder) / name
        given.write_bytes(stored(members))
        # It compiles at the level of the Python that runs it.
        level = [] if docs else ["-OO"]
        options = ["--silent", "--compression-level", "0"]
        _run(f"compile {name}", *level, "-m", "pyodide_cli", "py-compile", *options, str(given))
        (made,) = Path(folder).iterdir()
        found = unzipped(made.read_bytes())
    return {
        name: _UNCHECKED + data[_HEADER:] if name.endswith(".pyc") else data
        for name, data in found.items()
    }


def built_wheel(project: Path) -> tuple[str, dict[str, bytes]]:
    """Build a project's wheel with what is installed: nothing is fetched.

    Args:
        project: folder of its pyproject.toml.

    Returns:
        The wheel's name, and its files by name.

    Raises:
        SiteError: it cannot be built.
    """
    with TemporaryDirectory() as folder:
        options = ["--wheel", "--no-isolation", "--outdir", folder]
        _run(f"build the wheel of {project}", "-m", "build", *options, str(project))
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.name, unzipped(wheel.read_bytes())


def _run(purpose: str, *arguments: str) -> None:
    """Run this Python, untouched by the environment's variables and the current folder."""
    command = [sys.executable, "-I", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise SiteError(f"cannot {purpose}:\n{done.stdout}{done.stderr}")
