"""What the browser imports, packed: byte code of this project and of the packages that it needs.

Nearly all of Panel's wheel is JavaScript, and a third of Bokeh's; of the rest much is for servers,
notebooks and tests. Taken are the packages that are installed and pinned here, without their
compiled files: MarkupSafe and PyYAML fall back to pure Python.
"""

import io
import json
import marshal
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import MAGIC_NUMBER, find_spec
from pathlib import Path, PurePosixPath

from pyodide_lock import PyodideLockSpec
from pyodide_lock.spec import InfoSpec, PackageSpec

from flockwasm.errors import SiteError
from flockwasm.runtime import NUMPY, RUNTIME

__all__ = [
    "BUNDLE",
    "PACKED",
    "Packed",
    "bundle",
    "compiled",
    "lock",
    "repacked_numpy",
    "repacked_stdlib",
]

BUNDLE = "flockpit.zip"
"""Name of the archive with all of our Python."""

_EPOCH = (2020, 1, 1, 0, 0, 0)
"""Time of every file in an archive: the same input gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Packed:
    """An installed package to be packed.

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


PACKED = (
    Packed("flockcore"),
    Packed("flockwasm", only=("__init__.py", "inside/*")),
    Packed("flockpit", "flockpit", without=("cli.py", "commands.py", "shiviz_cli.py")),
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
"""Everything that the cockpit imports in the browser, but numpy and the standard library."""

_NUMPY_WITHOUT = (
    "numpy/_core/include/*",
    "numpy/_core/lib/*",
    "numpy/_core/*tests*.so",
    "numpy/_core/_simd.*",
    "numpy/_pyinstaller/*",
    "numpy/distutils/*",
    "numpy/f2py/*",
    "numpy/fft/*",
    "numpy/linalg/lapack_lite.*",
    "numpy/random/lib/*",
    "numpy/random/_examples/*",
    "*/tests/*",
    "*.a",
    "*.h",
    "*.pxd",
    "*.pyi",
    "*.pyx",
)

_NUMPY_EMPTY = ("numpy/_core/_add_newdocs.py", "numpy/_core/_add_newdocs_scalars.py")
"""Modules that do nothing but write help texts, for a prompt that the site has not."""


def compiled(source: bytes, name: str, *, docs: bool = True) -> bytes:
    """Compile a module for the browser's Python.

    Args:
        source: its text.
        name: its path as tracebacks show it.
        docs: keep docstrings and assertions. A dataclass without a docstring works one out from its
            signature at import, which takes long.

    Raises:
        SiteError: this Python's byte code is not the browser's.
    """
    wanted = tuple(int(part) for part in RUNTIME.python.split(".")[:2])
    if sys.version_info[:2] != wanted:
        major, minor = wanted
        raise SiteError(f"the site is built by Python {major}.{minor}, the browser's version")
    code = compile(source, name, "exec", dont_inherit=True, optimize=0 if docs else 2)
    unchecked = (1).to_bytes(4, "little") + bytes(8)
    return MAGIC_NUMBER + unchecked + marshal.dumps(code)


def bundle() -> bytes:
    """Return the archive of everything that is packed."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for packed in PACKED:
            for name, data in sorted(_files(packed)):
                _write(archive, name, data)
    return written.getvalue()


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def _files(packed: Packed) -> Iterator[tuple[str, bytes]]:
    folder = _folder(packed.name)
    version = _version(packed.project) if packed.project else ""
    data = [pattern.replace("{version}", version) for pattern in packed.data]
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or _matches(inside, packed.without):
            continue
        if path.suffix == ".py" and _matches(inside, packed.only):
            name = f"{packed.name}/{inside.as_posix()}"
            yield f"{name}c", compiled(path.read_bytes(), name, docs=packed.docs)
        elif _matches(inside, data):
            yield f"{packed.name}/{inside.as_posix()}", path.read_bytes()
        elif _matches(inside, packed.blank):
            yield f"{packed.name}/{inside.as_posix()}", b""
    if packed.project:
        yield _metadata(packed.project, version)
    yield from _assets(packed.name)


def _folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SiteError(f"the package {name} is not installed; run `make environment`")
    return Path(next(iter(spec.submodule_search_locations)))


def _matches(path: Path | PurePosixPath, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path.as_posix(), pattern) for pattern in patterns)


def _version(project: str) -> str:
    try:
        return distribution(project).version
    except PackageNotFoundError as error:
        raise SiteError(f"{project} is not installed; run `make environment`") from error


def _metadata(project: str, version: str) -> tuple[str, bytes]:
    """The head of a package's metadata: libraries ask for their own version."""
    head = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    return f"{project}-{version}.dist-info/METADATA", head.encode()


def _assets(name: str) -> Iterator[tuple[str, bytes]]:
    """The files that an installed package has as data, and a checkout elsewhere."""
    root = Path(__file__).resolve().parents[2] / "assets"
    wanted = {
        "flockcore": ("scenarios/*.toml",),
        "flockpit": ("css/*.css", "icons/*.svg", "js/*.js", "page.html", "data/*"),
    }.get(name, ())
    if (_folder(name) / "assets").is_dir() or (_folder(name) / "scenarios").is_dir():
        return
    for pattern in wanted:
        for path in sorted(root.glob(pattern)):
            inside = path.relative_to(root).as_posix()
            yield (
                f"{name}/{inside}" if name == "flockcore" else f"{name}/assets/{inside}",
                (path.read_bytes()),
            )


# ------------------------------------------------------------------ numpy


def repacked_numpy(wheel: bytes) -> bytes:
    """Return Pyodide's numpy without what is not needed to run: stored, and byte-compiled.

    Args:
        wheel: the official wheel, whose hash has been checked.
    """
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(wheel)) as given,
        zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in sorted(given.namelist()):
            if name.endswith("/") or _matches(PurePosixPath(name), _NUMPY_WITHOUT):
                continue
            data = given.read(name)
            if name.endswith(".py"):
                data = b"" if name in _NUMPY_EMPTY else data
                # numpy hands its docstrings to C, which will have no None.
                name, data = f"{name}c", compiled(data, name)
            _write(archive, name, data)
    return written.getvalue()


# ------------------------------------------------------------------ the standard library

_STDLIB = "/lib/python312.zip"
_STDLIB_WITHOUT = (
    "_pydecimal.py",
    "curses/*",
    "ensurepip/*",
    "idlelib/*",
    "lib2to3/*",
    "pydoc_data/*",
    "tkinter/*",
    "turtle.py",
    "turtledemo/*",
    "venv/*",
)


def repacked_stdlib(archive: bytes) -> bytes:
    """Return Pyodide's standard library stored, byte-compiled, without what has no use on a page.

    The official one holds source, which is compiled anew at every start. A host that compresses
    what it sends does so better than the zip.

    Args:
        archive: the official one, whose hash has been checked.
    """
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as given,
        zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as stored,
    ):
        for name in sorted(given.namelist()):
            if name.endswith("/") or _matches(PurePosixPath(name), _STDLIB_WITHOUT):
                continue
            data = given.read(name)
            if name.endswith(".py"):
                name, data = f"{name}c", compiled(data, f"{_STDLIB}/{name}")
            _write(stored, name, data)
    return written.getvalue()


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
