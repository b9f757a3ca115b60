"""Properties of the machine for any policy and any schedule (spec barrier, section 16)."""

from itertools import pairwise
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.barrier.codes import Decision, Gate, Host, Phase
from flockcore.barrier.errors import IllegalStepError, PolicyError
from flockcore.barrier.exhaustive import (
    all_orders,
    all_words,
    explore,
    finals,
    host_vectors,
    points,
    table,
)
from flockcore.barrier.invariants import (
    check_original,
    check_schedule,
    check_stricter,
    permits,
)
from flockcore.barrier.machine import Barriers
from flockcore.barrier.outcome import predict
from flockcore.barrier.plays import Assert, Fail, WaitForOthers, play
from flockcore.barrier.policy import (
    AtLeast,
    Combined,
    MaxFailures,
    StrictAll,
    Threshold,
    UserPolicy,
    is_vacuous,
    parse,
    share_down,
    share_up,
)
from flockcore.barrier.schedule import Schedule
from flockcore.barrier.traces import run
from flockcore.barrier.twin import Barrier, simulate
from flockcore.errors import FlockError

NUMBERS = st.integers(0, 14)
BUILT_IN = st.one_of(
    st.just(StrictAll()),
    NUMBERS.map(Threshold),
    NUMBERS.map(MaxFailures),
    st.builds(Combined, NUMBERS, NUMBERS),
)
MAJORITY = UserPolicy(label="more ready than failed", predicate=lambda r, f, p: r > f + p // 2)
POLICIES = st.one_of(
    BUILT_IN,
    st.builds(AtLeast, BUILT_IN, NUMBERS),
    BUILT_IN.map(lambda policy: play(WaitForOthers(), Assert(policy))),
    st.just(MAJORITY),
    st.just(play(Fail())),
)


@st.composite
def schedules(draw, most=12):
    hosts = draw(st.integers(0, most))
    order = draw(st.permutations(range(hosts)))
    return Schedule.of(order, draw(st.sets(st.integers(0, hosts - 1))) if hosts else ())


def rows(trace):
    return [(point.phase, point.ready, point.failed, point.prov) for point in trace]


def columns(traces, row=0):
    part = slice(traces.start[row], traces.start[row + 1])
    names = ("phase", "ready", "failed", "prov")
    return list(zip(*(getattr(traces, name)[part].tolist() for name in names), strict=True))


def violations(traces, policy, words, *, early=False):
    """Return the names of the checks that some run fails."""
    hosts = words.shape[1]
    failed = words.sum(axis=1)
    checks = check_original(
        traces, hosts=hosts, policy=policy, totals=(hosts - failed, failed), early=early
    )
    checks |= check_stricter(traces, hosts=hosts, policy=policy, early=early)
    outcome = predict(policy, words, early=early)
    checks |= check_schedule(traces, words=words, orders=None, outcome=outcome)
    return [name for name, fine in checks.items() if not fine.all()]


@pytest.mark.slow
@given(POLICIES, schedules(), st.booleans())
def test_the_vectorised_run_is_the_plain_one_and_passes_every_check(policy, schedule, early):
    traces = run(policy, schedule.word[None], early=early)
    trace = simulate(policy, schedule, hosts=schedule.hosts, early=early)
    assert columns(traces) == rows(trace)
    assert violations(traces, policy, schedule.word[None], early=early) == []


@given(BUILT_IN, st.integers(0, 8), st.booleans())
def test_the_closed_form_is_right_for_every_word(policy, hosts, early):
    words = all_words(hosts)
    traces = run(policy, words, early=early)
    assert violations(traces, policy, words, early=early) == []
    for row in (0, len(words) // 2, len(words) - 1):
        alone = run(policy, words[row : row + 1], early=early)
        assert columns(traces, row) == columns(alone)


@pytest.mark.parametrize("hosts", [0, 1, 4, pytest.param(10, marks=pytest.mark.slow)])
def test_every_word_and_every_parameter(hosts):
    words = all_words(hosts)
    policies = [StrictAll(), *(Threshold(t) for t in range(hosts + 2))]
    policies += [MaxFailures(m) for m in range(hosts + 1)]
    policies += [Combined(t, m) for t in range(hosts + 2) for m in range(hosts + 1)]
    for policy in policies:
        for early in (False, True):
            assert violations(run(policy, words, early=early), policy, words, early=early) == []


@given(BUILT_IN, st.integers(0, 4))
def test_the_histogram_of_schedules_is_that_of_words_times_the_orders(policy, hosts):
    words, orders = all_words(hosts), all_orders(hosts)
    by_schedule = finals(run(policy, words[:, orders].reshape(len(words) * len(orders), hosts)))
    by_word = finals(run(policy, words))
    assert by_schedule == {end: count * factorial(hosts) for end, count in by_word.items()}


@given(POLICIES, schedules(), st.randoms())
def test_only_labels_change_when_hosts_with_the_same_outcome_change_places(policy, schedule, rng):
    names = list(range(schedule.hosts))
    rng.shuffle(names)
    renamed = Schedule.of(
        [names[host] for host in schedule.order],
        [names[host] for host in np.flatnonzero(schedule.failed)],
    )
    hosts = schedule.hosts
    assert simulate(policy, schedule, hosts=hosts) == simulate(policy, renamed, hosts=hosts)


@pytest.mark.slow
@given(BUILT_IN, schedules(), st.randoms())
def test_order_does_not_matter_to_a_monotone_policy(policy, schedule, rng):
    word = schedule.word.tolist()
    rng.shuffle(word)
    ends = [run(policy, np.array([one], dtype=bool)) for one in (schedule.word, word)]
    if policy.monotone:
        assert ends[0].phase[-1] == ends[1].phase[-1]


def test_order_matters_to_a_combined_policy():
    ends = finals(run(Combined(1, 0), np.array([[False, True], [True, False]])))
    assert ends == {"C:1,0,1": 1, "F:1,1,0": 1}


@given(POLICIES, schedules())
def test_an_eager_run_is_a_lazy_run(policy, schedule):
    lazy = Barrier(schedule.hosts, policy, gate=Gate.LAZY)
    reports = iter(schedule.order.tolist())
    trace = simulate(policy, schedule, hosts=schedule.hosts)
    for before, after in pairwise(trace):
        assert lazy.point == before
        if before.phase is Phase.IMAGING:
            lazy.fan_out()
        elif after.phase is Phase.BARRIER:
            host = next(reports)
            lazy.report(host, Host.FAILED if schedule.failed[host] else Host.READY)
        else:
            lazy.apply(lazy.decide())
    assert lazy.point == trace[-1]


@pytest.mark.slow
@given(POLICIES, st.integers(0, 5), st.data())
def test_machines_step_alike_and_an_illegal_step_changes_nothing(policy, hosts, data):
    gate = data.draw(st.sampled_from(Gate))
    early = data.draw(st.booleans())
    twin = Barrier(hosts, policy, gate=gate, early=early)
    many = Barriers(runs=2, hosts=hosts, policy=policy, gate=gate, early=early)
    for _ in range(12):
        kind = data.draw(st.sampled_from(["fan_out", "report", "apply", "decide"]))
        if kind == "report":
            host, outcome = data.draw(st.integers(-1, hosts)), data.draw(st.sampled_from(Host))
            steps = (
                lambda: twin.report(host, outcome),  # noqa: B023
                lambda: many.report([1], [host], [outcome]),  # noqa: B023
            )
        elif kind == "apply":
            decision = data.draw(st.sampled_from(Decision))
            steps = (lambda: twin.apply(decision), lambda: many.apply([1], decision))  # noqa: B023
        else:
            steps = (getattr(twin, kind), lambda: getattr(many, kind)([1]))  # noqa: B023
        before = snapshot(twin, many)
        said = [outcome_of(step) for step in steps]
        assert said[0] == said[1]
        if said[0] == "illegal":
            assert snapshot(twin, many) == before
        state = many.state
        assert state.hosts[1].tolist() == twin.hosts
        assert (state.phase[1], state.ready[1], state.failed[1], state.prov[1]) == rows(
            [twin.point]
        )[0]
        assert state.phase[0] == Phase.IMAGING
        assert state.ready[1] + state.failed[1] + state.prov[1] == hosts


def outcome_of(step):
    try:
        answer = step()
    except IllegalStepError:
        return "illegal"
    return None if answer is None else int(np.ravel(answer)[0])


def snapshot(twin, many):
    state = many.state
    columns_ = (state.hosts, state.phase, state.ready, state.failed, state.prov)
    return list(twin.hosts), twin.point, [one.tolist() for one in columns_]


@pytest.mark.slow
@given(POLICIES, schedules(), st.data())
def test_lossy_reports_come_to_the_same_as_the_schedule(policy, schedule, data):
    """Repeated reports and late ones are ignored, however they are grouped."""
    barriers = Barriers(runs=1, hosts=schedule.hosts, policy=policy)
    barriers.fan_out([0])
    trace = simulate(policy, schedule, hosts=schedule.hosts)
    outcomes = np.where(schedule.failed, Host.FAILED, Host.READY)
    if schedule.hosts == 0:
        assert barriers.receive(0, [], []) == 0
    seen = []
    for host in schedule.order.tolist():
        seen.append(host)
        again = data.draw(st.lists(st.sampled_from(seen), max_size=3))
        if barriers.state.phase[0] == Phase.BARRIER:
            barriers.receive(0, [host, *again], outcomes[[host, *again]])
    state = barriers.state
    found = (state.phase[0], state.ready[0], state.failed[0], state.prov[0])
    assert found == rows(trace)[-1]


@given(st.integers(0, 10**6), st.integers(0, 100))
def test_percentages_are_exact(hosts, percent):
    assert share_up(hosts, percent) * 100 - hosts * percent in range(100)
    assert hosts * percent - share_down(hosts, percent) * 100 in range(100)


@pytest.mark.parametrize(("percent", "hosts"), [(7, 100), (14, 50), (28, 25), (55, 100), (81, 300)])
def test_percentages_that_floating_point_rounds_wrongly(percent, hosts):
    assert share_up(hosts, percent) == hosts * percent // 100


@pytest.mark.parametrize("hosts", [0, 1, 5])
def test_facts_of_the_policies(hosts):
    ready, failed, prov = points(hosts).T
    for t in range(hosts + 2):
        same(Combined(t, hosts), Threshold(t), ready, failed, prov)
        same(Combined(0, t), MaxFailures(t), ready, failed, prov)
    same(StrictAll(), Threshold(hosts), ready, failed, prov)
    same(StrictAll(), play(WaitForOthers(), Assert(MaxFailures(0))), ready, failed, prov)
    assert Threshold(0).holds(ready, failed, prov).all()
    assert MaxFailures(hosts).holds(ready, failed, prov).all()
    assert is_vacuous(MaxFailures(0), hosts)
    assert is_vacuous(AtLeast(MaxFailures(0), hosts), hosts) is (hosts == 0)


def same(one, other, *counts):
    assert one.holds(*counts).tolist() == other.holds(*counts).tolist()


@given(POLICIES, st.integers(0, 8))
def test_monotone_and_attainable_say_what_they_say(policy, hosts):
    triples = points(hosts).tolist()
    holds = {tuple(point): bool(policy.holds(*point)) for point in triples}
    for (ready, failed, prov), now in holds.items():
        after = [(ready + 1, failed, prov - 1), (ready, failed + 1, prov - 1)] if prov else []
        if policy.monotone and now:
            assert all(holds[point] for point in after)
        assert bool(permits(policy, *(np.array([n]) for n in (ready, failed, prov)))[0]) is now
        if not policy.attainable(ready, failed, prov):
            later = [
                (ready + more, failed + fewer, prov - more - fewer)
                for more in range(prov + 1)
                for fewer in range(prov + 1 - more)
            ]
            assert not any(holds[point] for point in later)


# ---------------------------------------------------------------- any predicate on the host vector


@pytest.mark.slow
@pytest.mark.parametrize("gate", Gate)
@given(hosts=st.integers(0, 3), data=st.data())
def test_theorems_hold_for_any_predicate(gate, hosts, data):
    size = 3**hosts
    bits = data.draw(st.integers(0, 2**size - 1))
    holds = (bits >> np.arange(size, dtype=object) & 1).astype(bool)
    check_theorems(hosts, holds, gate)


@pytest.mark.parametrize("policy", [StrictAll(), Threshold(3), MaxFailures(1), Combined(2, 1)])
def test_theorems_hold_for_policies(policy):
    for gate in Gate:
        check_theorems(6, table(policy, 6), gate)
    eager, lazy = (explore(6, table(policy, 6), gate=gate).states for gate in Gate)
    assert not len(np.setdiff1d(eager, lazy))


def check_theorems(hosts, holds, gate):
    """Section 10 on every reachable state and every edge."""
    found = explore(hosts, holds, gate=gate)
    vectors = host_vectors(hosts)
    counts = np.stack([(vectors == one).sum(axis=1) for one in Host], axis=1)
    phase, number = np.divmod(found.states, len(vectors))
    assert not len(found.deadlocks)
    assert holds[number[phase == Phase.CONVERGE]].all()
    gone = number[phase == Phase.FAILED]
    assert not holds[gone].any()
    assert not counts[gone, Host.PROVISIONING].any()
    source, target = found.edges.T
    assert not (source // len(vectors) >= Phase.CONVERGE).any()
    measures = measure(source, hosts, counts), measure(target, hosts, counts)
    assert (measures[1] < measures[0]).all()
    assert (measures[1] >= 0).all()
    change = counts[target % len(vectors)] - counts[source % len(vectors)]
    assert (change[:, [Host.READY, Host.FAILED]] >= 0).all()
    assert not change.sum(axis=1).any()
    assert (change[:, Host.PROVISIONING] >= -1).all()


def measure(states, hosts, counts):
    phase, number = np.divmod(states, len(counts))
    return (3 - phase) * (hosts + 1) + counts[number, Host.PROVISIONING]


# ---------------------------------------------------------------- names and complaints


def test_names_are_read_back():
    for policy in (StrictAll(), Threshold(3), MaxFailures(2), Combined(3, 1)):
        assert parse(policy.name, hosts=9) == policy
    assert parse("threshold >= 80%", hosts=9) == Threshold(8)
    assert parse("threshold:80%", hosts=9) == Threshold(8)
    assert parse("threshold:3&fail:1", hosts=9) == Combined(3, 1)
    assert parse("max-failures<=80%", hosts=9) == MaxFailures(7)
    assert parse("threshold>=50%&fail<=10%", hosts=25) == Combined(13, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("quorum", "unknown policy `quorum`; allowed are such as strict-all, threshold>=8"),
        ("threshold>=10", "threshold is 10; 0 to 9 is allowed"),
        ("threshold>=101%", "percentage is 101; a whole number from 0 to 100"),
        ("max-failures<=-1", "max-failures is -1; a whole number of 0 or more"),
        ("max-failures:-1%", "percentage is -1; a whole number from 0 to 100"),
        ("threshold:50.5%", "`50.5%` in a policy; a whole number from 0 to 100"),
        ("threshold:1.5", "`1.5` in a policy; a whole number of 0 or more"),
    ],
)
def test_complaints_about_names(text, complaint):
    with pytest.raises(FlockError, match=complaint):
        parse(text, hosts=9)


def test_a_policy_that_raises_is_named_with_its_counts():
    broken = UserPolicy(label="ratio", predicate=lambda r, f, p: r / (r + f) > 0.5)
    with pytest.raises(PolicyError, match=r"`ratio` raised ZeroDivisionError.*at ready 0"):
        simulate(broken, Schedule.of([0]), hosts=1)
    vague = UserPolicy(label="vague", predicate=lambda r, f, p: None)
    with pytest.raises(PolicyError, match="`vague` answered None at ready 0"):
        run(vague, np.zeros((1, 2), dtype=bool))


def test_a_predicate_on_arrays_is_asked_once():
    plain = UserPolicy(label="half", predicate=lambda r, f, p: r >= f + p)
    fast = UserPolicy(label="half", predicate=lambda r, f, p: r >= f + p, on_arrays=True)
    words = all_words(5)
    assert finals(run(plain, words)) == finals(run(fast, words))
    wrong = UserPolicy(label="sum", predicate=lambda r, f, p: r + f, on_arrays=True)
    with pytest.raises(PolicyError, match="`sum` answered int32"):
        run(wrong, words)
