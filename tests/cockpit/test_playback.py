"""Wall time turned into goals."""

from math import inf

import pytest

from flockpit.playback import DEFAULT_SPEED, SPEEDS, Playback, Speed


def test_the_speeds_go_from_slow_motion_to_as_fast_as_possible():
    factors = [speed.factor for speed in SPEEDS]
    assert factors == sorted(factors)
    assert 1 / 200 in factors
    assert factors[-1] == inf
    assert DEFAULT_SPEED.factor == 1 / 20


def test_nothing_is_due_while_paused():
    assert Playback(1000).goal(5.0, 17) == 17


@pytest.mark.parametrize(("factor", "tick_us", "ticks"), [(0.05, 1000, 50), (1.0, 10_000, 100)])
def test_the_goal_follows_the_clock(factor, tick_us, ticks):
    playback = Playback(tick_us, Speed("", factor))
    playback.play()
    assert playback.goal(10.0, 3) == 3
    assert playback.goal(11.0, 3) == 3 + ticks


def test_as_fast_as_possible_has_no_goal():
    playback = Playback(1000, SPEEDS[-1])
    playback.play()
    assert playback.unbounded
    assert playback.goal(0.0, 0) == inf


def test_a_missed_goal_leaves_no_debt():
    playback = Playback(1000, Speed("", 1.0))
    playback.play()
    playback.goal(0.0, 0)
    playback.reached(1.0, 400, playback.goal(1.0, 0))
    assert playback.lagging
    assert playback.goal(1.1, 400) == 500


def test_fractions_of_a_tick_add_up():
    playback = Playback(1000, Speed("", 0.001))
    playback.play()
    goals = []
    for tenth in range(21):
        now = tenth / 10
        goal = playback.goal(now, goals[-1] if goals else 0)
        playback.reached(now, goal, goal)
        goals.append(goal)
    assert goals[-1] == 2


def test_changing_the_speed_begins_a_new_count():
    playback = Playback(1000, Speed("", 1.0))
    playback.play()
    playback.goal(0.0, 0)
    playback.change(Speed("", 0.01))
    assert playback.goal(1.0, 1000) == 1000
    assert playback.goal(2.0, 1000) == 1010
