"""The curl norm over time: when flows contradict each other, and since when they no longer do."""

from typing import ClassVar

import numpy as np
from bokeh.models import Line
from bokeh.models.annotations import Span
from numpy.typing import NDArray

from flockcore.hodge.layer import CURL_UNIT
from flockcore.hodge.reports import CONSISTENT
from flockpit.instruments.base import Columns, Headline, Layer, Number
from flockpit.instruments.figures import Scale, add_text, sample_ticks, set_scale
from flockpit.instruments.flow_reading import absent
from flockpit.instruments.flow_words import size
from flockpit.instruments.strip import Strip, of_beside, while_recorded
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import DASHES, Theme

__all__ = ["FLOOR", "MARKS", "CurlNorm", "columns", "logarithm", "power", "scale_of"]

FLOOR = -12.0
"""Power of ten at which a norm of 0 is drawn: the unit of the recorded norms."""
_THRESHOLD = float(np.log10(CONSISTENT))
_LABEL = 0.35
"""Share of the figure's width that the threshold's name may take."""
_DIGITS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(exponent: int) -> str:
    """Return a power of ten as it is written."""
    return f"10{str(exponent).translate(_DIGITS)}"


MARKS = {FLOOR: "0", **{float(mark): power(mark) for mark in (-9, -6, -3, 0)}}
"""Labelled values of a norm's logarithm; a norm of 0 has none, and stands at the foot."""


def logarithm(norm: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the decimal logarithm of norms, `FLOOR` at the least."""
    found = np.log10(np.maximum(norm, 10.0**FLOOR))
    return np.asarray(found, dtype=np.float32)


def columns(view: DeckView) -> Columns:
    """Return both norms over the recorded run: x in seconds; held, written: logarithms; float32."""
    ticks = sample_ticks(view.recorded_until)
    norms = (view.series(name)[ticks] * CURL_UNIT for name in ("curl_norm", "curl_written"))
    held, written = (logarithm(norm) for norm in norms)
    return {"x": (ticks * view.seconds).astype(np.float32), "held": held, "written": written}


def scale_of(view: DeckView) -> Scale:
    """Return a scale of powers of ten, from rounding to above the largest norm."""
    highest = float(np.max(view.series("curl_written"), initial=0)) * CURL_UNIT
    highest = max(highest, float(np.max(view.series("curl_norm"), initial=0)) * CURL_UNIT)
    top = max(int(np.ceil(np.log10(highest))) if highest > 0 else 0, 0) + 0.6
    return Scale(FLOOR - 0.5, top, MARKS)


def _label_columns(view: DeckView) -> Columns:
    """The name of the threshold, at the end of it that no line crosses: x, y, text, align."""
    found = columns(view)
    end = view.length * view.seconds

    def crossed(chosen: NDArray[np.bool_]) -> bool:
        return len(np.unique(found["held"][chosen] > _THRESHOLD)) > 1

    x = found["x"]
    left = crossed(x > (1.0 - _LABEL) * end) and not crossed(x < _LABEL * end)
    return {
        "x": [0.02 * end if left else 0.98 * end],
        "y": [_THRESHOLD],
        "text": ["consistent below"],
        "align": ["left" if left else "right"],
    }


class CurlNorm(Strip):
    """How much the flows that nodes act on contradict themselves, the worst node counting."""

    name: ClassVar[str] = "curl-norm"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        layers = {
            "lines": Layer(columns, while_recorded),
            "labels": Layer(_label_columns, while_recorded),
            "beside": of_beside(columns, "held"),
        }
        super().__init__(axis, layers, Scale(FLOOR - 0.5, 0.6, MARKS), theme)
        source = self.sources["lines"]
        threshold = Span(
            dimension="width", location=_THRESHOLD, line_width=1.5,
            line_dash=list(DASHES["threshold"]),
        )  # fmt: skip
        self.figure.add_layout(self.paint(threshold, line_color="holds"))
        written = Line(x="x", y="written", line_width=1.5, line_dash=[2, 3])
        self.figure.add_glyph(source, self.paint(written, line_color="text3"))
        held = Line(x="x", y="held", line_width=2)
        self.figure.add_glyph(source, self.paint(held, line_color="curl"))
        add_text(
            self.figure, self.paint, self.sources["labels"], "holds-text",
            text_align={"field": "align"}, y_offset=10,
        )  # fmt: skip
        self.draw_beside()
        self.view = self.compose(self.figure)

    def headline(self, view: DeckView) -> Headline:
        """Return the norm at the playhead, and how many different sets of entries nodes hold."""
        norm = view.latest("curl_norm") * CURL_UNIT
        versions = max(view.latest("flow_replicas"), 1)
        return Headline(
            "Curl norm",
            (
                Number(size(norm), "at worst", "curl" if norm > CONSISTENT else "none"),
                Number(str(versions), f"version{'s' * (versions != 1)}"),
            ),
            "dotted: of all that was written",
        )

    def update(self, view: DeckView) -> None:
        """Show a view."""
        set_scale(self.figure, scale_of(view))
        super().update(view)

    def empty(self, view: DeckView) -> str:
        """Return what would fill the figure."""
        if view.series("curl_written").any():
            return ""
        return absent(view) and "No flow was recorded"
