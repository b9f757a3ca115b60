"""Which part of the flow is what, and the edges that carry most of it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flockcore.hodge.reports import CONSISTENT
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.flow_reading import Reading, absent, read
from flockpit.instruments.flow_shapes import LANES
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import MINUS, count, node

__all__ = ["EdgeRow", "FlowShare", "edge_rows", "signed"]

_ROWS = 8
_SAID = {
    "gradient": "what potentials explain; every merge keeps it",
    "curl": "what turns round triangles; a projection removes it",
    "harmonic": "what turns round holes; no projection removes it",
}


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """An edge in the direction in which it is reported to flow.

    Attributes:
        tail: where the flow comes from.
        head: where it goes.
        reported: how much, 0 or more.
        projected: what is left once the curl is removed, below 0 if it turns round.
        parts: sizes of gradient, curl and harmonic part, as shares of their sum.
    """

    tail: int
    head: int
    reported: float
    projected: float
    parts: tuple[float, float, float]


def edge_rows(reading: Reading, most: int = _ROWS) -> list[EdgeRow]:
    """Return the edges with the largest flows, reported or projected, the largest first."""
    held, left = reading.held, reading.projected.flow
    size = np.maximum(np.abs(held.flow), np.abs(left))
    order = np.argsort(-size, kind="stable")[:most]
    rows = []
    for edge in order[size[order] > CONSISTENT].tolist():
        tail, head = reading.complex.edges[edge].tolist()
        flow, rest = float(held.flow[edge]), float(left[edge])
        if flow < 0:
            tail, head, flow, rest = head, tail, -flow, -rest
        sizes = [abs(float(part[edge])) for part in (held.gradient, held.curl, held.harmonic)]
        whole = sum(sizes) or 1.0
        shares = (sizes[0] / whole, sizes[1] / whole, sizes[2] / whole)
        rows.append(EdgeRow(tail, head, flow, rest, shares))
    return rows


def signed(value: float) -> str:
    """Return a flow with its sign and two decimals; rounding counts as 0."""
    if abs(value) < 0.005:
        return "0.00"
    return f"{'+' if value > 0 else MINUS}{abs(value):.2f}"


def _bar(shares: tuple[float, float, float], css: str) -> str:
    cells = "".join(
        f"<i class='part {part}' style='--share:{share:.4f}'></i>"
        for part, share in zip(LANES, shares, strict=True)
        if share > 0.004
    )
    return f"<div class='{css}'>{cells}</div>"


class FlowShare(Words):
    """The shares of the three parts, and the largest edges."""

    name: ClassVar[str] = "share"

    def __init__(self) -> None:
        super().__init__(more=("curl",))

    def headline(self, view: DeckView) -> Headline:
        """Return how many holes and edges the mesh has."""
        reading = read(view)
        if reading is None:
            return Headline("Share of the flow")
        holes = reading.holes
        return Headline(
            "Share of the flow",
            (
                Number(count(holes), f"hole{'s' * (holes != 1)}"),
                Number(count(reading.complex.edge_count), "edges"),
            ),
        )

    def html(self, view: DeckView) -> str:
        """Return the bar and the table."""
        reading = read(view)
        if reading is None:
            return f"<p class='empty'>{words(absent(view))}</p>"
        if not any(reading.held.shares):
            return "<p class='empty'>All flows are 0: nothing is claimed, or all is mended.</p>"
        shares = reading.held.shares
        named = "".join(
            f"<span title='{_SAID[part]}'>{100 * share:.0f} % {part}</span>"
            for part, share in zip(LANES, shares, strict=True)
        )
        rows = "".join(_row(row) for row in edge_rows(reading))
        stays = shares[2] > 0.0005
        last = (
            "harmonic flow stays: real, or an obstruction"
            if stays
            else "no flow round a hole: a projection mends all"
        )
        return (
            f"{_bar(shares, 'shares')}<div class='row small words named'>{named}</div>"
            "<div class='whole-rows'><table class='ruled edges'><thead><tr><th>edge</th>"
            "<th>reported</th><th>projected</th><th>parts</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
            f"<p class='last small quiet'>{last}</p>"
        )


def _row(row: EdgeRow) -> str:
    return (
        f"<tr><th><button data-do='select' data-with='{row.tail},{row.head}'>"
        f"{node(row.tail)} → {node(row.head)}</button></th>"
        f"<td>{row.reported:.2f}</td><td>{signed(row.projected)}</td>"
        f"<td>{_bar(row.parts, 'shares small-bar')}</td></tr>"
    )
