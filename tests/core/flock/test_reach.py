"""Reach: the fast searches against all pairs, sorted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from flockcore.errors import FlockError
from flockcore.flock.nearest import MAX_COORDINATE
from flockcore.flock.reach import (
    MAX_CUSTOM_NODES,
    MAX_DISTANCE,
    Metric,
    carry,
    distance,
    hearers,
    reach,
)

SPANS = st.sampled_from([0, 1, 3, 40, 1000, MAX_COORDINATE])


@st.composite
def flocks(draw, most=40):
    count, span = draw(st.integers(1, most)), draw(SPANS)
    axis = stnp.arrays(np.int64, (count, 3), elements=st.integers(-span, span))
    positions = draw(axis)
    if draw(st.booleans()):
        positions[:, 2] = 7
    return positions


def away(metric, positions, latency, custom):
    """Distance of two nodes in Python integers."""

    def physical(a, b):
        return math.isqrt(
            sum((int(x) - int(y)) ** 2 for x, y in zip(positions[a], positions[b], strict=True))
        )

    return {
        Metric.LOGICAL: lambda a, b: abs(a - b),
        Metric.PHYSICAL: physical,
        Metric.LATENCY: lambda a, b: int(latency[a]) + int(latency[b]),
        Metric.CUSTOM: lambda a, b: int(custom(a, b)),
    }[metric]


def slow_reach(count, members, size, far):
    peer, table = np.full((count, size), -1), np.zeros((count, size), dtype=np.int64)
    for one in members:
        best = sorted((far(int(one), int(other)), int(other)) for other in members if other != one)
        for slot, (gap, other) in enumerate(best[:size]):
            peer[one, slot], table[one, slot] = other, gap
    return peer, table


@given(flocks(), st.sampled_from(Metric), st.integers(1, 12))
def test_distances_of_a_reach_are_those_of_its_pairs(positions, metric, size):
    known = {"latency_us": np.arange(len(positions)) % 5, "custom": np.bitwise_xor}
    found = reach(metric, positions, size, **known)
    row, slot = np.nonzero(found.peer >= 0)
    pairs = distance(metric, row, found.peer[row, slot], positions=positions, **known)
    np.testing.assert_array_equal(found.distance[row, slot], pairs)


@pytest.mark.slow
@given(st.data(), flocks(), st.sampled_from(Metric), st.integers(1, 12))
def test_reach_is_the_nearest_of_all_pairs(data, positions, metric, size):
    count = len(positions)
    latency = data.draw(stnp.arrays(np.int64, count, elements=st.integers(0, 9)))
    present = data.draw(st.none() | stnp.arrays(np.bool_, count))
    members = np.arange(count) if present is None else np.flatnonzero(present)
    custom = np.bitwise_xor
    found = reach(metric, positions, size, latency_us=latency, custom=custom, present=present)
    peer, table = slow_reach(count, members, size, away(metric, positions, latency, custom))
    np.testing.assert_array_equal(found.peer, peer)
    np.testing.assert_array_equal(found.distance, table)


@pytest.mark.parametrize(
    ("span", "size"),
    [(0, 63), (1, 63), (20, 63), (5000, 63), (5000, 650), (MAX_COORDINATE, 63)],
)
def test_physical_reach_over_many_leaves(span, size):
    positions = np.random.default_rng(5).integers(-span, span + 1, (700, 3))
    positions[:300, 2] = 0
    apart = positions[:, None] - positions[None]
    exact = np.vectorize(math.isqrt, otypes=[np.int64])((apart * apart).sum(axis=-1))
    keys = exact << 32 | np.arange(700)
    np.fill_diagonal(keys, np.iinfo(np.int64).max)
    keys = np.sort(keys, axis=1)[:, :size]
    found = reach(Metric.PHYSICAL, positions, size)
    np.testing.assert_array_equal(found.peer, keys & 0xFFFFFFFF)
    np.testing.assert_array_equal(found.distance, keys >> 32)


def test_logical_reach_in_several_chunks():
    found = reach(Metric.LOGICAL, np.zeros((20_000, 3), dtype=np.int64), 4)
    np.testing.assert_array_equal(found.peer[0], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.peer[10_000], [9_999, 10_001, 9_998, 10_002])
    np.testing.assert_array_equal(found.peer[-1], [19_998, 19_997, 19_996, 19_995])


def test_metrics_without_their_data_are_logical():
    positions = np.arange(30).reshape(10, 3)
    logical = reach(Metric.LOGICAL, positions, 5)
    for metric in (Metric.LATENCY, Metric.CUSTOM):
        np.testing.assert_array_equal(reach(metric, positions, 5).peer, logical.peer)
        np.testing.assert_array_equal(distance(metric, np.array([7]), np.array([2])), [5])


@given(stnp.arrays(np.int64, (2, 3), elements=st.integers(-(2**15), 2**15 - 1)))
def test_ptp_3_distance_is_symmetric_and_exact(positions):
    there = distance(Metric.PHYSICAL, np.array([0]), np.array([1]), positions=positions).item()
    back = distance(Metric.PHYSICAL, np.array([1]), np.array([0]), positions=positions).item()
    assert there == back == away(Metric.PHYSICAL, positions, None, None)(0, 1) >= 0
    same = distance(Metric.PHYSICAL, np.array([1]), np.array([1]), positions=positions)
    assert same.item() == 0


@pytest.mark.slow
@given(flocks(), st.integers(1, 9))
def test_hearers_turn_reach_round(positions, size):
    peer = reach(Metric.PHYSICAL, positions, size).peer
    found = hearers(peer)
    for node in range(len(peer)):
        edges = found.edge[found.start[node] : found.start[node + 1]]
        np.testing.assert_array_equal(edges, np.flatnonzero(peer.reshape(-1) == node))


@pytest.mark.slow
@given(st.data(), flocks(20), st.integers(1, 6))
def test_carry_matches_pairs_that_stay(data, positions, size):
    moved = positions[data.draw(st.permutations(range(len(positions))))]
    before = reach(Metric.PHYSICAL, positions, size).peer
    after = reach(Metric.PHYSICAL, moved, size).peer
    old, new = carry(before, after)
    pairs = {
        (row, int(one))
        for row in range(len(before))
        for one in set(before[row]) & set(after[row]) - {-1}
    }
    for table, edges in ((before, old), (after, new)):
        peers = table.reshape(-1)[edges]
        assert set(zip((edges // size).tolist(), peers.tolist(), strict=True)) == pairs
        assert len(edges) == len(pairs)
    np.testing.assert_array_equal(before.reshape(-1)[old], after.reshape(-1)[new])


def test_one_node_reaches_nobody():
    alone = reach(Metric.PHYSICAL, np.zeros((1, 3), dtype=np.int64))
    assert (alone.peer == -1).all()
    assert not hearers(alone.peer).edge.size


def test_refusals_name_what_is_wrong_and_what_is_allowed():
    here = np.zeros((3, 3), dtype=np.int64)
    with pytest.raises(FlockError, match=rf"{2**40}.*-{MAX_COORDINATE} to {MAX_COORDINATE}"):
        reach(Metric.PHYSICAL, here + 2**40)
    with pytest.raises(FlockError, match=r"-3 to 0; 0 to \d+ is allowed"):
        reach(Metric.LATENCY, here, latency_us=np.array([0, -3, 0]))
    with pytest.raises(FlockError, match=rf"0 to {MAX_DISTANCE} is allowed"):
        reach(Metric.CUSTOM, here, custom=lambda a, b: a - b)
    with pytest.raises(FlockError, match=f"up to {MAX_CUSTOM_NODES} nodes"):
        reach(Metric.CUSTOM, np.zeros((20_001, 3), dtype=np.int64), custom=lambda a, b: a + b)
