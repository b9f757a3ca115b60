"""Module states and the merge of outcomes, against the specification's table."""

import itertools

import numpy as np
import pytest

from flockcore.flock.codes import Code, ModuleState
from flockcore.flock.states import merge, next_states, reform, starts, ticks

S = ModuleState


def plain_next(state, elected, least):
    """Section 9.7, read aloud."""
    if state in (S.INIT, S.SHUTDOWN):
        return state
    if elected >= least:
        return S.ACTIVE
    if state == S.DISCOVERING:
        return S.DISCOVERING
    return S.DEGRADED if elected else S.ISOLATED


def test_every_state_and_every_count_of_neighbours():
    grid = list(itertools.product(S, range(16), range(1, 8)))
    for least in range(1, 8):
        cases = [(state, elected) for state, elected, bound in grid if bound == least]
        states = np.array([state for state, _ in cases], dtype=np.uint8)
        elected = np.array([count for _, count in cases])
        expected = [plain_next(state, count, least) for state, count in cases]
        assert next_states(states, elected, least).tolist() == expected
        assert next_states(states, elected, least).dtype == np.uint8
    print(f"PMD-1: 7 states, 16 counts of neighbours, 7 minima: {len(grid)} cases, closed")


def test_only_active_and_degraded_modules_reform_when_a_peer_dies():
    states = np.array(list(S), dtype=np.uint8)
    assert not reform(states, np.zeros(7, dtype=np.bool_)).any()
    assert np.flatnonzero(reform(states, np.ones(7, dtype=np.bool_))).tolist() == [
        S.ACTIVE,
        S.DEGRADED,
    ]


def test_a_module_starts_once():
    codes, after = starts(np.array(list(S), dtype=np.uint8))
    assert codes.tolist() == [Code.OK] + [Code.BUSY] * 6
    assert after.tolist() == [S.DISCOVERING, *list(S)[1:]]


def test_initial_and_stopped_modules_do_not_tick():
    active = ticks(np.array(list(S), dtype=np.uint8))
    assert np.flatnonzero(~active).tolist() == [S.INIT, S.SHUTDOWN]


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        (Code.OK, Code.OK, Code.OK),
        (Code.OK, Code.DEGRADED, Code.DEGRADED),
        (Code.DEGRADED, Code.OK, Code.DEGRADED),
        (Code.DEGRADED, Code.HAL_FAILURE, Code.HAL_FAILURE),
        (Code.OK, Code.HAL_FAILURE, Code.HAL_FAILURE),
        (Code.HAL_FAILURE, Code.DEGRADED, Code.HAL_FAILURE),
        (Code.HAL_FAILURE, Code.OK, Code.HAL_FAILURE),
    ],
)
def test_the_worse_outcome_wins(first, second, merged):
    both = merge(np.array([first], dtype=np.int8), np.array([second], dtype=np.int8))
    assert both.tolist() == [merged]
    assert both.dtype == np.int8
