"""Queues before and after: what a projection leaves of them, and what balancing does."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.flow_reading import Evening, Reading, absent, read
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import node

__all__ = ["FlowQueues", "chosen_rows", "spread"]

_ROWS = 7
_WAYS = (("now", "now"), ("projected", "projected"), ("balanced", "balanced"))


def spread(queues: NDArray[np.float64], who: NDArray[np.bool_]) -> float:
    """Return how far the longest queue of some nodes is from the shortest."""
    return float(np.ptp(queues[who])) if who.any() else 0.0


def chosen_rows(found: Evening, up: NDArray[np.bool_], most: int = _ROWS) -> list[int]:
    """Return the nodes whose queues are furthest from the mean, the furthest first."""
    if not up.any():
        return []
    away = np.where(up, np.abs(found.now - found.now[up].mean()), -1.0)
    order = np.argsort(-away, kind="stable")[:most]
    return [int(one) for one in order if away[one] >= 0]


class FlowQueues(Words):
    """The queues of some nodes: as they are, after plain projection, after balancing."""

    name: ClassVar[str] = "queues"

    def __init__(self) -> None:
        super().__init__(more=("curl",))

    def headline(self, view: DeckView) -> Headline:
        """Return how far queues are apart now, and how far balancing would leave them."""
        reading = read(view)
        if reading is None:
            return Headline("Queues")
        found = reading.evening
        return Headline(
            "Queues",
            (
                Number(f"{spread(found.projected, reading.up):.1f}", "apart"),
                Number(f"{spread(found.balanced, reading.up):.1f}", "balanced", "holds"),
            ),
        )

    def html(self, view: DeckView) -> str:
        """Return the table of queues."""
        reading = read(view)
        if reading is None:
            return f"<p class='empty'>{words(absent(view))}</p>"
        found = reading.evening
        longest = max(float(np.abs(getattr(found, way)).max(initial=0.0)) for way, _ in _WAYS)
        rows = "".join(_row(one, found, longest or 1.0) for one in chosen_rows(found, reading.up))
        heads = "".join(f"<th>{said}</th>" for _, said in _WAYS)
        return (
            "<div class='whole-rows'><table class='ruled queues'><thead><tr><th>node</th>"
            f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
            f"<p class='last small quiet'>{_verdict(reading)}</p>"
        )


def _verdict(reading: Reading) -> str:
    found = reading.evening
    apart = spread(found.now, reading.up)
    kept = spread(found.projected, reading.up)
    if apart and abs(kept - apart) < 0.05 * apart:
        return "projecting keeps outflows: what is hot stays hot"
    return "queues that the flows would leave after one unit of time"


def _row(one: int, found: Evening, longest: float) -> str:
    cells = "".join(
        f"<td><i class='queue {way}' style='--share:{_share(found, way, one, longest):.4f}'></i>"
        f"<b>{getattr(found, way)[one]:.1f}</b></td>"
        for way, _ in _WAYS
    )
    name = f"<button data-do='select' data-with='{one}'>{node(one)}</button>"
    return f"<tr><th>{name}</th>{cells}</tr>"


def _share(found: Evening, way: str, one: int, longest: float) -> float:
    return max(float(getattr(found, way)[one]), 0.0) / longest
