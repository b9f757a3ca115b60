"""Words and numbers as the report and the picture both show them."""

import unicodedata

from flockcore.hodge.table import Meaning
from flockpit.flows.analysis import Analysis

__all__ = ["betti_words", "clean", "counted", "cut", "explained", "number", "percent", "width"]

_EXPLAINED = {
    Meaning.FLOW: {
        "gradient": "runs from low to high potential",
        "curl": "turns round triangles",
        "harmonic": "turns round holes",
    },
    Meaning.COMPARISON: {
        "gradient": "what one ranking explains",
        "curl": "contradictions among three",
        "harmonic": "contradictions in longer loops, round holes",
    },
}


def explained(meaning: Meaning, part: str) -> str:
    """Return what a part of the flow is."""
    kind = Meaning.FLOW if meaning is Meaning.FLOW else Meaning.COMPARISON
    return _EXPLAINED[kind][part]


def number(value: float, analysis: Analysis) -> str:
    """Return a number in four significant digits; rounding is 0."""
    if analysis.is_noise(value):
        return "0"
    return f"{value:.4g}".replace("-", "−")


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{100 * share:.1f} %"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def betti_words(analysis: Analysis) -> str:
    """Return the Betti numbers in words."""
    if analysis.betti is None:
        return f"{counted(analysis.pieces, 'piece')}, too many possible holes to count them"
    pieces, holes, voids = analysis.betti
    return f"{counted(pieces, 'piece')}, {counted(holes, 'hole')}, {counted(voids, 'void')}"


def clean(name: str) -> str:
    """Return a name without what would steer a terminal or break a picture's markup."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def cut(name: str, room: int) -> str:
    """Return a name, cleaned, in at most `room` columns."""
    shown = clean(name)
    if width(shown) <= room:
        return shown
    while width(shown) > room - 1:
        shown = shown[:-1]
    return f"{shown}…"
