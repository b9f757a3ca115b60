"""What the network does: delivered upwards, dropped downwards, per stretch of time."""

from typing import ClassVar

import numpy as np
from bokeh.models import VBar
from numpy.typing import NDArray

from flockpit.instruments.base import Columns, Headline, Layer, Number
from flockpit.instruments.figures import Scale, round_values, set_scale, short
from flockpit.instruments.strip import Strip, while_recorded
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme
from flockpit.texts import count

__all__ = ["DROPPED", "Messages", "bar_ticks", "columns", "per_node_second"]

DROPPED = ("dropped_loss", "dropped_cut", "dropped_dead", "dropped_full")
"""Why a copy is not delivered: lost, cut off, its receiver is down, its inbox is full."""
_BARS = 200
"""Bars at most; a bar is a round number of milliseconds."""
_ROUND_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def bar_ticks(view: DeckView) -> int:
    """Return how many ticks a bar covers: the shortest round time that gives few enough bars."""
    tick_ms = view.seconds * 1e3
    whole = view.length * tick_ms
    width = next((ms for ms in _ROUND_MS if whole / ms <= _BARS and ms >= tick_ms), whole / _BARS)
    return max(round(width / tick_ms), 1)


def _sums(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sums over ticks 1..width, width + 1 .. 2 width, ...; the last may be cut short."""
    starts = np.arange(1, len(values), width)
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, dtype=np.int64)


def columns(view: DeckView) -> Columns:
    """Return the bars of the recorded run.

    Returns:
        x: middle of each bar in seconds; width: likewise; delivered and dropped (negative):
        copies in it; float32.
    """
    width = bar_ticks(view)
    delivered = _sums(view.series("delivered"), width)
    dropped = _sums(sum_of(view, DROPPED), width)
    middle = (np.arange(len(delivered)) + 0.5) * width * view.seconds
    return {
        "x": middle.astype(np.float32),
        "width": np.full(len(middle), 0.72 * width * view.seconds, dtype=np.float32),
        "delivered": delivered.astype(np.float32),
        "dropped": -dropped.astype(np.float32),
    }


def sum_of(view: DeckView, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the sum of several columns of statistics over the recorded run."""
    total = np.zeros(view.recorded_until + 1, dtype=np.int64)
    for name in names:
        total += view.series(name)
    return total


def per_node_second(view: DeckView) -> float:
    """Return the bytes that a node sends per second, over the last bar before the playhead."""
    width = bar_ticks(view)
    start = max(view.tick - width + 1, 1)
    sent = int(view.series("bytes")[start : view.tick + 1].sum())
    seconds = max(view.tick + 1 - start, 1) * view.seconds
    return sent / seconds / max(int(view.present.sum()), 1)


def scale_of(view: DeckView) -> Scale:
    """Return a scale with delivered above and dropped below 0."""
    found = columns(view)
    up = float(found["delivered"].max(initial=1.0))
    down = float(-found["dropped"].min(initial=0.0))
    step = round_values(max(up, down), 3)[1]
    high = max(1.06 * up, 1.02 * step)
    low = max(1.06 * down, 0.02 * high)
    marks = {mark: short(mark) for mark in np.arange(0.0, high, step).tolist()}
    if low >= step:
        marks = {-step: short(step)} | marks
    return Scale(-low, high, marks)


class Messages(Strip):
    """Copies delivered and dropped over time."""

    name: ClassVar[str] = "messages"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        layers = {"bars": Layer(columns, while_recorded)}
        super().__init__(axis, layers, Scale(-1.0, 1.0, {0: "0"}), theme)
        for name, token in (("delivered", "text3"), ("dropped", "dead")):
            bar = VBar(x="x", width="width", top=name, bottom=0, line_color=None, fill_alpha=0.85)
            self.figure.add_glyph(self.sources["bars"], self.paint(bar, fill_color=token))
        self.view = self.compose(self.figure)

    def headline(self, view: DeckView) -> Headline:
        """Return what was delivered and dropped in the last stretch, and bytes per node."""
        width = bar_ticks(view)
        start = max(view.tick - width + 1, 1)
        delivered = int(view.series("delivered")[start : view.tick + 1].sum())
        dropped = int(sum_of(view, DROPPED)[start : view.tick + 1].sum())
        per = f"{width * view.seconds * 1e3:g} ms"
        return Headline(
            "Messages",
            (
                Number(count(delivered), "delivered"),
                Number(count(dropped), f"dropped / {per}", "dead" if dropped else "none"),
            ),
            f"{per_node_second(view) / 1e3:.1f} kB/s per node",
        )

    def update(self, view: DeckView) -> None:
        """Show a view."""
        set_scale(self.figure, scale_of(view))
        super().update(view)
