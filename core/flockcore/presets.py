"""The scenarios that come with the package: where they are and what they are called.

They are package data (``flockcore/scenarios``); in a checkout, where nothing is installed, they
are read from ``assets/scenarios``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from flockcore import rules
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["names", "text"]

_STORY_ORDER = (
    "calm-flock",
    "split-brain",
    "one-way-cut",
    "three-way-split",
    "flapping-link",
    "slow-observer",
    "rolling-crash",
    "ballot-storm",
    "equivocator",
)
_SUFFIX = ".toml"


def _folder() -> Traversable:
    packaged = files("flockcore") / "scenarios"
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parents[2] / "assets" / "scenarios"


def names() -> tuple[str, ...]:
    """Names of the scenarios, in the order in which they are best told.

    Returns:
        The names; scenarios without a place in the story follow by alphabet.
    """
    folder = _folder()
    if not folder.is_dir():
        return ()
    found = {
        entry.name.removesuffix(_SUFFIX)
        for entry in folder.iterdir()
        if entry.name.endswith(_SUFFIX)
    }
    told = [name for name in _STORY_ORDER if name in found]
    return (*told, *sorted(found.difference(told)))


def text(name: str) -> str:
    """The TOML text of a scenario.

    Args:
        name: One of `names`.

    Returns:
        The text of the file.

    Raises:
        FlockError: If no scenario has this name.
    """
    known = names()
    if name not in known:
        raise FlockError(f"scenario {name!r} does not exist; {rules.hint(name, known)}")
    return (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
