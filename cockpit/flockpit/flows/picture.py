"""A picture of the three parts of a flow: one SVG, light or dark as its reader prefers.

Three panels draw the same graph with one part each, all at one scale: an arrow's width is the size
of the part, a triangle's fill is the curl round it. The fourth lists ranking and contradictions.
"""

from dataclasses import dataclass
from html import escape

import numpy as np

from flockcore.hodge.arrays import Floats, Indices
from flockcore.hodge.table import Meaning
from flockpit.flows.analysis import PARTS, Analysis
from flockpit.flows.layout import layout
from flockpit.flows.words import (
    betti_words,
    clean,
    counted,
    cut,
    explained,
    number,
    percent,
    width,
)
from flockpit.look.tokens import SANS, THEMES

__all__ = ["as_html", "as_svg"]

MOST_EDGES = 600
"""Edges that a picture shows: those of the largest values."""
MOST_VERTICES = 300
"""Vertices that a picture shows; of a larger graph, it shows a part."""
MOST_AROUND = 100
"""Vertices of such a part."""
_SIDE, _GAP, _TOP = 520, 32, 132
_WIDE = 2 * _SIDE + 3 * _GAP
_TALL = _TOP + 2 * (_SIDE + 60) + _GAP
_INSET = 34
_WIDEST = 9.0
_LETTER = 6.1
"""Pixels that a letter of a label takes."""
_USED = ("surface", "raised", "line", "text", "text2", "edge", *PARTS)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Drawing:
    """What of a flow is drawn, and where.

    Attributes:
        analysis: the whole flow.
        edges: edges that are drawn.
        triangles: triangles all of whose edges are drawn.
        vertices: vertices that are drawn.
        place: position of each vertex of the flow in a panel, shape (V, 2).
        scale: size of a part that is drawn widest.
    """

    analysis: Analysis
    edges: Indices
    triangles: Indices
    vertices: Indices
    place: Floats
    scale: float


def as_html(analysis: Analysis) -> str:
    """Return a page that holds the picture."""
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(clean(analysis.name))}: flow parts</title>\n"
        "<style>body{margin:0 auto;max-width:1200px}svg{width:100%;height:auto}</style>\n"
        f"{as_svg(analysis)}</html>\n"
    )


def as_svg(analysis: Analysis) -> str:
    """Return the picture."""
    drawing = _chosen(analysis)
    body = [*_header(drawing)]
    for count, part in enumerate(PARTS):
        x = _GAP + count % 2 * (_SIDE + _GAP)
        y = _TOP + count // 2 * (_SIDE + 60)
        body += [f'<g transform="translate({x} {y})">', *_panel(drawing, part), "</g>"]
    x, y = 2 * _GAP + _SIDE, _TOP + _SIDE + 60
    body += [f'<g transform="translate({x} {y})">', *_lists(analysis), "</g>"]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_TALL}" '
            f'width="{_WIDE}" height="{_TALL}" role="img" font-family="{escape(SANS)}">',
            f"<title>{escape(clean(analysis.name))}: {_summary(analysis)}</title>",
            f"<style>{_style()}</style>",
            f'<rect class="surface" width="{_WIDE}" height="{_TALL}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _style() -> str:
    def rules(theme: str) -> str:
        colours = THEMES[theme]
        made = [f".{name}{{fill:{colours[name]}}}" for name in _USED]
        made += [f".s-{name}{{stroke:{colours[name]}}}" for name in ("edge", "line", *PARTS)]
        made.append(f".halo{{stroke:{colours['raised']};stroke-width:3px;paint-order:stroke}}")
        return "".join(made)

    dark = f"@media (prefers-color-scheme:dark){{{rules('dark')}}}"
    sizes = "text{font-size:13px}.l{font-size:11px}.t,.h{font-weight:600}"
    return f"{sizes}.t{{font-size:15px}}.h{{font-size:20px}}{rules('light')}{dark}"


def _chosen(analysis: Analysis) -> _Drawing:
    """Choose what is drawn; a graph too large for a picture is drawn in part."""
    complex_ = analysis.table.complex
    vertices = np.arange(complex_.vertex_count)
    order = np.argsort(-np.abs(analysis.table.flow), kind="stable")
    if complex_.vertex_count > MOST_VERTICES:
        vertices = _around(analysis, int(order[0]))
        order = order[np.isin(complex_.edges[order], vertices).all(axis=1)]
    order = order[:MOST_EDGES]
    drawn = np.zeros(complex_.edge_count, dtype=np.bool_)
    drawn[order] = True
    number_of = np.full(complex_.vertex_count, -1)
    number_of[vertices] = np.arange(len(vertices))
    place = np.zeros((complex_.vertex_count, 2))
    inner = _SIDE - 2 * _INSET
    place[vertices] = _INSET + inner * layout(number_of[complex_.edges[order]], len(vertices))
    sizes = [np.abs(part).max() for part in analysis.parts.values()]
    return _Drawing(
        analysis=analysis,
        edges=np.sort(order),
        triangles=np.flatnonzero(drawn[complex_.faces].all(axis=1)),
        vertices=vertices,
        place=place,
        scale=float(max(sizes)) or 1.0,
    )


def _around(analysis: Analysis, strongest: int) -> Indices:
    """Return the vertices nearest to the triangle that turns most, or to the strongest edge."""
    edges = analysis.table.complex.edges
    triangles = analysis.worst_triangles[:1]
    start = analysis.table.complex.triangles[triangles[0]] if len(triangles) else edges[strongest]
    near = list(map(int, start))
    seen = set(near)
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    begin = np.searchsorted(both[:, 0], np.arange(len(analysis.table.names) + 1))
    for here in near:
        for other in both[begin[here] : begin[here + 1], 1].tolist():
            if other not in seen and len(near) < MOST_AROUND:
                seen.add(other)
                near.append(other)
    return np.sort(np.array(near, dtype=np.intp))


def _summary(analysis: Analysis) -> str:
    return ", ".join(f"{part} {percent(share)}" for part, share in analysis.shares.items())


def _header(drawing: _Drawing) -> list[str]:
    analysis = drawing.analysis
    table = analysis.table
    words = (
        f"{counted(len(table.names), 'name')}, {counted(table.complex.edge_count, 'edge')},"
        f" {counted(table.complex.triangle_count, 'triangle')}; {betti_words(analysis)}"
    )
    if len(drawing.vertices) < len(table.names):
        where = "the most inconsistent triangle" if len(analysis.worst_triangles) else "the largest"
        words += f"; drawn are {len(drawing.vertices)} names around {where}"
    elif len(drawing.edges) < table.complex.edge_count:
        words += f"; drawn are the {len(drawing.edges):,} edges of largest value"
    if not analysis.converged:
        words += "; NOT CONVERGED"
    lines = [
        f'<text class="text h" x="{_GAP}" y="42">{escape(cut(analysis.name, 80))}</text>',
        f'<text class="text2" x="{_GAP}" y="66">{escape(words)}</text>',
    ]
    x, whole = float(_GAP), _WIDE - 2 * _GAP
    for part, share in analysis.shares.items():
        long = whole * share
        lines.append(
            f'<rect class="{part}" x="{x:.1f}" y="84" width="{max(long - 2, 0):.1f}" height="12">'
            f"<title>{part} {percent(share)}</title></rect>"
        )
        x += long
    return lines


def _panel(drawing: _Drawing, part: str) -> list[str]:
    analysis = drawing.analysis
    title = f"{part.capitalize()} {percent(analysis.shares[part])}"
    lines = [
        f'<circle class="{part}" cx="7" cy="15" r="6"/>',
        f'<text class="text t" x="20" y="20">{title}</text>',
        f'<text class="text2" x="{20 + 9 * len(title)}" y="20">'
        f"{explained(analysis.meaning, part)}</text>",
        '<g transform="translate(0 32)">',
        f'<rect class="raised" width="{_SIDE}" height="{_SIDE}" rx="6"/>',
    ]
    if part == "curl":
        lines += _filled(drawing)
    faint, strong = [], []
    values = analysis.parts[part]
    for edge in drawing.edges[np.argsort(np.abs(values[drawing.edges]), kind="stable")].tolist():
        value = float(values[edge])
        if analysis.is_noise(value):
            faint.append(_line(drawing, edge))
        else:
            strong.append(_arrow(drawing, edge, part, value))
    lines += faint + strong
    lines += [
        f'<circle class="text" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>{escape(name)}</title></circle>"
        for (x, y), name in _dots(drawing)
    ]
    return [*lines, *_labels(drawing), "</g>"]


def _dots(drawing: _Drawing) -> list[tuple[tuple[float, float], str]]:
    names, potential = drawing.analysis.table.names, drawing.analysis.potential
    return [
        (
            (float(drawing.place[one, 0]), float(drawing.place[one, 1])),
            f"{clean(names[one])}: {number(float(potential[one]), drawing.analysis)}",
        )
        for one in drawing.vertices
    ]


def _filled(drawing: _Drawing) -> list[str]:
    """Triangles, filled by the curl round them."""
    analysis = drawing.analysis
    most = float(np.abs(analysis.turn).max()) if len(analysis.turn) else 0.0
    lines = []
    for triangle in drawing.triangles.tolist():
        corners, turn = analysis.triangle(triangle)
        if analysis.is_noise(turn):
            continue
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawing.place[list(corners)])
        names = [clean(analysis.table.names[one]) for one in (*corners, corners[0])]
        lines.append(
            f'<polygon class="curl" points="{points}" fill-opacity="{0.35 * turn / most:.3f}">'
            f"<title>{escape(' → '.join(names))}: {number(turn, analysis)}</title></polygon>"
        )
    return lines


def _line(drawing: _Drawing, edge: int) -> str:
    (x, y), (to_x, to_y) = drawing.place[drawing.analysis.table.complex.edges[edge]]
    return (
        f'<line class="s-line" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
        ' stroke-width="1"/>'
    )


def _arrow(drawing: _Drawing, edge: int, part: str, value: float) -> str:
    """An edge with a head a little past its middle, pointing where the part flows."""
    analysis = drawing.analysis
    tail, head = analysis.table.complex.edges[edge].tolist()
    names = [clean(analysis.table.names[one]) for one in (tail, head)]
    start, end = drawing.place[tail], drawing.place[head]
    if value < 0:
        start, end, names = end, start, names[::-1]
    wide = 0.8 + (_WIDEST - 0.8) * abs(value) / drawing.scale
    long = float(np.hypot(*(end - start)))
    along = (end - start) / (long or 1.0)
    size = min(4.0 + 1.1 * wide, 0.6 * long)
    tip = start + 0.56 * (end - start) + 0.5 * size * along
    across = 0.62 * size * np.array([-along[1], along[0]])
    back = tip - size * along
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, back + across, back - across))
    whole = number(abs(float(analysis.table.flow[edge])), analysis)
    told = f"{' → '.join(names)}: {part} {number(abs(value), analysis)}, value {whole}"
    return (
        f'<g opacity="0.85"><title>{escape(told)}</title>'
        f'<line class="s-{part}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}"'
        f' y2="{end[1]:.1f}" stroke-width="{wide:.2f}"/>'
        f'<polygon class="{part}" points="{points}"/></g>'
    )


def _labels(drawing: _Drawing) -> list[str]:
    """Names where there is room, those with the most edges first; the rest are told on hovering."""
    analysis = drawing.analysis
    degree = np.bincount(
        analysis.table.complex.edges[drawing.edges].reshape(-1),
        minlength=len(analysis.table.names),
    )
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in drawing.place[drawing.vertices].tolist()]
    lines = []
    for vertex in sorted(drawing.vertices.tolist(), key=lambda one: (-degree[one], one)):
        name = cut(analysis.table.names[vertex], 18)
        x, y = drawing.place[vertex].tolist()
        long = _LETTER * width(name)
        for left, base in ((6, 4), (-6 - long, 4), (-long / 2, -8), (-long / 2, 17)):
            box = (x + left, y + base - 10, x + left + long, y + base + 2)
            inside = box[0] >= 2 and box[2] <= _SIDE - 2 and box[1] >= 2 and box[3] <= _SIDE - 2
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                lines.append(
                    f'<text class="text l halo" x="{box[0]:.1f}" y="{y + base:.1f}">'
                    f"{escape(name)}</text>"
                )
                break
    return lines


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _lists(analysis: Analysis) -> list[str]:
    """The ranking, and the triangles that turn most."""
    title = "Potential" if analysis.meaning is Meaning.FLOW else "Ranking"
    lines = [
        f'<text class="text t" x="0" y="20">{title}, highest first; bars begin at the lowest</text>'
    ]
    shown = analysis.ranking[:16].tolist()
    low, high = float(analysis.potential.min()), float(analysis.potential.max())
    y = 50
    for vertex in shown:
        value = float(analysis.potential[vertex])
        long = 230 * (value - low) / (high - low) if high > low else 0.0
        name = escape(cut(analysis.table.names[vertex], 24))
        lines += [
            f'<text class="text" x="180" y="{y}" text-anchor="end">{name}</text>',
            f'<rect class="gradient" x="190" y="{y - 10}" width="{max(long, 1):.1f}" height="11"/>',
            f'<text class="text2" x="{196 + long:.1f}" y="{y}">{number(value, analysis)}</text>',
        ]
        y += 20
    if len(analysis.ranking) > len(shown):
        left = f"… and {len(analysis.ranking) - len(shown):,} more"
        lines.append(f'<text class="text2" x="190" y="{y}">{left}</text>')
    y = 50 + 20 * 16 + 40
    triangles = analysis.worst_triangles[:6].tolist()
    head = "Most inconsistent triangles" if triangles else "No triangle is inconsistent"
    lines.append(f'<text class="text t" x="0" y="{y}">{head}</text>')
    for triangle in triangles:
        y += 21
        corners, turn = analysis.triangle(triangle)
        names = [cut(analysis.table.names[one], 16) for one in corners]
        told = f"{' → '.join([*names, names[0]])}: {number(turn, analysis)}"
        lines.append(f'<text class="text2" x="0" y="{y}">{escape(told)}</text>')
    return lines
