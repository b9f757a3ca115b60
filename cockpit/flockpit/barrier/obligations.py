"""What z3 is asked about the barrier (spec barrier, section 13): quantifier-free, for all sizes.

A state is five integers: number of hosts, phase, hosts READY, FAILED and PROVISIONING. A policy is
an uninterpreted predicate on the three counts unless it is named. An invariant is proved by two
obligations: it holds at the start, and every step keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import z3

from flockcore.barrier.codes import Phase
from flockpit.barrier.proofs import Kind, Result

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Claim", "State", "claims"]

type Formula = Any
"""A z3 expression; z3 has no types that a checker could use."""
type Invariant = Callable[[State], Formula]

_IMAGING, _BARRIER, _CONVERGE, _FAILED = (int(one) for one in Phase)
_SMALL = 8  # counterexamples are looked for from no hosts up to so many


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


def _state(mark: str) -> State:
    # The number of hosts never changes: one symbol stands for it in every state.
    return State(z3.Int("n"), *(z3.Int(name + mark) for name in ("ph", "r", "f", "p")))


_S, _NEXT = _state(""), _state("'")
_T, _M = z3.Ints("t m")
_TOTAL_R, _TOTAL_F = z3.Ints("R F")
_BOUNDS = z3.And(_T >= 0, _M >= 0)
_ANY = z3.Function("P", z3.IntSort(), z3.IntSort(), z3.IntSort(), z3.BoolSort())


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
    shown: tuple[State, ...] = (_S, _NEXT)
    parameters: tuple[Formula, ...] = (_T, _M)

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
    return Phase(phase).letter if _IMAGING <= phase <= _FAILED else f"phase {phase} "


type Predicate = Callable[[Formula, Formula, Formula], Formula]


def _strict_all(r: Formula, f: Formula, p: Formula) -> Formula:
    del r
    return z3.And(p == 0, f == 0)


def _threshold(r: Formula, f: Formula, p: Formula) -> Formula:
    del f, p
    return r >= _T


def _max_failures(r: Formula, f: Formula, p: Formula) -> Formula:
    del r, p
    return f <= _M


def _combined(r: Formula, f: Formula, p: Formula) -> Formula:
    return z3.And(_threshold(r, f, p), _max_failures(r, f, p))


def _initial(s: State) -> Formula:
    return z3.And(s.ph == _IMAGING, s.r == 0, s.f == 0, s.p == s.n, s.n >= 0)


def _step(
    s: State, to: State, policy: Predicate = _ANY, *, eager: bool = False, totals: bool = False
) -> Formula:
    """Return the five rows of section 3; an eager gate lets hosts report only while it holds them.

    With `totals` at most R hosts get READY and at most F fail, as in a schedule.
    """
    met = policy(*s.counts)
    reports = z3.And(s.p > 0, z3.Not(met)) if eager else s.p > 0
    ready, fail = (s.r < _TOTAL_R, s.f < _TOTAL_F) if totals else (True, True)
    same = z3.And(to.r == s.r, to.f == s.f, to.p == s.p)
    inside = z3.And(s.ph == _BARRIER, to.ph == _BARRIER, reports, to.p == s.p - 1)
    return z3.Or(
        z3.And(s.ph == _IMAGING, to.ph == _BARRIER, same),
        z3.And(inside, ready, to.r == s.r + 1, to.f == s.f),
        z3.And(inside, fail, to.r == s.r, to.f == s.f + 1),
        z3.And(s.ph == _BARRIER, to.ph == _CONVERGE, met, same),
        z3.And(s.ph == _BARRIER, to.ph == _FAILED, s.p == 0, z3.Not(met), same),
    )


# ------------------------------------------------------------------ invariants


def _partition(s: State) -> Formula:
    return z3.And(s.r >= 0, s.f >= 0, s.p >= 0, s.r + s.f + s.p == s.n, s.n >= 0)


def _phase_range(s: State) -> Formula:
    return z3.And(s.ph >= _IMAGING, s.ph <= _FAILED)


def _untouched(s: State) -> Formula:
    return z3.Implies(s.ph == _IMAGING, z3.And(s.r == 0, s.f == 0, s.p == s.n))


def _fail_sound(s: State, policy: Predicate = _ANY) -> Formula:
    return z3.Implies(s.ph == _FAILED, z3.And(s.p == 0, z3.Not(policy(*s.counts))))


def _eager_threshold(s: State) -> Formula:
    return z3.And(
        z3.Implies(s.ph != _FAILED, s.r <= _T),
        z3.Implies(s.ph == _CONVERGE, s.r == _T),
        z3.Implies(s.ph == _FAILED, s.r < _T),
    )


def _eager_strict_all(s: State) -> Formula:
    return z3.And(
        z3.Implies(s.ph == _CONVERGE, z3.And(s.r == s.n, s.f == 0)),
        z3.Implies(s.ph == _FAILED, z3.And(s.p == 0, s.f > 0)),
    )


def _eager_combined(s: State) -> Formula:
    return z3.And(
        z3.Implies(s.ph <= _BARRIER, z3.Or(s.r <= _T, s.f > _M)),
        z3.Implies(s.ph == _CONVERGE, z3.And(s.r == _T, s.f <= _M)),
        z3.Implies(s.ph == _IMAGING, z3.And(s.r == 0, s.f == 0)),
    )


def _never_waits(s: State) -> Formula:
    return z3.And(s.r == 0, s.f == 0, s.p == s.n, s.ph != _FAILED)


def _within_totals(s: State) -> Formula:
    return z3.And(s.r <= _TOTAL_R, s.f <= _TOTAL_F)


def _measure(s: State) -> Formula:
    """The original's measure; per phase, so that it stays linear."""
    ranks = z3.If(s.ph == _IMAGING, 3, z3.If(s.ph == _BARRIER, 2, z3.If(s.ph == _CONVERGE, 1, 0)))
    high, low = 3 * (s.n + 1), s.n + 1
    return s.p + z3.If(ranks == 3, high, z3.If(ranks == 2, 2 * low, z3.If(ranks == 1, low, 0)))


def _steps_left(s: State) -> Formula:
    return s.p + z3.If(s.ph == _IMAGING, 2, z3.If(s.ph == _BARRIER, 1, 0))


def _inductive(
    invariant: Invariant,
    *aux: Invariant,
    policy: Predicate = _ANY,
    eager: bool = False,
    totals: bool = False,
) -> tuple[Formula, ...]:
    """Return that an invariant holds at the start, and that a step keeps it.

    The invariants `aux` are known to hold. z3 needs the bounds of the parameters in both.
    """
    known = [_BOUNDS, *(one(_S) for one in aux)]
    bounds = [_TOTAL_R >= 0, _TOTAL_F >= 0, _S.n == _TOTAL_R + _TOTAL_F] if totals else []
    step = _step(_S, _NEXT, policy, eager=eager, totals=totals)
    return (
        z3.Implies(z3.And(_BOUNDS, *bounds, _initial(_S)), invariant(_S)),
        z3.Implies(z3.And(*known, *bounds, invariant(_S), step), invariant(_NEXT)),
    )


def _each_step(conclusion: Formula, *known: Formula, policy: Predicate = _ANY) -> Formula:
    return z3.Implies(z3.And(_BOUNDS, *known, _step(_S, _NEXT, policy)), conclusion)


def _given(*known: Formula) -> Callable[[Formula], Formula]:
    return lambda conclusion: z3.Implies(z3.And(_BOUNDS, *known), conclusion)


# ------------------------------------------------------------------ claims


def claims() -> list[Claim]:
    """Return all claims, in the order of the table."""
    return [
        *_about_counts(),
        *_about_any_policy(),
        *_about_policies(),
        *_about_the_eager_gate(),
        *_about_outcomes(),
        *_about_early_failure(),
        *_false_ones(),
    ]


def _about_counts() -> list[Claim]:
    ratchets = (_S.r <= _NEXT.r, _S.f <= _NEXT.f, _NEXT.p <= _S.p)
    words = (
        ("ready ratchet", "ready never falls"),
        ("failed ratchet", "failed never falls"),
        ("prov falls", "prov never rises"),
    )
    return [
        Claim(
            name="partition",
            statement="ready + failed + prov = n, none negative",
            obligations=_inductive(_partition),
        ),
        Claim(
            name="phase range",
            statement="the phase is one of the four",
            obligations=_inductive(_phase_range),
        ),
        Claim(
            name="untouched before the barrier",
            statement="in IMAGING ready = failed = 0 and prov = n",
            obligations=_inductive(_untouched),
        ),
        *(
            Claim(name=name, statement=statement, obligations=(_each_step(kept),))
            for (name, statement), kept in zip(words, ratchets, strict=True)
        ),
    ]


def _about_any_policy() -> list[Claim]:
    live = _given(_partition(_S), _S.ph >= _IMAGING, _S.ph <= _BARRIER)
    ahead = (
        _S._replace(ph=_BARRIER),
        _S._replace(r=_S.r + 1, p=_S.p - 1),
        _S._replace(ph=_CONVERGE),
        _S._replace(ph=_FAILED),
    )
    measured = z3.And(_measure(_NEXT) < _measure(_S), _measure(_NEXT) >= 0)
    counted = z3.And(_steps_left(_NEXT) <= _steps_left(_S) - 1, _steps_left(_NEXT) >= 0)
    final = z3.Or(_S.ph == _CONVERGE, _S.ph == _FAILED)
    return [
        Claim(
            name="safety, any policy",
            statement="in CONVERGE the policy holds",
            obligations=_inductive(lambda s: z3.Implies(s.ph == _CONVERGE, _ANY(*s.counts))),
        ),
        Claim(
            name="fail soundness, any policy",
            statement="in FAILED prov = 0 and the policy does not hold",
            obligations=_inductive(_fail_sound),
        ),
        Claim(
            name="final phases absorb",
            statement="no step leaves CONVERGE or FAILED",
            obligations=(z3.Implies(final, z3.Not(_step(_S, _NEXT))),),
        ),
        Claim(
            name="progress, any policy",
            statement="in IMAGING and BARRIER some step is allowed, lazy or eager",
            obligations=tuple(
                live(z3.Or(*(_step(_S, one, eager=eager) for one in ahead)))
                for eager in (False, True)
            ),
        ),
        Claim(
            name="termination, rank measure",
            statement="rank (n + 1) + prov falls with every step and is never negative",
            obligations=(_each_step(measured, _partition(_S), _phase_range(_S)),),
        ),
        Claim(
            name="termination, tight",
            statement="at most n + 2 steps: n + 3 trace points",
            obligations=(
                z3.Implies(_initial(_S), _steps_left(_S) == _S.n + 2),
                _each_step(counted, _partition(_S)),
            ),
        ),
        Claim(
            name="eager runs are lazy runs",
            statement="what the eager gate does the lazy machine allows",
            obligations=(z3.Implies(_step(_S, _NEXT, eager=True), _step(_S, _NEXT)),),
        ),
    ]


def _about_policies() -> list[Claim]:
    strict = _strict_all(*_S.counts)
    whole = _given(_partition(_S))
    return [
        Claim(
            name="threshold is stable",
            statement="ready ≥ t, once true, stays true",
            obligations=(_each_step(_NEXT.r >= _T, _S.r >= _T),),
        ),
        Claim(
            name="strict-all is stable",
            statement="prov = 0 and failed = 0, once true, stays true",
            obligations=(_each_step(_strict_all(*_NEXT.counts), strict, _partition(_S)),),
        ),
        Claim(
            name="strict-all is threshold(n)",
            statement="strict-all, ready = n and ready ≥ n are one",
            obligations=(whole(strict == (_S.r == _S.n)), whole(strict == (_S.r >= _S.n))),
        ),
        Claim(
            name="cap breach is permanent",
            statement="failed > m, once true, stays true",
            obligations=(_each_step(_NEXT.f > _M, _S.f > _M),),
        ),
    ]


def _about_the_eager_gate() -> list[Claim]:
    return [
        Claim(
            name="eager threshold",
            statement="CONVERGE with ready = t exactly, FAILED with ready < t",
            obligations=_inductive(_eager_threshold, _partition, policy=_threshold, eager=True),
        ),
        Claim(
            name="eager strict-all",
            statement="CONVERGE with ready = n, FAILED with prov = 0 and failed > 0",
            obligations=_inductive(_eager_strict_all, _partition, policy=_strict_all, eager=True),
        ),
        Claim(
            name="eager max-failures never waits",
            statement="ready = failed = 0 and prov = n always, never FAILED",
            obligations=_inductive(_never_waits, policy=_max_failures, eager=True),
        ),
        Claim(
            name="eager combined",
            statement="CONVERGE with ready = t exactly and failed ≤ m",
            obligations=_inductive(_eager_combined, policy=_combined, eager=True),
        ),
    ]


def _about_outcomes() -> list[Claim]:
    schedule = (_TOTAL_R >= 0, _TOTAL_F >= 0, _S.n == _TOTAL_R + _TOTAL_F, _within_totals(_S))
    threshold = _given(*schedule, _partition(_S), _eager_threshold(_S), _fail_sound(_S, _threshold))
    strict = _given(*schedule, _partition(_S), _eager_strict_all(_S))
    return [
        Claim(
            name="counts stay within the schedule",
            statement="ready ≤ R and failed ≤ F, where R + F = n are the schedule's totals",
            obligations=_inductive(_within_totals, eager=True, totals=True),
        ),
        Claim(
            name="outcome, threshold",
            statement="CONVERGE only if R ≥ t, FAILED only if R < t",
            obligations=(
                threshold(z3.Implies(_S.ph == _CONVERGE, _TOTAL_R >= _T)),
                threshold(z3.Implies(_S.ph == _FAILED, _TOTAL_R < _T)),
            ),
        ),
        Claim(
            name="outcome, strict-all",
            statement="CONVERGE only if F = 0, FAILED only if F > 0",
            obligations=(
                strict(z3.Implies(_S.ph == _CONVERGE, _TOTAL_F == 0)),
                strict(z3.Implies(_S.ph == _FAILED, _TOTAL_F > 0)),
            ),
        ),
    ]


def _about_early_failure() -> list[Claim]:
    enough: Predicate = lambda r, _, p: r + p >= _T  # noqa: E731
    whole: Predicate = lambda _r, f, _p: f == 0  # noqa: E731
    both: Predicate = lambda r, f, p: z3.And(r + p >= _T, f <= _M)  # noqa: E731
    rows = (
        ("threshold", _threshold, enough, "ready + prov ≥ t"),
        ("combined", _combined, both, "ready + prov ≥ t and failed ≤ m"),
        ("strict-all", _strict_all, whole, "failed = 0"),
    )
    return [
        Claim(
            name=f"early failure, {name}",
            statement=f"the policy can still come to hold if and only if {words}",
            obligations=_reachable(policy, attainable),
        )
        for name, policy, attainable, words in rows
    ]


def _reachable(policy: Predicate, attainable: Predicate) -> tuple[Formula, ...]:
    """Return that a policy out of reach stays so, and that one in reach is reached by READY hosts.

    That one is met at once, or hosts are left and the next READY report keeps it in reach.
    """
    now, then = attainable(*_S.counts), attainable(*_NEXT.counts)
    known = _given(_partition(_S))
    waits = z3.And(now, z3.Not(policy(*_S.counts)))
    return (
        known(z3.Implies(z3.Not(now), z3.Not(policy(*_S.counts)))),
        _each_step(z3.Not(then), _partition(_S), z3.Not(now)),
        known(z3.Implies(waits, z3.And(_S.p > 0, attainable(_S.r + 1, _S.f, _S.p - 1)))),
    )


def _false_ones() -> list[Claim]:
    trail = tuple(_state(str(number)) for number in range(4))
    steps = (_step(s, to, _strict_all, eager=True) for s, to in pairwise(trail))
    run = z3.And(_initial(trail[0]), trail[0].n >= 1, *steps)
    controls = (
        Claim(
            name=f"control: nothing {verb}",
            statement=f"false on purpose: no run of one report under strict-all {verb}",
            obligations=(z3.Implies(run, trail[-1].ph != phase),),
            kind=Kind.CONTROL,
            shown=trail,
            parameters=(),
        )
        for verb, phase in (("converges", _CONVERGE), ("fails", _FAILED))
    )
    return [
        *_unstable("max-failures", _max_failures, _M),
        *_unstable("combined", _combined, _T, _M),
        *controls,
    ]


def _unstable(name: str, policy: Predicate, *parameters: Formula) -> tuple[Claim, Claim]:
    """Return that only a failure at the cap breaks a policy, and that nothing does, which is false.

    The first is proved, so what refutes the second can be nothing but a fail report at failed = m.
    """
    breach = z3.And(_S.ph == _BARRIER, _S.f == _M, _NEXT.f == _S.f + 1, _NEXT.p == _S.p - 1)
    known = (_partition(_S), policy(*_S.counts))
    kept = policy(*_NEXT.counts)
    return (
        Claim(
            name=f"what breaks {name}",
            statement=f"{name}, once true, stays true but for a fail report at failed = m",
            obligations=(_each_step(z3.Or(kept, breach), *known),),
        ),
        Claim(
            name=f"{name} is stable",
            statement=f"{name}, once true, stays true: one more failure at failed = m breaks it",
            obligations=(_each_step(kept, *known),),
            kind=Kind.COUNTEREXAMPLE,
            parameters=parameters,
        ),
    )
