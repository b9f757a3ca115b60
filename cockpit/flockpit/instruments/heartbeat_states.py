"""What observers believe of their peers, as shares over time."""

from typing import Any, ClassVar

import numpy as np
from bokeh.models import Line, VArea
from numpy.typing import NDArray

from flockpit.instruments.base import Columns, Headline, Layer, Number
from flockpit.instruments.figures import Scale, add_text, sample_ticks
from flockpit.instruments.strip import Strip, of_beside, while_recorded
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme
from flockpit.texts import count

__all__ = ["STATES", "HeartbeatStates", "columns", "label_columns"]

STATES = ("alive", "suspect", "dead", "unknown")
"""The order of the areas from below."""
_OPAQUE = {"alive": 0.42, "suspect": 1.0, "dead": 1.0, "unknown": 0.45}
_LABEL_ABOVE, _LABEL_SHARE = 28.0, 0.18
"""An area is named where it is that many per cent high over that share of the axis."""


def columns(view: DeckView) -> Columns:
    """Return the upper edge of each state's area in per cent, over the recorded run.

    Returns:
        x in seconds and one column per state, float32; `zero` is the lowest edge.
    """
    ticks = sample_ticks(view.recorded_until)
    pairs = np.stack([view.series(state)[ticks] for state in STATES]).astype(np.float64)
    total = np.maximum(pairs.sum(axis=0), 1.0)
    edges = (100.0 * np.cumsum(pairs, axis=0) / total).astype(np.float32)
    return {
        "x": (ticks * view.seconds).astype(np.float32),
        "zero": np.zeros(len(ticks), dtype=np.float32),
        **dict(zip(STATES, edges, strict=True)),
    }


def label_columns(view: DeckView) -> Columns:
    """Return where an area is high and long enough for its name: x, y, text."""
    found = columns(view)
    rows: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
    low = found["zero"]
    for state in STATES:
        high = found[state]
        start, stop = _longest(high - low >= _LABEL_ABOVE)
        if (stop - start) / len(low) * view.recorded_until >= _LABEL_SHARE * view.length:
            middle = (start + stop - 1) // 2
            rows["x"].append(float(found["x"][middle]))
            rows["y"].append(float(low[middle] + high[middle]) / 2.0)
            rows["text"].append(state.upper())
        low = high
    return rows


def _longest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of True: first index and first beyond; (0, 0) when there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(stops - starts))
    return int(starts[best]), int(stops[best])


class HeartbeatStates(Strip):
    """Shares of UNKNOWN, ALIVE, SUSPECT and DEAD over time, as a stack."""

    name: ClassVar[str] = "heartbeats"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        scale = Scale(0.0, 100.0, {0: "0%", 50: "50%", 100: "100%"})
        layers = {
            "areas": Layer(columns, while_recorded),
            "labels": Layer(label_columns, while_recorded),
            "beside": of_beside(columns, "alive"),
        }
        super().__init__(axis, layers, scale, theme)
        source, low = self.sources["areas"], "zero"
        for state in STATES:
            area = VArea(x="x", y1=low, y2=state, fill_alpha=_OPAQUE[state])
            self.figure.add_glyph(source, self.paint(area, fill_color=state))
            low = state
        for state in STATES[:3]:
            edge = Line(x="x", y=state, line_width=1.25)
            self.figure.add_glyph(source, self.paint(edge, line_color="surface"))
        top = Line(x="x", y="alive", line_width=1.5)
        self.figure.add_glyph(source, self.paint(top, line_color="alive-text"))
        add_text(
            self.figure, self.paint, self.sources["labels"], "text", halo=False,
            text_align={"value": "center"}, text_font_style={"value": "bold"},
        )  # fmt: skip
        self.draw_beside()
        self.view = self.compose(self.figure)

    def headline(self, view: DeckView) -> Headline:
        """Return how many pairs are SUSPECT and DEAD now."""
        suspect, dead = view.latest("suspect"), view.latest("dead")
        return Headline(
            "Heartbeat states",
            (
                Number(count(suspect), "SUSPECT", "suspect" if suspect else "none"),
                Number(count(dead), "DEAD", "dead" if dead else "none"),
            ),
        )
