"""Averages of a neighbourhood against plain Python, and the properties PFD-8 to 11."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

import field_twin
from flockcore.flock import aggregation, fixed
from flockcore.flock.aggregation import aggregate, gradient, neighbour_weight, newest
from flockcore.flock.codes import Health
from flockcore.flock.decay import FIELD_COUNT

LOW, HIGH = fixed.INT32_MIN, fixed.INT32_MAX
RAW = st.integers(LOW, HIGH) | st.integers(0, fixed.ONE) | st.sampled_from([LOW, HIGH, -1, 1])
WEIGHT = st.integers(0, fixed.ONE) | st.integers(0, 5)
FIELDS = st.integers(1, 6).flatmap(
    lambda count: stnp.arrays(np.int64, (FIELD_COUNT, count), elements=RAW)
)


@st.composite
def neighbourhoods(draw, most_neighbours=15):
    """Arguments of `aggregate` for a few nodes, with some components that nobody uses."""
    table = draw(FIELDS)
    table[draw(st.lists(st.integers(0, FIELD_COUNT - 1)))] = 0
    count = table.shape[1]
    shape = draw(st.tuples(st.integers(0, most_neighbours), st.integers(1, 5)))
    return (
        table,
        draw(st.just(np.ones(count, np.bool_)) | stnp.arrays(np.bool_, count)),
        draw(stnp.arrays(np.intp, shape, elements=st.integers(0, count - 1))),
        draw(stnp.arrays(np.int64, shape, elements=WEIGHT)),
        draw(stnp.arrays(np.bool_, shape)),
    )


def slow(table, valid, index, weight, eligible):
    """Every node by itself, in plain Python."""
    for node in range(index.shape[1]):
        columns = index[:, node]
        samples = [table[:, at].tolist() if valid[at] else None for at in columns]
        healths = [Health.ALIVE if able else Health.DEAD for able in eligible[:, node]]
        yield field_twin.aggregate(samples, healths, weight[:, node].tolist())


def assert_agrees(arguments):
    found = aggregate(*arguments)
    averages, degraded, total = zip(*slow(*arguments), strict=True)
    assert found.values.T.tolist() == list(averages)
    assert found.degraded.tolist() == list(degraded)
    assert found.total_weight.tolist() == list(total)


@settings(max_examples=40)
@given(neighbourhoods())
def test_averages_agree_with_plain_python(arguments):
    assert_agrees(arguments)


@settings(max_examples=40)
@given(neighbourhoods(most_neighbours=4), st.integers(1, 3))
def test_blocks_do_not_show(arguments, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aggregation, "_BLOCK", size)
        assert_agrees(arguments)


@settings(max_examples=30)
@given(st.integers(1, 31), st.sampled_from([LOW, LOW + 1, HIGH, HIGH - 1]), st.data())
def test_averages_are_exact_for_the_largest_numbers(count, value, data):
    """Up to 31 neighbours, weights that make quotients come close to whole numbers."""
    weights = data.draw(
        stnp.arrays(np.int64, (count, 8), elements=st.sampled_from([1, 2, 3, 65535, 65536]))
    )
    table = np.repeat([[value, value + 1, -value - 1, 1, -1, 65536]], 2, axis=0).T
    table = np.clip(table, LOW, HIGH)
    table[:, 1] = data.draw(stnp.arrays(np.int64, 6, elements=RAW))
    index = data.draw(stnp.arrays(np.intp, (count, 8), elements=st.integers(0, 1)))
    everyone = np.ones((count, 8), np.bool_)
    assert_agrees((table, np.ones(2, np.bool_), index, weights, everyone))


@given(
    st.lists(st.sampled_from(Health), min_size=1, max_size=8),
    st.integers(-5, 3000) | st.integers(0, HIGH),
)
def test_weights_agree_with_plain_python(healths, distance):
    found = neighbour_weight(np.array(healths), np.full(len(healths), distance))
    assert found.tolist() == [field_twin.weight(health, distance) for health in healths]


def test_weights_of_the_specification():
    distance = np.array([0, 1, 2, 7, 20, 62, 256, 1000, 6885])
    expected = [65536, 65280, 65027, 63791, 60787, 52758, 32768, 13357, 2349]
    alive = np.full(9, Health.ALIVE)
    assert neighbour_weight(alive, distance).tolist() == expected
    assert neighbour_weight(np.full(9, Health.SUSPECT), np.zeros(9, int)).tolist() == [32768] * 9


@pytest.mark.slow
@given(neighbourhoods())
def test_an_average_lies_between_what_contributes(arguments):
    table, valid, index, weight, eligible = arguments
    found = aggregate(*arguments)
    for node in range(index.shape[1]):
        counts = eligible[:, node] & valid[index[:, node]]
        total = weight[counts, node].sum()
        assert found.total_weight[node] == total
        if total == 0:
            assert not found.values[:, node].any()
            continue
        weighing = counts & (weight[:, node] > 0)
        samples = table[:, index[weighing, node]]
        slack = counts.sum() * 65536 / total + 1
        assert (found.values[:, node] >= samples.min(axis=1) - slack).all()
        assert (found.values[:, node] <= samples.max(axis=1) + slack).all()


@pytest.mark.slow
@given(stnp.arrays(np.int64, (FIELD_COUNT, 1), elements=RAW), st.integers(1, 15), st.data())
def test_equal_neighbours_average_to_themselves_whatever_the_dead_say(field, alive, data):
    others = data.draw(FIELDS)
    table = np.concatenate([field, others], axis=1)
    valid = np.append(True, data.draw(stnp.arrays(np.bool_, others.shape[1])))
    # Every other column is either no valid sample, or belongs to a peer that does not count.
    strangers = np.arange(1, table.shape[1])
    index = np.concatenate([np.zeros(alive, np.intp), strangers])[:, None]
    health = np.where(valid[strangers], data.draw(st.sampled_from([0, 3])), Health.ALIVE)
    health = np.concatenate([np.full(alive, Health.ALIVE), health])[:, None]
    eligible = (health == Health.ALIVE) | (health == Health.SUSPECT)
    weight = neighbour_weight(health, np.zeros_like(index))
    found = aggregate(table, valid, index, weight, eligible)
    assert np.array_equal(found.values, field)
    assert found.total_weight.tolist() == [alive * fixed.ONE]


@pytest.mark.slow
@given(neighbourhoods(), st.randoms(use_true_random=False))
def test_the_order_of_neighbours_does_not_matter(arguments, random):
    table, valid, index, weight, eligible = arguments
    order = list(range(len(index)))
    random.shuffle(order)
    found = aggregate(*arguments)
    other = aggregate(table, valid, index[order], weight[order], eligible[order])
    assert np.array_equal(found.values, other.values)
    assert np.array_equal(found.degraded, other.degraded)


@pytest.mark.slow
@given(neighbourhoods(), st.data())
def test_the_newest_publication_that_counts(arguments, data):
    table, valid, index, _, eligible = arguments
    times = data.draw(stnp.arrays(np.int64, table.shape[1], elements=st.integers(0, 2**50)))
    found = newest(times, valid, index, eligible)
    for node in range(index.shape[1]):
        counts = eligible[:, node] & valid[index[:, node]]
        assert found[node] == max(times[index[counts, node]], default=0)


@given(FIELDS, st.data())
def test_gradients_change_sign_when_swapped(aggregated, data):
    own = data.draw(stnp.arrays(np.int64, aggregated.shape, elements=RAW))
    there, back = gradient(aggregated, own), gradient(own, aggregated)
    unsaturated = np.abs(aggregated - own) <= HIGH
    assert np.array_equal(there[unsaturated], -back[unsaturated])
    assert np.array_equal(there == 0, aggregated == own)
    assert np.array_equal(there, np.clip(aggregated - own, LOW, HIGH))


def test_nobody_there_is_not_degraded_and_silence_is():
    table, valid = np.full((FIELD_COUNT, 1), 5), np.array([False])
    nobody = np.zeros((0, 2), np.intp)
    found = aggregate(table, valid, nobody, nobody.astype(np.int64), nobody.astype(np.bool_))
    assert found.values.tolist() == [[0, 0]] * FIELD_COUNT
    assert found.degraded.tolist() == [False, False]
    silent = np.zeros((1, 2), np.intp)
    found = aggregate(table, valid, silent, silent + fixed.ONE, np.array([[True, False]]))
    assert found.degraded.tolist() == [True, False]
    assert not found.values.any()


@pytest.mark.slow
@given(neighbourhoods())
def test_nothing_handed_over_is_changed(arguments):
    assume(arguments[2].size)
    before = [one.copy() for one in arguments]
    aggregate(*arguments)
    assert all(np.array_equal(a, b) for a, b in zip(arguments, before, strict=True))
