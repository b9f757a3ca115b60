"""The flock on its plane: what is believed of each node, what is true, and where the cut runs."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from bokeh.events import SelectionGeometry, Tap
from bokeh.models import (
    CDSView,
    GroupFilter,
    LassoSelectTool,
    LinearColorMapper,
    LinearInterpolator,
    MultiLine,
    Patches,
    Range1d,
    Scatter,
    Segment,
)
from bokeh.palettes import interp_palette
from bokeh.transform import transform
from numpy.typing import NDArray

from flockpit.instruments import map_columns as columns
from flockpit.instruments import map_sides as sides
from flockpit.instruments.base import Cadence, Columns, Figure, Headline, Layer, pane
from flockpit.instruments.figures import NO_OUTLINE, add_text
from flockpit.instruments.map_columns import Mark, Ring
from flockpit.instruments.map_frame import Frame, hit, inside
from flockpit.instruments.map_words import head, headline, legend
from flockpit.instruments.outlines import outline_reach
from flockpit.instruments.strikes import Strikes
from flockpit.instruments.view import DeckView
from flockpit.look.figures import blank_figure
from flockpit.look.tokens import DASHES, FIELD_MAP, TINT_ALPHA, Theme

__all__ = ["LAYERS", "FlockMap"]

_MOVING = "overlay"
"""Level of what changes from tick to tick: it has a canvas of its own, so that a frame does not
paint the links and the sides again."""
_NARROW_PX, _APART_PX = 480.0, 30.0
_HALO_PX = 62.0
"""How many pixels wider than a node of the usual size its halo is at field 1."""


class FlockMap(Figure):
    """The main view of the Flock deck.

    Args:
        select: called with the nodes that were clicked or drawn round, and whether they add to
            the selection; with none when the click hit nothing.
        theme: to begin with.
    """

    name: ClassVar[str] = "map"
    cadence: ClassVar[Cadence] = Cadence.FRAME

    def __init__(
        self,
        select: Callable[[tuple[int, ...], bool], object] = lambda nodes, more: None,
        theme: Theme = "dark",
    ) -> None:
        self.strikes = Strikes()
        moment = {
            "struck": Layer(self.strikes.places, lambda _: self.strikes.key()),
            "struck sides": Layer(self.strikes.outlines, lambda _: self.strikes.key()),
        }
        super().__init__({**self._layers(), **moment}, theme)
        self._select = select
        self._frame = Frame()
        self._seen: DeckView | None = None
        self._cut_words: list[Any] = []
        self._sized: list[tuple[Any, Callable[[float], float]]] = []
        self._field = LinearColorMapper(low=0.0, high=1.0)
        self._figure = self._draw()
        self.view = self.compose(self._figure, self._legend())
        self.apply_theme(theme)

    def _layers(self) -> dict[str, Layer]:
        return LAYERS

    def _legend(self) -> Any:  # noqa: ANN401
        return pane(legend(), classes=("map-legend",))

    # ------------------------------------------------------------------ drawing

    def _draw(self) -> Any:  # noqa: ANN401
        made = blank_figure(
            self.paint,
            x_range=Range1d(start=0.0, end=1.0),
            y_range=(0.0, 1.0),
            sizing_mode="stretch_both",
            stylesheets=[NO_OUTLINE],
        )
        self._draw_sides(made)
        self._draw_links(made)
        self._draw_nodes(made)
        self._draw_words(made)
        self._listen(made)
        return made

    def _draw_sides(self, made: Any) -> None:  # noqa: ANN401
        self._tints = []
        for number, token in enumerate(("side-a", "side-b", "text3")):
            patch = Patches(xs="xs", ys="ys", line_width=1, line_alpha=0.45)
            if number == 2:
                patch.update(hatch_pattern="/", hatch_alpha=0.14, hatch_scale=14, hatch_weight=1)
                self.paint(patch, hatch_color=token)
            self.paint(patch, fill_color=token, line_color=token)
            self._tints.append(patch)
            made.add_glyph(self.sources["sides"], patch, view=_where("side", number))
        cut = MultiLine(xs="xs", ys="ys", line_width=1.5, line_dash=list(DASHES["cut"]))
        made.add_glyph(self.sources["cut"], self.paint(cut, line_color="text2"))

    def _draw_links(self, made: Any) -> None:  # noqa: ANN401
        ends: dict[str, Any] = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1"}
        link = Segment(**ends, line_width=1, line_alpha=0.8)
        made.add_glyph(self.sources["links"], self.paint(link, line_color="edge"))
        cut = Segment(**ends, line_width=1, line_alpha=0.75, line_dash=list(DASHES["cut-link"]))
        made.add_glyph(self.sources["cut_links"], self.paint(cut, line_color="dead"))
        for gone in (0, 1):
            own = Segment(**ends, line_width=2)
            if gone:
                own.line_dash = list(DASHES["cut-link"])
            self.paint(own, line_color="ink")
            made.add_glyph(self.sources["chosen"], own, view=_where("cut", gone), level=_MOVING)

    def _draw_nodes(self, made: Any) -> None:  # noqa: ANN401
        fill = transform("field", self._field)
        grown = LinearInterpolator(x=[0.0, 1.0], y=[0.0, 1.0], clip=True)
        halo = Scatter(
            x="x", y="y", size=transform("wide", grown), marker="circle",
            fill_color=fill, fill_alpha="alpha", line_color=None,
        )  # fmt: skip
        self._sized.append((grown, lambda radius: 2.0 * radius + _HALO_PX * radius / 11.5))
        made.add_glyph(self.sources["halos"], halo, level=_MOVING)
        self._ring(made, Ring.REALLY_UP, "alive", [])
        self._ring(made, Ring.REALLY_DOWN, "dead", [4, 3])
        self._mark(made, Mark.UNSEEN, "diamond", 1.2, fill="surface", line="edge", width=1)
        self._mark(made, Mark.UNKNOWN, "diamond", 2.1, fill="surface", line="unknown", width=1.75)
        alive = self._mark(made, Mark.ALIVE, "circle", 2.0, line="surface", width=1.5)
        alive.fill_color = fill
        self._mark(made, Mark.STALE, "circle", 2.0, fill="surface", line="alive", width=1.75)
        self._mark(
            made, Mark.SUSPECT, "triangle", 2.0, fill="suspect", line="suspect-edge", width=1.25
        )
        self._mark(made, Mark.DEAD, "x", 1.35, line="dead", width=3.2)
        chosen = Scatter(x="x", y="y", marker="circle", fill_alpha=0.0, line_width=2)
        self._sized.append((chosen, lambda radius: 2.0 * radius + 11.0))
        made.add_glyph(
            self.sources["selection"], self.paint(chosen, line_color="ink"), level=_MOVING
        )
        struck = Scatter(x="x", y="y", marker="circle", fill_alpha=0.0, line_width=2)
        self._sized.append((struck, lambda radius: 2.0 * radius + 16.0))
        sides = MultiLine(xs="xs", ys="ys", line_width=2)
        for name, glyph in (("struck", struck), ("struck sides", sides)):
            made.add_glyph(self.sources[name], self.paint(glyph, line_color="ink"), level=_MOVING)

    def _ring(self, made: Any, ring: Ring, token: str, dash: list[int]) -> None:  # noqa: ANN401
        glyph = Scatter(
            x="x", y="y", marker="circle", fill_alpha=0.0, line_width=1.5, line_dash=dash
        )
        self._sized.append((glyph, lambda radius: 2.0 * radius + min(10.0, 0.9 * radius)))
        self.paint(glyph, line_color=token)
        made.add_glyph(self.sources[f"ring {ring.name}"], glyph, level=_MOVING)

    def _mark(
        self,
        made: Any,  # noqa: ANN401
        mark: Mark,
        marker: str,
        scale: float,
        *,
        fill: str | None = None,
        line: str,
        width: float,
    ) -> Scatter:
        glyph = Scatter(x="x", y="y", marker=marker, line_width=width)
        self.paint(glyph, line_color=line)
        if fill is not None:
            self.paint(glyph, fill_color=fill)
        self._sized.append((glyph, lambda radius: scale * radius))
        made.add_glyph(self.sources[f"mark {mark.name}"], glyph, level=_MOVING)
        return glyph

    def _draw_words(self, made: Any) -> None:  # noqa: ANN401
        names, labels = self.sources["sides"], self.sources["labels"]
        bold: dict[str, Any] = {"text_font_style": {"value": "bold"}}
        add_text(
            made, self.paint, names, "text", **bold, text_font_size={"value": "20px"},
            text_align={"value": "right"}, y_offset=-16, x_offset=-2,
        )  # fmt: skip
        add_text(made, self.paint, names, "text3", text="words", y_offset=-14, x_offset=6)
        for strong, token in ((0, "text2"), (1, "text")):
            for glyph in add_text(
                made, self.paint, labels, token, text_align={"value": "center"},
                view=_where("strong", strong), level=_MOVING, **(bold if strong else {}),
            ):  # fmt: skip
                self._sized.append((glyph, _label_offset(strong)))
        for row, token in enumerate(("text", "text2")):
            self._cut_words += add_text(
                made, self.paint, self.sources["cut_words"], token,
                text_align={"field": "align"}, text_baseline={"field": "baseline"},
                view=_where("row", row), level=_MOVING, **(bold if row == 0 else {}),
            )  # fmt: skip

    # ------------------------------------------------------------------ gestures

    def _listen(self, made: Any) -> None:  # noqa: ANN401
        # The hits are worked out here, from the shape that was drawn, so that no selection state
        # has to be kept alike on both sides; the tool itself selects from no renderer.
        self._lasso = LassoSelectTool(renderers=[], continuous=False)
        self._lasso.overlay.update(line_width=1.5, line_dash=[4, 3], fill_alpha=0.08)
        self.paint(self._lasso.overlay, line_color="ink", fill_color="ink")
        made.add_tools(self._lasso)
        made.toolbar.active_drag = self._lasso
        made.on_event(SelectionGeometry, self._drawn)
        made.on_event(Tap, self._tapped)
        for name in ("inner_width", "inner_height"):
            made.on_change(name, self._resized)

    def _drawn(self, event: SelectionGeometry) -> None:
        shape: Any = event.geometry
        if event.final and shape.get("type") == "poly" and self._seen is not None:
            corners = np.array([shape["x"], shape["y"]], dtype=np.float64).T
            self._select(_numbers(inside(self._seen.positions, corners)), False)

    def _tapped(self, event: Tap) -> None:
        if self._seen is None or event.x is None or event.y is None:
            return
        nearest = hit(self._seen.positions, (event.x, event.y), self._frame.reach)
        modifiers: Any = event.modifiers or {}
        self._select(nearest, bool(modifiers.get("shift")))

    def _resized(self, side: str, _old: object, new: float) -> None:
        self._frame.resize(**{side.removeprefix("inner_"): new})
        if self._seen is not None:
            self._fit(self._seen)

    def _fit(self, view: DeckView) -> None:
        points = view.positions[view.present]
        if not self._frame.fit(points, outline_reach(points)):
            return
        self._figure.x_range.update(start=self._frame.x[0], end=self._frame.x[1])
        self._figure.y_range.update(start=self._frame.y[0], end=self._frame.y[1])
        # Where there is no room beside the names of the sides, the upper words stand above them.
        apart = _APART_PX if self._frame.width < _NARROW_PX else 0.0
        for words in self._cut_words[: len(self._cut_words) // 2]:
            words.y_offset = -apart
        for model, size in self._sized:
            value = size(self._frame.radius)
            if isinstance(model, LinearInterpolator):
                model.y = [2.0 * self._frame.radius, value]
            elif isinstance(model, Scatter):
                model.size = value
            else:
                model.y_offset = value

    # ------------------------------------------------------------------ showing

    def headline(self, view: DeckView) -> Headline:
        """Return whose belief is shown, with the two numbers that matter there."""
        return headline(view)

    def head(self, view: DeckView) -> str:
        """Return what stands above the map."""
        return head(view)

    def update(self, view: DeckView) -> None:
        """Show a view."""
        self._seen = view
        self.strikes.look(view)
        self._fit(view)
        super().update(view)

    def apply_theme(self, theme: Theme) -> None:
        """Change the colours."""
        super().apply_theme(theme)
        self._field.palette = interp_palette(tuple(FIELD_MAP[theme]), 256)
        for patch in self._tints:
            patch.fill_alpha = TINT_ALPHA[theme]


def _where(column: str, value: int) -> CDSView:
    return CDSView(filter=GroupFilter(column_name=column, group=value))


def _numbers(nodes: NDArray[np.intp]) -> tuple[int, ...]:
    return tuple(nodes.tolist())


def _label_offset(strong: int) -> Callable[[float], float]:
    return lambda radius: (-1 if strong else 1) * (radius + (16.0 if strong else 12.0))


def _bytes(found: Columns) -> tuple[bytes, ...]:
    return tuple(column.tobytes() for column in found.values())


def _sides_key(view: DeckView) -> object:
    return (view.sides.tobytes(), view.positions.tobytes(), view.present.tobytes())


def _links_key(view: DeckView) -> object:
    return (view.elected.tobytes(), view.positions.tobytes(), tuple(view.cuts))


def _places(column: str, value: int) -> Layer:
    """The seats of some nodes, sent only when others are meant."""

    def made(view: DeckView) -> Columns:
        return columns.node_places(view, column, value)

    return Layer(made, lambda view: _bytes(made(view)))


_UNMARKED = (Mark.ALIVE, Mark.NOWHERE)

# What changes with every tick has a source of its own: the page redraws all that share one.
LAYERS = {
    "sides": Layer(sides.side_columns, _sides_key),
    "cut": Layer(sides.cut_columns, _sides_key),
    "links": Layer(columns.link_columns, _links_key),
    "cut_links": Layer(columns.cut_link_columns, _links_key),
    "chosen": Layer(columns.chosen_columns, lambda v: (_links_key(v), v.choice.selected)),
    "halos": Layer(columns.halo_columns, lambda v: _bytes(columns.halo_columns(v))),
    **{f"ring {ring.name}": _places("ring", ring) for ring in Ring if ring is not Ring.NONE},
    **{f"mark {mark.name}": _places("mark", mark) for mark in Mark if mark not in _UNMARKED},
    "mark ALIVE": Layer(columns.alive_columns, lambda v: _bytes(columns.alive_columns(v))),
    "selection": Layer(
        columns.selection_columns, lambda v: (v.choice.selected, v.positions.tobytes())
    ),
    "labels": Layer(
        sides.label_columns,
        lambda v: (v.choice.selected, v.truth.tobytes(), v.positions.tobytes()),
    ),
    "cut_words": Layer(sides.cut_word_columns, sides.cut_words),
}
