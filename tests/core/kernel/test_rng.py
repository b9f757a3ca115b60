"""Draws depend on where they are used alone."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flockcore.kernel.rng import Streams, chance, exponential_table, pair_key, spread


def test_a_draw_does_not_depend_on_call_order() -> None:
    streams = Streams([(0, 7)])
    first = streams.raw("loss", 40, 8)
    streams.raw("delay", 3, 100)
    assert np.array_equal(streams.raw("loss", 40, 8), first)
    assert np.array_equal(streams.raw("loss", 40, 4), first[:4])


def test_streams_ticks_and_seeds_differ() -> None:
    words = [
        Streams([(0, seed)]).raw(name, tick, 4).tobytes()
        for seed in (0, 1, 2**63)
        for name in ("loss", "delay")
        for tick in (0, 1, 10**9)
    ]
    assert len(set(words)) == len(words)


def test_the_schedule_says_which_seed_is_in_force() -> None:
    streams = Streams([(0, 7), (100, 8), (200, 9)])
    assert [streams.seed_at(t) for t in (0, 99, 100, 199, 200, 10**6)] == [7, 7, 8, 8, 9, 9]
    assert np.array_equal(streams.raw("x", 150, 2), Streams([(0, 8)]).raw("x", 150, 2))


def test_known_words_pin_the_generator() -> None:
    words = Streams([(0, 0)]).raw("pin", 1, 2)
    again = spread(words[0], pair_key(np.array([1, 2]), np.array([2, 1])))
    assert [int(word) for word in words] == PINNED_WORDS
    assert [int(word) for word in again] == PINNED_SPREAD


PINNED_WORDS = [11492638356177043484, 2654257704355969720]
PINNED_SPREAD = [17597673428094344121, 16345619580318273507]


def _mix(word: int, source: int, target: int) -> int:
    limit = 2**64
    mixed = (((source << 32) | target) * 0x9E3779B97F4A7C15 + word) % limit
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % limit
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) % limit
    return mixed ^ (mixed >> 31)


@given(
    word=st.integers(0, 2**64 - 1),
    pairs=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)), min_size=1),
)
def test_spread_equals_its_twin_in_plain_integers(word: int, pairs: list[tuple[int, int]]) -> None:
    source, target = np.array(pairs, dtype=np.intp).T
    draws = spread(np.uint64(word), pair_key(source, target))
    assert [int(draw) for draw in draws] == [_mix(word, s, t) for s, t in pairs]


def test_chance_is_met_in_the_long_run() -> None:
    source = np.repeat(np.arange(300), 300)
    target = np.tile(np.arange(300), 300)
    word = Streams([(0, 3)]).raw("loss", 5, 1)[0]
    draws = spread(word, pair_key(source, target))
    for probability in (0.0, 0.01, 0.25, 0.5, 1.0):
        share = np.count_nonzero(draws < chance(probability)) / len(draws)
        assert abs(share - probability) < 0.006


def test_exponential_table_has_the_mean_and_the_quantiles_of_the_distribution() -> None:
    table = exponential_table() / 65536
    bins = len(table)
    assert np.all(np.diff(table) > 0)
    assert abs(table.mean() - 1) < 0.001
    wanted = [-math.log(1 - (i + 0.5) / bins) for i in range(bins)]
    assert np.allclose(table, wanted, atol=1e-5)
