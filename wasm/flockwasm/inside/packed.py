"""Imports from a packed archive in memory; runs in the browser before anything else of ours.

A package that is unpacked file by file costs a second, and every import of one of its modules a
search of several folders. Here an archive stays as it came: a stored zip of byte code, whose first
file says where in it each module is. What is not code is written out, because libraries open
such files by path. Once the cockpit is up the archive itself is written out as well, and what is
imported later is read from there. A start from kept memory has no such files at first: whoever
imports something new before they are there waits for them.
"""

import json
import marshal
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.readers import FileReader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

__all__ = [
    "INDEX",
    "LOCAL",
    "Absent",
    "Archive",
    "arrived",
    "expect",
    "install",
    "let_go",
    "places",
    "watch",
]

type Fetch = Callable[[], Iterable[tuple[str, str, bytes | memoryview]]]

INDEX = "index.json"
"""Name of an archive's first file: places of modules and other files, from its own end on."""
LOCAL = 30
"""Bytes before the name in a zip's local header; our archives have no extra fields."""
_SIZE = slice(22, 26)
"""Where in that header the size is."""
_HEADER = 16
"""Bytes before the code in a file of byte code."""


class Archive(MetaPathFinder, Loader):
    """Finds and loads the modules of one archive.

    Args:
        data: the archive, stored, not compressed, with its index first.
        root: folder in which the modules claim to lie, and into which all else is written.
    """

    def __init__(self, data: bytes, root: Path) -> None:
        self._data: memoryview | None = memoryview(data)
        self._file = ""
        self._root = root
        start = LOCAL + len(INDEX)
        self._base = start + int.from_bytes(data[_SIZE], "little")
        index = json.loads(data[start : self._base])
        self._places: dict[str, tuple[int, int]] = index["modules"]
        self._packages = frozenset(index["packages"])
        self._folders = frozenset(index["folders"])
        self._write(index["files"])

    def _write(self, files: dict[str, tuple[int, int]]) -> None:
        for folder in {os.path.dirname(path) for path in files}:  # noqa: PTH120
            os.makedirs(f"{self._root}/{folder}", exist_ok=True)  # noqa: PTH103
        for path, (start, end) in files.items():
            with open(f"{self._root}/{path}", "wb") as file:  # noqa: PTH123
                file.write(self._bytes(start, end))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the archive."""
        del path, target
        # Paths as text: this is done for every module, and path objects take their time.
        folder = f"{self._root}/{fullname.replace('.', '/')}"
        if fullname not in self._places:
            return self._namespace(fullname, folder) if fullname in self._folders else None
        package = fullname in self._packages
        origin = f"{folder}/__init__.pyc" if package else f"{folder}.pyc"
        spec = ModuleSpec(fullname, self, origin=origin, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [folder]
        return spec

    def _namespace(self, fullname: str, folder: str) -> ModuleSpec:
        """A folder of modules that is a package all the same."""
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [folder]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module as usual."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        code = self.get_code(module.__name__)
        for watcher in _WATCHERS:
            watcher()
        exec(code, module.__dict__)

    def get_code(self, name: str) -> CodeType:
        """Return a module's code."""
        start, end = self._places[name]
        code: CodeType = marshal.loads(self._bytes(start + _HEADER, end))
        return code

    @property
    def place(self) -> tuple[int, int]:
        """Where in memory the archive lies: address and size."""
        assert self._data is not None
        return id(self._data.obj) + sys.getsizeof(b"") - 1, len(self._data)

    def let_go(self, file: str) -> None:
        """Give the memory back; what is asked for later lies in a file.

        Args:
            file: the same archive, there before anything else is imported.
        """
        self._data, self._file = None, file

    def _bytes(self, start: int, end: int) -> bytes | memoryview:
        if self._data is not None:
            return self._data[self._base + start : self._base + end]
        with Path(self._file).open("rb") as archive:
            archive.seek(self._base + start)
            return archive.read(end - start)

    def get_source(self, name: str) -> None:
        """There is no source."""

    def is_package(self, name: str) -> bool:
        """Tell whether a module is a package."""
        return name in self._packages

    def get_resource_reader(self, name: str) -> FileReader:
        """Return what reads a package's data: it was written out."""
        folder = self._root.joinpath(*name.split("."))
        return FileReader(SimpleNamespace(path=str(folder / "__init__.py")))  # type: ignore[arg-type]


_WATCHERS: list[Callable[[], object]] = []


def watch(watcher: Callable[[], object]) -> None:
    """Let something be called whenever a module is imported."""
    _WATCHERS.append(watcher)


_ARCHIVES: list[Archive] = []


def install(data: Any, root: str) -> None:  # noqa: ANN401
    """Let the modules of an archive be imported.

    Args:
        data: the archive, as an array of the browser's.
        root: a folder on the import path.
    """
    archive = Archive(data.to_bytes(), Path(root))
    _ARCHIVES.append(archive)
    sys.meta_path.insert(0, archive)


def places() -> list[tuple[int, int]]:
    """Return where in memory all archives lie."""
    return [archive.place for archive in _ARCHIVES]


def let_go(files: Sequence[str]) -> None:
    """Give back the memory of all archives, and forget who watches.

    Args:
        files: where each archive lies, in the order in which they were installed.
    """
    _WATCHERS.clear()
    for archive, file in zip(_ARCHIVES, files, strict=True):
        archive.let_go(file)


class Absent(MetaPathFinder):
    """Looked at before all archives: sees to it that they are there.

    Args:
        fetch: returns each missing file at once: where it belongs, or nothing if it is only to be
            checked; its SHA-256; its bytes.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Wait for the archives, and leave the module to them.

        Raises:
            ImportError: a file cannot be fetched, or is not the right one.
        """
        del path, target
        if fullname in sys.builtin_module_names:
            return
        try:
            files = list(self._fetch())
        except Exception as error:
            raise ImportError(f"{fullname} cannot be imported: {error}") from error
        for place, digest, content in files:
            if sha256(content).hexdigest() != digest:
                what = Path(place).name or "the list of packages"
                raise ImportError(f"{fullname} cannot be imported: {what} is damaged")
        for place, _, content in files:
            if place:
                Path(place).write_bytes(content)
        arrived()


def expect(fetch: Fetch) -> None:
    """Let the next import of something new wait for the archives; see `Absent`."""
    sys.meta_path.insert(0, Absent(fetch))


def arrived() -> None:
    """Say that the archives are there."""
    # A list of its own: an import may be walking along the other one.
    sys.meta_path = [finder for finder in sys.meta_path if not isinstance(finder, Absent)]
