"""A person's own flow, read from text: edges with values, or pairwise comparisons.

Comparisons become a flow as HodgeRank does it (Jiang, Lim, Yao and Ye 2011, "Statistical ranking
and combinatorial Hodge theory"): the flow from one name to another is the mean of how much the
other was preferred. Its gradient part ranks the names, its curl part is contradiction among three,
its harmonic part contradiction in longer loops.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.complex import Complex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flockcore.hodge.arrays import Floats, Indices

__all__ = ["FlowTable", "Meaning", "read_csv", "read_json"]


class Meaning(StrEnum):
    """What a row means."""

    FLOW = "flow"  # from, to, value: what flows; each pair once
    COMPARISON = "comparison"  # from, to, value: how much `to` was preferred; pairs may come again
    WIN = "win"  # loser, winner: as a comparison by 1; pairs may come again


_COLUMNS = {
    Meaning.FLOW: (("from", "source", "tail"), ("to", "target", "head"), ("value", "flow", "rate")),
    Meaning.COMPARISON: (
        ("from", "source", "left"),
        ("to", "target", "right"),
        ("value", "score", "margin"),
    ),
    Meaning.WIN: (("loser", "from"), ("winner", "to")),
}
_TITLES = {"loser", "winner"}
"""What a line of column names may hold that would pass for two names of competitors."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FlowTable:
    """A flow between named vertices.

    Attributes:
        names: name of each vertex, in the order of their first appearance.
        complex: flag complex of the pairs; an edge points as its first row did.
        flow: value of each edge, the mean where several rows spoke of it, shape (E,).
        rows: rows that spoke of each edge, shape (E,).
    """

    names: tuple[str, ...]
    complex: Complex
    flow: Floats
    rows: Indices


def read_csv(text: str, *, meaning: Meaning = Meaning.FLOW) -> FlowTable:
    """Read comma-separated rows, with or without a line of column names.

    Args:
        text: the table. With names, columns may come in any order and others are passed over:
            from, to, value; for wins loser, winner. Without, they are taken in this order.
        meaning: what a row means.

    Raises:
        FlockError: naming the line and what is allowed there; nothing is read then.
    """
    lines = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    rows = _numbered(lines)
    wanted = _COLUMNS[meaning]
    found: list[tuple[str, list[Any]]] = []
    place, width = list(range(len(wanted))), len(wanted)
    for count, (line, cells) in enumerate(rows):
        if count == 0 and (header := _header([cell.lower() for cell in cells], wanted)):
            place, width = header, len(cells)
            continue
        if count == 0 and meaning is Meaning.WIN and (half := {*map(str.lower, cells)} & _TITLES):
            raise FlockError(
                f'line {line} has a column "{half.pop()}"; {_names(wanted)} are needed'
            )
        # A further cell may be half of a number with a decimal comma.
        if len(cells) <= max(place) or any(cells[width:]):
            raise FlockError(f"line {line} has {len(cells)} columns; {_names(wanted)} are needed")
        found.append((f"line {line}", [cells[one] for one in place]))
    return _table(found, meaning)


def read_json(text: str, *, meaning: Meaning = Meaning.FLOW) -> FlowTable:
    """Read a JSON list of rows, or an object whose "edges" are one.

    Args:
        text: a row is a list, [from, to, value], or an object with these keys; for wins
            [loser, winner]. Beside "edges" the object may list "nodes": the rows name no others
            then, and those that no row names are vertices without an edge.
        meaning: what a row means.

    Raises:
        FlockError: naming the row, counted from 1, and what is allowed there.
    """
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise FlockError(
            f"line {error.lineno}, column {error.colno}: {error.msg}; JSON is needed"
        ) from error
    except ValueError:
        raise FlockError("the JSON holds a number of more digits than can be read") from None
    except RecursionError:
        raise FlockError("the JSON is nested too deeply; a list of rows is needed") from None
    rows = data.get("edges") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise FlockError('the JSON is no list of rows and has no "edges" that are one')
    nodes = _nodes(data["nodes"]) if isinstance(data, dict) and "nodes" in data else None
    wanted = _COLUMNS[meaning]
    found = [(f"row {count}", _cells(row, count, wanted)) for count, row in enumerate(rows, 1)]
    return _table(found, meaning, nodes)


def _nodes(listed: object) -> dict[str, int]:
    if not isinstance(listed, list):
        raise FlockError('"nodes" is no list; a list of names is needed')
    nodes: dict[str, int] = {}
    for count, cell in enumerate(listed, 1):
        name = _name(f"node {count}", cell)
        if name in nodes:
            raise FlockError(f'node {count} is "{name}" again; each name once is allowed')
        nodes[name] = len(nodes)
    return nodes


def _numbered(lines: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that hold something, with their numbers, without comments."""
    reader: Any = lines
    try:
        for cells in lines:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not stripped[0].startswith("#"):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise FlockError(f"line {reader.line_num}: {error}; comma-separated text is needed") from (
            error
        )


def _header(cells: list[str], wanted: tuple[tuple[str, ...], ...]) -> list[int] | None:
    place = []
    for names in wanted:
        known = [cells.index(name) for name in names if name in cells]
        if not known:
            return None
        place.append(known[0])
    return place if len(set(place)) == len(place) else None


def _cells(row: object, count: int, wanted: tuple[tuple[str, ...], ...]) -> list[Any]:
    if isinstance(row, list) and len(row) == len(wanted):
        return row
    if isinstance(row, dict):
        keys = [next((name for name in names if name in row), None) for names in wanted]
        if all(key is not None for key in keys):
            return [row[key] for key in keys]
    raise FlockError(f"row {count} is {json.dumps(row)[:60]}; {_names(wanted)} are needed")


def _names(wanted: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join(names[0] for names in wanted)


def _table(
    rows: list[tuple[str, list[Any]]], meaning: Meaning, nodes: dict[str, int] | None = None
) -> FlowTable:
    """Gather rows to edges; they may name no others than `nodes`, where these are given."""
    names: dict[str, int] = {} if nodes is None else nodes
    edges: dict[tuple[int, int], int] = {}
    first: list[str] = []
    sums: list[float] = []
    rows_of: list[int] = []
    for where, cells in rows:
        tail, head = (_name(where, cell) for cell in cells[:2])
        for name in (tail, head):
            if nodes is not None and name not in nodes:
                raise FlockError(f'{where} names "{name}"; only those listed in "nodes" are known')
        if tail == head:
            raise FlockError(f'{where} joins "{tail}" with itself; two names are needed')
        value = 1.0 if meaning is Meaning.WIN else _number(where, cells[2])
        pair = (names.setdefault(tail, len(names)), names.setdefault(head, len(names)))
        edge, sign = edges.get(pair), 1.0
        if edge is None:
            edge, sign = edges.get(pair[::-1]), -1.0
        if edge is None:
            edge, sign = edges.setdefault(pair, len(edges)), 1.0
            first.append(where)
            sums.append(0.0)
            rows_of.append(0)
        elif meaning is Meaning.FLOW:
            raise FlockError(
                f'{where} joins "{tail}" and "{head}", as {first[edge]} does; '
                "one row for each pair is allowed"
            )
        sums[edge] += sign * value
        if not math.isfinite(sums[edge]):
            raise FlockError(f"{where}: the sum of this pair's values is too large for a number")
        rows_of[edge] += 1
    if not edges:
        raise FlockError("there is no row with values; one or more are needed")
    count = np.array(rows_of, dtype=np.intp)
    return FlowTable(
        names=tuple(names),
        complex=Complex.flag(np.array(list(edges), dtype=np.intp), vertices=len(names)),
        flow=np.array(sums) / count,
        rows=count,
    )


def _name(where: str, cell: object) -> str:
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)) or cell == "":
        raise FlockError(f"{where} names {cell!r}; a name or a number is needed")
    return str(cell)


def _number(where: str, cell: object) -> float:
    try:
        value = math.nan if isinstance(cell, bool) else float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        shown = f"{cell!r}"[:60]
        raise FlockError(f"{where}: the value is {shown}; a number is needed") from None
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        shown = f"{cell!r}"[:60]
        raise FlockError(f"{where}: the value is {shown}; a finite number is needed")
    return value
