"""Figures over time: they share an axis, a playhead and a veil."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from bokeh.models import Line

from flockpit.instruments.base import Columns, Figure, Layer
from flockpit.instruments.figures import Scale, add_text, set_scale
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import DASHES, Theme

__all__ = ["LinePair", "Strip", "of_beside", "while_recorded"]


def while_recorded(view: DeckView) -> Hashable:
    """Return what a layer over the whole recorded run depends on: not on the playhead."""
    return view.recording


def of_beside(columns: Callable[[DeckView], Columns], y: str) -> Layer:
    """Return a layer with one line of the branch that is compared, empty without one."""

    def other(view: DeckView) -> Columns:
        if view.beside is None:
            return {"x": [], "y": []}
        found = columns(view.beside)
        return {"x": found["x"], "y": found[y]}

    return Layer(other, lambda view: view.beside.recording if view.beside else None)


class Strip(Figure):
    """An instrument on the shared time axis.

    Args:
        axis: the axis.
        layers: see `Figure`.
        scale: values at first.
        theme: to begin with.

    Attributes:
        figure: the Bokeh figure, to be drawn into.
    """

    def __init__(
        self, axis: TimeAxis, layers: Mapping[str, Layer], scale: Scale, theme: Theme = "dark"
    ) -> None:
        super().__init__({**layers, "empty": Layer(self._empty, self._empty_key)}, theme)
        self.axis = axis
        self.figure: Any = axis.chart(self.paint, scale)
        add_text(
            self.figure, self.paint, self.sources["empty"], "text2",
            text_align={"value": "center"}, level="overlay",
        )  # fmt: skip

    def draw_beside(self) -> None:
        """Draw the line of the branch that is compared, from the layer `beside`."""
        line = Line(x="x", y="y", line_width=1.5, line_dash=[1, 3])
        self.figure.add_glyph(self.sources["beside"], self.paint(line, line_color="ink"))

    def update(self, view: DeckView) -> None:
        """Show a view; whichever figure has its turn moves the playhead of all."""
        super().update(view)
        self.axis.update(view)

    def empty(self, view: DeckView) -> str:
        """Return what would fill the figure, while nothing does; else nothing."""
        return ""

    def _empty(self, view: DeckView) -> Columns:
        said = self.empty(view)
        middle = (self.figure.y_range.start + self.figure.y_range.end) / 2.0
        return {
            "x": [view.length * view.seconds / 2.0] if said else [],
            "y": [middle] if said else [],
            "text": [said] if said else [],
        }

    def _empty_key(self, view: DeckView) -> Hashable:
        return self.empty(view), view.length, self.figure.y_range.end


class LinePair(Strip):
    """Two lines over the recorded run: a full one and a dashed one, their names at the right edge.

    Of a branch that is compared the full one is drawn.

    Args:
        axis: the axis.
        columns: gives x and both lines.
        labels: gives the names of the lines: x, y, text.
        tokens: the columns of both lines and their colours, the full line first.
        scale: gives the values that the figure shows.
        first: values until something is shown.
        theme: to begin with.
    """

    def __init__(
        self,
        axis: TimeAxis,
        *,
        columns: Callable[[DeckView], Columns],
        labels: Callable[[DeckView], Columns],
        tokens: Mapping[str, str],
        scale: Callable[[DeckView], Scale],
        first: Scale,
        theme: Theme = "dark",
    ) -> None:
        full, dashed = tokens
        layers = {
            "lines": Layer(columns, while_recorded),
            "labels": Layer(labels, while_recorded),
            "beside": of_beside(columns, full),
        }
        super().__init__(axis, layers, first, theme)
        self._scale = scale
        for name, width, dash in ((full, 2.0, ()), (dashed, 1.5, DASHES["threshold"])):
            line = Line(x="x", y=name, line_width=width, line_dash=list(dash))
            self.paint(line, line_color=tokens[name])
            self.figure.add_glyph(self.sources["lines"], line)
        add_text(
            self.figure, self.paint, self.sources["labels"], "text2",
            text_align={"value": "right"},
        )  # fmt: skip
        self.draw_beside()
        self.view = self.compose(self.figure)

    def update(self, view: DeckView) -> None:
        """Show a view."""
        set_scale(self.figure, self._scale(view))
        super().update(view)
