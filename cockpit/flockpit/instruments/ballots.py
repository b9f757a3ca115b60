"""Ballots: who was asked, what they said, and how many yes are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

from flockcore.flock.codes import ProposalKind, Result, Vote
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import node

__all__ = ["BallotRow", "Ballots", "ballot_rows", "summary"]

_ROWS = 8
"""Ballots shown at most; the card cuts off what has no room."""
_ONE = 65536
_VOTES = {Vote.YES: "yes", Vote.NO: "no", Vote.ABSTAIN: "abstain", Vote.INHIBIT: "inhibit"}
_RESULTS = {
    Result.PENDING: ("pending", ""),
    Result.APPROVED: ("approved", "holds"),
    Result.REJECTED: ("rejected", "violated"),
    Result.TIMEOUT: ("timed out", "violated"),
    Result.CANCELLED: ("cancelled", "violated"),
    Result.EXPIRED: ("expired", "none"),
}


@dataclass(frozen=True, slots=True)
class BallotRow:
    """One ballot as its proposer knows it.

    Attributes:
        proposer: the node that opened it.
        ballot: its number at the proposer.
        kind: what it is about.
        votes: voter and vote, None while it is not heard; the silent ones last.
        needed: least number of yes that approves it.
        result: where it stands.
        opened: tick at which it was opened.
        closed: tick at which it was decided, None before.
    """

    proposer: int
    ballot: int
    kind: ProposalKind
    votes: tuple[tuple[int, Vote | None], ...]
    needed: int
    result: Result
    opened: int
    closed: int | None


def needed_yes(threshold: int, electorate: int) -> int:
    """Return the least number of yes whose share reaches a raw Q16.16 threshold."""
    return -(-threshold * electorate // _ONE)


def ballot_rows(ballots: Sequence[Any]) -> list[BallotRow]:
    """Return ballots for the screen: open ones first, then the latest."""
    rows = [_row_of(ballot) for ballot in ballots]
    return sorted(rows, key=lambda row: (row.result != Result.PENDING, -row.opened, -row.ballot))


def _row_of(ballot: Any) -> BallotRow:  # noqa: ANN401
    order = {Vote.YES: 0, Vote.NO: 1, Vote.INHIBIT: 1, Vote.ABSTAIN: 2, None: 3}
    votes = sorted(
        zip(ballot.voters, ballot.votes, strict=True), key=lambda pair: (order[pair[1]], pair[0])
    )
    return BallotRow(
        proposer=ballot.proposer,
        ballot=ballot.ballot,
        kind=ProposalKind(ballot.kind),
        votes=tuple(votes),
        needed=needed_yes(ballot.threshold, len(ballot.voters)),
        result=Result(ballot.result),
        opened=ballot.opened,
        closed=ballot.closed,
    )


def summary(rows: Sequence[BallotRow]) -> tuple[int, int, float | None]:
    """Return how many ballots were approved, how many decided, and the median ticks it took."""
    done = [row for row in rows if row.result != Result.PENDING]
    approved = sum(row.result == Result.APPROVED for row in done)
    times = [row.closed - row.opened for row in done if row.closed is not None]
    return approved, len(done), float(median(times)) if times else None


class Ballots(Words):
    """Open and decided ballots, with their voters and thresholds."""

    name: ClassVar[str] = "ballots"

    def headline(self, view: DeckView) -> Headline:
        """Return what the bar in each row stands for."""
        return Headline("Ballots", (Number("", "| needed"),) if self._rows(view) else ())

    def _rows(self, view: DeckView) -> list[BallotRow]:
        if "ballots" not in view.memo:
            view.memo["ballots"] = ballot_rows(view.sim.flock.ballots())
        rows: list[BallotRow] = view.memo["ballots"]
        return rows

    def html(self, view: DeckView) -> str:
        """Return the ballots and two numbers about all of them."""
        rows = self._rows(view)
        if not rows:
            return (
                "<p class='empty'>No ballots yet."
                "<button class='small-button' data-do='propose'>Propose one</button></p>"
            )
        shown = "".join(_html(row) for row in rows[:_ROWS])
        approved, done, ticks = summary(rows)
        time = "" if ticks is None else f"{ticks * view.seconds * 1e3:.3g} ms"
        second = f"<div><b>{time}</b><span>median</span></div>" if time else ""
        return (
            f"<ul class='ballots'>{shown}</ul><div class='numbers'>"
            f"<div><b>{approved} of {done}</b><span>approved</span></div>{second}</div>"
        )


def _html(row: BallotRow) -> str:
    said, tone = _RESULTS[row.result]
    about = f"{node(row.proposer)} asks {len(row.votes)} neighbours, {row.needed} yes needed"
    name = row.kind.name if row.kind < ProposalKind.CUSTOM_0 else row.kind.name.replace("_", " ")
    cells = "".join(
        f"<i class='{'silent' if vote is None else _VOTES[vote]}' "
        f"title='{node(voter)}: {'not heard' if vote is None else _VOTES[vote]}'></i>"
        for voter, vote in row.votes
    )
    share = row.needed / max(len(row.votes), 1)
    return (
        f"<li title='{words(about)}'><div class='row'><span><b>B{row.ballot}</b> "
        f"<small>{node(row.proposer)} {words(name)}</small></span>"
        f"<b class='result {tone}'>{said}</b></div>"
        f"<div class='votes' style='--needed:{min(share, 1.0):.4f}'>{cells}</div></li>"
    )
