"""Logs: rows by tick, closed ticks, cuts, growth and the oldest rows that go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.kernel.log import Log


def log_of(*ticks, limit=4_000_000):
    """A log with one row per given tick, numbered."""
    log = Log({"number": np.int32}, limit=limit)
    for number, tick in enumerate(ticks):
        log.append(tick, 1, number=number)
    return log


def numbers(log, *span):
    return log.rows(*span)["number"].tolist()


@given(st.lists(st.integers(0, 30)).map(sorted), st.integers(0, 31), st.integers(0, 31))
def test_rows_are_found_by_tick(ticks, start, stop):
    log = log_of(*ticks)
    assert numbers(log, start, stop) == [n for n, t in enumerate(ticks) if start <= t < stop]
    assert numbers(log) == list(range(len(ticks))) == list(range(len(log)))


@given(st.lists(st.integers(0, 30)).map(sorted), st.integers(0, 31))
def test_a_cut_forgets_later_rows_and_opens_their_ticks(ticks, tick):
    log = log_of(*ticks)
    log.close(31)
    kept = log.copy()
    log.cut(tick)
    assert numbers(log) == [n for n, t in enumerate(ticks) if t <= tick]
    assert log.closed == min(tick, 31)
    assert numbers(kept) == list(range(len(ticks)))
    log.append(31, 1, number=-1)
    kept.append(31, 1, number=-1)
    assert (-1 in numbers(log), -1 in numbers(kept)) == (tick < 31, False)


def test_a_closed_tick_takes_no_more_rows():
    log = log_of(1, 2)
    log.close(2)
    log.append(2, 1, number=9)
    log.append(3, 0, number=9)
    assert len(log) == 2


def test_one_value_serves_many_rows():
    log = Log({"node": np.int32, "pair": (np.int8, (2,))})
    log.append(4, 600, node=np.arange(600), pair=(1, 2))
    rows = log.rows()
    assert rows["tick"].tolist() == [4] * 600
    assert rows["node"].tolist() == list(range(600))
    assert rows["pair"].shape == (600, 2)


def test_rows_cannot_be_written_through_a_view():
    log = log_of(1, 2, 3)
    with pytest.raises(ValueError, match="read-only"):
        log.rows()["number"][0] = 7
    log.append(4, 1, number=3)
    assert numbers(log) == [0, 1, 2, 3]


def test_at_its_limit_the_oldest_half_goes_by_whole_ticks():
    log = log_of(1, 1, 2, 2, 2, 3, 4, 5, limit=8)
    assert log.first_tick == 0
    log.append(6, 1, number=8)
    assert log.first_tick == 3
    assert log.rows()["tick"].tolist() == [3, 4, 5, 6]
    assert log.copy().first_tick == 3


def test_a_tick_larger_than_what_is_left_still_fits():
    log = log_of(*range(8), limit=8)
    log.append(9, 20, number=np.arange(20))
    assert log.rows(9)["number"].tolist() == list(range(20))
