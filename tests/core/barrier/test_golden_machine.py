"""Policies, traces, schedules, rejected calls and damaged traces of the original."""

from itertools import pairwise

import numpy as np
import pytest

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.gate import decide, decisions
from flockcore.barrier.invariants import ORIGINAL, check_original, check_stricter, permits
from flockcore.barrier.machine import Barriers
from flockcore.barrier.mersenne import Twister
from flockcore.barrier.outcome import predict
from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold
from flockcore.barrier.schedule import (
    Schedule,
    all_fail,
    all_ready,
    exact,
    random_failures,
    shuffled_all_ready,
)
from flockcore.barrier.traces import Traces, run
from flockcore.barrier.twin import Barrier, simulate
from flockcore.errors import FlockError
from golden import cases

READY, FAILED = Host.READY, Host.FAILED


@pytest.mark.parametrize("case", cases("barrier/policies"))
def test_policies(case, policy_of):
    data = case.data
    policy = policy_of(data["policy"])
    assert policy.name == data["name"]
    assert policy.monotone is data["monotone"]
    for ready, failed, prov, holds, letter in data["rows"]:
        assert policy.holds(ready, failed, prov) == bool(holds)
        assert decide(policy, ready, failed, prov).letter == letter
    counts = [np.array(column) for column in list(zip(*data["rows"], strict=True))[:3]]
    holds = [bool(row[3]) for row in data["rows"]]
    assert policy.holds(*counts).tolist() == holds
    assert permits(policy, *counts).tolist() == holds
    assert [Decision(one).letter for one in decisions(policy, *counts)] == [
        row[4] for row in data["rows"]
    ]


@pytest.mark.parametrize("case", cases("barrier/traces_small"))
def test_traces(case, policy_of):
    data = case.data
    policy = policy_of(data["policy"])
    given = Schedule.of(data["order"], data["failed_hosts"])
    drawn = draw(data["pattern"], data)
    assert drawn.name == data["pattern_name"]
    assert drawn.order.tolist() == data["order"]
    assert np.flatnonzero(drawn.failed).tolist() == data["failed_hosts"]
    trace = simulate(policy, given, hosts=data["n"])
    assert "".join(point.phase.letter for point in trace) == data["phases"]
    for name in ("ready", "failed", "prov"):
        assert [getattr(point, name) for point in trace] == data[name]
    traces = run(policy, given.word[None])
    assert traces.letters(0) == data["phases"]
    for name in ("ready", "failed", "prov"):
        assert getattr(traces, name).tolist() == data[name]
    totals = np.array([given.ready_total]), np.array([given.failed_total])
    checks = check_original(traces, hosts=data["n"], policy=policy, totals=totals)
    assert checks["monotone_outcome"].tolist() == [data["monotone_outcome_ok"]]
    checks |= check_stricter(traces, hosts=data["n"], policy=policy)
    assert all(fine.all() for fine in checks.values())


def draw(factory, data):
    twister = Twister(data.get("rng_seed", 0))
    match factory:
        case "all_ready":
            return all_ready(data["n"])
        case "all_fail":
            return all_fail(data["n"])
        case "exact" | "exact_failures":
            return exact(data["n"], data["fail_indices"])
        case "shuffled_all_ready":
            return shuffled_all_ready(data["n"], twister)
        case "random_failures":
            return random_failures(data["n"], data["fail_fraction"], twister)
    raise AssertionError(factory)


@pytest.mark.parametrize("case", cases("barrier/schedules"))
def test_schedules(case):
    drawn = draw(case.data["factory"], case.data)
    assert drawn.order.tolist() == case.data["order"]
    assert np.flatnonzero(drawn.failed).tolist() == case.data["failed_hosts"]


@pytest.mark.parametrize("case", cases("barrier/invariant_mutants"))
def test_damaged_traces(case, policy_of, schedule_of):
    data = case.data
    hosts, policy = data["n"], policy_of(data["policy"])
    traces = Traces.of(data["phases"], data["ready"], data["failed"], data["prov"])
    totals = np.array([data["pattern_ready"]]), np.array([data["pattern_failed"]])
    original = check_original(traces, hosts=hosts, policy=policy, totals=totals)
    assert {name: bool(fine[0]) for name, fine in original.items()} == data["passes"]
    assert tuple(original) == ORIGINAL
    checks = original | check_stricter(traces, hosts=hosts, policy=policy)
    caught = not all(fine.all() for fine in checks.values())
    assert caught is not is_honest(data, policy, schedule_of)


def is_honest(data, policy, schedule_of):
    """Return whether some schedule with these totals leaves exactly this trace.

    Several mutations write what was there before, as phase B over a B.
    """
    hosts = data["n"]
    failed = data["failed"][1:-1]
    word = [after - before for before, after in pairwise(failed)]
    missing = data["pattern_failed"] - sum(word)
    rest = hosts - len(word)
    if set(word) - {0, 1} or not 0 <= missing <= rest:
        return False
    word += [1] * missing + [0] * (rest - missing)
    trace = simulate(policy, schedule_of(word), hosts=hosts)
    columns = [[getattr(point, name) for point in trace] for name in ("ready", "failed", "prov")]
    phases = "".join(point.phase.letter for point in trace)
    return [phases, *columns] == [data[one] for one in ("phases", "ready", "failed", "prov")]


def test_damage_that_all_of_the_original_checks_miss_is_caught():
    honest = Traces.of("IBBC", [0, 0, 1, 1], [0] * 4, [2, 2, 1, 1])
    assert passes(honest, Threshold(1))
    for phases in ("CBBC", "BBBC", "IIBC", "IBCC", "IBBB", "ICBC", "IBFC", "IBBF"):
        assert not passes(
            Traces.of(phases, honest.ready, honest.failed, honest.prov), Threshold(1)
        ), phases
    # Zero evidence is enough, and converges before the barrier.
    assert not passes(Traces.of("CBC", [0] * 3, [0] * 3, [2] * 3), Threshold(0))
    assert not passes(Traces.of("IBC", [0, 1, 1], [0] * 3, [2, 1, 1]), Threshold(1))
    assert not passes(Traces.of("IBBBC", [0, 0, 0, 1, 1], [0] * 5, [2, 2, 2, 1, 1]), Threshold(1))
    assert not passes(Traces.of("IBBC", [0, 0, 2, 2], [0] * 4, [2, 2, 0, 0]), Threshold(1))
    assert not passes(Traces.of("", [], [], []), Threshold(1))


def passes(traces, policy, hosts=2):
    totals = np.array([hosts]), np.array([0])
    checks = check_original(traces, hosts=hosts, policy=policy, totals=totals)
    checks |= check_stricter(traces, hosts=hosts, policy=policy)
    return all(fine.all() for fine in checks.values())


# ---------------------------------------------------------------- rejected calls


class Plain:
    """Steps of the single run."""

    def __init__(self, hosts=4, policy=None):
        self.barrier = Barrier(hosts, policy or StrictAll())
        self.fan_out = self.barrier.fan_out
        self.report = self.barrier.report
        self.decide = self.barrier.decide
        self.apply = self.barrier.apply

    def state(self):
        return list(self.barrier.hosts), self.barrier.point


class Vectorised:
    """The same steps of the second of three runs."""

    def __init__(self, hosts=4, policy=None):
        self.barriers = Barriers(runs=3, hosts=hosts, policy=policy or StrictAll())
        self.fan_out = lambda: self.barriers.fan_out([1])
        self.report = lambda host, outcome: self.barriers.report([1], [host], [outcome])
        self.decide = lambda: self.barriers.decide([1])
        self.apply = lambda decision: self.barriers.apply([1], [decision])

    def state(self):
        state = self.barriers.state
        columns = (state.hosts, state.phase, state.ready, state.failed, state.prov)
        return [one.tolist() for one in columns]


def at_barrier(kind, policy=None):
    machine = kind(policy=policy)
    machine.fan_out()
    return machine


def converged(kind):
    machine = at_barrier(kind, Threshold(0))
    machine.apply(Decision.PROCEED)
    return machine


def twice(kind):
    machine = at_barrier(kind)
    machine.report(2, READY)
    return machine, lambda: machine.report(2, FAILED)


def stepping(call, kind):
    """Return a machine and the call on it, for the calls that step one."""
    machine = None
    match call:
        case "fan_out in BARRIER":
            machine = at_barrier(kind)
            return machine, machine.fan_out
        case "report in IMAGING":
            machine = kind()
            return machine, lambda: machine.report(0, READY)
        case "decide in IMAGING":
            machine = kind()
            return machine, machine.decide
        case "second report for one host":
            return twice(kind)
        case "report with index n":
            machine = at_barrier(kind)
            return machine, lambda: machine.report(4, READY)
        case "report PROVISIONING as outcome":
            machine = at_barrier(kind)
            return machine, lambda: machine.report(0, Host.PROVISIONING)
        case "report in CONVERGE":
            machine = converged(kind)
            return machine, lambda: machine.report(0, READY)
        case "decide in CONVERGE":
            machine = converged(kind)
            return machine, machine.decide
        case "apply PROCEED in IMAGING (no phase check upstream)":
            machine = kind(policy=Threshold(0))
            return machine, lambda: machine.apply(Decision.PROCEED)
    return None


def budgeted(budget):
    return lambda: (
        simulate(StrictAll(), all_ready(4), hosts=4, budget=budget),
        run(StrictAll(), all_ready(4).word[None], budget=budget),
    )


CALLS = {
    "new state with n=-1": lambda: Barrier(-1, StrictAll()),
    "new state with n=0": lambda: Barrier(0, StrictAll()),
    "threshold(-1)": lambda: Threshold(-1),
    "max_failures(-1)": lambda: MaxFailures(-1),
    "combined(-1,0)": lambda: Combined(-1, 0),
    "combined(0,-1)": lambda: Combined(0, -1),
    "threshold(0)": lambda: Threshold(0),
    "exact(3,[5])": lambda: exact(3, [5]),
    "exact(3,[1,1])": lambda: exact(3, [1, 1]),
    "random_failures(10,1.5)": lambda: random_failures(10, 1.5, Twister(0)),
    "random_failures(10,-0.1)": lambda: random_failures(10, -0.1, Twister(0)),
    "all_ready(-1)": lambda: all_ready(-1),
    "simulate n=4 with pattern of 3": lambda: simulate(StrictAll(), all_ready(3), hosts=4),
    "simulate n=4 strict_all all_ready budget=2": budgeted(2),
    "simulate n=4 strict_all all_ready budget=6": budgeted(6),
    "simulate n=4 strict_all all_ready budget=7": budgeted(7),
}
OF_THE_MACHINE = [
    case
    for case in cases("barrier/errors")
    if not (case.values[0] and case.values[0].data["call"].startswith("cli "))
]


@pytest.mark.parametrize("kind", [Plain, Vectorised])
@pytest.mark.parametrize("case", OF_THE_MACHINE)
def test_rejected_calls(case, kind):
    name = case.data["call"]
    # The one call that the original takes and this machine does not.
    rejected = case.data["raises"] is not None or name.startswith("apply PROCEED in IMAGING")
    machine, call = stepping(name, kind) or (None, CALLS[name])
    before = machine and machine.state()
    if not rejected:
        call()
        return
    with pytest.raises(FlockError):
        call()
    assert (machine and machine.state()) == before


@pytest.mark.parametrize("case", cases("barrier/traces_small"))
def test_the_closed_form_is_that_of_the_recorded_traces(case, policy_of):
    data = case.data
    schedule = Schedule.of(data["order"], data["failed_hosts"])
    outcome = predict(policy_of(data["policy"]), schedule.word[None])
    letter = (Phase.CONVERGE if outcome.converges[0] else Phase.FAILED).letter
    found = [letter, outcome.ready[0], outcome.failed[0], outcome.length[0]]
    assert found == [data["phases"][-1], data["ready"][-1], data["failed"][-1], len(data["phases"])]
