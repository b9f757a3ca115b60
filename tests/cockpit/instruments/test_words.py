from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.flock.codes import Health, NodeStatus, ProposalKind, Result, TaskState, Vote
from flockcore.kernel.faults import AddTask, Crash
from flockcore.kernel.layer import Status, Verdict
from flockpit.instruments.ballots import Ballots, ballot_rows, needed_yes, summary
from flockpit.instruments.compare import Compare, comparisons
from flockpit.instruments.event_log import EventLog, Story
from flockpit.instruments.inspector import (
    Inspector,
    contradiction,
    field_rows,
    peer_rows,
    task_rows,
)
from flockpit.instruments.lamps import Lamps, lamp_rows, tally
from flockpit.instruments.view import Choice, DeckView

# ---------------------------------------------------------------- ballots


@given(st.integers(1, 65536), st.integers(1, 16))
def test_the_bar_stands_at_the_least_number_of_yes_that_approves(threshold, electorate):
    needed = needed_yes(threshold, electorate)
    assert needed * 65536 // electorate >= threshold
    assert (needed - 1) * 65536 // electorate < threshold


def ballot(**changes):
    return SimpleNamespace(
        **{
            "proposer": 3, "ballot": 1, "kind": 0, "threshold": 32769, "voters": (3, 4, 5, 6),
            "votes": (Vote.YES, None, Vote.NO, Vote.YES), "result": Result.PENDING, "opened": 10,
            "closed": None, **changes,
        }
    )  # fmt: skip


def test_open_ballots_come_first_then_the_latest():
    done = {"result": Result.APPROVED, "closed": 30}
    rows = ballot_rows([ballot(opened=20, ballot=2, **done), ballot(), ballot(opened=25, **done)])
    assert [row.opened for row in rows] == [10, 25, 20]


def test_votes_stand_in_order_the_silent_last():
    (row,) = ballot_rows([ballot()])
    assert [vote for _, vote in row.votes] == [Vote.YES, Vote.YES, Vote.NO, None]
    assert row.needed == 3


def test_a_summary_counts_what_is_decided():
    done = [ballot(result=Result.APPROVED, closed=14), ballot(result=Result.TIMEOUT, closed=60)]
    assert summary(ballot_rows([ballot(), *done])) == (1, 2, 27.0)
    assert summary([]) == (0, 0, None)


def test_both_plans_of_the_split_brain_are_shown_with_voters_and_threshold(runs):
    view = runs.view(440)
    shown = Ballots().html(view)
    assert "MODE_CHANGE" in shown
    assert "class='yes'" in shown
    assert "--needed:" in shown
    rows = ballot_rows(view.sim.flock.ballots())
    assert sum(row.result == Result.APPROVED for row in rows) == 2
    assert {row.kind for row in rows} == {ProposalKind.MODE_CHANGE}


def test_without_ballots_there_is_an_offer(calm):
    assert "data-do='propose'" in Ballots().html(calm)
    assert Ballots().headline(calm).numbers == ()


# ---------------------------------------------------------------- lamps


VERDICTS = (
    Verdict("One", Status.HOLDS, "7 of 7"),
    Verdict("Two", Status.VIOLATED, "n03 <b>", (3, 4)),
    Verdict("Three", Status.UNKNOWN, "cannot be told"),
)


def test_lamps_have_name_reason_and_the_nodes_they_are_about():
    shown = lamp_rows(VERDICTS, {})
    assert "data-do='select' data-with='3,4'" in shown
    assert "n03 &lt;b&gt;" in shown
    assert "pulse" not in shown
    assert tally(VERDICTS) == "1 hold, 1 violated, 1 unknown"


def test_a_lamp_that_changes_gets_one_ring():
    shown = lamp_rows(VERDICTS, {"One": Status.VIOLATED, "Two": Status.VIOLATED})
    assert shown.count("pulse") == 1


def test_the_verdicts_of_a_run_are_lit(split):
    lamps = Lamps()
    lamps.update(split)
    assert split.verdicts
    for verdict in split.verdicts:
        assert verdict.name in lamps.view.object
        assert len(verdict.reason) <= 34


# ---------------------------------------------------------------- events


def test_a_story_follows_the_playhead_on_and_back(runs):
    story = Story()
    for tick in (190, 400, 300, 800, 0):
        view = runs.view(tick)
        story.follow(view)
        assert story.events == view.events()


def test_the_log_says_when_it_is_cut(runs):
    log = EventLog()
    log.update(runs.view(0))
    assert "Nothing has happened" in log.view.object or "data-do='scrub'" in log.view.object
    log.update(runs.view(800))
    assert log.view.object.count("data-do='scrub'") == 100
    assert "100 of" in log.view.object


# ---------------------------------------------------------------- the inspector


def test_neighbours_come_first_then_those_it_is_wrong_about(split):
    rows = peer_rows(split, 24)
    elected = [row for row in rows if row.elected]
    assert [row.peer for row in elected] == [p for p in split.elected[24].tolist() if p >= 0]
    wrong = rows[len(elected) :]
    assert {row.peer for row in wrong} == set(range(24))
    assert all(contradiction(row) == "really up" for row in wrong)
    assert all(row.silent > 40_000 for row in wrong)
    assert {row.belief for row in elected} == {Health.ALIVE}


def test_a_belief_that_a_dead_node_lives_is_a_contradiction_too(runs):
    sim = runs.at(180).fork()
    sim.inject(Crash(nodes=(5,)))
    sim.run(2)
    view = DeckView(sim)
    found = {row.peer: row for row in peer_rows(view, 6)}[5]
    assert (found.belief, found.status) == (Health.ALIVE, NodeStatus.CRASHED)
    assert contradiction(found) == "really down"


def test_the_field_has_its_gradient(split):
    load = field_rows(split, 24)[0]
    assert load.name == "load"
    assert load.own == pytest.approx(split.sim.flock.own[0, 24] / 65536)
    assert load.gradient == pytest.approx(split.sim.flock.gradients[0, 24] / 65536)


def test_tasks_are_listed_with_their_deadlines(runs):
    sim = runs.at(180).fork()
    sim.inject(AddTask(node=24, priority=3, deadline_us=2_000_000, duration_us=1000))
    sim.run(1)
    (row,) = task_rows(DeckView(sim), 24)
    assert row.priority == 3
    assert row.state in set(TaskState)
    assert 0 < row.due_us <= 2_000_000
    assert "s left" in Inspector().html(DeckView(sim, Choice(selected=(24,))))


def test_the_inspector_shows_one_node_or_asks_for_one(runs, split):
    made = Inspector()
    made.update(split)
    assert "n24" in made.view.object
    assert "really up" in made.view.object
    made.update(runs.view(260))
    assert "Click a node" in made.view.object


# ---------------------------------------------------------------- two branches


def test_branches_are_equal_until_something_is_done_in_one(runs):
    sim = runs.at(180)
    other = sim.fork()
    assert not any(row.differs for row in comparisons(DeckView(sim), DeckView(other)))
    other.inject(Crash(nodes=(5,)))
    other.run(100)
    rows = {row.name: row for row in comparisons(DeckView(runs.at(280)), DeckView(other))}
    assert rows["state"].differs
    assert rows["DEAD now"].differs
    assert rows["detected in (p50)"].beside.endswith(" ms")


def test_the_table_marks_differences_or_says_how_to_get_a_second_branch(runs):
    sim = runs.at(180)
    made = Compare()
    made.update(DeckView(sim))
    assert "Fork here" in made.view.object
    other = sim.fork(seed=9)
    other.run(10)
    made.update(DeckView(sim, beside=DeckView(other)))
    assert "class='differs'" in made.view.object
