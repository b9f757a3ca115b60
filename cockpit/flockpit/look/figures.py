"""Bokeh figures in the language of the cockpit, and one loop that changes their theme.

A canvas cannot read CSS variables. A figure therefore keeps, for every colour that it shows, which
token it came from; changing the theme sets them all anew.
"""

from collections.abc import Iterable
from typing import Any

import panel as pn
from bokeh.models import Range1d
from bokeh.plotting import figure

from flockpit.look.tokens import SANS, SIZES, THEMES, Theme

__all__ = ["FONT", "SMALL", "Paint", "blank_figure", "plot"]

FONT = SANS.replace('"', "'")
SMALL = f"{SIZES['small'][0]}px"

type Painted = tuple[Any, str, str]


class Paint:
    """Remembers which property of which model shows which token.

    Args:
        theme: to begin with.
    """

    def __init__(self, theme: Theme = "dark") -> None:
        self.theme: Theme = theme
        self._painted: list[Painted] = []

    def __call__(self, model: Any, **tokens: str) -> Any:  # noqa: ANN401
        """Paint properties of a model with tokens, now and after each change of theme.

        Returns:
            The model.
        """
        for name, token in tokens.items():
            self._painted.append((model, name, token))
            setattr(model, name, THEMES[self.theme][token])
        return model

    def apply(self, theme: Theme) -> None:
        """Set every painted property to its token's colour in a theme."""
        self.theme = theme
        for model, name, token in self._painted:
            setattr(model, name, THEMES[theme][token])


def blank_figure(
    paint: Paint,
    *,
    x_range: Range1d,
    y_range: tuple[float, float],
    borders: Iterable[int] = (0, 0, 0, 0),
    **more: Any,  # noqa: ANN401
) -> figure:
    """Return a figure without axes, grid, frame or toolbar, on the colour of a card.

    Args:
        paint: keeps its theme.
        x_range: shared with others, or its own.
        y_range: from below to above.
        borders: pixels between frame and edge: top, right, bottom, left.
        more: further properties of the figure.
    """
    made = figure(
        x_range=x_range,
        y_range=Range1d(start=y_range[0], end=y_range[1]),
        # No axes and grids: hidden, they would still be made and sent.
        x_axis_type=None,
        y_axis_type=None,
        tools="",
        toolbar_location=None,
        output_backend="canvas",
        outline_line_color=None,
        # What has the focus says so by its own means: a dotted frame round a canvas means nothing.
        styles={"outline": "none"},
        **more,
    )
    top, right, bottom, left = borders
    made.min_border = 0
    made.min_border_top, made.min_border_right = top, right
    made.min_border_bottom, made.min_border_left = bottom, left
    paint(made, background_fill_color="surface", border_fill_color="surface")
    return made


class _Plot(pn.pane.Bokeh):
    """A figure that hears again once it is back: Panel deafens what is taken off a page."""

    def _cleanup(self, root: Any = None) -> None:  # noqa: ANN401
        kept = self.object._callbacks, self.object._event_callbacks
        super()._cleanup(root)
        self.object._callbacks, self.object._event_callbacks = kept


def plot(figure: Any, sizing_mode: str = "stretch_both", *, css: str = "plot") -> pn.pane.Bokeh:  # noqa: ANN401
    """Return the component that shows a figure; it can be taken off the page and put on again."""
    return _Plot(figure, margin=0, sizing_mode=sizing_mode, css_classes=[css])
