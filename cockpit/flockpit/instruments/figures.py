"""What the figures of all instruments share: quiet grids, few labels, text on any ground."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    FixedTicker,
    Grid,
    LinearAxis,
    Range1d,
    Text,
)
from numpy.typing import NDArray

from flockpit.look.figures import FONT, SMALL, Paint, blank_figure

__all__ = [
    "NO_OUTLINE",
    "SAMPLES",
    "Scale",
    "add_axis",
    "add_text",
    "add_values",
    "chart",
    "label_axis",
    "nice_scale",
    "round_values",
    "sample_ticks",
    "set_scale",
    "short",
]

SAMPLES = 360
"""Points of a line over time: about one a pixel on the narrow page."""
LEFT, RIGHT = 40, 8
_TOP, _BOTTOM = 8, 8
NO_OUTLINE = ".bk-Canvas { --outline-width: 0px; }"
"""A canvas takes the focus at each click and has nothing to be focused for."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The values of a figure, from below to above.

    Attributes:
        low: lower end.
        high: upper end.
        marks: the labelled values, three to five, with their words.
    """

    low: float
    high: float
    marks: Mapping[float, str]


def chart(
    paint: Paint,
    x_range: Range1d,
    scale: Scale,
    *,
    bottom: int = _BOTTOM,
    **more: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Return a figure with labelled values and a horizontal grid at them, and nothing else."""
    made = blank_figure(
        paint,
        x_range=x_range,
        y_range=(scale.low, scale.high),
        borders=(_TOP, RIGHT, bottom, LEFT),
        sizing_mode="stretch_both",
        stylesheets=[NO_OUTLINE],
        **more,
    )
    add_values(made, paint, scale)
    return made


def add_values(made: Any, paint: Paint, scale: Scale) -> None:  # noqa: ANN401
    """Label a figure's values and draw the grid at them."""
    axis = add_axis(made, paint, "left")
    grid = Grid(dimension=1, ticker=axis.ticker, level="underlay")
    made.add_layout(paint(grid, grid_line_color="grid"))
    set_scale(made, scale)


def set_scale(made: Any, scale: Scale) -> None:  # noqa: ANN401
    """Let a figure show other values; models change only where they differ."""
    axis, span = made.yaxis[0], made.y_range
    marks = list(scale.marks)
    if (span.start, span.end) != (scale.low, scale.high):
        span.update(start=scale.low, end=scale.high)
    _mark(axis, marks, dict(scale.marks))


def label_axis(axis: Any, marks: list[float], unit: str) -> None:  # noqa: ANN401
    """Label an axis at round values, the last one with its unit."""
    last = marks[-1] if marks else None
    named = {mark: f"{mark:,g} {unit}" if mark == last else f"{mark:,g}" for mark in marks}
    _mark(axis, marks, named)


def _mark(axis: Any, marks: list[float], words: dict[float, str]) -> None:  # noqa: ANN401
    """Label values of an axis; its ticker stays, for a new model costs a walk through them all."""
    if axis.ticker.ticks != marks:
        axis.ticker.ticks = marks
    # BokehJS complains of each label that was once left out, so the words of other values stay.
    known = dict(axis.major_label_overrides)
    if known != (named := known | words):
        axis.major_label_overrides = named


def add_axis(made: Any, paint: Paint, place: Literal["left", "below"]) -> LinearAxis:  # noqa: ANN401
    """Put an axis at a figure's edge, of which there is nothing but its labels; return it."""
    axis = LinearAxis(
        ticker=FixedTicker(ticks=[]),  # type: ignore[arg-type]  # any ticker will do
        axis_line_color=None,
        major_tick_line_color=None,
        minor_tick_line_color=None,
        major_tick_in=0,
        major_tick_out=0,
        minor_tick_out=0,
        major_label_text_font=FONT,
        major_label_text_font_size=SMALL,
        major_label_standoff=4,
    )
    made.add_layout(paint(axis, major_label_text_color="text3"), place)
    return axis


def add_text(
    made: Any,  # noqa: ANN401
    paint: Paint,
    source: ColumnDataSource,
    token: str = "text2",
    *,
    halo: bool = True,
    view: CDSView | None = None,
    level: str = "glyph",
    **more: Any,  # noqa: ANN401
) -> list[Text]:
    """Write the rows of a source (x, y, text), with a halo that keeps it legible on any ground.

    Args:
        made: the figure.
        paint: keeps its theme.
        source: with columns x, y and text.
        token: colour of the words.
        halo: whether the words lie on something else than the card.
        view: the rows that are written; all of them by default.
        level: what the words lie above: `overlay` is above the veil.
        more: further properties of the glyph.

    Returns:
        The glyphs: the halo, if there is one, and the words.
    """
    properties: dict[str, Any] = {
        "x": "x",
        "y": "y",
        "text": "text",
        "text_font": {"value": FONT},
        "text_font_size": {"value": SMALL},
        "text_baseline": {"value": "middle"},
        **more,
    }
    rows: dict[str, Any] = {"level": level} if view is None else {"level": level, "view": view}
    glyphs = []
    if halo:
        behind = Text(**properties, text_outline_width={"value": 4})
        glyphs.append(paint(behind, text_color="surface", text_outline_color="surface"))
    glyphs.append(paint(Text(**properties), text_color=token))
    for glyph in glyphs:
        made.add_glyph(source, glyph, **rows)
    return glyphs


def round_values(end: float, most: int) -> list[float]:
    """Return round values from 0 to `end`: the finest step of at most `most` steps."""
    if not end > 0:
        return [0.0]
    power = 10.0 ** np.floor(np.log10(end / most))
    step = next(s * power for s in (1, 2, 2.5, 5, 10, 20) if s * power * most >= end * (1 - 1e-9))
    return [round(number * step, 9) for number in range(int(end / step + 1e-9) + 1)]


def nice_scale(highest: float, most: int = 3, *, least: float = 1.0) -> Scale:
    """Return a scale from 0 to a round value above `highest`.

    Args:
        highest: largest value shown.
        most: labelled values above 0.
        least: the scale's end at the least, so that noise does not fill the figure.
    """
    end = max(highest, least)
    marks = round_values(end, most)
    step = marks[1] if len(marks) > 1 else end
    top = marks[-1] if marks[-1] >= end * (1 - 1e-9) else marks[-1] + step
    return Scale(0.0, top, {mark: short(mark) for mark in [*marks, top]})


def short(value: float) -> str:
    """Return a round number in at most five characters, for an axis."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and value % size == 0 and size > 1e3):
            return f"{value / size:g}{letter}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def sample_ticks(until: int, most: int = SAMPLES) -> NDArray[np.intp]:
    """Return at most `most` + 1 ticks from 0 to `until`, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, until, min(until, most) + 1).round().astype(np.intp))
