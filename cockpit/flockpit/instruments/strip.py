"""A figure over time: one of several that share an axis, a playhead and a veil."""

from collections.abc import Hashable, Mapping
from typing import Any

from flockpit.instruments.base import Figure, Layer
from flockpit.instruments.figures import Scale, TimeAxis
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
        super().__init__(layers, theme)
        self.axis = axis
        self.figure: Any = axis.chart(self.paint, scale)

    def update(self, view: DeckView) -> None:
        """Show a view; whichever figure has its turn moves the playhead of all."""
        super().update(view)
        self.axis.update(view)
