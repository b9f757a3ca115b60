"""What the browser imports, packed: byte code of this project and of the packages that it needs.

Nearly all of Panel's wheel is JavaScript, and a third of Bokeh's; of the rest much is for servers,
notebooks and tests. Taken are this project's wheel and the packages that are installed and pinned
here, without their compiled files. Jinja2 is not: the site fills no templates.
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

from flockwasm.archives import built_wheel, compiled, indexed, matches
from flockwasm.errors import SiteError
from flockwasm.lazy import Wanted, lazy
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
        blank: patterns of files that are looked for, and never shown: they are there, and empty.
        docs: whether docstrings are kept.
        lazy: patterns of modules inside it that make what they have once it is asked for.
        whole: patterns of those among them that stay as they are: their classes enter a table, or
            everything that they import is needed.
    """

    name: str
    project: str = ""
    only: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    docs: bool = True
    lazy: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


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
        lazy=("*",),
        whole=("core/*", "document/*", "events.py", "model/*", "protocol/*", "util/*"),
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
        blank=("*.css",),
        lazy=("*",),
        whole=("io/pyodide.py",),
    ),
    Packed("param", "param", docs=False),
    Packed("pyviz_comms", "pyviz_comms", data=("*.js", "labextension/package.json")),
    Packed("packaging"),
)
PACKED = (*_OURS, *_THEIRS)
"""Everything that the cockpit imports in the browser, but numpy and the standard library."""

_LAZILY = Wanted(
    # There at any rate.
    eager=("bokeh.core.*", "logging", "numpy", "param", "typing"),
    # Panel's configuration and its state import each other. What runs the clock is first asked for
    # when a start from kept memory may not have the archive yet.
    first={"panel": ["panel.io", "panel.io.callbacks"]},
    # Each makes a class's parameters into a method's; ours add glyphs by class.
    decorators=("glyph_method", "marker_method"),
)
"""How modules become lazy."""


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
    return indexed(members)


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
    return _picked(packed, inside, lambda path: _text(packed, folder, path))


def _text(packed: Packed, folder: Path, path: str) -> bytes:
    """A file as it is packed."""
    text = (folder / path).read_bytes()
    if not path.endswith(".py") or not matches(path, packed.lazy) or matches(path, packed.whole):
        return text
    name = f"{packed.name}/{path}".removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not path.endswith("__init__.py"):
        return lazy(text, name, _LAZILY)
    modules = [
        beside.stem
        for beside in sorted((folder / path).parent.iterdir())
        if beside.suffix == ".py" or (beside / "__init__.py").is_file()
    ]
    return lazy(text, name, _LAZILY, submodules=modules)


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
