"""One axis of time for all figures of a deck: span, playhead, veil, fault times, labels."""

from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, Range1d, VSpan
from bokeh.models.annotations import BoxAnnotation, Span

from flockpit.instruments.figures import LEFT, RIGHT, Scale, add_text, chart, round_values
from flockpit.instruments.view import DeckView
from flockpit.look.figures import Paint, blank_figure, plot
from flockpit.look.tokens import DASHES, VEIL_ALPHA, Theme

__all__ = ["TimeAxis", "foot_columns"]

_PILL_SHARE = 0.11
"""Share of the span within which a label would meet the playhead's pill."""
_EDGE_SHARE = 0.06
"""Share of the span within which a centred label would be clipped."""


class TimeAxis:
    """One axis of time for all figures of a deck: span, playhead, veil, fault times, labels.

    Playhead and veil are single models that every figure shows, so that they never disagree.

    Args:
        time: the span in seconds, shared with the timeline.
        theme: to begin with.

    Attributes:
        foot: the component with the labels, to stand below the lowest figure.
    """

    def __init__(self, time: Range1d, theme: Theme = "dark") -> None:
        self.time = time
        self.paint = Paint(theme)
        self.playhead = Span(dimension="height", location=0.0, line_width=1.5, level="overlay")
        # On the canvas above the data: when the playhead moves, the data is not painted again.
        self.veil = BoxAnnotation(
            left=0.0, fill_alpha=VEIL_ALPHA[theme], line_color=None, level="overlay"
        )
        self.faults = ColumnDataSource({"x": []})
        self._labels = ColumnDataSource({"x": [], "y": [], "text": [], "align": []})
        self._pill = ColumnDataSource({"x": [], "y": [], "text": [], "align": []})
        self.paint(self.playhead, line_color="ink")
        self.paint(self.veil, fill_color="surface")
        self.foot = self._draw_foot()

    def chart(self, paint: Paint, scale: Scale, **more: Any) -> Any:  # noqa: ANN401
        """Return a figure over time, with fault times, veil and playhead."""
        made = chart(paint, self.time, scale, **more)
        lines = VSpan(x="x", line_width=1, line_dash=list(DASHES["fault-time"]))
        made.add_glyph(self.faults, self.paint(lines, line_color="text3"))
        made.add_layout(self.veil)
        made.add_layout(self.playhead)
        return made

    def _draw_foot(self) -> pn.pane.Bokeh:
        made = blank_figure(
            self.paint,
            x_range=self.time,
            y_range=(0.0, 1.0),
            borders=(0, RIGHT, 0, LEFT),
            sizing_mode="stretch_width",
            height=22,
        )
        for source, token in ((self._labels, "text3"), (self._pill, "on-ink")):
            (glyph,) = add_text(
                made, self.paint, source, token, halo=False, text_align={"field": "align"}
            )
            if source is self._pill:
                glyph.update(text_font_style="bold", padding=[6, 3], border_radius=4)
                self.paint(glyph, background_fill_color="ink")
        return plot(made, "stretch_width", css="foot")

    def update(self, view: DeckView) -> None:
        """Move the playhead, and what depends on the span."""
        now, end = view.now, view.length * view.seconds
        if self.time.end != end:
            self.time.end = end
        starts = view.fault_times
        if not np.array_equal(np.asarray(self.faults.data["x"]), starts):
            self.faults.data = {"x": starts}
        if self.playhead.location != now:
            self.playhead.location = now
            self.veil.left = now
        for source, columns in zip((self._labels, self._pill), foot_columns(view), strict=True):
            if {name: list(column) for name, column in source.data.items()} != columns:
                source.data = columns

    def apply_theme(self, theme: Theme) -> None:
        """Change the colours."""
        self.paint.apply(theme)
        self.veil.fill_alpha = VEIL_ALPHA[theme]


def foot_columns(view: DeckView) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return the labels below the lowest figure, and the playhead's pill."""
    end = view.length * view.seconds
    times = [time for time in round_values(end, 4) if abs(time - view.now) > _PILL_SHARE * end]
    unit = times[-1] if times else None
    texts = [f"{time:g} s" if time == unit else f"{time:g}" for time in times]
    pill = f"{view.now:.{2 if view.seconds < 0.1 else 1}f}"
    return _row_of(times, texts, end), _row_of([view.now], [pill], end)


def _row_of(times: list[float], texts: list[str], end: float) -> dict[str, list[Any]]:
    edge = _EDGE_SHARE * end
    aligns = ["left" if t < edge else "right" if t > end - edge else "center" for t in times]
    return {"x": times, "y": [0.5] * len(times), "text": texts, "align": aligns}
