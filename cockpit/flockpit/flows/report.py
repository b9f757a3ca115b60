"""A flow's parts as text for a terminal, and as JSON."""

import json
from collections import Counter
from collections.abc import Sequence

from flockcore.hodge.solver import Solution
from flockcore.hodge.table import Meaning
from flockpit.flows.analysis import PARTS, Analysis
from flockpit.flows.words import betti_words, counted, cut, explained, number, percent, width

__all__ = ["FORMAT", "as_json", "as_text"]

FORMAT = "flockpit-curl/1"
"""Value of the key `format` in the JSON."""
_BAR = 30
_ROOM = 24
"""Columns that a name may take."""


def as_text(analysis: Analysis, *, top: int) -> str:
    """Return the report.

    Args:
        analysis: What to tell.
        top: Rows of each table; 0 means all.
    """
    blocks = [
        _heading(analysis),
        _shares(analysis),
        _ranking(analysis, top),
        _triangles(analysis, top),
        _edges(analysis, top),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _heading(analysis: Analysis) -> list[str]:
    table = analysis.table
    read = {Meaning.FLOW: "a flow", Meaning.COMPARISON: "comparisons", Meaning.WIN: "wins"}
    lines = [
        f"{analysis.name}: {counted(int(table.rows.sum()), 'row')} read as"
        f" {read[analysis.meaning]}; {counted(len(table.names), 'name')},"
        f" {counted(table.complex.edge_count, 'edge')},"
        f" {counted(table.complex.triangle_count, 'triangle')}",
        f"Betti numbers: {betti_words(analysis)}",
    ]
    for part, solution in analysis.solutions.items():
        lines.append(f"{part + ' part:':<14} {_ending(solution)}")
    if not analysis.converged:
        lines.append("Not converged: what is told of the parts is an approach to them.")
    if analysis.pieces > 1:
        lines.append("Potentials of different pieces cannot be compared; each has mean 0.")
    return lines


def _ending(solution: Solution | None) -> str:
    if solution is None:
        return "nothing to solve"
    how = "converged" if solution.converged else "NOT CONVERGED"
    steps = counted(solution.iterations, "iteration")
    return f"{how}, {steps}, relative residual {solution.relative_residual:.1e}"


def _shares(analysis: Analysis) -> list[str]:
    rows = [
        (part, percent(share), _bar(share), explained(analysis.meaning, part))
        for part, share in analysis.shares.items()
    ]
    return _columns(("PART", "SHARE", "", ""), rows, left={0, 2, 3})


def _ranking(analysis: Analysis, top: int) -> list[str]:
    several = analysis.pieces > 1
    lowest, highest = analysis.potential.min(), analysis.potential.max()
    rows = []
    order = analysis.ranking
    places: Counter[int] = Counter()
    for vertex in order[: top or None]:
        places[int(analysis.piece[vertex])] += 1
        place = places[int(analysis.piece[vertex])]
        value = float(analysis.potential[vertex])
        share = (value - lowest) / (highest - lowest) if highest > lowest else 0.0
        piece = [f"{analysis.piece[vertex] + 1}"] if several else []
        name = cut(analysis.table.names[vertex], _ROOM)
        rows.append((f"{place}", name, *piece, number(value, analysis), _bar(share)))
    head = ("RANK", "NAME", *(["PIECE"] if several else []), "POTENTIAL", "")
    return _columns(head, rows, left={1, len(head) - 1}) + _more(len(order), top)


def _triangles(analysis: Analysis, top: int) -> list[str]:
    order = analysis.worst_triangles
    rows = []
    for triangle in order[: top or None]:
        corners, turn = analysis.triangle(int(triangle))
        names = [cut(analysis.table.names[one], _ROOM) for one in corners]
        rows.append((" → ".join([*names, names[0]]), number(turn, analysis)))
    if not rows:
        return []
    return _columns(("MOST INCONSISTENT TRIANGLES", "CURL"), rows, left={0}) + _more(
        len(order), top
    )


def _edges(analysis: Analysis, top: int) -> list[str]:
    table = analysis.table
    order = analysis.worst_edges
    rows = []
    for edge in order[: top or None]:
        names = [cut(table.names[one], _ROOM) for one in table.complex.edges[edge]]
        values = [table.flow[edge], *(analysis.parts[part][edge] for part in PARTS)]
        shown = [number(float(one), analysis) for one in values]
        # What was given is shown as it was given, however small it is beside other values.
        shown[0] = f"{table.flow[edge]:.4g}".replace("-", "−")
        rows.append((" → ".join(names), *shown))
    head = ("EDGE, FURTHEST FROM GRADIENT FIRST", "VALUE", *(part.upper() for part in PARTS))
    return _columns(head, rows, left={0}) + _more(len(order), top)


def _more(count: int, top: int) -> list[str]:
    left = count - top if top else 0
    return [f"… and {left:,} more (--top 0 prints all)"] if left > 0 else []


def _bar(share: float) -> str:
    return "█" * round(_BAR * share)


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: set[int]) -> list[str]:
    lines = []
    widths = [max(map(width, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = []
        for place, (cell, room) in enumerate(zip(row, widths, strict=True)):
            space = " " * (room - width(cell))
            cells.append(cell + space if place in left else space + cell)
        lines.append("  ".join(cells).rstrip())
    return lines


def as_json(analysis: Analysis) -> str:
    """Return everything as JSON; its edges can be read as a flow again."""
    table, parts = analysis.table, analysis.parts
    edges = [
        {
            "from": table.names[tail],
            "to": table.names[head],
            "value": float(table.flow[edge]),
            **{part: float(parts[part][edge]) for part in PARTS},
            "rows": int(table.rows[edge]),
        }
        for edge, (tail, head) in enumerate(table.complex.edges.tolist())
    ]
    triangles = [
        {"nodes": [table.names[one] for one in corners], "curl": float(turn)}
        for corners, turn in zip(table.complex.triangles.tolist(), analysis.turn, strict=True)
    ]
    whole = {
        "format": FORMAT,
        "name": analysis.name,
        "meaning": analysis.meaning.value,
        "converged": analysis.converged,
        "solver": {part: _record(one) for part, one in analysis.solutions.items()},
        "betti": analysis.betti,
        "shares": analysis.shares,
        "nodes": list(table.names),
        "potential": analysis.potential.tolist(),
        "piece": analysis.piece.tolist(),
        "edges": edges,
        "triangles": triangles,
    }
    return json.dumps(whole, allow_nan=False)


def _record(solution: Solution | None) -> dict[str, object] | None:
    if solution is None:
        return None
    return {
        "converged": solution.converged,
        "iterations": solution.iterations,
        "relative_residual": solution.relative_residual,
    }
