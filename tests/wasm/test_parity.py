"""Comparing two records of a run; that browser and computer agree is tested in the browser."""

import json

import pytest

from flockcore.errors import FlockError
from flockwasm.inside.parity import CAMPAIGN, recorded
from flockwasm.parity import TOLERANCE, Difference, compare, table

RECORD = [[5, "aa", {"hodge.flow": [1.0, -2.0]}], [10, "bb", {"hodge.flow": [3.0, 4.0]}]]


def altered(at, **changes):
    points = json.loads(json.dumps(RECORD))
    points[at][1] = changes.get("digest", points[at][1])
    points[at][2]["hodge.flow"] = changes.get("flow", points[at][2]["hodge.flow"])
    return json.dumps(points)


def test_a_run_is_the_same_twice():
    once, again = recorded("curl-storm", longest=150), recorded("curl-storm", longest=150)
    found = compare("curl-storm", once, again)
    assert found.holds
    assert (found.ticks, found.checkpoints, found.largest) == (150, 2, 0.0)
    assert found.where.startswith("hodge.")


def test_a_campaign_is_recorded_like_a_run():
    found = compare(CAMPAIGN, recorded(CAMPAIGN), recorded(CAMPAIGN))
    assert found.holds
    assert (found.ticks, found.checkpoints, found.where) == (48, 4, "")


def test_the_first_tick_with_another_digest_is_named():
    found = compare("x", json.dumps(RECORD), altered(1, digest="cc"))
    assert found.exact == 10
    assert not found.holds


@pytest.mark.parametrize(("off", "holds"), [(TOLERANCE / 2, True), (TOLERANCE * 2, False)])
def test_floats_may_differ_by_the_tolerance_and_no_more(off, holds):
    found = compare("x", json.dumps(RECORD), altered(1, flow=[3.0, 4.0 * (1 + off)]))
    assert found.exact is None
    assert found.holds is holds
    assert found.where == "hodge.flow"


def test_an_array_of_another_length_differs():
    assert compare("x", json.dumps(RECORD), altered(0, flow=[1.0])).largest == float("inf")


def test_records_of_other_ticks_cannot_be_compared():
    with pytest.raises(FlockError, match="not recorded at the same ticks"):
        compare("x", json.dumps(RECORD), json.dumps(RECORD[:1]))


def test_the_table_says_what_differs():
    lines = list(
        table([Difference("calm", 100, 1, None, 0.0, ""), Difference("bad", 9, 1, 3, 0, "")])
    )
    assert "identical" in lines[1]
    assert lines[2].endswith("DIFFERS")
    assert "differ by tick 3" in lines[2]
