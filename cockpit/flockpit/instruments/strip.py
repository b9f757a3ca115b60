"""A figure over time: one of several that share an axis, a playhead and a veil."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from bokeh.models import Line

from flockpit.instruments.base import Columns, Figure, Layer
from flockpit.instruments.figures import Scale, add_text
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme

__all__ = ["Strip", "of_beside", "while_recorded"]


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
