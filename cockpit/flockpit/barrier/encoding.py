"""The barrier as z3 sees it (spec barrier, section 13): counts, steps and policies, for all sizes.

A state is five integers: number of hosts, phase, hosts READY, FAILED and PROVISIONING. A policy is
an uninterpreted predicate on the three counts unless it is named. Nothing is quantified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import z3

from flockcore.barrier.codes import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ANY",
    "BARRIER",
    "BOUNDS",
    "CONVERGE",
    "FAILED",
    "IMAGING",
    "NEXT",
    "NOW",
    "TOTAL_F",
    "TOTAL_R",
    "Formula",
    "M",
    "Predicate",
    "State",
    "T",
    "combined",
    "initial",
    "max_failures",
    "state",
    "step",
    "strict_all",
    "threshold",
]

type Formula = Any
"""A z3 expression; z3 has no types that a checker could use."""

IMAGING, BARRIER, CONVERGE, FAILED = (int(one) for one in Phase)


class State(NamedTuple):
    """Number of hosts, phase, and the counts."""

    n: Formula
    ph: Formula
    r: Formula
    f: Formula
    p: Formula

    @property
    def counts(self) -> tuple[Formula, Formula, Formula]:
        """READY, FAILED, PROVISIONING."""
        return self.r, self.f, self.p


def state(mark: str) -> State:
    """Return the symbols of a state; `mark` tells them from those of others."""
    # The number of hosts never changes: one symbol stands for it in every state.
    return State(z3.Int("n"), *(z3.Int(name + mark) for name in ("ph", "r", "f", "p")))


NOW, NEXT = state(""), state("'")
T, M = z3.Ints("t m")
TOTAL_R, TOTAL_F = z3.Ints("R F")
BOUNDS = z3.And(T >= 0, M >= 0)
ANY = z3.Function("P", z3.IntSort(), z3.IntSort(), z3.IntSort(), z3.BoolSort())


type Predicate = Callable[[Formula, Formula, Formula], Formula]


def strict_all(r: Formula, f: Formula, p: Formula) -> Formula:
    """Return ``prov = 0 and failed = 0``."""
    del r
    return z3.And(p == 0, f == 0)


def threshold(r: Formula, f: Formula, p: Formula) -> Formula:
    """Return ``ready >= t``."""
    del f, p
    return r >= T


def max_failures(r: Formula, f: Formula, p: Formula) -> Formula:
    """Return ``failed <= m``."""
    del r, p
    return f <= M


def combined(r: Formula, f: Formula, p: Formula) -> Formula:
    """Return ``ready >= t and failed <= m``."""
    return z3.And(threshold(r, f, p), max_failures(r, f, p))


def initial(s: State) -> Formula:
    """Return that nothing has happened yet."""
    return z3.And(s.ph == IMAGING, s.r == 0, s.f == 0, s.p == s.n, s.n >= 0)


def step(
    s: State, to: State, policy: Predicate = ANY, *, eager: bool = False, totals: bool = False
) -> Formula:
    """Return the five rows of section 3; an eager gate lets hosts report only while it holds them.

    With `totals` at most R hosts get READY and at most F fail, as in a schedule.
    """
    met = policy(*s.counts)
    reports = z3.And(s.p > 0, z3.Not(met)) if eager else s.p > 0
    ready, fail = (s.r < TOTAL_R, s.f < TOTAL_F) if totals else (True, True)
    same = z3.And(to.r == s.r, to.f == s.f, to.p == s.p)
    inside = z3.And(s.ph == BARRIER, to.ph == BARRIER, reports, to.p == s.p - 1)
    return z3.Or(
        z3.And(s.ph == IMAGING, to.ph == BARRIER, same),
        z3.And(inside, ready, to.r == s.r + 1, to.f == s.f),
        z3.And(inside, fail, to.r == s.r, to.f == s.f + 1),
        z3.And(s.ph == BARRIER, to.ph == CONVERGE, met, same),
        z3.And(s.ph == BARRIER, to.ph == FAILED, s.p == 0, z3.Not(met), same),
    )
