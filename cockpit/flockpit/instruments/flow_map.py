"""The mesh of flows: ribbons by part, triangles by curl, and who holds what is shown."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from bokeh.events import Tap
from bokeh.models import LinearColorMapper, MultiLine, Patches, Scatter, Segment
from bokeh.palettes import interp_palette
from bokeh.transform import transform
from numpy.typing import NDArray

from flockcore.flock.codes import NodeStatus
from flockpit.instruments import flow_shapes as shapes
from flockpit.instruments.base import Columns, Headline, Layer, pane, put
from flockpit.instruments.flock_map import LAYERS, FlockMap
from flockpit.instruments.flow_reading import Reading, absent, no_rows, read
from flockpit.instruments.flow_words import empty, head, headline, legend
from flockpit.instruments.map_frame import hit
from flockpit.instruments.view import DeckView
from flockpit.look.figures import Paint
from flockpit.look.tokens import CURL_MAP, DASHES, Theme

__all__ = ["FlowMap"]

_MOVING = "overlay"
_ENDS: dict[str, Any] = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1"}
_FADED = 0.45
"""Opacity of the ribbon of an edge that carries no letters."""


class FlowMap(FlockMap):
    """The main view of the Curl deck.

    Args:
        select: called as that of the flock map.
        pick: called with the corners of a triangle that was clicked.
        theme: to begin with.
    """

    name: ClassVar[str] = "flows"

    def __init__(
        self,
        select: Callable[[tuple[int, ...], bool], object] = lambda nodes, more: None,
        pick: Callable[[tuple[int, int, int]], object] = lambda corners: None,
        theme: Theme = "dark",
    ) -> None:
        self._pick = pick
        self._fill = LinearColorMapper(low=0.0, high=1.0)
        self._empty = pane(classes=("flow-empty",), more=("curl",))
        super().__init__(select, theme)
        self.view.append(self._empty)

    def _layers(self) -> dict[str, Layer]:
        kept = ("sides", "cut", "selection", "labels", "cut_words")
        return {
            "mesh": Layer(_mesh_columns, _mesh_key),
            **{name: LAYERS[name] for name in kept[:2]},
            "filled": Layer(self._filled, self._key),
            "edges": Layer(_edge_columns, _edge_key),
            "cut_edges": Layer(_cut_edge_columns, _edge_key),
            **{
                f"lane {name}": Layer(self._lane(place), self._lane_key)
                for place, name in enumerate(shapes.LANES)
            },
            "arrows": Layer(self._arrows, self._key),
            "arcs": Layer(self._arcs, self._key),
            "arc heads": Layer(self._arc_heads, self._key),
            "picked": Layer(_picked_columns, lambda v: (_mesh_key(v), v.choice.triangle)),
            **{f"node {name}": _nodes(name) for name in _NODES},
            **{name: LAYERS[name] for name in kept[2:]},
        }

    def _legend(self) -> Any:  # noqa: ANN401
        self._foot = pane(legend(), classes=("map-legend",), more=("curl",))
        return self._foot

    # ------------------------------------------------------------------ drawing

    def _draw_sides(self, made: Any) -> None:  # noqa: ANN401
        faces = Patches(xs="xs", ys="ys", line_color=None)
        made.add_glyph(self.sources["mesh"], self.paint(faces, fill_color="mesh"))
        super()._draw_sides(made)

    def _draw_links(self, made: Any) -> None:  # noqa: ANN401
        fill = transform("curl", self._fill)
        faces = Patches(xs="xs", ys="ys", line_color=None, fill_color=fill, fill_alpha=0.72)
        made.add_glyph(self.sources["filled"], faces)
        edge = Segment(**_ENDS, line_width=1, line_alpha=0.8)
        made.add_glyph(self.sources["edges"], self.paint(edge, line_color="edge"))
        for name in shapes.LANES:
            lane = Segment(**_ENDS, line_width="width", line_alpha="alpha")
            made.add_glyph(self.sources[f"lane {name}"], self.paint(lane, line_color=name))
        cut = Segment(**_ENDS, line_width=1.25, line_alpha=0.9, line_dash=list(DASHES["cut-link"]))
        made.add_glyph(self.sources["cut_edges"], self.paint(cut, line_color="dead"))
        picked = Patches(xs="xs", ys="ys", fill_alpha=0.0, line_width=2, line_join="round")
        made.add_glyph(self.sources["picked"], self.paint(picked, line_color="ink"))

    def _draw_nodes(self, made: Any) -> None:  # noqa: ANN401
        _arrowheads(made, self.sources["arrows"], self.paint)
        for token, width in (("surface", 4.5), ("ink", 1.75)):
            arc = MultiLine(xs="xs", ys="ys", line_width=width, line_cap="round")
            made.add_glyph(self.sources["arcs"], self.paint(arc, line_color=token))
        _arrowheads(made, self.sources["arc heads"], self.paint)
        self._dot(made, "away", "x", 1.1, line="dead", width=3.2)
        self._dot(made, "other", "circle", 1.2, fill="surface", line="text2", width=1.75)
        self._dot(made, "same", "circle", 1.2, fill="text2", line="surface", width=1.5)
        chosen = Scatter(x="x", y="y", marker="circle", fill_alpha=0.0, line_width=2)
        self._sized.append((chosen, lambda radius: 1.2 * radius + 10.0))
        made.add_glyph(
            self.sources["selection"], self.paint(chosen, line_color="ink"), level=_MOVING
        )

    def _dot(
        self,
        made: Any,  # noqa: ANN401
        name: str,
        marker: str,
        scale: float,
        *,
        fill: str | None = None,
        line: str,
        width: float,
    ) -> None:
        glyph = Scatter(x="x", y="y", marker=marker, line_width=width)
        self.paint(glyph, line_color=line)
        if fill is not None:
            self.paint(glyph, fill_color=fill)
        self._sized.append((glyph, lambda radius: scale * radius))
        made.add_glyph(self.sources[f"node {name}"], glyph, level=_MOVING)

    # ------------------------------------------------------------------ gestures

    def _tapped(self, event: Tap) -> None:
        """Select the node that was clicked, or pick the triangle."""
        view = self._seen
        if view is None or event.x is None or event.y is None:
            return
        place = (float(event.x), float(event.y))
        if hit(view.positions, place, min(self._frame.reach, 12.0 * self._frame.per_px)):
            super()._tapped(event)
            return
        corners = _corners(view)
        found = shapes.corners_at(_places(view), corners, place)
        if found is None:
            super()._tapped(event)
        else:
            a, b, c = corners[found].tolist()
            self._pick((a, b, c))

    # ------------------------------------------------------------------ columns

    def _key(self, view: DeckView) -> Hashable:
        reading = read(view)
        if reading is None:
            return None
        placed = view.positions.tobytes()
        return (reading.key(view.choice.flow), placed, self._frame.per_px)

    def _lane_key(self, view: DeckView) -> Hashable:
        return self._key(view), tuple(view.cuts)

    def _filled(self, view: DeckView) -> Columns:
        reading = read(view)
        if reading is None:
            return no_rows("xs", "ys", "curl")
        turn = reading.shown(view.choice.flow).turn
        chosen = shapes.triangles(turn, reading.sharpest)
        points = _places(view)[reading.complex.triangles[chosen]]
        share = np.abs(turn[chosen]) / (reading.sharpest or 1.0)
        return {"xs": list(points[:, :, 0]), "ys": list(points[:, :, 1]), "curl": share}

    def _lane(self, lane: int) -> Callable[[DeckView], Columns]:
        def columns(view: DeckView) -> Columns:
            reading = read(view)
            if reading is None:
                return no_rows(*_ENDS, "width", "alpha")
            return self._all_lanes(view, reading)[lane]

        return columns

    def _all_lanes(self, view: DeckView, reading: Reading) -> list[dict[str, Any]]:
        if "lanes" not in view.memo:
            parts = reading.shown(view.choice.flow)
            edges = reading.complex.edges
            three = np.stack([parts.gradient, parts.curl, parts.harmonic])
            widths = shapes.ribbon_widths(parts.flow, reading.largest)
            made: list[dict[str, Any]] = list(
                shapes.lanes(_places(view), edges, three, widths, self._frame.per_px)
            )
            open_ = view.passes(edges[:, 0], edges[:, 1])
            for lane in made:
                there = open_[lane.pop("edge").astype(np.intp)]
                lane["alpha"] = np.where(there, 1.0, _FADED)
            view.memo["lanes"] = made
        found: list[dict[str, Any]] = view.memo["lanes"]
        return found

    def _arrows(self, view: DeckView) -> Columns:
        reading = read(view)
        if reading is None:
            return no_rows("x", "y", "angle", "size")
        flow = reading.shown(view.choice.flow).flow
        most = 15.0 if self._frame.radius > 9.0 else 12.0
        return shapes.arrows(_places(view), reading.complex.edges, flow, reading.largest, most)

    def _turning(self, view: DeckView) -> Columns:
        reading = read(view)
        if reading is None:
            return no_rows("xs", "ys", "x", "y", "angle")
        turn = reading.shown(view.choice.flow).turn
        corners = reading.complex.triangles
        per_px = self._frame.per_px
        return shapes.arcs(_places(view), corners, turn, reading.sharpest, per_px)

    def _arcs(self, view: DeckView) -> Columns:
        found = self._turning(view)
        return {name: found[name] for name in ("xs", "ys")}

    def _arc_heads(self, view: DeckView) -> Columns:
        found = self._turning(view)
        heads = {name: found[name] for name in ("x", "y", "angle")}
        return {**heads, "size": np.full(len(heads["x"]), 8.0)}

    # ------------------------------------------------------------------ showing

    def headline(self, view: DeckView) -> Headline:
        """Return whose flow is shown, with its curl norm and how many triangles have some."""
        return headline(view)

    def head(self, view: DeckView) -> str:
        """Return what stands above the mesh."""
        return head(view)

    def update(self, view: DeckView) -> None:
        """Show a view."""
        super().update(view)
        put(self._empty, empty(view))
        reading = read(view)
        put(self._foot, legend(reading.sharpest if reading else 0.0))

    def apply_theme(self, theme: Theme) -> None:
        """Change the colours."""
        super().apply_theme(theme)
        # Its last step is so near white that it turns grey where the fill lets the mesh through.
        self._fill.palette = interp_palette(tuple(CURL_MAP[theme][:-1]), 256)


def _arrowheads(made: Any, source: Any, paint: Paint) -> None:  # noqa: ANN401
    head = Scatter(x="x", y="y", angle="angle", size="size", marker="triangle", line_width=1.5)
    made.add_glyph(source, paint(head, fill_color="ink", line_color="surface"))


def _places(view: DeckView) -> NDArray[np.float64]:
    return view.positions.astype(np.float64)


def _corners(view: DeckView) -> NDArray[np.intp]:
    corners: NDArray[np.intp] = view.sim.hodge.state.mesh.plan.complex.triangles
    return corners


# ---------------------------------------------------------------- what does not depend on flows


def _mesh_key(view: DeckView) -> Hashable:
    return (view.sim.hodge.state.mesh.plan, view.positions.tobytes())


def _mesh_columns(view: DeckView) -> Columns:
    points = view.positions[_corners(view)]
    return {"xs": list(points[:, :, 0]), "ys": list(points[:, :, 1])}


def _picked_columns(view: DeckView) -> Columns:
    if view.choice.triangle is None or absent(view).startswith("Flows"):
        return no_rows("xs", "ys")
    points = view.positions[list(view.choice.triangle)]
    return {"xs": [points[:, 0]], "ys": [points[:, 1]]}


def _edge_key(view: DeckView) -> Hashable:
    return (_mesh_key(view), tuple(view.cuts))


def _edges(view: DeckView, *, passing: bool) -> Columns:
    edges = view.sim.hodge.state.mesh.plan.complex.edges
    chosen = edges[view.passes(edges[:, 0], edges[:, 1]) == passing]
    near, far = view.positions[chosen[:, 0]], view.positions[chosen[:, 1]]
    return {"x0": near[:, 0], "y0": near[:, 1], "x1": far[:, 0], "y1": far[:, 1]}


def _edge_columns(view: DeckView) -> Columns:
    return _edges(view, passing=True)


def _cut_edge_columns(view: DeckView) -> Columns:
    return _edges(view, passing=False)


_NODES = ("away", "other", "same")


def _standing(view: DeckView) -> NDArray[np.uint8]:
    """Return for each node 0 if it does not run, 1 if it acts on another flow, 2, or 3: absent."""
    reading = read(view)
    same = np.ones(view.nodes, dtype=np.bool_) if reading is None else reading.same
    found = np.where(same, 2, 1)
    found[view.truth >= NodeStatus.PAUSED] = 0
    found[~view.present] = 3
    return found.astype(np.uint8)


def _nodes(name: str) -> Layer:
    place = _NODES.index(name)

    def columns(view: DeckView) -> Columns:
        chosen = view.positions[_standing(view) == place]
        return {"x": chosen[:, 0], "y": chosen[:, 1]}

    return Layer(columns, lambda view: (view.positions.tobytes(), _standing(view).tobytes()))
