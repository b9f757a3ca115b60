"""Where the files lie that come with the package, such as style sheets and data."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["asset", "folder"]


@cache
def folder() -> Traversable:
    """Return the asset folder: ``flockpit/assets`` installed, ``assets`` in a checkout."""
    packaged = files("flockpit") / "assets"
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parents[2] / "assets"


def asset(path: str) -> Traversable:
    """Return an asset by its path below the asset folder.

    Raises:
        FileNotFoundError: there is none.
    """
    found = folder().joinpath(*path.split("/"))
    if not found.is_file():
        raise FileNotFoundError(f"asset {path!r} is missing; looked in {folder()}")
    return found
