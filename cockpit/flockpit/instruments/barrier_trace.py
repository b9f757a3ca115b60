"""The invariants of the present trace, re-derived by code that trusts no decision."""

from collections import Counter
from typing import ClassVar

from flockcore.kernel.layer import Status
from flockpit.instruments.barrier_reading import Check, read
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.lamps import lamp_icon
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words

__all__ = ["BarrierTrace"]

_EMPTY = "<p class='empty'>Nothing is provisioned: there is no trace.</p>"


class BarrierTrace(Words):
    """One row for each invariant."""

    name: ClassVar[str] = "trace"

    def __init__(self) -> None:
        super().__init__(more=("barrier",))

    def headline(self, view: DeckView) -> Headline:
        """Return how many invariants hold on this trace."""
        found = Counter(check.status for check in read(view).checks)
        numbers = [Number(str(found[Status.HOLDS]), "hold", "holds")] if found else []
        if found[Status.VIOLATED]:
            numbers.append(Number(str(found[Status.VIOLATED]), "violated", "violated"))
        elif found[Status.UNKNOWN]:
            numbers.append(Number(str(found[Status.UNKNOWN]), "unknown", "none"))
        return Headline("Proofs on this trace", tuple(numbers))

    def html(self, view: DeckView) -> str:
        """Return the rows."""
        checks = read(view).checks
        return f"<ul class='checks'>{''.join(map(_row, checks))}</ul>" if checks else _EMPTY


def _row(check: Check) -> str:
    said = words(f"{check.name}: {check.status}. {check.reason}")
    return (
        f"<li title='{said}'>{lamp_icon(check.status)}<b>{words(check.name)}</b>"
        f"<span>{words(check.reason)}</span></li>"
    )
