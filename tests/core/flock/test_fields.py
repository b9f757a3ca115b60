"""The field region against a plain list of slots, and the properties PFD-1 to 5 and 12."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_twin import SlowRegion
from flockcore.flock import fixed
from flockcore.flock.codes import Code
from flockcore.flock.decay import FIELD_COUNT, Component, ComponentProfile, Decay, DecayProfile
from flockcore.flock.fields import (
    FieldRegion,
    add,
    collect,
    decayed,
    lerp,
    publish,
    sample,
    scale,
    valid,
)
from flockcore.kernel.state import capture, restore

NODES = 4
RAW = st.integers(fixed.INT32_MIN, fixed.INT32_MAX) | st.integers(0, fixed.ONE)
FIELD = st.lists(RAW, min_size=FIELD_COUNT, max_size=FIELD_COUNT)
ROW = st.integers(-1, NODES)
TIME = st.integers(0, 1_500_000)
SEQUENCE = st.integers(0, 255)
PROFILES = st.sampled_from(
    [
        DecayProfile(),
        DecayProfile.uniform(model=Decay.LINEAR, tau_us=200_000, max_age_us=150_000),
        DecayProfile.uniform(
            special={Component.POWER: ComponentProfile(model=Decay.STEP, default=7, floor=3)}
        ),
    ]
)

publications = st.dictionaries(ROW, st.tuples(FIELD, SEQUENCE), min_size=1)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), publications, TIME),
        st.tuples(st.just("sample"), st.lists(ROW, max_size=5), TIME, PROFILES),
        st.tuples(st.just("collect"), st.sampled_from([0, 1000, 500_000]), TIME),
        st.tuples(st.just("stop"), st.integers(0, NODES - 1)),
    ),
    max_size=12,
)


def one(components):
    return np.array(components, dtype=np.int64)[:, None]


def rows(*nodes):
    return np.array(nodes, dtype=np.intp)


class Both:
    """The region and its twin, given the same operations."""

    def __init__(self):
        self.fast, self.slow = FieldRegion.empty(NODES), SlowRegion(NODES)

    def publish(self, fields, now):
        values = np.array([components for components, _ in fields.values()]).T
        sequence = np.array([number for _, number in fields.values()], dtype=np.uint8)
        found = publish(self.fast, rows(*fields), values, sequence, now)
        assert found.tolist() == [
            self.slow.publish(row, components, number, now)
            for row, (components, number) in fields.items()
        ]

    def sample(self, which, now, profile):
        found = sample(self.fast, rows(*which), now, profile)
        for at, row in enumerate(which):
            status, values = self.slow.sample(row, now, profile)
            assert found.status[at] == status
            assert found.values[:, at].tolist() == values
            slot = self.slow.slots[row] if status == Code.OK else None
            wanted = [slot.published_at, slot.source, slot.sequence] if slot else [0, 0, 0]
            columns = (found.published_at, found.source, found.sequence)
            assert [column[at] for column in columns] == wanted
        self.check_decayed(now, profile)

    def check_decayed(self, now, profile):
        table, readable = decayed(self.fast, now, profile)
        for row in range(NODES):
            status, values = self.slow.sample(row, now, profile)
            assert readable[row] == (status == Code.OK)
            if readable[row]:
                assert table[:, row].tolist() == values

    def collect(self, max_age, now):
        assert collect(self.fast, max_age, now) == self.slow.collect(max_age, now)

    def stop(self, row):
        """A writer stops half-way."""
        self.fast.counter[row] |= 1
        self.slow.slots[row].counter |= 1

    def check(self):
        for row, slot in enumerate(self.slow.slots):
            assert self.fast.values[:, row].tolist() == slot.values
            columns = ("published_at", "source", "sequence", "counter")
            for name in columns:
                assert getattr(self.fast, name)[row] == getattr(slot, name)


@settings(max_examples=60)
@given(operations)
def test_region_agrees_with_a_list_of_slots(steps):
    both = Both()
    for name, *given_ in steps:
        getattr(both, name)(*given_)
        both.check()


@given(FIELD, TIME, SEQUENCE, st.integers(0, NODES - 1))
def test_a_fresh_sample_is_what_was_published(field, now, sequence, row):
    region = FieldRegion.empty(NODES)
    before = capture(region)
    publish(region, rows(row), one(field), sequence, now)
    found = sample(region, rows(row), now, DecayProfile())
    assert found.status.tolist() == [Code.OK]
    assert found.values[:, 0].tolist() == field
    assert found.published_at.tolist() == [now]
    assert found.source.tolist() == [row + 1]
    assert found.sequence.tolist() == [sequence]
    others = np.delete(np.arange(NODES), row)
    for name, array in capture(region).items():
        assert np.array_equal(array[..., others], before[name][..., others])


@given(RAW, st.lists(st.integers(0, 500_000), min_size=2, max_size=8).map(sorted))
def test_samples_fade_and_never_change_sign(value, ages):
    region = FieldRegion.empty(1)
    publish(region, rows(0), one([value] * FIELD_COUNT), 0, 1000)
    profile = DecayProfile()
    left = [sample(region, rows(0), 1000 + age, profile).values[0, 0] for age in ages]
    assert all(abs(late) <= abs(early) + 1 for early, late in pairwise(left))
    assert all(one_left * np.sign(value) >= 0 for one_left in left)


@given(FIELD, st.integers(500_001, 2**50))
def test_an_old_field_expires(field, age):
    region = FieldRegion.empty(1)
    publish(region, rows(0), one(field), 0, 5)
    last = sample(region, rows(0), 5 + 500_000, DecayProfile())
    assert last.status.tolist() == [Code.OK]
    assert not last.values.any()
    late = sample(region, rows(0), 5 + age, DecayProfile())
    assert late.status.tolist() == [Code.FIELD_EXPIRED]
    assert not late.values.any()


@given(FIELD, TIME, st.integers(1, 10**12))
def test_a_publication_in_the_future_counts_as_new(field, now, ahead):
    region = FieldRegion.empty(1)
    publish(region, rows(0), one(field), 0, now + ahead)
    found = sample(region, rows(0), now, DecayProfile())
    assert found.status.tolist() == [Code.OK]
    assert found.values[:, 0].tolist() == field
    assert collect(region, 0, now) == 0
    assert decayed(region, now, DecayProfile())[1].tolist() == [True]


@settings(max_examples=40)
@given(operations)
def test_counters_are_even_and_grow_by_two(steps):
    both = Both()
    for name, *given_ in [step for step in steps if step[0] != "stop"]:
        before = both.fast.counter.astype(int)
        getattr(both, name)(*given_)
        grown = both.fast.counter.astype(int) - before
        assert set(grown.tolist()) <= ({0} if name == "sample" else {0, 2})
        assert not (both.fast.counter & 1).any()


def test_a_slot_being_written_gives_no_data_and_is_not_collected():
    region = FieldRegion.empty(2)
    publish(region, rows(0, 1), np.full((FIELD_COUNT, 2), 9), 3, 0)
    region.counter[0] += np.uint32(1)
    found = sample(region, rows(0, 1), 10, DecayProfile())
    assert found.status.tolist() == [Code.BUSY, Code.OK]
    assert not found.values[:, 0].any()
    assert found.source[0] == 0
    assert collect(region, 1, 10) == 1
    assert region.source.tolist() == [1, 0]


def test_the_counter_wraps():
    region = FieldRegion.empty(1)
    region.counter[:] = 2**32 - 2
    publish(region, rows(0), one([1] * FIELD_COUNT), 0, 0)
    assert region.counter.tolist() == [0]
    assert sample(region, rows(0), 0, DecayProfile()).status.tolist() == [Code.OK]


def test_nodes_publish_in_any_order():
    region = FieldRegion.empty(3)
    publish(region, rows(2, 0, 1), np.tile([20, 0, 10], (FIELD_COUNT, 1)), 0, 1)
    assert region.values[0].tolist() == [0, 10, 20]
    assert region.source.tolist() == [1, 2, 3]


def test_a_field_is_valid_while_it_is_young():
    region = FieldRegion.empty(3)
    publish(region, rows(0, 1), np.zeros((FIELD_COUNT, 2)), 0, 100)
    region.published_at[1] = 50
    assert valid(region, 100, 199).tolist() == [True, False, False]
    assert valid(region, 100, 149).tolist() == [True, True, False]
    assert valid(region, 100, 150).tolist() == [True, False, False]


@given(FIELD, FIELD, st.integers(-10, fixed.ONE + 10) | RAW)
def test_helpers_stay_in_32_bits(a, b, t):
    first, second = np.array(a), np.array(b)
    for found in (add(first, second), scale(first, t), lerp(first, second, t)):
        assert np.array_equal(found, fixed.saturate(found))
    assert np.array_equal(add(first, second), add(second, first))
    assert np.array_equal(scale(first, fixed.ONE), first)
    assert np.array_equal(lerp(first, second, 0), first)
    assert np.array_equal(lerp(first, second, fixed.ONE), second)


def test_a_region_is_captured_and_restored():
    region = FieldRegion.empty(2)
    publish(region, rows(0), one([1] * FIELD_COUNT), 4, 7)
    kept = capture(region)
    publish(region, rows(0, 1), np.ones((FIELD_COUNT, 2)), 5, 8)
    restore(region, kept)
    assert region.source.tolist() == [1, 0]
    assert region.sequence.tolist() == [4, 0]


@pytest.mark.parametrize("nodes", [0, 1])
def test_an_empty_call_does_nothing(nodes):
    region = FieldRegion.empty(nodes)
    assert publish(region, rows(), np.zeros((FIELD_COUNT, 0)), 0, 0).tolist() == []
    found = sample(FieldRegion.empty(1), rows(), 0, DecayProfile())
    assert found.values.shape == (FIELD_COUNT, 0)
