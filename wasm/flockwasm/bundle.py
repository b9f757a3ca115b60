"""What the browser imports, packed: byte code of this project and of the packages that it needs.

Nearly all of Panel's wheel is JavaScript, and a third of Bokeh's; of the rest much is for servers,
notebooks and tests. Taken are this project's wheel and the packages that are installed and pinned
here, without their compiled files: MarkupSafe and PyYAML fall back to pure Python.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from pyodide_lock import PyodideLockSpec
from pyodide_lock.spec import InfoSpec, PackageSpec

from flockwasm.archives import built_wheel, compiled, matches, stored
from flockwasm.errors import SiteError
from flockwasm.runtime import NUMPY, RUNTIME

__all__ = ["BUNDLE", "PACKED", "Packed", "bundle", "lock"]

BUNDLE = "flockpit.zip"
"""Name of the archive with all of our Python."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A package to be packed.

    Attributes:
        name: of the import.
        project: name under which it is installed, if its version is asked for at run time.
        only: patterns of paths inside it that are taken.
        without: patterns of paths inside it that stay out.
        data: patterns of files that are no Python, yet needed; `{version}` is the project's.
        blank: patterns of page templates, which would be compiled at import though the site fills
            none of them: they are there, and empty.
        docs: whether docstrings are kept.
    """

    name: str
    project: str = ""
    only: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    docs: bool = True


_OURS = (
    Packed("flockcore", data=("scenarios/*.toml",)),
    Packed("flockwasm", only=("__init__.py", "inside/*")),
    Packed(
        "flockpit",
        "flockpit",
        without=("cli.py", "commands.py", "shiviz_cli.py"),
        data=(
            "assets/css/*.css",
            "assets/data/*",
            "assets/icons/*.svg",
            "assets/js/*.js",
            "assets/page.html",
        ),
    ),
)
"""What this project's wheel has."""

_THEIRS = (
    Packed(
        "bokeh",
        "bokeh",
        docs=False,
        without=(
            "__main__.py",
            "command/*",
            "sampledata/*",
            "sphinxext/*",
            "util/sampledata.py",
        ),
        data=("_sri/{version}.json",),
        blank=("core/_templates/*",),
    ),
    Packed(
        "panel",
        "panel",
        docs=False,
        without=(
            "__main__.py",
            "command/*",
            "dist/*",
            "io/convert.py",
            "io/jupyter_*.py",
            "tests/*",
            "ui/*",
        ),
        data=("package.json", "layout/flexbox.html", "_templates/page.css"),
        blank=("*.css", "*.html", "_templates/*.js"),
    ),
    Packed("param", "param", docs=False),
    Packed("pyviz_comms", "pyviz_comms", data=("*.js", "labextension/package.json")),
    Packed("jinja2"),
    Packed("markupsafe"),
    Packed("yaml"),
    Packed("packaging"),
    Packed("tqdm", without=("_tqdm*.py", "cli.py", "contrib/*", "keras.py", "dask.py")),
)
PACKED = (*_OURS, *_THEIRS)
"""Everything that the cockpit imports in the browser, but numpy and the standard library."""


def bundle() -> bytes:
    """Return the archive of everything that is packed.

    Raises:
        SiteError: a package is not installed, or one cannot be built or compiled.
    """
    wheel, built = built_wheel(Path(__file__).resolve().parents[2])
    members = compiled(wheel, dict(chain.from_iterable(_built(one, built) for one in _OURS)))
    for docs in (False, True):
        found = chain.from_iterable(_installed(one) for one in _THEIRS if one.docs is docs)
        members |= compiled("packages.zip", dict(found), docs=docs)
    return stored(members)


def _built(packed: Packed, wheel: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What is taken of a package in a wheel."""
    root = f"{packed.name}/"
    inside = [name.removeprefix(root) for name in wheel if name.startswith(root)]
    return _picked(packed, inside, lambda path: wheel[root + path])


def _installed(packed: Packed) -> Iterator[tuple[str, bytes]]:
    """What is taken of a package that is installed."""
    folder = _folder(packed.name)
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    inside = [path.relative_to(folder).as_posix() for path in found]
    return _picked(packed, inside, lambda path: (folder / path).read_bytes())


def _picked(
    packed: Packed, inside: Iterable[str], read: Callable[[str], bytes]
) -> Iterator[tuple[str, bytes]]:
    version = _version(packed.project) if packed.project else ""
    data = [pattern.replace("{version}", version) for pattern in packed.data]
    for path in inside:
        if matches(path, packed.without):
            continue
        name = f"{packed.name}/{path}"
        if path.endswith(".py"):
            if matches(path, packed.only):
                yield name, read(path)
        elif matches(path, data):
            yield name, read(path)
        elif matches(path, packed.blank):
            yield name, b""
    if packed.project:
        yield _metadata(packed.project, version)


def _folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SiteError(f"the package {name} is not installed; run `make environment`")
    return Path(next(iter(spec.submodule_search_locations)))


def _version(project: str) -> str:
    try:
        return distribution(project).version
    except PackageNotFoundError as error:
        raise SiteError(f"{project} is not installed; run `make environment`") from error


def _metadata(project: str, version: str) -> tuple[str, bytes]:
    """The head of a package's metadata: libraries ask for their own version."""
    head = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    return f"{project}-{version}.dist-info/METADATA", head.encode()


# ------------------------------------------------------------------ lock


def lock(numpy: bytes, ours: bytes) -> str:
    """Return the lock file that the browser's loader checks packages against.

    Args:
        numpy: the wheel that the site serves.
        ours: the archive that the site serves.
    """
    info = InfoSpec(abi_version=RUNTIME.abi, platform=RUNTIME.platform, python=RUNTIME.python)
    _, version, *_ = NUMPY.name.split("-")
    packages = {
        "numpy": _package("numpy", version, NUMPY.name, numpy, ["numpy"], []),
        "flockpit": _package(
            "flockpit",
            distribution("flockpit").version,
            BUNDLE,
            ours,
            [packed.name for packed in PACKED],
            ["numpy"],
        ),
    }
    made = PyodideLockSpec(info=info, packages=packages).to_dict()
    made["info"]["version"] = RUNTIME.version  # left out by newer lock files, asked for by ours
    return json.dumps(made, indent=1, sort_keys=True)


def _package(
    name: str, version: str, file: str, data: bytes, imports: list[str], depends: list[str]
) -> PackageSpec:
    return PackageSpec(
        name=name,
        version=version,
        file_name=file,
        install_dir="site",
        sha256=sha256(data).hexdigest(),
        imports=imports,
        depends=depends,
    )
