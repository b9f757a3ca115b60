"""The hosts at the barrier: one square a node, in the order of its seat."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from bokeh.events import Tap
from bokeh.models import Range1d, Rect, Scatter
from numpy.typing import NDArray

from flockcore.barrier.codes import Phase
from flockpit.instruments.barrier_reading import read
from flockpit.instruments.base import Cadence, Columns, Figure, Headline, Layer, frame, pane, put
from flockpit.instruments.figures import NO_OUTLINE, add_text
from flockpit.instruments.view import DeckView
from flockpit.instruments.waffle_shapes import Grid, Square, fit
from flockpit.look.assets import sheet
from flockpit.look.figures import blank_figure, plot
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, words
from flockpit.texts import node

__all__ = ["Waffle"]

_MOST_PX = (34.0, 46.0)
"""Largest pitch of squares, on a narrow and on a wide card."""
_WIDE_PX = 560.0
_SMALL_PX = 14.0
"""Side of a square in which neither dashes nor a second square can be told."""
_TINT = 0.26
_TONES = {Phase.CONVERGE: "holds", Phase.FAILED: "dead"}
_LEGEND = (
    (Square.READY, "ready", "ready, and really up"),
    (Square.FALSE, "false", "ready, but really down"),
    (Square.FAILED, "failed", "failed"),
    (Square.DUE, "due", "provisioning"),
    (Square.HELD, "held", "done, but not counted"),
)


class Waffle(Figure):
    """The main view of the Barrier deck.

    Args:
        select: called with the host that was clicked, and whether it adds to the selection; with
            none when the click hit nothing.
        theme: to begin with.
        resized: called when the squares have got other places and must be shown again.
    """

    name: ClassVar[str] = "waffle"
    cadence: ClassVar[Cadence] = Cadence.FRAME

    def __init__(
        self,
        select: Callable[[tuple[int, ...], bool], object] = lambda nodes, more: None,
        theme: Theme = "dark",
        *,
        resized: Callable[[], object] = lambda: None,
    ) -> None:
        self._select, self._moved = select, resized
        self._size = [420.0, 166.0]
        self._grid = Grid(1, 1, 1.0)
        self._hosts = 0
        self._fitted: object = None
        layers = {
            **{one.name: Layer(self._places(one), self._key(one)) for one in Square},
            **{f"label {tone}": Layer(self._labels(tone), self._label_key) for tone in _LABELS},
            "selection": Layer(self._selection, self._selection_key),
        }
        super().__init__(layers, theme)
        self._sized: list[tuple[Any, Callable[[float], float]]] = []
        self._dashes: dict[Any, list[int]] = {}
        self.line = pane(classes=("headline-pane",), more=("barrier",))
        self._figure = self._draw()
        self._legend = pane(classes=("waffle-legend",), more=("barrier",))
        self._empty = pane(classes=("waffle-empty",), more=("barrier",))
        body = box(
            plot(self._figure), self._legend, classes=("waffle-body",),
            stylesheets=[sheet("deck"), sheet("barrier")],
        )  # fmt: skip
        self.view = frame(
            self.line, body, self._empty, classes=("instrument", self.name), more=("barrier",)
        )

    # ------------------------------------------------------------------ drawing

    def _draw(self) -> Any:  # noqa: ANN401
        made: Any = blank_figure(
            self.paint,
            x_range=Range1d(start=0.0, end=self._size[0]),
            y_range=(self._size[1], 0.0),
            sizing_mode="stretch_both",
            stylesheets=[NO_OUTLINE],
        )
        self._square(made, Square.READY, fill="holds", line="holds", alpha=_TINT)
        self._square(made, Square.FALSE, fill="violated", line="violated")
        self._square(made, Square.FALSE, line="surface", dash=[3, 3], share=0.76, width=1.5)
        self._square(made, Square.FAILED, line="line")
        self._square(made, Square.DUE, line="text3", dash=[3, 3])
        self._square(made, Square.HELD, line="alive", dash=[3, 3], width=1.5)
        cross = Scatter(x="x", y="y", marker="x", line_width=3.2)
        self.paint(cross, line_color="dead")
        self._sized.append((cross, lambda side: max(0.48 * side, 3.0)))
        made.add_glyph(self.sources[Square.FAILED.name], cross)
        for tone in _LABELS:
            bold: dict[str, Any] = {"text_font_style": {"value": "bold"}}
            add_text(
                made, self.paint, self.sources[f"label {tone}"], tone, halo=False,
                text_align={"value": "center"}, **(bold if tone == "surface" else {}),
            )  # fmt: skip
        chosen: Any = Rect(x="x", y="y", fill_alpha=0.0, line_width=2)
        chosen.border_radius = 5
        self.paint(chosen, line_color="ink")
        self._sized.append((chosen, lambda side: side + 4.0))
        made.add_glyph(self.sources["selection"], chosen)
        made.on_event(Tap, self._tapped)
        for name in ("inner_width", "inner_height"):
            made.on_change(name, self._resized)
        return made

    def _square(
        self,
        made: Any,  # noqa: ANN401
        square: Square,
        *,
        line: str,
        fill: str | None = None,
        alpha: float = 1.0,
        dash: list[int] | None = None,
        share: float = 1.0,
        width: float = 1.0,
    ) -> None:
        glyph: Any = Rect(x="x", y="y", line_width=width)
        self.paint(glyph, line_color=line)
        if fill is None:
            glyph.fill_alpha = 0.0
        else:
            self.paint(glyph, fill_color=fill)
            glyph.fill_alpha = alpha
        self._sized.append((glyph, lambda side: max(share * side, 1.0)))
        self._dashes[glyph] = dash or []
        made.add_glyph(self.sources[square.name], glyph)

    # ------------------------------------------------------------------ gestures

    def _tapped(self, event: Tap) -> None:
        if event.x is None or event.y is None:
            return
        host = self._grid.at(float(event.x), float(event.y), self._hosts)
        modifiers: Any = event.modifiers or {}
        self._select(() if host is None else (host,), bool(modifiers.get("shift")))

    def _resized(self, side: str, _old: object, new: float) -> None:
        if new > 1:
            self._size[side == "inner_height"] = float(new)
            if self._fit():
                self._moved()

    def _fit(self) -> bool:
        width, height = self._size
        now = (self._hosts, width, height)
        if now == self._fitted or not self._hosts:
            return False
        self._fitted = now
        self._grid = fit(self._hosts, width, height, most=_MOST_PX[width >= _WIDE_PX])
        self._figure.x_range.update(start=0.0, end=width)
        self._figure.y_range.update(start=height, end=0.0)
        side = self._grid.side
        for glyph, size in self._sized:
            if isinstance(glyph, Scatter):
                glyph.update(size=size(side), line_width=1.5 if side < _SMALL_PX else 3.2)
            else:
                small = side < _SMALL_PX
                glyph.update(width=size(side), height=size(side), border_radius=1 if small else 4)
                glyph.line_dash = [] if small else self._dashes.get(glyph, [])
                glyph.line_alpha = 0.0 if small and size(side) < side else 1.0
        self.forget()
        return True

    # ------------------------------------------------------------------ columns

    def _where(self, chosen: NDArray[np.intp]) -> Columns:
        places = self._grid.places(self._hosts)[chosen]
        return {"x": places[:, 0], "y": places[:, 1]}

    def _places(self, square: Square) -> Callable[[DeckView], Columns]:
        return lambda view: self._where(np.flatnonzero(read(view).squares == square))

    def _key(self, square: Square) -> Callable[[DeckView], Hashable]:
        return lambda view: (self._grid, (read(view).squares == square).tobytes())

    def _labels(self, tone: str) -> Callable[[DeckView], Columns]:
        kinds = _LABELS[tone]

        def columns(view: DeckView) -> Columns:
            chosen = np.flatnonzero(np.isin(read(view).squares, kinds))
            if not self._grid.labelled(self._hosts):
                chosen = chosen[:0]
            return {**self._where(chosen), "text": [f"{host:02d}" for host in chosen.tolist()]}

        return columns

    def _label_key(self, view: DeckView) -> Hashable:
        return (self._grid, read(view).squares.tobytes())

    def _selection(self, view: DeckView) -> Columns:
        return self._where(np.array(view.choice.selected, dtype=np.intp))

    def _selection_key(self, view: DeckView) -> Hashable:
        return (self._grid, self._hosts, view.choice.selected)

    # ------------------------------------------------------------------ showing

    def headline(self, view: DeckView) -> Headline:
        """Return what the squares are."""
        reading = read(view)
        told = "one square a node"
        if reading.on:
            told += f"; the controller sits on {node(reading.layer.seat)}"
        return Headline("Hosts at the barrier", words=told)

    def head(self, view: DeckView) -> str:
        """Return what stands above the squares: with the phase, as a word."""
        reading = read(view)
        name = self.headline(view)
        phase = reading.phase.name if reading.on else "not provisioned"
        tone = _TONES.get(reading.phase, "") if reading.on else "none"
        return (
            f"<div class='row waffle-head'><span><h2>{words(name.name)}</h2>"
            f"<small class='more'>{words(name.words)}</small></span>"
            f"<span><small>phase</small> <b class='phase {tone}'>{phase}</b></span></div>"
        )

    def update(self, view: DeckView) -> None:
        """Show a view."""
        if self._hosts != view.nodes:
            self._hosts = view.nodes
        self._fit()
        super().update(view)
        put(self._legend, _legend_html(view))
        put(self._empty, read(view).absent)


_LABELS = {
    "text": [Square.READY],
    "text3": [Square.DUE, Square.HELD],
    "surface": [Square.FALSE],
}
"""Colours of labels, and the squares that have them."""


def _legend_html(view: DeckView) -> str:
    found = np.bincount(read(view).squares, minlength=len(Square))
    rows = "".join(
        f"<li class='{'' if found[square] or square is not Square.HELD else 'absent'}'>"
        f"<i class='square {mark}'></i><b>{found[square]:,}</b><span>{said}</span></li>"
        for square, mark, said in _LEGEND
    )
    return f"<ul>{rows}</ul>"
