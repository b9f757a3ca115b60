"""The campaign: parts add up, violations are counted, a policy that raises stops it cleanly."""

import dataclasses
import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.barrier import fuzz, mersenne
from flockcore.barrier.codes import Phase
from flockcore.barrier.fuzz import Campaign, seed_of
from flockcore.barrier.mersenne import Twister
from flockcore.barrier.policy import MaxFailures, StrictAll, Threshold, UserPolicy
from flockcore.barrier.report import merge
from flockcore.barrier.schedule import all_fail, all_ready
from flockcore.barrier.suite import SUITE, Cell, cells_of
from flockcore.barrier.traces import run
from flockcore.errors import FlockError


@given(st.integers(-(2**70), 2**70), st.integers(0, 700), st.integers(0, 40))
def test_draws_are_those_of_the_standard_library(seed, count, more):
    theirs, ours = random.Random(seed), Twister(seed)
    assert ours.below(count + 1) == theirs.randint(0, count)
    assert ours.uniform() == theirs.random()
    places = list(range(count))
    theirs.shuffle(places)
    assert ours.shuffled(count).tolist() == places
    assert ours.uniforms(more).tolist() == [theirs.random() for _ in range(more)]
    assert ours.chances(more, 0.25).tolist() == [theirs.random() < 0.25 for _ in range(more)]
    ours.restart(seed)
    assert ours.below(count + 1) == random.Random(seed).randint(0, count)


@pytest.mark.parametrize("count", [511, 512, 1023, 1024, 1025, 3000])
def test_long_shuffles_are_those_of_the_standard_library(count):
    for seed in range(8):
        places = list(range(count))
        random.Random(seed).shuffle(places)
        assert Twister(seed).shuffled(count).tolist() == places


def test_a_bad_guess_costs_time_and_nothing_else(monkeypatch):
    honest = mersenne._plan

    def hopeless(bound, last):
        plan = honest(bound, last)
        return dataclasses.replace(plan, latest=np.full_like(plan.latest, -1))

    wanted = Twister(5).shuffled(2000).tolist()
    monkeypatch.setattr(mersenne, "_plan", hopeless)
    assert Twister(5).shuffled(2000).tolist() == wanted


def test_a_guess_that_is_off_is_seen():
    plan = mersenne._plan(2000, 1024)
    words = np.random.default_rng(1).integers(0, 1 << 32, len(plan.low), dtype=np.uint32)
    taken = np.flatnonzero(plan.accepted(words))[:977]
    assert plan.was_near(taken)
    assert not plan.was_near(taken + 400)
    assert not plan.was_near(taken // 2)


def test_a_chance_that_ties_with_its_probability():
    drawn = Twister(3).uniforms(50)
    for probability in (*drawn, *np.nextafter(drawn, 1), 0.0, 1.0):
        expected = (drawn < probability).tolist()
        assert Twister(3).chances(50, float(probability)).tolist() == expected


def test_the_reference_totals():
    report = Campaign(hosts=500, runs=240, seed=0).run()
    assert (report.runs, report.violations, report.clean) == (240, (), True)
    assert report.converged + report.failed == 240
    assert list(report.cells) == [cell.name for cell in SUITE]
    assert all(sum(pair) == 20 for pair in report.cells.values())


@pytest.mark.slow
def test_the_reference_totals_at_full_size():
    report = Campaign().run()
    assert (report.converged, report.failed, report.clean) == (128, 112, True)
    assert report.cells["random-threshold / random-fail"] == (8, 12)


@pytest.mark.slow
@given(st.integers(0, 40), st.integers(0, 30), st.integers(0, 3), st.booleans())
def test_parts_add_up_to_the_whole(hosts, runs, seed, early):
    campaign = Campaign(hosts=hosts, runs=runs, seed=seed, early=early)
    whole = campaign.run()
    cuts = sorted({0, runs // 3, runs // 2, runs})
    parts = [campaign.run(first=a, stop=b) for a, b in itertools.pairwise(cuts)]
    if not parts:
        parts = [campaign.run()]
    merged = merge(parts[::-1])
    assert merged == whole
    assert whole.clean, whole.first
    assert merged.results.table.tolist() == whole.results.table.tolist()
    assert merged.results.names == whole.results.names
    assert merged.seconds == 0


def test_progress_and_time_are_those_handed_in(monkeypatch):
    monkeypatch.setattr(fuzz, "_BLOCK", 10_000)
    told = []
    times = iter([10.0, 12.5])
    report = Campaign(hosts=9000, runs=5).run(
        progress=lambda *pair: told.append(pair), clock=lambda: next(times)
    )
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert report.seconds == 2.5


def lie(change):
    """Return an engine that runs honestly and then changes the points of the last run."""

    def engine(policy, words, *, early=False):
        traces = run(policy, words, early=early)
        change(traces, int(traces.start[-2]), int(traces.start[-1]))
        return traces

    return engine


def phase_lie(traces, start, stop):
    traces.phase[stop - 1] = 5 - traces.phase[stop - 1]


def count_lie(traces, start, stop):
    traces.ready[stop - 1] += 1


def word_lie(traces, start, stop):
    traces.phase[start] = Phase.CONVERGE


@pytest.mark.parametrize(
    ("change", "check"),
    [(phase_lie, "closed_form"), (count_lie, "final_repeats"), (word_lie, "phase_word")],
)
def test_violations_are_counted_and_the_first_is_shown(change, check):
    report = Campaign(hosts=20, runs=24, seed=7, engine=lie(change)).run()
    assert report.runs == 24
    assert not report.clean
    assert len(report.violations) > 1
    assert [one.run for one in report.violations] == sorted(one.run for one in report.violations)
    assert report.first is report.violations[0]
    assert check in report.first.checks
    assert f"run {report.first.run} of seed 7, 20 hosts" in str(report.first)


def test_a_lie_about_which_host_reported_is_a_violation():
    def swapped(policy, words, *, early=False):
        return run(policy, words[:, ::-1].copy(), early=early)

    report = Campaign(hosts=50, runs=12, engine=swapped).run()
    assert {name for one in report.violations for name in one.checks} >= {"follows_schedule"}


def test_a_schedule_that_names_a_host_twice_is_a_violation():
    def twice(hosts, _):
        schedule = all_ready(hosts)
        schedule.order[0] = 1
        return StrictAll(), schedule

    report = Campaign(hosts=5, runs=2, suite=(Cell("twice", twice),)).run()
    assert [one.checks for one in report.violations] == [("every_host_once",)] * 2


def with_a_broken_cell(hosts, at):
    broken = UserPolicy(label="broken", predicate=lambda r, f, p: f < 2 or 1 // 0)
    cells = (*SUITE[:at], Cell("broken / all-fail", lambda n, _: (broken, all_fail(n))))
    return Campaign(hosts=hosts, runs=12, suite=cells)


@pytest.mark.parametrize("hosts", [5, 20_000])
def test_a_policy_that_raises_keeps_the_runs_before_it(hosts):
    report = with_a_broken_cell(hosts, 0).run()
    assert (report.runs, report.stopped_at) == (0, 0)
    report = with_a_broken_cell(hosts, 3).run()
    assert (report.runs, report.stopped_at) == (3, 3)
    assert report.stopped == (
        "policy `broken` raised ZeroDivisionError: integer division or modulo by zero"
        f" at ready 0, failed 2, prov {hosts - 2}"
    )
    assert not report.clean
    assert report.violations == ()


def test_where_a_policy_raises_does_not_depend_on_the_parts():
    campaign = with_a_broken_cell(5, 3)
    parts = [campaign.run(first=a, stop=b) for a, b in itertools.pairwise([0, 2, 5, 9, 12])]
    assert [part.stopped_at for part in parts] == [None, 3, 7, 11]
    assert merge(parts[::-1]) == campaign.run()
    assert merge(parts).results.table.tolist() == campaign.run().results.table.tolist()


def test_a_cell_that_complains_keeps_the_runs_before_it():
    def refuses(hosts, _):
        return Threshold(-hosts), all_ready(hosts)

    report = Campaign(hosts=5, runs=9, suite=(*SUITE[:2], Cell("refuses", refuses))).run()
    assert (report.runs, report.stopped_at) == (2, 2)
    assert "threshold is -5" in report.stopped


def test_one_policy_against_the_failure_patterns():
    cells = cells_of(MaxFailures(1), percents=(0, 40))
    report = Campaign(hosts=30, runs=12, suite=cells).run()
    assert report.clean
    assert list(report.cells) == [
        f"max-failures<=1 / {pattern}"
        for pattern in (
            "all-ready",
            "all-fail",
            "shuffled-ready",
            "0%-fail",
            "40%-fail",
            "random-fail",
        )
    ]
    assert report.results.column("failed_total")[3] == 0
    with pytest.raises(FlockError, match="percentage is 101"):
        cells_of(StrictAll(), percents=(101,))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"hosts": -1}, "hosts is -1; 0 or more is allowed"),
        ({"runs": -1}, "runs is -1; 0 or more is allowed"),
        ({"hosts": 2**31}, "hosts is 2147483648; at most 2147483644"),
        ({"suite": ()}, "the suite has no cells"),
    ],
)
def test_complaints(arguments, complaint):
    with pytest.raises(FlockError, match=complaint):
        Campaign(**arguments)


def test_parts_that_do_not_belong_together():
    one, other = Campaign(hosts=3, runs=4), Campaign(hosts=4, runs=4)
    with pytest.raises(FlockError, match="at least one"):
        merge([])
    with pytest.raises(FlockError, match="different campaigns"):
        merge([one.run(), other.run()])
    with pytest.raises(FlockError, match="the same run"):
        merge([one.run(), one.run(first=3)])
    with pytest.raises(FlockError, match="runs 2 to 5; 0 to 4"):
        one.run(first=2, stop=5)
    assert seed_of(2, 5) == 2_000_006 ^ 5
