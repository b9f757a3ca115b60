"""What the gate has counted over time, against the lines of its policy."""

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np
from bokeh.models import Scatter, Segment, Step, VStrip

from flockcore.barrier.codes import Decision
from flockcore.kernel.faults import Partition
from flockpit.instruments.barrier_reading import read
from flockpit.instruments.base import Columns, Headline, Layer, Number
from flockpit.instruments.figures import Scale, add_text, nice_scale, set_scale
from flockpit.instruments.strip import Strip, while_recorded
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import DASHES, TINT_ALPHA, Theme

__all__ = ["BarrierCounts", "count_columns"]

_SERIES = ("ready", "failed", "truly")
_ENDS: dict[str, Any] = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1"}
_WINDOW_ALPHA = 0.3
_HIGH = 0.8
"""Share of the hosts above which the words of a line stand below it."""
_ROOM = 0.07
"""Share of the scale that is left free above and below it, for lines at its ends."""


def count_columns(view: DeckView) -> Columns:
    """Return the counts at every tick at which one of them changes: x in seconds, and each count.

    From the fan-out of the provisioning that is shown to its end, recorded future included.
    """
    first, last = read(view).stretch
    if first < 0:
        return {name: [] for name in ("x", *_SERIES)}
    counts = np.stack([view.series(f"barrier_{name}")[first : last + 1] for name in _SERIES])
    changed = np.any(counts[:, 1:] != counts[:, :-1], axis=0)
    ticks = np.concatenate([[0], np.flatnonzero(changed) + 1, [last - first]])
    found = {name: counts[row][ticks] for row, name in enumerate(_SERIES)}
    return {"x": (ticks + first) * view.seconds, **found}


def _asked(view: DeckView) -> tuple[int | None, int | None, int]:
    """Lines of the policy, and the tick from which on they are drawn."""
    reading = read(view)
    return (*reading.lines, reading.stretch[0] if reading.on else -1)


def _line(place: int, words: str) -> Layer:
    """The line of a number that the policy asks for, with its words at the left."""

    def columns(view: DeckView) -> Columns:
        value = _asked(view)[place]
        if value is None:
            return {name: [] for name in (*_ENDS, "x", "y", "text", "below")}
        end = view.length * view.seconds
        return {
            "x0": [0.0], "y0": [value], "x1": [end], "y1": [value],
            "x": [0.008 * end], "y": [value], "text": [f"{words} {value}"],
            "below": [8 if value > _HIGH * view.nodes else -8],
        }  # fmt: skip

    return Layer(columns, lambda view: (_asked(view), view.length))


def _decision_columns(view: DeckView) -> Columns:
    found = read(view).decided
    if found is None or found.decision is not Decision.PROCEED:
        return {name: [] for name in ("x", "y", "top")}
    return {"x": [found.tick * view.seconds], "y": [found.ready], "top": [view.nodes]}


def _lost_columns(view: DeckView) -> Columns:
    found = read(view).decided
    if found is None or found.decision is not Decision.FAIL:
        return {name: [] for name in ("x", "y", "top")}
    return {"x": [found.tick * view.seconds], "y": [found.ready], "top": [view.nodes]}


def _window_columns(view: DeckView) -> Columns:
    column = view.series("barrier_window")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], column != 0, [0]])))
    # A window of a tick would be less than a pixel wide, and is there all the same.
    return {"x0": edges[::2] * view.seconds, "x1": (edges[1::2]) * view.seconds}


def _cut_columns(view: DeckView) -> Columns:
    spans = [span for span in view.sim.script.spans if isinstance(span.fault, Partition)]
    ends = [view.length if span.stop is None else span.stop for span in spans]
    starts = [span.start for span in spans]
    return {
        "x0": np.array(starts, dtype=np.float64) * view.seconds,
        "x1": np.array(ends, dtype=np.float64) * view.seconds,
    }


class BarrierCounts(Strip):
    """READY and FAILED hosts in the gate's counts, and how many are truly ready."""

    name: ClassVar[str] = "barrier-counts"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        layers = {
            "cuts": Layer(_cut_columns, lambda view: (view.recording, view.sim.script.spans)),
            "windows": Layer(_window_columns, while_recorded),
            "least": _line(0, "ready ≥"),
            "most": _line(1, "failed ≤"),
            "counts": Layer(count_columns, _stretch_key),
            "decision": Layer(_decision_columns, _stretch_key),
            "lost": Layer(_lost_columns, _stretch_key),
        }
        super().__init__(axis, layers, Scale(0.0, 1.0, {0.0: "0", 1.0: "1"}), theme)
        self._draw_grounds()
        self._draw_lines()
        self.view = self.compose(self.figure)

    def _draw_grounds(self) -> None:
        self._tint = VStrip(x0="x0", x1="x1", line_color=None, fill_alpha=0.1)
        self.figure.add_glyph(self.sources["cuts"], self.paint(self._tint, fill_color="side-b"))
        window = VStrip(x0="x0", x1="x1", line_width=1, fill_alpha=_WINDOW_ALPHA)
        self.paint(window, fill_color="violated", line_color="violated")
        self.figure.add_glyph(self.sources["windows"], window)

    def _draw_lines(self) -> None:
        for name, line, words in (("least", "holds", "holds-text"), ("most", "dead", "dead-text")):
            dashed = Segment(**_ENDS, line_width=1.5, line_dash=list(DASHES["threshold"]))
            self.figure.add_glyph(self.sources[name], self.paint(dashed, line_color=line))
            add_text(
                self.figure, self.paint, self.sources[name], words, y_offset={"field": "below"}
            )
        counts = self.sources["counts"]
        for name, token, width in (
            ("truly", "alive", 1.25),
            ("failed", "dead", 2),
            ("ready", "holds", 2),
        ):
            step = Step(x="x", y=name, mode="after", line_width=width)
            self.figure.add_glyph(counts, self.paint(step, line_color=token))
        for name, token in (("decision", "holds"), ("lost", "dead")):
            upright = Segment(x0="x", y0=0.0, x1="x", y1="top", line_width=1.5)
            self.figure.add_glyph(self.sources[name], self.paint(upright, line_color=token))
            mark = Scatter(x="x", y="y", size=10, marker="circle", line_width=2)
            self.paint(mark, line_color=token, fill_color="surface")
            self.figure.add_glyph(self.sources[name], mark)

    def headline(self, view: DeckView) -> Headline:
        """Return how often, and for how long, the gate's word was false up to now."""
        found = read(view).windows
        number, tone = len(found), "violated" if len(found) else "none"
        said = "false-ready window" + "s" * (number != 1)
        numbers = [Number(str(number), said, tone)]
        if number:
            numbers.append(Number(_ms(found.total_us), "in all"))
            numbers.append(Number(_ms(found.longest_us), "longest"))
        return Headline("Policy and lanes", tuple(numbers), "what the gate counts, and its lines")

    def update(self, view: DeckView) -> None:
        """Show a view."""
        scale = nice_scale(view.nodes, 3, least=3.0)
        room = _ROOM * scale.high
        set_scale(self.figure, Scale(-room, scale.high + room, scale.marks))
        super().update(view)

    def apply_theme(self, theme: Theme) -> None:
        """Change the colours."""
        super().apply_theme(theme)
        self._tint.fill_alpha = TINT_ALPHA[theme]

    def empty(self, view: DeckView) -> str:
        """Return what would fill the figure."""
        return "" if read(view).stretch[0] >= 0 else "Counts appear here once hosts are provisioned"


def _stretch_key(view: DeckView) -> Hashable:
    return (view.recording, read(view).stretch)


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1e3:,.4g} ms"
