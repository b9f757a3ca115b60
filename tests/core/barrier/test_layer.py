"""The barrier in the world: what hosts say, what the gate makes of it, and what is true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.forecast import forecast
from flockcore.barrier.lanes import lanes
from flockcore.barrier.machine import Barriers
from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold
from flockcore.barrier.reports import NAMES, Said
from flockcore.barrier.state import Stage, pack_policy
from flockcore.barrier.windows import windows
from flockcore.errors import FlockError
from flockcore.kernel import faults as records
from flockcore.kernel.faults import (
    Clear,
    Crash,
    Delay,
    Duplicate,
    Heal,
    Join,
    Leave,
    Loss,
    Partition,
    Pause,
    Provision,
    Reorder,
    Require,
    Restart,
    Resume,
    Slow,
)
from flockcore.kernel.layer import Status
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockcore.token import decode

NODES = 12
HOLDS, VIOLATED, UNKNOWN = Status.HOLDS, Status.VIOLATED, Status.UNKNOWN


def provision(**keys):
    return Provision(**{"start": 10, "least_us": 20_000, "mean_us": 10_000, **keys})


def flock_of(*faults, ticks=0, nodes=NODES, seed=3, **more):
    sim = Simulation(Scenario(nodes=nodes, seed=seed, k=3, faults=faults, **more))
    sim.run(ticks)
    return sim


def verdict(sim, name):
    return next(one for one in sim.verdicts("barrier") if one.name == name)


def counts(sim):
    return tuple(
        int(sim.series.column(f"barrier_{name}")[-1]) for name in ("ready", "failed", "prov")
    )


def rows_of(sim, name="barrier"):
    rows = sim.records.logs[name].rows(0, sim.tick + 1)
    return {column: values.tolist() for column, values in rows.items()}


def said(sim, what):
    """(tick, host) of all rows of a kind."""
    rows = sim.records.logs["barrier"].rows(0, sim.tick + 1)
    mine = rows["what"] == what
    return list(zip(rows["tick"][mine].tolist(), rows["host"][mine].tolist(), strict=True))


# ---------------------------------------------------------------------- off and on


def test_a_run_without_a_provisioning_has_the_digest_that_it_had():
    sim = flock_of(Crash(start=5, nodes=(3,)), ticks=30)
    assert not sim.barrier.on
    assert sim.barrier.capture() == {}
    assert set(sim.digests()) == {"world", "flock"}
    assert not any(name.startswith("barrier") for name in sim.capture())
    assert (sim.barrier.phase, sim.barrier.seat) == (Phase.IMAGING, 0)
    assert not sim.barrier.word.any()
    assert not sim.barrier.truth.any()
    assert (sim.barrier.decided_at, sim.barrier.prediction(), sim.barrier.totals) == (None,) * 3
    assert (sim.barrier.foretold, sim.barrier.held, sim.barrier.early) == (None, 0, False)
    assert not sim.barrier.trace().phase.size
    assert not sim.barrier.statistics().on
    found = sim.verdicts("barrier")
    assert [one.name for one in found] == list(NAMES)
    assert {(one.status, one.reason) for one in found} == {(UNKNOWN, "nothing is provisioned")}


@pytest.mark.slow
def test_the_flock_does_not_feel_the_layer():
    faults = (Loss(start=1, probability=0.2), Crash(start=30, nodes=(3,)))
    plain, more = flock_of(*faults, ticks=80), flock_of(*faults, provision(), ticks=80)
    assert plain.digests()["flock"] == more.digests()["flock"]
    assert "barrier" in more.digests()
    assert plain.digest() != more.digest()


@pytest.mark.slow
def test_a_calm_provisioning_converges_as_foretold():
    sim = flock_of(provision(seat=4), ticks=10)
    barrier = sim.barrier
    assert barrier.on
    assert (barrier.phase, barrier.seat, barrier.policy) == (Phase.BARRIER, 4, StrictAll())
    assert barrier.totals == (NODES, 0)
    sim.run(150)
    told = barrier.foretold
    assert (told.ends_in, told.ready, told.failed, told.report) == (
        Decision.PROCEED,
        NODES,
        0,
        NODES,
    )
    assert barrier.decided_at == (NODES, 0, 0, NODES)
    assert barrier.phase is Phase.CONVERGE
    assert {one.status for one in sim.verdicts("barrier")} == {HOLDS}
    statistics = barrier.statistics()
    assert (statistics.sent, statistics.received, statistics.repeated) == (NODES, NODES, 0)
    assert sim.barrier.trace().letters(0) == "I" + "B" * (NODES + 1) + "C"
    assert sorted(host for _, host in said(sim, Said.SAID_READY)) == list(range(NODES))


def test_imaging_takes_the_drawn_time_in_ticks_that_a_host_runs():
    fixed = {"least_us": 20_000, "mean_us": 0}
    sim = flock_of(
        provision(**fixed),
        Slow(start=10, nodes=(5,), every=3),
        Pause(start=15, until=40, nodes=(7,)),
        ticks=90,
    )
    done = {host: tick for tick, host in said(sim, Said.IMAGED)}
    # The tick of the fan-out is the first of the twenty.
    assert {done[host] for host in range(NODES) if host not in (5, 7)} == {29}
    assert done[5] == 12 + 3 * 19
    assert done[7] == 29 + 25


def test_times_follow_the_exponential_distribution():
    sim = flock_of(
        provision(start=1, least_us=5_000, mean_us=80_000, fail=0.25), ticks=1, nodes=2_000
    )
    left = sim.barrier.state.left
    assert left.min() >= 5
    assert np.mean(left) == pytest.approx(5 + 80, rel=0.1)
    assert np.median(left) == pytest.approx(5 + 80 * np.log(2), rel=0.1)
    assert np.mean(sim.barrier.state.fate) == pytest.approx(0.25, abs=0.03)


@pytest.mark.slow
def test_a_provisioning_forgets_the_one_before():
    sim = flock_of(provision(fail=1.0), Delay(start=1, min_us=30_000), ticks=45)
    assert sim.barrier.state.reports
    sim.inject(provision(policy="threshold", ready=NODES))
    sim.run(1)
    assert counts(sim) == (0, 0, NODES)
    assert not sim.barrier.state.reports
    sim.run(150)
    assert counts(sim) == (NODES, 0, 0)
    assert sim.barrier.trace().phase[0] == Phase.IMAGING
    assert len(sim.barrier.trace().phase) == NODES + 3
    assert {one.status for one in sim.verdicts("barrier")} == {HOLDS}


# ---------------------------------------------------------------------- what the network does


@pytest.mark.slow
def test_lost_reports_are_repeated_until_they_are_acknowledged():
    sim = flock_of(Loss(start=1, probability=0.6), provision(resend_us=5_000), ticks=400)
    statistics = sim.barrier.statistics()
    assert sim.barrier.decided_at == (NODES, 0, 0, NODES)
    assert not sim.barrier.state.owing.any()
    assert statistics.sent > statistics.received > NODES
    assert statistics.repeated == statistics.received - NODES
    assert sim.series.column("barrier_repeats").sum() == statistics.repeated
    assert sim.series.column("barrier_reports").sum() == statistics.received
    assert sim.series.column("barrier_lost").sum() > 0
    settled = sim.series.column("barrier_sent")[-20:]
    assert not settled.any()


@pytest.mark.slow
@given(seed=st.integers(0, 10**6), chance=st.sampled_from((0.3, 1.0)))
@settings(max_examples=6, deadline=None)
def test_duplicates_change_nothing(seed, chance):
    faults = (
        Loss(start=1, probability=0.3),
        provision(policy="combined", ready=8, failed=3, fail=0.2),
    )
    once = flock_of(*faults, ticks=120, seed=seed)
    twice = flock_of(*faults, Duplicate(start=1, probability=chance), ticks=120, seed=seed)
    assert rows_of(once) == rows_of(twice)
    assert rows_of(once, "barrier_trace") == rows_of(twice, "barrier_trace")
    for name in ("ready", "failed", "prov", "truly", "false", "window", "held"):
        column = f"barrier_{name}"
        assert once.series.column(column).tolist() == twice.series.column(column).tolist(), name


def test_a_partition_holds_reports_back_and_counts_them():
    cut = Partition(start=15, until=120, groups=(tuple(range(6)),))
    sim = flock_of(cut, provision(), ticks=110)
    assert counts(sim) == (6, 0, 6)
    assert sim.barrier.held == 6
    assert sim.barrier.true_counts == (NODES, 0, 0)
    assert verdict(sim, "All hosts report").status is UNKNOWN
    assert verdict(sim, "All hosts report").reason == "6 still silent"
    assert sim.network.touched[0] > 0
    sim.run(30)
    assert counts(sim) == (NODES, 0, 0)
    assert sim.barrier.held == 0


def test_the_seats_own_report_needs_no_network():
    sim = flock_of(Loss(start=1, probability=1.0), provision(seat=2), ticks=150)
    assert np.flatnonzero(sim.barrier.word == Host.READY).tolist() == [2]
    assert sim.barrier.held == NODES - 1


def test_a_late_report_that_says_otherwise_changes_nothing():
    sim = flock_of(provision(), ticks=150)
    before = rows_of(sim), sim.barrier.trace().ready.tolist()
    state = sim.barrier.state
    hosts, words = np.array([3, 7]), np.array([Host.FAILED, Host.FAILED])
    state.reports.send(hosts, words, sim.tick, sim.barrier.traffic)
    sim.barrier._busy = True
    sim.run(5)
    assert (rows_of(sim), sim.barrier.trace().ready.tolist()) == before
    assert state.repeated == 2
    assert counts(sim) == (NODES, 0, 0)


def test_a_receipt_settles_only_what_it_is_about():
    sim = flock_of(
        Crash(start=15, nodes=(5,)), Loss(start=1, probability=1.0), provision(), ticks=20
    )
    state = sim.barrier.state
    for word in (Host.READY, Host.FAILED):
        assert state.owing[5]
        state.receipts.host, state.receipts.word = np.array([5]), np.array([word])
        sim.run(1)
    assert not state.owing[5]


@pytest.mark.slow
def test_nothing_is_taken_in_while_the_seat_is_down():
    for fault in (Pause(start=20, until=120, nodes=(0,)), Crash(start=20, until=120, nodes=(0,))):
        sim = flock_of(fault, provision(start=19), ticks=119)
        assert counts(sim) == (0, 0, NODES)
        sim.run(60)
        # What its own node had was lost in the crash; the counts are on disk.
        crashed = isinstance(fault, Crash)
        assert counts(sim) == (NODES - crashed, int(crashed), 0)
        assert verdict(sim, "All hosts report").status is HOLDS


@pytest.mark.slow
def test_a_paused_seat_has_a_bounded_inbox():
    sim = flock_of(Pause(start=20, nodes=(0,)), provision(resend_us=1), ticks=90)
    assert len(sim.barrier.state.reports.host) == 256
    assert sim.barrier.traffic.full > 0
    sim.inject(Resume(nodes=(0,)))
    sim.run(5)
    assert counts(sim)[0] == NODES - 1
    statistics = sim.barrier.statistics()
    assert statistics.received - statistics.repeated == np.count_nonzero(sim.barrier.state.heard)


def test_a_restart_at_once_still_loses_what_was_unread():
    faults = Crash(start=60, nodes=(0,)), Restart(start=60, nodes=(0,))
    once = provision(resend_us=10**6, least_us=20_000, mean_us=0)
    sim = flock_of(Pause(start=20, nodes=(0,)), once, *faults, ticks=59)
    assert len(sim.barrier.state.reports.host) == NODES - 1
    sim.run(20)
    assert not sim.barrier.state.heard[1:].any()
    assert sim.barrier.held == NODES - 1


def test_a_gate_without_a_controller_is_asked_when_it_runs_again():
    sim = flock_of(
        provision(start=30, policy="max_failures", failed=0),
        Pause(start=20, until=50, nodes=(0,)),
        ticks=40,
    )
    assert sim.barrier.phase is Phase.BARRIER
    assert verdict(sim, "Gate obeys policy").status is UNKNOWN
    sim.run(10)
    assert (sim.barrier.phase, sim.barrier.decided_tick) == (Phase.CONVERGE, 50)
    assert sim.barrier.decided_at == (0, 0, NODES, 0)


# ---------------------------------------------------------------------- what becomes of hosts


def test_a_crash_while_it_is_imaged_fails_a_host_for_good():
    sim = flock_of(provision(), Crash(start=15, until=60, nodes=(5,)), ticks=20)
    assert sim.barrier.word[5] == sim.barrier.truth[5] == Host.FAILED
    assert sim.barrier.down[5]
    assert (15, 5) in said(sim, Said.BROKE)
    sim.run(130)
    assert sim.barrier.truth[5] == Host.FAILED
    assert sim.barrier.phase is Phase.FAILED
    assert verdict(sim, "FAILED only when all in").status is HOLDS


def test_a_crash_while_it_is_paused_is_a_crash():
    sim = flock_of(
        provision(), Pause(start=12, nodes=(0, 5)), Crash(start=15, nodes=(0, 5)), ticks=20
    )
    assert sim.barrier.truth[[0, 5]].tolist() == [Host.FAILED] * 2


@pytest.mark.slow
def test_who_is_down_at_the_fan_out_has_failed_and_who_is_away_is_waited_for():
    sim = flock_of(Crash(start=5, nodes=(5,)), provision(), absent=(7,), ticks=150)
    assert counts(sim) == (NODES - 2, 1, 1)
    assert sim.barrier.prediction().ends_in is Decision.HOLD
    assert verdict(sim, "Prediction matches").reason == "waits for ever"
    sim.inject(Join(node=7, x=50, y=50))
    sim.run(120)
    assert counts(sim) == (NODES - 1, 1, 0)
    assert sim.barrier.phase is Phase.FAILED


def test_who_leaves_while_it_is_imaged_never_reports():
    sim = flock_of(provision(), Leave(start=15, nodes=(5,)), ticks=150)
    assert counts(sim) == (NODES - 1, 0, 1)
    assert sim.barrier.truth[5] == Host.PROVISIONING
    assert sim.barrier.totals == (NODES - 1, 0)


def test_a_crash_after_ready_makes_the_word_false_until_it_is_imaged_anew():
    sim = flock_of(
        provision(least_us=20_000, mean_us=0), Crash(start=60, until=80, nodes=(5, 6)), ticks=59
    )
    assert verdict(sim, "Ready means up").status is HOLDS
    sim.run(10)
    broken = verdict(sim, "Ready means up")
    assert (broken.status, broken.nodes) == (VIOLATED, (5, 6))
    assert broken.reason == "n05, n06 are not"
    assert sim.barrier.word[5] == Host.READY
    assert sim.barrier.false_window
    sim.run(40)
    assert verdict(sim, "Ready means up").status is HOLDS
    found = windows(sim.series.column("barrier_window"), 1_000)
    assert (found.start.tolist(), found.end.tolist()) == ([60], [99])
    assert sim.series.column("barrier_false").tolist()[60:99] == [2] * 39


def test_a_report_outlives_the_host_that_sent_it():
    slow = Delay(start=1, min_us=20_000)
    sim = flock_of(
        slow, provision(least_us=20_000, mean_us=0), Crash(start=40, nodes=(5,)), ticks=42
    )
    assert sim.barrier.totals == (NODES, 0)
    told = sim.barrier.prediction()
    assert (told.ends_in, told.report) == (Decision.PROCEED, NODES)
    sim.run(10)
    assert sim.barrier.phase is Phase.CONVERGE
    assert np.flatnonzero(sim.barrier.false_ready).tolist() == [5]
    # The gate opened on a word that was false already.
    found = windows(sim.series.column("barrier_window"), 1_000)
    assert found.start.tolist() == [sim.barrier.decided_tick]


def test_a_pause_makes_the_word_false_while_it_lasts():
    sim = flock_of(
        provision(least_us=20_000, mean_us=0), Pause(start=60, until=80, nodes=(5,)), ticks=70
    )
    assert np.flatnonzero(sim.barrier.false_ready).tolist() == [5]
    sim.run(10)
    assert not sim.barrier.false_ready.any()


def test_down_hosts_count_as_failures_of_an_open_gate():
    sim = flock_of(
        provision(policy="combined", ready=4, failed=1),
        Crash(start=100, nodes=(5,)),
        Crash(start=110, nodes=(6,)),
        ticks=105,
    )
    assert sim.barrier.phase is Phase.CONVERGE
    assert not sim.barrier.false_window
    sim.run(10)
    assert sim.barrier.true_counts == (10, 2, 0)
    assert sim.barrier.false_window


# ---------------------------------------------------------------------- the policy


def test_another_policy_may_be_asked_for_until_the_decision():
    sim = flock_of(provision(), Pause(start=20, nodes=(5,)), ticks=120)
    assert counts(sim) == (NODES - 1, 0, 1)
    assert sim.barrier.prediction().ends_in is Decision.HOLD
    sim.inject(Require(policy="threshold", ready=10))
    sim.run(1)
    assert sim.barrier.policy == Threshold(10)
    assert (sim.barrier.phase, sim.barrier.decided_tick) == (Phase.CONVERGE, 121)
    assert sim.barrier.decided_at == (NODES - 1, 0, 1, NODES - 1)
    assert {one.status for one in sim.verdicts("barrier")} == {HOLDS, UNKNOWN}
    assert verdict(sim, "Prediction matches").status is HOLDS
    with pytest.raises(FlockError, match="decided CONVERGE at tick 121"):
        sim.inject(Require())


def test_a_scripted_policy_that_comes_too_late_or_too_early_is_passed_over():
    sim = flock_of(
        Require(start=5, policy="threshold", ready=1), provision(), Require(start=140), ticks=150
    )
    assert sim.barrier.policy == StrictAll()
    assert len(said(sim, Said.POLICY)) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Require(), "nothing is provisioned"),
        (Provision(seat=5), "node 5 is not running; allowed as the seat"),
        (Provision(policy="threshold", ready=13), "ready is 13: there are only 12 hosts; allowed"),
        (Require(policy="threshold", ready=-1), "ready is -1: this is negative"),
        (Provision(failed=99), "failed is 99: there are only 12 hosts"),
        (Provision(policy="strict"), "policy is 'strict': did you mean \"strict_all\""),
        (Require(policy="majority"), "allowed is one of strict_all, threshold, max_failures, comb"),
        (Provision(seat=12), "node 12 does not exist"),
        (Provision(fail=1.5), "fail is 1.5: this is out of range; allowed is a number from 0 to 1"),
        (Provision(resend_us=0), "resend_us is 0"),
        (Provision(start=1, until=9), "happens at one tick"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(fault, words):
    sim = flock_of(Crash(start=5, nodes=(5,)), ticks=10)
    with pytest.raises(FlockError, match=words):
        sim.inject(fault)
    assert not sim.injected


def test_records_are_read_and_written():
    table = {"kind": "provision", "policy": "combined", "ready": 80, "failed": 5, "fail": 0.5}
    record = records.from_dict(table)
    assert record == Provision(policy="combined", ready=80, failed=5, fail=0.5)
    assert records.to_dict(record) == table
    with pytest.raises(
        FlockError, match="provision: ready is '80 %'; allowed is a number of hosts"
    ):
        records.from_dict({**table, "ready": "80 %"})
    bigger = Scenario(nodes=90, faults=(record,)).resized(30)
    assert (bigger.faults[0].ready, bigger.faults[0].failed) == (27, 1)


# ---------------------------------------------------------------------- there and back

_NODE = st.integers(0, NODES - 1)
_SOME = st.lists(_NODE, min_size=1, max_size=4, unique=True).map(tuple)
_POLICY = {
    "policy": st.sampled_from(("strict_all", "threshold", "max_failures", "combined")),
    "ready": st.integers(0, NODES),
    "failed": st.integers(0, NODES),
}
_PROVISION = st.builds(
    Provision,
    seat=_NODE,
    least_us=st.sampled_from((0, 15_000)),
    mean_us=st.sampled_from((0, 20_000)),
    fail=st.sampled_from((0.0, 0.3)),
    early=st.booleans(),
    resend_us=st.sampled_from((2_000, 15_000)),
    **_POLICY,
)
_BREAKAGE = st.one_of(
    _PROVISION,
    st.builds(Require, **_POLICY),
    st.builds(Crash, nodes=_SOME),
    st.builds(Restart, nodes=_SOME),
    st.builds(Pause, nodes=_SOME),
    st.builds(Resume, nodes=_SOME),
    st.builds(Slow, nodes=_SOME, every=st.integers(2, 4)),
    st.builds(Leave, nodes=st.tuples(_NODE)),
    st.builds(Join, node=_NODE, x=st.integers(0, 500), y=st.integers(0, 500)),
    st.builds(Partition, groups=_SOME.map(lambda group: (group,))),
    st.builds(Heal),
    st.builds(Loss, probability=st.sampled_from((0.3, 0.9))),
    st.builds(Delay, min_us=st.just(1_000), mean_us=st.just(4_000)),
    st.builds(Duplicate, probability=st.just(0.4)),
    st.builds(Reorder, probability=st.just(0.4), by_us=st.just(6_000)),
)
_STORY = st.lists(st.tuples(st.integers(0, 15), _BREAKAGE), min_size=2, max_size=12)


def look(sim):
    """Everything that a deck reads."""
    barrier = sim.barrier
    state = {
        "digest": sim.digest(),
        "word": barrier.word.tolist(),
        "truth": barrier.truth.tolist(),
        "columns": dict(barrier.columns()),
        "prediction": barrier.prediction(),
        "foretold": barrier.foretold,
        "decided": (barrier.phase, barrier.decided_tick, barrier.decided_at, barrier.policy),
        "trace": barrier.trace().letters(0),
        "verdicts": sim.verdicts("barrier"),
        "statistics": barrier.statistics(),
        "events": barrier.events(0),
    }
    # What was read and sent in this very tick is of the run, not of the state.
    for name in ("reports", "repeats", "sent", "lost"):
        state["columns"].pop(f"barrier_{name}")
    return state


def words(sim):
    """What the gate says of each host, and what is true."""
    return {"word": sim.barrier.word.tolist(), "truth": sim.barrier.truth.tolist()}


def run_live(first, story, look=words):
    """Let a provisioning and then a story be injected by hand, where it is not refused."""
    sim = flock_of(seed=5)
    seen = {0: look(sim)}

    def on():
        sim.run(1)
        seen[sim.tick] = look(sim)

    for wait, fault in [(3, first), *story]:
        for _ in range(wait):
            on()
        try:
            sim.inject(fault)
        except FlockError:
            continue
    for _ in range(30):
        on()
    return sim, seen


@pytest.mark.slow
@given(_PROVISION, _STORY, st.lists(st.integers(0, 200), min_size=3, max_size=3))
@settings(max_examples=8, deadline=None)
def test_seeking_gives_what_a_straight_run_gives(first, story, goals):
    sim, seen = run_live(first, story, look)
    end, rows = sim.tick, (rows_of(sim), rows_of(sim, "barrier_trace"))
    series = {name: sim.series.column(name).tolist() for name in sim.series.names}
    for goal in (*goals, end):
        goal = min(goal, end)
        sim.seek(goal)
        assert look(sim) == seen[goal]
    assert (rows_of(sim), rows_of(sim, "barrier_trace")) == rows
    assert {name: sim.series.column(name).tolist() for name in sim.series.names} == series
    other = sim.fork()
    assert look(other) == seen[end]
    sim.run(25)
    other.run(25)
    assert look(sim) == look(other)
    again = flock_of(*sim.injected, seed=5, ticks=sim.tick)
    assert again.digest() == sim.digest()
    assert rows_of(again) == rows_of(sim)


@pytest.mark.slow
@given(_PROVISION, _STORY)
@settings(max_examples=10, deadline=None)
def test_the_gate_only_knows_what_hosts_said(first, story):
    sim, seen = run_live(first, story)
    broken = [one for one in sim.verdicts("barrier") if one.status is VIOLATED]
    assert {one.name for one in broken} <= {"Ready means up"}
    began = 0
    ended = {Host.READY: set(), Host.FAILED: set()}
    rows = rows_of(sim)
    for tick, host, what in zip(rows["tick"], rows["host"], rows["what"], strict=True):
        match Said(what):
            case Said.FANNED_OUT:
                began, ended = tick, {Host.READY: set(), Host.FAILED: set()}
            case Said.IMAGED:
                ended[Host.READY].add(host)
            case Said.BROKE:
                ended[Host.FAILED].add(host)
            case Said.SAID_READY:
                assert host in ended[Host.READY]
            case Said.SAID_FAILED:
                assert host in ended[Host.FAILED]
    final = sim.barrier.word.tolist()
    for tick in range(began, sim.tick + 1):
        for host, word in enumerate(seen[tick]["word"]):
            assert word in (Host.PROVISIONING, final[host])
            if word != Host.PROVISIONING:
                assert host in ended[word]


@pytest.mark.slow
@given(_PROVISION, _STORY)
@settings(max_examples=6, deadline=None)
def test_no_report_is_lost_for_good_once_faults_end(first, story):
    sim, _ = run_live(first, story)
    mended = (
        Heal(),
        *(Clear(kind=kind) for kind in ("loss", "delay", "duplicate", "reorder", "slow")),
        Restart(nodes=tuple(range(NODES))),
        Resume(nodes=tuple(range(NODES))),
        Loss(probability=0.5),
    )
    for fault in mended:
        try:
            sim.inject(fault)
        except FlockError:
            continue
    if sim.world.absent[sim.barrier.seat]:
        sim.inject(Join(node=sim.barrier.seat, x=100, y=100))
    # The longest imaging, and the chance of losing twenty reports one after another.
    sim.run(15 + 170 + 20 * 15)
    here = ~sim.world.absent
    assert sim.barrier.state.heard[here].all()
    assert sim.barrier.held == 0
    if here.all():
        assert sim.barrier.phase.is_final
        assert verdict(sim, "All hosts report").status is HOLDS


@pytest.mark.slow
@given(_PROVISION, _STORY)
@settings(max_examples=8, deadline=None)
def test_lanes_show_what_was_true_at_each_tick(first, story):
    sim, seen = run_live(first, story)
    found = lanes(sim.records.logs["barrier"].rows(), hosts=NODES, until=sim.tick)
    began = sim.barrier.state.began if sim.barrier.on else -1
    assert found.began == began
    if began < 0:
        return

    def painted(spans):
        canvas = np.zeros((sim.tick + 1, NODES), dtype=np.int64)
        for host, start, end, code in zip(
            spans.host, spans.start, spans.end, spans.code, strict=True
        ):
            assert not canvas[start:end, host].any()
            canvas[start:end, host] = code
        return canvas[began:]

    ticks = range(began, sim.tick + 1)
    assert painted(found.word).tolist() == [seen[tick]["word"] for tick in ticks]
    assert painted(found.truth).tolist() == [seen[tick]["truth"] for tick in ticks]
    false = sim.series.column("barrier_false")[began:]
    assert painted(found.false_ready).sum(axis=1).tolist() == false.tolist()
    assert (painted(found.up)[-1] == 1).tolist() == sim.world.up.tolist()


@pytest.mark.slow
def test_a_branch_and_its_undo_keep_their_own_provisioning():
    sim = flock_of(provision(), ticks=90)
    future = look(sim)
    sim.seek(30)
    here = look(sim)
    sim.inject(Provision(policy="threshold", ready=1))
    sim.run(60)
    assert sim.barrier.policy == Threshold(1)
    sim.undo()
    assert look(sim) == here
    sim.seek(90)
    assert look(sim) == future
    sim.seek(5)
    assert not sim.barrier.on
    sim.inject(Provision(policy="threshold", ready=2))
    sim.run(3)
    sim.switch("branch 2")
    assert not sim.barrier.on
    sim.seek(90)
    assert look(sim) == future


def test_a_token_carries_a_provisioning():
    sim = flock_of(Loss(start=1, probability=0.2), ticks=20)
    sim.inject(Provision(policy="combined", ready=9, failed=2, seat=3, fail=0.1, early=True))
    sim.run(20)
    sim.inject(Require(policy="threshold", ready=7))
    sim.run(60)
    content = decode(sim.token())
    again = Simulation(content.scenario.replace(faults=content.script), seed=3)
    again.run(content.tick)
    assert again.digest() == content.digest == sim.digest()
    assert rows_of(again) == rows_of(sim)


# ---------------------------------------------------------------------- what is said of it


def tampered(spoil, *faults, ticks=150):
    """Names of the invariants that are violated once something was tampered with."""
    sim = flock_of(*(faults or (provision(policy="threshold", ready=10, fail=0.05),)), ticks=ticks)
    assert not [one for one in sim.verdicts("barrier") if one.status is VIOLATED]
    spoil(sim)
    return {one.name for one in sim.verdicts("barrier") if one.status is VIOLATED}


def point(column, place, value):
    def spoil(sim):
        trace = sim.barrier.trace()
        rows = len(sim.records.logs["barrier_trace"]) - len(trace.phase)
        at = place if place >= 0 else len(trace.phase) + place
        sim.records.logs["barrier_trace"]._columns[column][rows + at] = value

    return spoil


def gate(name, value):
    def spoil(sim):
        getattr(sim.barrier.state.gate, name)[...] = value

    return spoil


@pytest.mark.slow
def test_each_invariant_can_be_violated():
    assert "Counts add up" in tampered(point("prov", 3, 99))
    assert tampered(gate("ready", 11)) == {"Counts add up"}
    assert "Ready never falls" in tampered(point("ready", 3, 9))
    assert "Failed never falls" in tampered(point("failed", 3, 9))
    assert "Gate obeys policy" in tampered(point("phase", 3, Phase.CONVERGE))
    assert "Policy held at CONVERGE" in tampered(point("ready", -1, 9))

    def fails(sim):
        gate("phase", Phase.FAILED)(sim)
        point("phase", -1, Phase.FAILED)(sim)

    assert "FAILED only when all in" in tampered(fails)

    def asks_for_less(sim):
        sim.barrier.state.asked_for = pack_policy(Require(policy="threshold", ready=5))

    assert tampered(asks_for_less) == {"Prediction matches", "Gate obeys policy"}

    def never_hears(sim):
        sim.barrier.state.heard[4] = False

    assert tampered(never_hears, ticks=500) == {"All hosts report"}

    def longer(sim):
        for _ in range(9):
            sim.records.logs["barrier_trace"].closed = -1
            sim.records.logs["barrier_trace"].append(
                sim.tick, 1, phase=Phase.CONVERGE, ready=10, failed=0, prov=2
            )

    assert "Within budget" in tampered(longer)


def test_a_gate_that_should_not_have_held_is_found():
    def lax(sim):
        sim.barrier.state.asked_for = pack_policy(Require(policy="threshold", ready=5))

    late = (provision(), Pause(start=15, nodes=(5,)))
    assert tampered(lax, *late) == {"Gate obeys policy"}


def test_without_a_trace_nothing_is_known():
    sim = flock_of(provision(), ticks=150)
    sim.records.logs["barrier_trace"].cut(20)
    sim.records.logs["barrier_trace"]._columns["phase"][:] = Phase.BARRIER
    found = {(one.status, one.reason) for one in sim.verdicts("barrier")}
    assert found == {(UNKNOWN, "the log is full")}


def test_what_is_not_decided_is_unknown():
    sim = flock_of(provision(), ticks=30)
    found = {one.name: one for one in sim.verdicts("barrier")}
    unknown = {name for name, one in found.items() if one.status is UNKNOWN}
    assert unknown == {
        "Policy held at CONVERGE",
        "FAILED only when all in",
        "Prediction matches",
        "All hosts report",
    }
    assert found["Prediction matches"].reason == "due at report 12"
    assert found["FAILED only when all in"].reason == "12 yet to report"
    # On the narrow page there is room for so many beside the longest name.
    assert all(len(one.reason) <= 24 for one in found.values())


def test_an_early_gate_fails_as_soon_as_the_policy_is_out_of_reach():
    sim = flock_of(provision(early=True), Crash(start=15, nodes=(5,)), ticks=60)
    assert (sim.barrier.phase, sim.barrier.decided_tick) == (Phase.FAILED, 16)
    assert sim.barrier.early
    assert verdict(sim, "FAILED only when all in").reason == "11 left, out of reach"
    assert verdict(sim, "FAILED only when all in").status is HOLDS
    assert verdict(sim, "Prediction matches").status is HOLDS


def test_events_tell_what_matters():
    sim = flock_of(
        provision(policy="combined", ready=8, failed=2), Crash(start=15, nodes=(5,)), ticks=150
    )
    texts = [event.text for event in sim.barrier.events(0)]
    assert texts == [
        "n00 has every node imaged",
        "the gate asks for threshold>=8&fail<=2",
        "imaging of n05 ends in a crash",
        "the controller hears that n05 FAILED, report 1",
        "the gate says CONVERGE",
    ]
    sim.seek(14)
    assert len(sim.barrier.events(0)) == 2


# ---------------------------------------------------------------------- forecasts and windows


@pytest.mark.slow
@given(
    st.integers(0, 9).flatmap(
        lambda hosts: st.tuples(
            st.just(hosts), st.lists(st.booleans(), max_size=hosts), st.integers(0, hosts)
        )
    ),
    st.sampled_from(("strict", "threshold", "max", "combined")),
    st.integers(0, 10),
    st.integers(0, 9),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_forecast_is_what_the_machine_does(schedule, kind, ready, failures, early):
    hosts, words, counted = schedule
    policy = {
        "strict": StrictAll(),
        "threshold": Threshold(ready),
        "max": MaxFailures(failures),
        "combined": Combined(ready, failures),
    }[kind]
    counted = min(counted, len(words))
    before, after = words[:counted], words[counted:]
    machine = Barriers(runs=1, hosts=hosts, policy=policy, early=early)
    machine.fan_out([0])
    outcomes = np.where(words, Host.FAILED, Host.READY)
    # What was counted so far was counted under another policy.
    machine.state.hosts[0, :counted] = outcomes[:counted]
    machine.state.failed[0], machine.state.ready[0] = sum(before), counted - sum(before)
    machine.state.prov[0] = hosts - counted
    machine.receive(0, np.arange(counted, len(words)), outcomes[counted:])
    found = forecast(
        policy,
        hosts=hosts,
        ready=counted - sum(before),
        failed=sum(before),
        words=np.array(after, dtype=np.bool_),
        early=early,
    )
    phase = Phase(int(machine.state.phase[0]))
    ends = {Phase.CONVERGE: Decision.PROCEED, Phase.FAILED: Decision.FAIL}
    assert found.ends_in is ends.get(phase, Decision.HOLD)
    assert (found.ready, found.failed) == (machine.state.ready[0], machine.state.failed[0])
    assert found.report == found.ready + found.failed


@given(st.lists(st.booleans(), max_size=40))
def test_windows_are_the_runs_of_ones(column):
    found = windows(np.array(column, dtype=np.int64), 500)
    covered = [
        tick
        for start, end in zip(found.start, found.end, strict=True)
        for tick in range(start, end)
    ]
    assert covered == np.flatnonzero(column).tolist()
    assert found.total_us == 500 * sum(column)
    lengths = (found.end - found.start).tolist()
    assert found.longest_us == 500 * max(lengths, default=0)
    assert len(found) == len(lengths)
    assert all(after > before for before, after in zip(found.end, found.start[1:], strict=False))


def test_stages_and_states_of_a_fan_out():
    sim = flock_of(
        Crash(start=5, nodes=(1,)), Pause(start=5, nodes=(2,)), provision(), absent=(3,), ticks=10
    )
    stage = sim.barrier.state.stage
    assert stage[:4].tolist() == [Stage.IMAGING, Stage.BROKEN, Stage.IMAGING, Stage.AWAY]
    assert sorted(host for _, host in said(sim, Said.WENT_DOWN)) == [1, 2, 3]
