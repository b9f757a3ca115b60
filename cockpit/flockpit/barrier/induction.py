"""Claims about the barrier, and how one is proved: it holds at the start, every step keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import z3

from flockcore.barrier.codes import Phase
from flockpit.barrier import encoding
from flockpit.barrier.encoding import (
    ANY,
    BARRIER,
    BOUNDS,
    CONVERGE,
    FAILED,
    IMAGING,
    NEXT,
    NOW,
    TOTAL_F,
    TOTAL_R,
    Formula,
    M,
    Predicate,
    State,
    T,
    initial,
)
from flockpit.barrier.proofs import Kind, Result

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Claim",
    "Invariant",
    "each_step",
    "eager_combined",
    "eager_strict_all",
    "eager_threshold",
    "fail_sound",
    "given",
    "inductive",
    "measure",
    "never_waits",
    "partition",
    "phase_range",
    "steps_left",
    "untouched",
    "within_totals",
]

type Invariant = Callable[[State], Formula]

_SMALL = 8  # counterexamples are looked for from no hosts up to so many


@dataclass(frozen=True, eq=False, kw_only=True)
class Claim:
    """Obligations of which each must be valid.

    Attributes:
        name: Name.
        statement: What is claimed.
        obligations: What must be valid.
        kind: Why it is asked for.
        shown: States that make up a counterexample.
        parameters: Numbers that belong to it, by name.
    """

    name: str
    statement: str
    obligations: tuple[Formula, ...]
    kind: Kind = Kind.THEOREM
    shown: tuple[State, ...] = (NOW, NEXT)
    parameters: tuple[Formula, ...] = (T, M)

    def asked(self, obligation: Formula, *, timeout_ms: int) -> tuple[Result, str]:
        """Ask whether an obligation can fail; only a plain no is a proof."""
        solver = z3.Solver()
        solver.set("timeout", timeout_ms)
        solver.add(z3.Not(obligation))
        try:
            answer = solver.check()
            if answer == z3.sat:
                return Result.REFUTED, self._smallest(solver)
        except z3.Z3Exception:
            return Result.UNKNOWN, ""
        return (Result.PROVED if answer == z3.unsat else Result.UNKNOWN), ""

    def _smallest(self, solver: Formula) -> str:
        """Tell a counterexample with as few hosts as possible."""
        model = solver.model()
        for size in range(_SMALL):
            solver.push()
            solver.add(self.shown[0].n <= size)
            if solver.check() == z3.sat:
                model = solver.model()
                break
            solver.pop()
        return self._told(model)

    def _told(self, model: Formula) -> str:
        def value(one: Formula) -> int:
            return int(model.eval(one, model_completion=True).as_long())

        numbers = (self.shown[0].n, *self.parameters)
        named = ", ".join(f"{one} = {value(one)}" for one in numbers)
        states = " → ".join(
            f"{_letter(value(one.ph))}({', '.join(str(value(count)) for count in one.counts)})"
            for one in self.shown
        )
        return f"{named}: {states}"


def _letter(phase: int) -> str:
    # Before the range of the phases is known, a step may come from anywhere.
    return Phase(phase).letter if IMAGING <= phase <= FAILED else f"phase {phase} "


# ------------------------------------------------------------------ invariants


def partition(s: State) -> Formula:
    """Return that the counts are those of n hosts."""
    return z3.And(s.r >= 0, s.f >= 0, s.p >= 0, s.r + s.f + s.p == s.n, s.n >= 0)


def phase_range(s: State) -> Formula:
    """Return that the phase is one of the four."""
    return z3.And(s.ph >= IMAGING, s.ph <= FAILED)


def untouched(s: State) -> Formula:
    """Return that in IMAGING nobody has reported."""
    return z3.Implies(s.ph == IMAGING, z3.And(s.r == 0, s.f == 0, s.p == s.n))


def fail_sound(s: State, policy: Predicate = ANY) -> Formula:
    """Return that in FAILED all have reported and the policy does not hold."""
    return z3.Implies(s.ph == FAILED, z3.And(s.p == 0, z3.Not(policy(*s.counts))))


def eager_threshold(s: State) -> Formula:
    """Return where an eager gate under a threshold can be."""
    return z3.And(
        z3.Implies(s.ph != FAILED, s.r <= T),
        z3.Implies(s.ph == CONVERGE, s.r == T),
        z3.Implies(s.ph == FAILED, s.r < T),
    )


def eager_strict_all(s: State) -> Formula:
    """Return where an eager gate under strict-all can end."""
    return z3.And(
        z3.Implies(s.ph == CONVERGE, z3.And(s.r == s.n, s.f == 0)),
        z3.Implies(s.ph == FAILED, z3.And(s.p == 0, s.f > 0)),
    )


def eager_combined(s: State) -> Formula:
    """Return where an eager gate under a threshold and a cap can be."""
    return z3.And(
        z3.Implies(s.ph <= BARRIER, z3.Or(s.r <= T, s.f > M)),
        z3.Implies(s.ph == CONVERGE, z3.And(s.r == T, s.f <= M)),
        z3.Implies(s.ph == IMAGING, z3.And(s.r == 0, s.f == 0)),
    )


def never_waits(s: State) -> Formula:
    """Return that nobody has reported and the run has not failed."""
    return z3.And(s.r == 0, s.f == 0, s.p == s.n, s.ph != FAILED)


def within_totals(s: State) -> Formula:
    """Return that the counts are within the schedule's totals."""
    return z3.And(s.r <= TOTAL_R, s.f <= TOTAL_F)


def measure(s: State) -> Formula:
    """Return the original's measure; per phase, so that it stays linear."""
    base = s.n + 1
    rank = z3.If(s.ph == BARRIER, 2 * base, z3.If(s.ph == CONVERGE, base, 0))
    return s.p + z3.If(s.ph == IMAGING, 3 * base, rank)


def steps_left(s: State) -> Formula:
    """Return the tight measure: how many steps are left at most."""
    return s.p + z3.If(s.ph == IMAGING, 2, z3.If(s.ph == BARRIER, 1, 0))


def inductive(
    invariant: Invariant,
    *aux: Invariant,
    policy: Predicate = ANY,
    eager: bool = False,
    totals: bool = False,
) -> tuple[Formula, ...]:
    """Return that an invariant holds at the start, and that a step keeps it.

    The invariants `aux` are known to hold. z3 needs the bounds of the parameters in both.
    """
    known = [BOUNDS, *(one(NOW) for one in aux)]
    bounds = [TOTAL_R >= 0, TOTAL_F >= 0, NOW.n == TOTAL_R + TOTAL_F] if totals else []
    taken = encoding.step(NOW, NEXT, policy, eager=eager, totals=totals)
    return (
        z3.Implies(z3.And(BOUNDS, *bounds, initial(NOW)), invariant(NOW)),
        z3.Implies(z3.And(*known, *bounds, invariant(NOW), taken), invariant(NEXT)),
    )


def each_step(conclusion: Formula, *known: Formula, policy: Predicate = ANY) -> Formula:
    """Return that every step from what is known comes to a conclusion."""
    return z3.Implies(z3.And(BOUNDS, *known, encoding.step(NOW, NEXT, policy)), conclusion)


def given(*known: Formula) -> Callable[[Formula], Formula]:
    """Return what makes a conclusion from what is known."""
    return lambda conclusion: z3.Implies(z3.And(BOUNDS, *known), conclusion)
