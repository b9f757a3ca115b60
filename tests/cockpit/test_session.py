"""One person's run, without a page: nothing that is asked of it makes it unusable."""

import itertools

import pytest

from flockcore.kernel.faults import Crash, Heal, Loss, Partition, Propose
from flockcore.scenario import Scenario, TourStop
from flockpit.playback import SPEEDS
from flockpit.session import Session


class Clock:
    """A clock that the test moves; by itself it moves a little at each look."""

    def __init__(self, each=1e-5):
        self.now = 100.0
        self.each = each

    def __call__(self):
        self.now += self.each
        return self.now


def scenario(**changes):
    return Scenario(**{"nodes": 12, "ticks": 200, "seed": 3, "title": "Small", **changes})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(clock):
    return Session(scenario(), clock=clock)


def record(session, show):
    """Record the whole scenario, then show one tick of it."""
    session.record_ahead(show)
    run_until_idle(session)


def run_until_idle(session, most=10_000):
    for _ in range(most):
        if not session.busy:
            return
        session.advance()
    pytest.fail("the session never comes to rest")


# ---------------------------------------------------------------- running


def test_it_stands_still_until_it_is_played(session):
    assert session.advance() == 0
    assert session.tick == 0


def test_the_speed_decides_how_far_it_runs(session, clock):
    session.play()
    session.advance()
    clock.now += 1.0
    assert session.advance() == 50
    session.change_speed(SPEEDS[2])
    session.advance()
    clock.now += 1.0
    assert session.advance() == 5


def test_a_slice_ends_with_its_budget_and_has_one_tick_at_least():
    session = Session(scenario(), clock=Clock(each=0.015))
    session.change_speed(SPEEDS[-1])
    session.play()
    assert [session.advance(20.0) for _ in range(3)] == [2, 2, 2]
    assert session.advance(0.0) == 1


def test_it_pauses_at_the_end_of_the_scenario_and_goes_on_when_asked():
    session = Session(scenario(), clock=Clock(each=0.001))
    session.change_speed(SPEEDS[-1])
    session.play()
    run_until_idle(session)
    assert session.tick == session.length == 200
    session.play()
    session.advance()
    session.pause()
    assert session.tick > 200
    assert session.length > 200


def test_steps_add_up_before_they_are_run(session):
    session.step()
    session.step()
    session.advance()
    assert session.tick == 2
    session.step(-5)
    session.advance()
    assert session.tick == 0


def test_scrubbing_pauses_and_keeps_what_is_recorded(session):
    record(session, 60)
    session.play()
    session.scrub(25.4)
    session.advance()
    assert (session.tick, session.playback.playing) == (25, False)
    assert session.sim.recorded_until == 200
    session.to_end()
    session.advance()
    assert session.tick == 200


def test_going_back_and_forth_gives_the_same_state(session):
    record(session, 80)
    before = session.sim.digest()
    for tick in (10, 80, 140, 80):
        session.scrub(tick)
        session.advance()
    assert session.sim.digest() == before


def test_every_change_is_told(session):
    told = []
    session.on_change = lambda: told.append(session.version)
    session.step()
    session.advance()
    session.inject(Crash(nodes=(1,)))
    session.pause()
    assert told == sorted(set(told))
    assert told


# ---------------------------------------------------------------- faults


def test_a_fault_begins_at_the_next_tick(session):
    session.step(10)
    session.advance()
    assert session.inject(Crash(nodes=(4,)))
    assert [fault.start for fault in session.sim.injected] == [11]
    assert "tick 11" in session.notice.text
    assert session.notice.verb == "undo"


def test_what_does_not_fit_is_refused_in_words_and_changes_nothing(session):
    before = session.sim.script
    assert not session.inject(Crash(nodes=(400,)))
    assert session.notice.refused
    assert "400" in session.notice.text
    assert session.sim.script is before
    assert not session.can_undo


def test_a_deed_of_several_faults_is_done_or_refused_as_a_whole(session):
    session.inject(Partition(groups=((0, 1),)))
    session.step()
    session.advance()
    before = session.sim.script.faults
    assert not session.inject(Heal(), Crash(nodes=(400,)))
    assert session.sim.script.faults == before
    assert session.inject(Heal(), Partition(groups=((2, 3),)))
    assert [fault.kind_name for fault in session.sim.injected] == ["partition", "heal", "partition"]
    session.undo()
    assert [fault.kind_name for fault in session.sim.injected] == ["partition"]


def test_undo_steps_back_over_the_injection(session):
    record(session, 50)
    future = session.sim.digest()
    session.inject(Loss(probability=0.5))
    session.step(30)
    session.advance()
    session.undo()
    assert session.tick == 50
    assert session.sim.digest() == future
    assert session.sim.recorded_until == 200
    assert session.sim.branches == {}


def test_undo_without_an_injection_says_so(session):
    session.undo()
    assert session.notice.refused


def test_an_injection_in_the_past_keeps_the_future_as_a_branch(session):
    record(session, 50)
    session.inject(Crash(nodes=(1,)))
    (name,) = session.sim.branches
    session.switch(name)
    assert session.sim.injected == ()
    assert session.sim.recorded_until == 200


def test_an_unknown_branch_is_refused(session):
    session.switch("nowhere")
    assert session.notice.refused
    assert session.failure is None


# ---------------------------------------------------------------- forks


def test_a_fork_stands_beside_and_runs_along(session):
    record(session, 40)
    trunk = session.sim
    session.fork(9)
    assert session.beside is trunk
    assert session.sim.tick == 40
    session.step(5)
    session.advance()
    assert (session.sim.tick, session.beside.tick) == (45, 45)


def test_faults_go_to_the_branch_that_is_watched(session):
    session.fork()
    fork, trunk = session.sim, session.beside
    session.inject(Crash(nodes=(2,)))
    assert (len(fork.injected), len(trunk.injected)) == (1, 0)
    session.swap()
    session.inject(Crash(nodes=(3,)))
    assert (len(fork.injected), len(trunk.injected)) == (1, 1)
    session.join()
    assert session.sim is trunk
    assert session.beside is None


# ---------------------------------------------------------------- beginnings


def test_a_reset_can_be_taken_back(session):
    session.inject(Crash(nodes=(2,)))
    session.step(20)
    session.advance()
    session.reset()
    assert session.tick == 0
    assert session.sim.injected == ()
    assert session.sim.schedule[0][1] == 3
    session.unreset()
    assert session.tick == 20
    assert len(session.sim.injected) == 1


def test_there_may_be_nothing_to_bring_back(session):
    session.unreset()
    assert session.notice.refused


def test_another_scenario_keeps_the_speed(session):
    session.change_speed(SPEEDS[2])
    session.load(scenario(nodes=5))
    assert session.scenario.nodes == 5
    assert session.playback.speed is SPEEDS[2]


def test_what_follows_is_recorded_while_there_is_nothing_else_to_do(clock):
    session = Session(scenario(), clock=Clock(each=0.001))
    session.record_ahead(50)
    assert (session.tick, session.sim.recorded_until) == (50, 50)
    before = session.sim.digest()
    run_until_idle(session)
    assert (session.tick, session.sim.recorded_until) == (50, 200)
    assert session.sim.digest() == before


def test_playing_and_injecting_come_before_recording_ahead():
    session = Session(scenario(), clock=Clock(each=0.001))
    session.record_ahead(50)
    session.advance()
    session.step(2)
    session.advance()
    assert (session.tick, session.sim.recorded_until) == (52, 52)
    session.inject(Crash(nodes=(1,)))
    run_until_idle(session)
    assert session.sim.recorded_until == 52
    assert len(session.sim.injected) == 1


# ---------------------------------------------------------------- sharing


def test_a_shared_run_is_executed_again_and_found_identical(session):
    record(session, 70)
    session.inject(Crash(nodes=(1,)))
    session.step(40)
    session.advance()
    token, digest = session.token(), session.sim.digest()
    other = Session(scenario(nodes=4))
    other.open(token)
    run_until_idle(other)
    assert (other.tick, other.sim.digest()) == (110, digest)
    assert other.checked == "identical"
    assert len(other.sim.injected) == 1


def test_what_was_injected_at_the_last_tick_is_shared_too(session):
    session.step(7)
    session.advance()
    session.inject(Crash(nodes=(1,)))
    other = Session(scenario(nodes=4))
    other.open(session.token())
    run_until_idle(other)
    assert other.checked == "identical"
    assert [fault.start for fault in other.sim.injected] == [8]


@pytest.mark.parametrize("token", ["", "nonsense", "fp1.30.abc", "fp9.3.abc"])
def test_a_bad_token_leaves_the_session_as_it_was(session, token):
    session.step(3)
    session.advance()
    session.open(token)
    assert session.notice.refused
    assert (session.tick, session.busy, session.failure) == (3, False, None)


def test_opening_a_long_run_takes_several_slices(session, clock):
    session.step(150)
    session.advance()
    other = Session(scenario(nodes=4), clock=Clock(each=0.01))
    other.open(session.token())
    other.advance()
    assert other.busy
    assert "of 150" in other.notice.text
    run_until_idle(other)
    assert other.tick == 150


# ---------------------------------------------------------------- the tour


def tour():
    stops = [TourStop(tick=at, title=f"Stop {at}", text="See.", focus=0) for at in (20, 35)]
    return scenario(tour=tuple(stops))


def test_the_tour_stops_where_it_is_marked(clock):
    session = Session(tour(), clock=clock)
    session.change_speed(SPEEDS[-1])
    session.start_tour()
    assert session.stop is None
    run_until_idle(session)
    assert session.stop.title == "Stop 20"
    session.next_stop()
    run_until_idle(session)
    assert (session.tick, session.stop.title) == (35, "Stop 35")
    session.next_stop()
    assert session.tour is None


def test_play_goes_on_with_the_tour(clock):
    session = Session(tour(), clock=clock)
    session.change_speed(SPEEDS[-1])
    session.start_tour()
    run_until_idle(session)
    session.toggle()
    run_until_idle(session)
    assert session.tick == 35


def test_the_tour_can_be_left(clock):
    session = Session(tour(), clock=clock)
    session.start_tour()
    session.end_tour()
    assert session.stop is None
    assert session.tour is None


def test_a_scenario_without_a_tour_says_so(session):
    session.start_tour()
    assert session.notice.refused
    assert not session.busy


# ---------------------------------------------------------------- failures


@pytest.fixture
def breaking(session, monkeypatch):
    """A session whose simulation raises at the eleventh tick, once."""
    real = session.sim.run
    left = itertools.count()

    def run(ticks):
        if session.sim.tick == 10 and next(left) == 0:
            raise ZeroDivisionError("a bug")
        real(ticks)

    monkeypatch.setattr(session.sim, "run", run)
    return session


def test_a_bug_stops_the_run_and_is_shown(breaking):
    breaking.change_speed(SPEEDS[-1])
    breaking.play()
    run_until_idle(breaking)
    failure = breaking.failure
    assert failure.tick == 10
    assert failure.line == "ZeroDivisionError: a bug"
    assert "Traceback" in failure.trace
    assert not breaking.playback.playing
    breaking.play()
    assert not breaking.busy


def test_the_run_goes_on_from_the_last_good_tick(breaking):
    breaking.change_speed(SPEEDS[-1])
    breaking.play()
    run_until_idle(breaking)
    breaking.recover()
    assert breaking.failure is None
    assert breaking.tick == 10
    breaking.step(5)
    breaking.advance()
    assert breaking.tick == 15


def test_a_ballot_proposed_by_nobody_is_refused(session):
    assert not session.inject(Propose(node=99))
    assert session.notice.refused


# ---------------------------------------------------------------- work besides the run


class Counting:
    """Work of some slices, one of which may fail."""

    def __init__(self, slices, *, bad=None):
        self.left, self.bad = slices, bad

    @property
    def done(self):
        return self.left == 0

    def work(self, until):
        self.left -= 1
        if self.left == self.bad:
            raise ValueError("a slice that fails")


def test_work_besides_the_run_goes_on_while_it_plays():
    session = Session(scenario())
    session.chore = Counting(5)
    session.play()
    for _ in range(5):
        assert session.busy
        session.advance()
    assert session.chore is None


def test_work_that_fails_is_given_up_and_said():
    session = Session(scenario())
    session.chore = Counting(5, bad=3)
    session.advance()
    session.advance()
    assert session.chore is None
    assert "a slice that fails" in session.failure.line
    session.recover()
    session.step()
    session.advance()
    assert session.tick == 1
