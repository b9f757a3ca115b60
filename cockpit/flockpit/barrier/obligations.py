"""What z3 is asked about the barrier: the theorems of spec barrier, section 13, and false ones."""

from __future__ import annotations

from itertools import pairwise

import z3

from flockpit.barrier import encoding
from flockpit.barrier.encoding import (
    ANY,
    BARRIER,
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
    T,
    combined,
    initial,
    max_failures,
    state,
    strict_all,
    threshold,
)
from flockpit.barrier.induction import (
    Claim,
    each_step,
    eager_combined,
    eager_strict_all,
    eager_threshold,
    fail_sound,
    given,
    inductive,
    measure,
    never_waits,
    partition,
    phase_range,
    steps_left,
    untouched,
    within_totals,
)
from flockpit.barrier.proofs import Kind

__all__ = ["claims"]


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
    ratchets = (NOW.r <= NEXT.r, NOW.f <= NEXT.f, NEXT.p <= NOW.p)
    words = (
        ("ready ratchet", "ready never falls"),
        ("failed ratchet", "failed never falls"),
        ("prov falls", "prov never rises"),
    )
    return [
        Claim(
            name="partition",
            statement="ready + failed + prov = n, none negative",
            obligations=inductive(partition),
        ),
        Claim(
            name="phase range",
            statement="the phase is one of the four",
            obligations=inductive(phase_range),
        ),
        Claim(
            name="untouched before the barrier",
            statement="in IMAGING ready = failed = 0 and prov = n",
            obligations=inductive(untouched),
        ),
        *(
            Claim(name=name, statement=statement, obligations=(each_step(kept),))
            for (name, statement), kept in zip(words, ratchets, strict=True)
        ),
    ]


def _about_any_policy() -> list[Claim]:
    live = given(partition(NOW), NOW.ph >= IMAGING, NOW.ph <= BARRIER)
    ahead = (
        NOW._replace(ph=BARRIER),
        NOW._replace(r=NOW.r + 1, p=NOW.p - 1),
        NOW._replace(ph=CONVERGE),
        NOW._replace(ph=FAILED),
    )
    measured = z3.And(measure(NEXT) < measure(NOW), measure(NEXT) >= 0)
    counted = z3.And(steps_left(NEXT) <= steps_left(NOW) - 1, steps_left(NEXT) >= 0)
    final = z3.Or(NOW.ph == CONVERGE, NOW.ph == FAILED)
    return [
        Claim(
            name="safety, any policy",
            statement="in CONVERGE the policy holds",
            obligations=inductive(lambda s: z3.Implies(s.ph == CONVERGE, ANY(*s.counts))),
        ),
        Claim(
            name="fail soundness, any policy",
            statement="in FAILED prov = 0 and the policy does not hold",
            obligations=inductive(fail_sound),
        ),
        Claim(
            name="final phases absorb",
            statement="no step leaves CONVERGE or FAILED",
            obligations=(z3.Implies(final, z3.Not(encoding.step(NOW, NEXT))),),
        ),
        Claim(
            name="progress, any policy",
            statement="in IMAGING and BARRIER some step is allowed, lazy or eager",
            obligations=tuple(
                live(z3.Or(*(encoding.step(NOW, one, eager=eager) for one in ahead)))
                for eager in (False, True)
            ),
        ),
        Claim(
            name="termination, rank measure",
            statement="rank (n + 1) + prov falls with every step and is never negative",
            obligations=(each_step(measured, partition(NOW), phase_range(NOW)),),
        ),
        Claim(
            name="termination, tight",
            statement="at most n + 2 steps: n + 3 trace points",
            obligations=(
                z3.Implies(initial(NOW), steps_left(NOW) == NOW.n + 2),
                each_step(counted, partition(NOW)),
            ),
        ),
        Claim(
            name="eager runs are lazy runs",
            statement="what the eager gate does the lazy machine allows",
            obligations=(
                z3.Implies(encoding.step(NOW, NEXT, eager=True), encoding.step(NOW, NEXT)),
            ),
        ),
    ]


def _about_policies() -> list[Claim]:
    strict = strict_all(*NOW.counts)
    whole = given(partition(NOW))
    return [
        Claim(
            name="threshold is stable",
            statement="ready ≥ t, once true, stays true",
            obligations=(each_step(NEXT.r >= T, NOW.r >= T),),
        ),
        Claim(
            name="strict-all is stable",
            statement="prov = 0 and failed = 0, once true, stays true",
            obligations=(each_step(strict_all(*NEXT.counts), strict, partition(NOW)),),
        ),
        Claim(
            name="strict-all is threshold(n)",
            statement="strict-all, ready = n and ready ≥ n are one",
            obligations=(whole(strict == (NOW.r == NOW.n)), whole(strict == (NOW.r >= NOW.n))),
        ),
        Claim(
            name="cap breach is permanent",
            statement="failed > m, once true, stays true",
            obligations=(each_step(NEXT.f > M, NOW.f > M),),
        ),
    ]


def _about_the_eager_gate() -> list[Claim]:
    return [
        Claim(
            name="eager threshold",
            statement="CONVERGE with ready = t exactly, FAILED with ready < t",
            obligations=inductive(eager_threshold, partition, policy=threshold, eager=True),
        ),
        Claim(
            name="eager strict-all",
            statement="CONVERGE with ready = n, FAILED with prov = 0 and failed > 0",
            obligations=inductive(eager_strict_all, partition, policy=strict_all, eager=True),
        ),
        Claim(
            name="eager max-failures never waits",
            statement="ready = failed = 0 and prov = n always, never FAILED",
            obligations=inductive(never_waits, policy=max_failures, eager=True),
        ),
        Claim(
            name="eager combined",
            statement="CONVERGE with ready = t exactly and failed ≤ m",
            obligations=inductive(eager_combined, policy=combined, eager=True),
        ),
    ]


def _about_outcomes() -> list[Claim]:
    schedule = (TOTAL_R >= 0, TOTAL_F >= 0, NOW.n == TOTAL_R + TOTAL_F, within_totals(NOW))
    counted = given(*schedule, partition(NOW), eager_threshold(NOW), fail_sound(NOW, threshold))
    whole = given(*schedule, partition(NOW), eager_strict_all(NOW))
    return [
        Claim(
            name="counts stay within the schedule",
            statement="ready ≤ R and failed ≤ F, where R + F = n are the schedule's totals",
            obligations=inductive(within_totals, eager=True, totals=True),
        ),
        Claim(
            name="outcome, threshold",
            statement="CONVERGE only if R ≥ t, FAILED only if R < t",
            obligations=(
                counted(z3.Implies(NOW.ph == CONVERGE, TOTAL_R >= T)),
                counted(z3.Implies(NOW.ph == FAILED, TOTAL_R < T)),
            ),
        ),
        Claim(
            name="outcome, strict-all",
            statement="CONVERGE only if F = 0, FAILED only if F > 0",
            obligations=(
                whole(z3.Implies(NOW.ph == CONVERGE, TOTAL_F == 0)),
                whole(z3.Implies(NOW.ph == FAILED, TOTAL_F > 0)),
            ),
        ),
    ]


def _about_early_failure() -> list[Claim]:
    enough: Predicate = lambda r, _, p: r + p >= T  # noqa: E731
    whole: Predicate = lambda _r, f, _p: f == 0  # noqa: E731
    both: Predicate = lambda r, f, p: z3.And(r + p >= T, f <= M)  # noqa: E731
    rows = (
        ("threshold", threshold, enough, "ready + prov ≥ t"),
        ("combined", combined, both, "ready + prov ≥ t and failed ≤ m"),
        ("strict-all", strict_all, whole, "failed = 0"),
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
    now, then = attainable(*NOW.counts), attainable(*NEXT.counts)
    known = given(partition(NOW))
    waits = z3.And(now, z3.Not(policy(*NOW.counts)))
    return (
        known(z3.Implies(z3.Not(now), z3.Not(policy(*NOW.counts)))),
        each_step(z3.Not(then), partition(NOW), z3.Not(now)),
        known(z3.Implies(waits, z3.And(NOW.p > 0, attainable(NOW.r + 1, NOW.f, NOW.p - 1)))),
    )


def _false_ones() -> list[Claim]:
    trail = tuple(state(str(number)) for number in range(4))
    steps = (encoding.step(s, to, strict_all, eager=True) for s, to in pairwise(trail))
    run = z3.And(initial(trail[0]), trail[0].n >= 1, *steps)
    controls = (
        Claim(
            name=f"control: nothing {verb}",
            statement=f"false on purpose: no run of one report under strict-all {verb}",
            obligations=(z3.Implies(run, trail[-1].ph != phase),),
            kind=Kind.CONTROL,
            shown=trail,
            parameters=(),
        )
        for verb, phase in (("converges", CONVERGE), ("fails", FAILED))
    )
    return [
        *_unstable("max-failures", max_failures, M),
        *_unstable("combined", combined, T, M),
        *controls,
    ]


def _unstable(name: str, policy: Predicate, *parameters: Formula) -> tuple[Claim, Claim]:
    """Return that only a failure at the cap breaks a policy, and that nothing does, which is false.

    The first is proved, so what refutes the second can be nothing but a fail report at failed = m.
    """
    breach = z3.And(NOW.ph == BARRIER, NOW.f == M, NEXT.f == NOW.f + 1, NEXT.p == NOW.p - 1)
    known = (partition(NOW), policy(*NOW.counts))
    kept = policy(*NEXT.counts)
    return (
        Claim(
            name=f"what breaks {name}",
            statement=f"{name}, once true, stays true but for a fail report at failed = m",
            obligations=(each_step(z3.Or(kept, breach), *known),),
        ),
        Claim(
            name=f"{name} is stable",
            statement=f"{name}, once true, stays true: one more failure at failed = m breaks it",
            obligations=(each_step(kept, *known),),
            kind=Kind.COUNTEREXAMPLE,
            parameters=parameters,
        ),
    )
