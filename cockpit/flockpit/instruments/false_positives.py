"""False positives: living nodes that were declared dead, per hour that a node lived."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flockpit.instruments.base import Columns, Headline, Number
from flockpit.instruments.figures import Scale, nice_scale, sample_ticks, short
from flockpit.instruments.strip import LinePair
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme

__all__ = ["FalsePositives", "columns", "label_columns", "rates"]

_LEAST_S = 0.1
"""Time over which a rate is taken at the least: the first alarm alone would be infinite."""


def rates(view: DeckView, ticks: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Return false positives per node-hour up to each tick: all, and at healthy members.

    A false positive is one observer's declaration that a node is DEAD which really runs. Hours
    count for every node while it runs. At healthy members: without what slow observers declared,
    as Lifeguard distinguishes (arXiv 1707.00788).

    Args:
        view: the run.
        ticks: recorded ticks, shape (n,).
    """
    lived = np.cumsum(view.series("up"))[ticks] * view.seconds
    hours = np.maximum(lived, _LEAST_S * max(view.nodes, 1)) / 3600.0
    every = np.cumsum(view.series("false_dead"))[ticks] / hours
    healthy = np.cumsum(view.series("false_dead_healthy"))[ticks] / hours
    return every, healthy


def columns(view: DeckView) -> Columns:
    """Return both rates over the recorded run: x in seconds, every, healthy; float32."""
    ticks = sample_ticks(view.recorded_until)
    every, healthy = rates(view, ticks.astype(np.int64))
    return {
        "x": (ticks * view.seconds).astype(np.float32),
        "every": every.astype(np.float32),
        "healthy": healthy.astype(np.float32),
    }


def label_columns(view: DeckView) -> Columns:
    """Return the names of both lines, at the right edge: x, y, text."""
    found = columns(view)
    if not _any(view):
        return {"x": [], "y": [], "text": []}
    high = _scale(view).high
    every, healthy = float(found["every"][-1]), float(found["healthy"][-1])
    apart = every - healthy > 0.3 * high
    rows = [(every, "all"), (healthy, "at healthy members")]
    if not apart:
        rows = [(every, "all, and at healthy members")]
    return {
        "x": [0.99 * view.length * view.seconds] * len(rows),
        "y": [0.84 * high, *(at + 0.15 * high for at, _ in rows[1:])],
        "text": [text for _, text in rows],
    }


def _any(view: DeckView) -> bool:
    return bool(view.series("false_dead").any())


def _scale(view: DeckView) -> Scale:
    return nice_scale(float(columns(view)["every"].max(initial=0.0)), 2)


class FalsePositives(LinePair):
    """How often the detector is wrong."""

    name: ClassVar[str] = "false-positives"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        super().__init__(
            axis, columns=columns, labels=label_columns, scale=_scale,
            tokens={"every": "dead", "healthy": "text2"}, first=nice_scale(1.0), theme=theme,
        )  # fmt: skip

    def headline(self, view: DeckView) -> Headline:
        """Return both rates up to the playhead."""
        every, healthy = (float(rate[0]) for rate in rates(view, np.array([view.tick])))
        return Headline(
            "False DEAD",
            (
                Number(rough(every), "/ node-hour", "dead" if every else "none"),
                Number(rough(healthy), "at healthy", "" if healthy else "none"),
            ),
        )

    def empty(self, view: DeckView) -> str:
        """Return what would fill the figure."""
        return "" if _any(view) else "No living node was declared dead"


def rough(rate: float) -> str:
    """Return a rate with three digits at most."""
    rounded = float(f"{rate:.3g}")
    return f"{rounded:,.10g}" if rounded < 1e4 else short(rounded)
