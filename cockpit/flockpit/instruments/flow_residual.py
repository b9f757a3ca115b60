"""The solver at work: its residual, pass after pass."""

from typing import Any, ClassVar

import numpy as np
from bokeh.models import CDSView, GroupFilter, Line, Range1d, Scatter
from bokeh.models.annotations import Span

from flockpit.instruments.base import Columns, Figure, Headline, Layer, Number, pane, put
from flockpit.instruments.figures import (
    Scale,
    add_axis,
    add_text,
    chart,
    label_axis,
    round_values,
)
from flockpit.instruments.flow_norm import power
from flockpit.instruments.flow_reading import Parts, absent, no_rows, read
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import DASHES, Theme

__all__ = ["FlowResidual", "curves"]

_TOLERANCE = 1e-12
_LOW = -14.0
_EQUATIONS = ("potentials", "streams")
"""Of the vertices, whose gradient is the gradient part; of the triangles, for the curl part."""
_TOKENS = ("gradient", "curl")


def curves(parts: Parts) -> list[Columns]:
    """Return the residual of both solutions relative to where each began, by pass: x, y.

    A solution with nothing to solve has no curve.
    """
    found: list[Columns] = []
    largest = float(np.abs(parts.flow).max(initial=0.0))
    for one in parts.solved.solutions:
        if one is None or one.scale <= 1e-9 * max(largest, 1e-6) or len(one.history) < 2:
            found.append(no_rows("x", "y"))
            continue
        relative = np.maximum(np.asarray(one.history) / one.scale, 10.0**_LOW)
        found.append({"x": np.arange(len(relative), dtype=np.float64), "y": np.log10(relative)})
    return found


class FlowResidual(Figure):
    """How fast the parts were found, and whether they were."""

    name: ClassVar[str] = "residual"

    def __init__(self, theme: Theme = "dark") -> None:
        layers = {
            "potentials": Layer(lambda view: self._curve(view, 0), self._key),
            "streams": Layer(lambda view: self._curve(view, 1), self._key),
            "ends": Layer(self._ends, self._key),
            "empty": Layer(self._empty, self._key),
        }
        super().__init__(layers, theme)
        marks = {float(mark): power(mark) for mark in (-12, -8, -4, 0)}
        self._figure = self._draw(Scale(_LOW, 1.2, marks))
        self._price = pane(classes=("flow-foot",), more=("curl",))
        self.view = self.compose(self._figure, self._price)

    def _draw(self, scale: Scale) -> Any:  # noqa: ANN401
        made = chart(self.paint, Range1d(start=0.0, end=10.0), scale, bottom=22)
        self._axis = add_axis(made, self.paint, "below")
        tolerance = Span(
            dimension="width", location=np.log10(_TOLERANCE), line_width=1.5,
            line_dash=list(DASHES["threshold"]),
        )  # fmt: skip
        made.add_layout(self.paint(tolerance, line_color="holds"))
        for place, (name, token) in enumerate(zip(_EQUATIONS, _TOKENS, strict=True)):
            line = Line(x="x", y="y", line_width=2)
            made.add_glyph(self.sources[name], self.paint(line, line_color=token))
            mine = CDSView(filter=GroupFilter(column_name="which", group=place))
            end = Scatter(x="x", y="y", marker="circle", size=7, line_width=2)
            self.paint(end, line_color=token, fill_color="surface")
            made.add_glyph(self.sources["ends"], end, view=mine)
            add_text(
                made, self.paint, self.sources["ends"], "text2", view=mine,
                text_align={"field": "align"}, y_offset=-14,
            )  # fmt: skip
        add_text(made, self.paint, self.sources["empty"], "text2", text_align={"value": "center"})
        return made

    def _key(self, view: DeckView) -> object:
        reading = read(view)
        return absent(view) if reading is None else reading.held

    def _curves(self, view: DeckView) -> list[Columns]:
        reading = read(view)
        return [no_rows("x", "y")] * 2 if reading is None else curves(reading.held)

    def _curve(self, view: DeckView, which: int) -> Columns:
        return self._curves(view)[which]

    def _ends(self, view: DeckView) -> Columns:
        rows: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "which": [], "align": []}
        for place, curve in enumerate(self._curves(view)):
            if len(curve["x"]):
                rows["x"].append(float(curve["x"][-1]))
                rows["y"].append(float(curve["y"][-1]))
                rows["text"].append(_EQUATIONS[place])
                rows["which"].append(place)
                near = float(curve["x"][-1]) < 0.5 * self._figure.x_range.end
                rows["align"].append("left" if near else "right")
        return rows

    def _empty(self, view: DeckView) -> Columns:
        none = not self._ends(view)["x"]
        said = [] if not none else ["Nothing to solve" if read(view) else "No flow to solve for"]
        middle = self._figure.x_range.end / 2.0
        return {"x": [middle] * len(said), "y": [-6.0] * len(said), "text": said}

    def _passes(self, view: DeckView) -> int:
        return max(0, *(len(curve["x"]) - 1 for curve in self._curves(view)))

    def headline(self, view: DeckView) -> Headline:
        """Return how many passes it took, and how long."""
        reading = read(view)
        if reading is None:
            return Headline("Solver residual")
        stopped = not reading.held.solved.converged
        return Headline("Solver residual", (Number("", "stopped", "violated"),) * stopped)

    def update(self, view: DeckView) -> None:
        """Show a view."""
        most = float(max(self._passes(view), 5)) * 1.08
        if self._figure.x_range.end != most:
            self._figure.x_range.end = most
            label_axis(self._axis, round_values(most / 1.08, 3), "passes")
        super().update(view)
        reading = read(view)
        said, passes = "", self._passes(view)
        if reading is not None:
            said = (
                f"<div class='row'><span><b>{passes}</b> <small>pass{'es' * (passes != 1)}</small>"
                f"</span><span><b>{reading.held.took_ms:.1f}</b> <small>ms</small></span></div>"
            )
        put(self._price, said)
