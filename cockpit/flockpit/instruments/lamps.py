"""Verdict lamps: each invariant now, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from flockcore.kernel.layer import Status, Verdict
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.view import DeckView
from flockpit.look.assets import icon
from flockpit.look.widgets import words
from flockpit.texts import clock

__all__ = ["Lamps", "lamp_icon", "lamp_rows", "tally"]

_ICONS = {Status.HOLDS: "holds", Status.VIOLATED: "violated", Status.UNKNOWN: "open-verdict"}


def tally(verdicts: Sequence[Verdict]) -> str:
    """Return how many invariants hold, are violated and cannot be known."""
    found = Counter(verdict.status for verdict in verdicts)
    verbs = ((Status.HOLDS, "hold"), (Status.VIOLATED, "violated"), (Status.UNKNOWN, "unknown"))
    return ", ".join(f"{found[status]} {verb}" for status, verb in verbs if found[status])


def lamp_icon(status: Status) -> str:
    """Return the icon of a verdict."""
    return icon(_ICONS[status])


def lamp_rows(verdicts: Sequence[Verdict], before: Mapping[str, Status]) -> str:
    """Return the list of lamps.

    Args:
        verdicts: what is known now.
        before: status of each invariant when it was shown last; a change gets one ring.
    """
    return "".join(_row(verdict, before.get(verdict.name)) for verdict in verdicts)


def _row(verdict: Verdict, before: Status | None) -> str:
    changed = before is not None and before != verdict.status
    nodes = ",".join(map(str, verdict.nodes))
    act = f" data-do='select' data-with='{nodes}'" if nodes else ""
    pulse = " class='pulse'" if changed else ""
    said = f"{verdict.name}: {verdict.status}. {verdict.reason}"
    return (
        f"<li{pulse}><button{act} title='{words(said)}'>{lamp_icon(verdict.status)}"
        f"<b>{words(verdict.name)}</b><span class='reason'>{words(verdict.reason)}</span>"
        "</button></li>"
    )


class Lamps(Words):
    """One lamp for each invariant; a click selects the nodes that it is about."""

    name: ClassVar[str] = "verdicts"

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Status] = {}

    def headline(self, view: DeckView) -> Headline:
        """Return when, and how many invariants stand how."""
        when = clock(view.tick, round(view.seconds * 1e6))
        return Headline(f"Verdicts at {when} s", (Number("", tally(view.verdicts)),))

    def html(self, view: DeckView) -> str:
        """Return the lamps."""
        rows = lamp_rows(view.verdicts, self._before)
        self._before = {verdict.name: verdict.status for verdict in view.verdicts}
        return f"<ul class='lamps' aria-live='polite'>{rows}</ul>"
