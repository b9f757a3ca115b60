"""A figure over time: one of several that share an axis, a playhead and a veil."""

from collections.abc import Hashable, Mapping
from typing import Any

from flockpit.instruments.base import Columns, Figure, Layer
from flockpit.instruments.figures import Scale, add_text
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme

__all__ = ["Strip", "while_recorded"]


def while_recorded(view: DeckView) -> Hashable:
    """Return what a layer over the whole recorded run depends on: not on the playhead."""
    return view.recording


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
            text_align={"value": "center"},
        )  # fmt: skip

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
