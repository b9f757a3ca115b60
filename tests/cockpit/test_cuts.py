"""Where the presets cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockpit.cuts import around, halves, sectors, sides_of

places = st.lists(
    st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=3, max_size=40
).map(lambda pairs: np.array(pairs, dtype=np.int64))


def everybody(positions):
    return np.ones(len(positions), dtype=bool)


@given(places)
def test_halves_part_everybody_into_two_sides_of_similar_size(positions):
    first, second = halves(positions, everybody(positions))
    assert sorted((*first, *second)) == list(range(len(positions)))
    assert min(len(first), len(second)) >= len(positions) * 2 // 5
    assert min(len(first), len(second)) >= 1


@given(places)
def test_sectors_part_everybody_into_sides_of_equal_size(positions):
    sides = sectors(positions, everybody(positions))
    sizes = [len(side) for side in sides]
    assert sorted(node for side in sides for node in side) == list(range(len(positions)))
    assert max(sizes) - min(sizes) <= 1


def test_the_cut_runs_through_the_gap_between_clusters():
    left = [(x, y) for x in range(3) for y in range(3)]
    right = [(x + 50, y) for x in range(3) for y in range(4)]
    positions = np.array(left + right)
    assert halves(positions, everybody(positions)) == (tuple(range(9)), tuple(range(9, 21)))


def test_three_clusters_stay_whole():
    corners = [(0, 0), (100, 0), (50, 90)]
    positions = np.array([(x + dx, y) for x, y in corners for dx in (0, 2, 4)])
    sides = sectors(positions, everybody(positions))
    assert sorted(sides) == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]


def test_who_is_not_there_is_on_no_side():
    positions = np.array([(x, 0) for x in range(10)])
    members = everybody(positions)
    members[[0, 9]] = False
    assert sorted(node for side in halves(positions, members) for node in side) == list(range(1, 9))
    assert around([0, 4], members) == ((4,),)


@pytest.mark.parametrize("nodes", [0, 1])
def test_too_few_nodes_cannot_be_cut(nodes):
    positions = np.zeros((nodes, 2), dtype=np.int64)
    assert halves(positions, everybody(positions)) == ()
    assert sectors(positions, everybody(positions)) == ()


def test_nobody_is_left_when_everybody_is_isolated():
    assert around([0, 1], np.ones(2, dtype=bool)) == ()


@given(st.lists(st.lists(st.integers(0, 20), max_size=8), max_size=5))
def test_a_node_is_on_the_side_that_was_drawn_last(drawn):
    sides = sides_of(drawn)
    flat = [node for side in sides for node in side]
    assert len(flat) == len(set(flat))
    assert set(flat) == {node for nodes in drawn for node in nodes}
    if drawn and drawn[-1]:
        assert set(sides[-1]) == set(drawn[-1])
