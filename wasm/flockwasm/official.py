"""Pyodide's own archives, repacked: without what a page has no use for, byte-compiled, stored.

The official ones are deflated inside, which a host's compression cannot better, and the standard
library is source, which would be compiled anew at every start.
"""

from collections.abc import Sequence
from pathlib import Path

from flockwasm.archives import compiled, indexed, matches, stored, unzipped
from flockwasm.runtime import NUMPY

__all__ = ["repacked_numpy", "repacked_stdlib"]

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

_NUMPY_OURS = {"numpy/random/__init__.py": Path(__file__).parent / "instead" / "numpy_random.py"}
"""Modules of numpy's that are ours on the site, and where their text is."""

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


def repacked_numpy(wheel: bytes) -> bytes:
    """Return Pyodide's numpy without what is not needed to run, and with an index.

    Its docstrings stay: numpy hands them to C, which will have no None.

    Args:
        wheel: the official one, whose hash has been checked.
    """
    instead = dict.fromkeys(_NUMPY_EMPTY, b"")
    instead |= {inside: text.read_bytes() for inside, text in _NUMPY_OURS.items()}
    taken = _taken(wheel, _NUMPY_WITHOUT)
    changed = {inside: instead.get(inside, data) for inside, data in taken.items()}
    return indexed(compiled(NUMPY.name, changed))


def repacked_stdlib(archive: bytes) -> bytes:
    """Return Pyodide's standard library without what has no use on a page.

    Args:
        archive: the official one, whose hash has been checked.
    """
    return stored(compiled("python_stdlib.zip", _taken(archive, _STDLIB_WITHOUT)))


def _taken(archive: bytes, without: Sequence[str]) -> dict[str, bytes]:
    found = unzipped(archive)
    return {inside: data for inside, data in found.items() if not matches(inside, without)}
