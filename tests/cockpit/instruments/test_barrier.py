"""What the Barrier deck says of real runs: windows, lanes, the trace, the end foretold."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from bokeh.models import Range1d

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold
from flockcore.flock.codes import Health
from flockcore.kernel.faults import Pause, Provision, Require
from flockcore.kernel.layer import Status
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments.barrier_counts import BarrierCounts, count_columns
from flockpit.instruments.barrier_lanes import BarrierLanes
from flockpit.instruments.barrier_outcome import BarrierOutcome
from flockpit.instruments.barrier_reading import ending, lines_of, read
from flockpit.instruments.barrier_trace import BarrierTrace
from flockpit.instruments.lane_rows import beliefs, order
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import Choice, DeckView

LATE = {"name": "late-report", "until": 1400}
CRASHED = [8, 12, 17, 21, 26]


@pytest.fixture
def late(runs):
    """60 hosts 30 ticks after the gate converged on words that are no longer true."""
    return runs.view(749, **LATE)


def axis():
    return TimeAxis(Range1d(start=0.0, end=1.4))


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("policy", "lines"),
    [
        (StrictAll(), (60, 0)),
        (Threshold(5), (5, None)),
        (MaxFailures(2), (None, 2)),
        (Combined(5, 2), (5, 2)),
    ],
)
def test_lines_are_what_the_policy_asks_for(policy, lines):
    assert lines_of(policy, 60) == lines


def test_endings_are_named_as_phases():
    assert [ending(one) for one in (Decision.PROCEED, Decision.FAIL)] == ["CONVERGE", "FAILED"]
    assert ending(Decision.HOLD) == "waits for ever"


def test_windows_are_told_up_to_the_playhead(runs):
    assert len(read(runs.view(700, **LATE)).windows) == 0
    assert read(runs.view(749, **LATE)).windows.total_us == 31_000
    whole = read(runs.view(1100, **LATE)).windows
    assert (len(whole), whole.total_us, whole.longest_us) == (1, 247_000, 247_000)


def test_the_decision_is_known_before_it_is_reached(runs):
    before = read(runs.view(130, **LATE))
    assert before.phase is Phase.BARRIER
    assert (before.decided.tick, before.decided.decision) == (719, Decision.PROCEED)
    assert before.decided.ready == 56


def test_without_a_provisioning_there_is_nothing_to_read(calm):
    reading = read(calm)
    assert not reading.on
    assert reading.stretch[0] == -1
    assert reading.checks == ()
    assert reading.decided is None
    assert len(count_columns(calm)["x"]) == 0


def test_the_latest_provisioning_is_the_one_that_is_shown():
    sim = Simulation(Scenario(nodes=8, ticks=400, seed=1))
    sim.run(4)
    sim.inject(Provision())
    sim.run(146)
    sim.inject(Provision())
    sim.run(150)
    assert read(DeckView(sim)).stretch == (151, 300)
    sim.seek(100)
    assert read(DeckView(sim)).stretch == (5, 150)
    sim.seek(2)
    assert read(DeckView(sim)).stretch == (5, 150)


# ---------------------------------------------------------------- the trace


def test_the_trace_is_judged_anew_with_numbers(late):
    checks = {check.name: check for check in read(late).checks}
    assert checks["Ready means up"].status is Status.VIOLATED
    assert checks["Ready means up"].reason == "5 of 56 are not"
    rest = [check for name, check in checks.items() if name != "Ready means up"]
    assert {check.status for check in rest} == {Status.HOLDS}
    assert checks["Counts add up to 60"].reason == "59 points"
    assert checks["Terminated"].reason == "C at point 59"


def test_what_cannot_be_told_yet_is_unknown(runs):
    found = {check.name: check.status for check in read(runs.view(130, **LATE)).checks}
    unknown = {name for name, status in found.items() if status is Status.UNKNOWN}
    assert unknown == {
        "Policy held at CONVERGE",
        "FAILED only when all in",
        "Ends as it stood",
        "Terminated",
        "Outcome is monotone",
    }


def test_a_forged_trace_is_found_out(late):
    reading = read(late)
    forged = reading.trace.ready.copy()
    forged[20] -= 2
    vars(reading)["trace"] = replace(reading.trace, ready=forged)
    found = {check.name: check.status for check in reading.checks}
    assert found["Counts add up to 60"] is Status.VIOLATED
    assert found["Ready never falls"] is Status.VIOLATED
    assert found["One report a step"] is Status.VIOLATED


def test_waiting_is_judged_by_the_policy_of_its_time():
    sim = Simulation(Scenario(nodes=20, ticks=400, seed=3))
    sim.inject(Provision(policy="strict_all"))
    sim.run(55)
    ready = int(sim.barrier.state.gate.ready[0])
    assert 0 < ready < 20
    sim.inject(Require(policy="threshold", ready=ready - 1))
    sim.run(20)
    reading = read(DeckView(sim))
    assert reading.phase is Phase.CONVERGE
    assert reading.held_back, "it waited above the new line, but below the old one"


# ---------------------------------------------------------------- words


def test_the_prediction_stands_beside_what_came(runs, late):
    told = BarrierOutcome().html(late)
    assert "identical" in told
    assert told.count("<td>56 of 60</td>") == 3
    before = BarrierOutcome().html(runs.view(130, **LATE))
    assert "pending" in before
    assert "the READY number 56" in before


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Provision(policy="max_failures", failed=3), "an eager gate never waits"),
        (Provision(policy="combined", ready=2, failed=0, fail=1.0), "breaks the cap of 0"),
        (Provision(policy="threshold", ready=5, fail=1.0), "are all there are"),
    ],
)
def test_why_it_must_end_so_is_said(record, said):
    sim = Simulation(Scenario(nodes=10, ticks=300, seed=1))
    sim.inject(record)
    sim.run(3)
    assert said in BarrierOutcome().html(DeckView(sim))


def test_a_silent_host_keeps_strict_all_waiting():
    sim = Simulation(Scenario(nodes=10, ticks=300, seed=1))
    sim.inject(Provision())
    sim.run(3)
    sim.inject(Pause(nodes=(4,)))
    sim.run(2)
    assert "1 never report" in BarrierOutcome().html(DeckView(sim))


def test_rows_of_the_trace_have_marks_and_numbers(late, calm):
    html = BarrierTrace().html(late)
    assert html.count("<li") == len(read(late).checks) == 13
    assert "there is no trace" in BarrierTrace().html(calm)
    assert "12" in BarrierTrace().headline(late).html()


# ---------------------------------------------------------------- counts and lanes


def test_counts_change_where_the_series_do(late):
    found = count_columns(late)
    ticks = (np.asarray(found["x"]) * 1000).round().astype(int)
    assert ticks[0] == 50
    assert ticks[-1] == 1400
    ready = late.series("barrier_ready")
    drawn = np.repeat(found["ready"], np.diff(np.append(ticks, 1401)))
    np.testing.assert_array_equal(drawn, ready[50:1401])


def test_the_title_tells_windows_and_the_line_its_number(late):
    counts = BarrierCounts(axis())
    counts.update(late)
    assert "1</b> <small>false-ready window</small>" in counts.line.object
    assert counts.line.object.count("31 ms") == 2
    assert counts.sources["least"].data["text"] == ["ready ≥ 56"]
    assert len(counts.sources["most"].data["text"]) == 0
    assert list(counts.sources["decision"].data["x"]) == pytest.approx([0.719])
    window = counts.sources["windows"].data
    assert (window["x0"][0], window["x1"][0]) == pytest.approx((0.719, 0.966))


def test_lanes_with_a_story_come_first(late):
    reading = read(late)
    found = order(reading.lanes, 60, reading.stretch[1])
    assert found.hosts[:5].tolist() == CRASHED
    assert sorted(found.hosts.tolist()) == list(range(60))
    assert found.stories >= 5


def test_a_lane_shows_word_truth_and_falsehood(late):
    lanes = BarrierLanes(axis())
    lanes.update(late)
    assert lanes._shown[:5].tolist() == CRASHED
    false = lanes.sources["false"].data
    assert len(false["x0"]) == 5
    assert np.asarray(false["x0"]) == pytest.approx([0.45] * 5)
    assert "more hosts" in lanes._foot.object
    for name in ("ready", "due", "up", "truly", "suspect", "dead"):
        columns = lanes.sources[name].data
        assert len(columns["x0"]) == len(columns["x1"]) == len(columns["y"]) > 0
        assert (np.asarray(columns["x1"]) > np.asarray(columns["x0"])).all()


def test_selected_hosts_have_the_first_lanes(runs):
    chosen = []
    lanes = BarrierLanes(axis(), lambda hosts, more: chosen.append(hosts))
    lanes.update(runs.view(749, **LATE, selected=(33, 2)))
    assert lanes._shown[:3].tolist() == [33, 2, 8]
    lanes._tapped(SimpleNamespace(y=1.4, modifiers=None))
    assert chosen == [(2,)]


def test_more_room_has_more_lanes(late):
    lanes = BarrierLanes(axis())
    lanes.update(late)
    few = len(lanes._shown)
    lanes._resized("inner_height", None, 400.0)
    lanes.update(late)
    assert len(lanes._shown) > few


def test_what_the_controller_believes_is_its_own_detectors_word(late):
    lane = np.full(60, -1, dtype=np.intp)
    lane[CRASHED] = np.arange(5)
    found = beliefs(late.transitions, 0, lane, 50, 1400)
    health = late.sim.flock.belief(0)
    for host, row in zip(CRASHED, range(5), strict=True):
        here, start, end = found[Health.DEAD]
        dead = ((here == row) & (start <= 749) & (end > 749)).any()
        assert dead == (health[host] == Health.DEAD)


def test_a_host_that_failed_has_a_cross_at_its_report(runs):
    view = runs.view(1200, name="mass-failure", until=1200)
    lanes = BarrierLanes(axis())
    lanes._resized("inner_height", None, 1400.0)
    lanes.update(view)
    failed = read(view).layer.word == Host.FAILED
    assert len(lanes.sources["failed"].data["x0"]) == np.count_nonzero(failed) > 0


def test_both_themes_on_every_instrument(late):
    for made in (BarrierCounts(axis()), BarrierLanes(axis())):
        made.update(late)
        made.apply_theme("light")
        made.update(DeckView(late.sim, Choice()))


def test_the_straggler_has_the_first_lane(runs):
    view = runs.view(1400, name="strict-all-straggler", until=1400)
    reading = read(view)
    found = order(reading.lanes, view.nodes, reading.stretch[1])
    assert found.hosts[0] == 37
    assert 1 <= found.stories < 10
