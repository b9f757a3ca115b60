"""Decay models against plain Python, and the properties PFX-3 and 4."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import field_twin
from flockcore.errors import FlockError
from flockcore.flock.decay import (
    FIELD_COUNT,
    MAX_TAU_US,
    Component,
    ComponentProfile,
    Decay,
    DecayProfile,
    factor,
    fade,
    rational_factor,
)
from flockcore.flock.fixed import INT32_MAX, INT32_MIN, ONE

TAU = st.integers(1, MAX_TAU_US) | st.integers(1, 20) | st.just(100_000)
MODELS = st.sampled_from(Decay)
WIDE = st.integers(0, 2**64 - 1) | st.integers(0, 2**20)


@st.composite
def ages(draw, tau, size=12):
    """Ages up to a few time constants, edges included, and some far beyond."""
    near = st.integers(0, 14 * tau)
    edge = st.integers(0, 14).flatmap(lambda n: st.integers(max(n * tau - 1, 0), n * tau + 1))
    far = st.integers(0, 2**60)
    return np.array(draw(st.lists(near | edge | far, min_size=1, max_size=size)), dtype=np.int64)


def extreme(elapsed, tau):
    both = (np.array([value], dtype=np.uint64) for value in (elapsed, tau))
    return rational_factor(*both).item()


@settings(max_examples=50)
@given(st.data(), MODELS, TAU)
def test_factors_agree_with_plain_python(data, model, tau):
    age = data.draw(ages(tau))
    expected = [field_twin.decay_factor(model, int(one), tau) for one in age]
    found = factor(model, age, tau).tolist()
    if model == Decay.EXPONENTIAL:
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 1
    else:
        assert found == expected


@given(WIDE, WIDE)
def test_the_original_factor_agrees_for_any_arguments(elapsed, tau):
    assert extreme(elapsed, tau) == field_twin.exp_decay(elapsed, tau)


@settings(max_examples=50)
@given(st.data(), TAU)
def test_fast_and_general_rational_factors_agree(data, tau):
    age = data.draw(ages(tau))
    general = rational_factor(age.astype(np.uint64), np.full(len(age), tau, np.uint64))
    assert np.array_equal(factor(Decay.RATIONAL, age, tau), general)


@settings(max_examples=50)
@given(st.data(), MODELS, TAU)
def test_factors_never_rise_with_age(data, model, tau):
    found = factor(model, np.sort(data.draw(ages(tau))), tau)
    assert (np.diff(found) <= 0).all()
    assert (found >= 0).all()
    assert (found <= ONE).all()


@given(st.data(), MODELS, TAU)
def test_neighbouring_ages_never_rise(data, model, tau):
    """One microsecond apart, where a table or a parabola of the exponential could betray itself."""
    start = data.draw(st.integers(0, 14 * tau))
    assert (np.diff(factor(model, start + np.arange(200), tau)) <= 0).all()


def test_the_exponential_never_rises_at_the_steps_of_its_table():
    tau = 2**40
    steps = (np.arange(1, 19 * 64) * math.log(2) / 64 * tau).astype(np.int64)
    around = (steps[:, None] + np.arange(-2000, 2001, 100)).ravel()
    assert (np.diff(factor(Decay.EXPONENTIAL, around, tau)) <= 0).all()


@given(WIDE, st.integers(1, 2**61 - 2))
def test_the_original_factor_is_ordered(elapsed, tau):
    found = extreme(elapsed, tau)
    assert 0 <= found <= ONE
    assert extreme(min(elapsed + 1, 2**64 - 1), tau) <= found <= extreme(elapsed, tau + 1)
    if elapsed < 2**48:
        assert (found == 0) == (elapsed >= 5 * tau)
    assert extreme(elapsed, 0) == 0


@settings(max_examples=50)
@given(st.data(), TAU)
def test_the_original_factor_stays_near_the_exponential_and_above_it(data, tau):
    age = data.draw(ages(tau))
    true = [float(field_twin.true_exponential(min(int(one), 50 * tau), tau)) for one in age]
    found = factor(Decay.RATIONAL, age, tau)
    assert (np.abs(found - true) <= 0.0691 * ONE + 1).all()
    early = age < 5 * tau
    assert (found[early] >= np.array(true)[early] - 1).all()


@pytest.mark.slow
def test_the_exponential_is_within_one_raw_unit_everywhere():
    tau = 100_000
    age = np.arange(0, 14 * tau, 7)
    true = 65536 * np.exp(-age / tau)
    assert np.abs(factor(Decay.EXPONENTIAL, age, tau) - true).max() <= 0.51


def test_what_is_left_after_known_times():
    """Spec section 3's table, and the ends of the other models."""
    tenths = np.array([1, 5, 10, 15, 20, 30, 40]) * 10_000
    left = [59309, 40329, 26214, 18078, 13107, 7710, 5041]
    assert factor(Decay.RATIONAL, tenths, 100_000).tolist() == left
    edge = np.array([0, 99_999, 100_000])
    assert factor(Decay.STEP, edge, 100_000).tolist() == [ONE, ONE, 0]
    assert factor(Decay.LINEAR, edge, 100_000).tolist() == [ONE, 0, 0]
    assert factor(Decay.LINEAR, np.array([25_000]), 100_000).tolist() == [49152]
    assert factor(Decay.EXPONENTIAL, np.array([0, 100_000]), 100_000).tolist() == [ONE, 24109]


def test_each_component_fades_by_its_own_law():
    special = {
        Component.THERMAL: ComponentProfile(model=Decay.LINEAR, tau_us=50_000),
        Component.POWER: ComponentProfile(model=Decay.STEP, floor=10, ceiling=20),
        Component.SLACK: ComponentProfile(floor=5000),
    }
    profile = DecayProfile.uniform(model=Decay.EXPONENTIAL, tau_us=200_000, special=special)
    found = fade(np.full((FIELD_COUNT, 2), ONE), np.array([25_000, 400_000]), profile)
    exponential = factor(Decay.EXPONENTIAL, np.array([25_000, 400_000]), 200_000).tolist()
    rational = field_twin.exp_decay(25_000, 100_000), field_twin.exp_decay(400_000, 100_000)
    assert found.tolist() == [
        exponential,
        [32768, 0],
        [20, 10],
        exponential,
        exponential,
        [rational[0], max(rational[1], 5000)],
    ]


def test_components_with_one_law_are_computed_together():
    assert len(DecayProfile().laws) == 1
    special = {Component.SLACK: ComponentProfile(tau_us=1)}
    assert [which for *_, which in DecayProfile.uniform(special=special).laws] == [
        (0, 1, 2, 3, 4),
        (5,),
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"tau_us": 0}, "tau_us is 0"),
        ({"tau_us": MAX_TAU_US + 1}, "tau_us is"),
        ({"floor": 2, "ceiling": 1}, "floor <= ceiling"),
        ({"floor": INT32_MIN - 1}, "floor"),
        ({"ceiling": INT32_MAX + 1}, "ceiling"),
        ({"default": INT32_MAX + 1}, "default"),
    ],
)
def test_bad_component_settings_are_refused(settings, named):
    with pytest.raises(FlockError, match=named):
        ComponentProfile(**settings)


def test_bad_profiles_are_refused():
    with pytest.raises(FlockError, match="5 components given; 6 are needed"):
        DecayProfile(components=(ComponentProfile(),) * 5)
    with pytest.raises(FlockError, match="max_age_us is -1"):
        DecayProfile(max_age_us=-1)
