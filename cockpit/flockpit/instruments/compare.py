"""Two branches at the same tick, number by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flockpit.instruments.ballots import ballot_rows, summary
from flockpit.instruments.base import Headline, Words
from flockpit.instruments.detection import find
from flockpit.instruments.false_positives import rates, rough
from flockpit.instruments.messages import DROPPED, sum_of
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import count

__all__ = ["Compare", "Comparison", "comparisons"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number in both branches.

    Attributes:
        name: what is counted.
        watched: in the branch that faults go to.
        beside: in the other one.
    """

    name: str
    watched: str
    beside: str

    @property
    def differs(self) -> bool:
        """Whether the branches differ in it."""
        return self.watched != self.beside


def comparisons(watched: DeckView, beside: DeckView) -> list[Comparison]:
    """Return what both branches have come to."""
    pairs = zip(_numbers(watched), _numbers(beside), strict=True)
    return [Comparison(name, one, other) for (name, one), (_, other) in pairs]


def _numbers(view: DeckView) -> Sequence[tuple[str, str]]:
    until = view.tick + 1
    dropped = int(sum_of(view, DROPPED)[:until].sum())
    every = float(rates(view, np.array([view.tick]))[0][0])
    approved, done, _ = summary(ballot_rows(view.sim.flock.ballots()))
    half = find(view).milliseconds(0.5)
    held = [verdict for verdict in view.verdicts if verdict.status == "violated"]
    return (
        ("tick", count(view.tick)),
        ("SUSPECT now", count(view.latest("suspect"))),
        ("DEAD now", count(view.latest("dead"))),
        ("false DEAD / node-hour", rough(every)),
        ("detected in (p50)", "" if half is None else f"{half:.4g} ms"),
        ("delivered", count(int(view.series("delivered")[:until].sum()))),
        ("dropped", count(dropped)),
        ("ballots approved", f"{approved} of {done}"),
        ("invariants violated", ", ".join(verdict.name for verdict in held) or "none"),
        ("state", view.sim.digest()[:8]),
    )


class Compare(Words):
    """A table of both branches, the differences in ink."""

    name: ClassVar[str] = "compare"

    def headline(self, view: DeckView) -> Headline:
        """Return in how many numbers the branches differ."""
        if view.beside is None:
            return Headline("Two branches")
        rows = comparisons(view, view.beside)
        differ = sum(row.differs for row in rows)
        return Headline("Two branches", (), f"{differ} of {len(rows)} differ")

    def html(self, view: DeckView) -> str:
        """Return the table."""
        if view.beside is None:
            return "<p class='words'>Fork here (F) to see two futures side by side.</p>"
        rows = "".join(
            f"<tr class='{'differs' if row.differs else ''}'><th>{words(row.name)}</th>"
            f"<td>{words(row.watched)}</td><td>{words(row.beside)}</td></tr>"
            for row in comparisons(view, view.beside)
        )
        return (
            "<table class='ruled compare'><thead><tr><th></th><th>watched</th><th>beside</th></tr>"
            f"</thead><tbody>{rows}</tbody></table>"
        )
