"""Holes are counted without a cochain for each loop; the cochains are the slow twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.hodge.complex import Complex
from flockcore.hodge.homology import Homology
from hodge_complexes import complexes


def agrees(complex_):
    homology = Homology(complex_)
    if not homology.aside or not homology.loops:
        return False
    closing = homology.closing
    np.testing.assert_array_equal(homology._wound(), closing[:, closing.any(axis=0)])
    return True


@settings(deadline=None, max_examples=50)
@given(complexes(12))
def test_boundaries_moved_over_the_collapse_wind_as_the_cochains_say(complex_):
    agrees(complex_)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_so_they_do_where_many_triangles_are_set_aside(seed):
    rng = np.random.default_rng(seed)
    joined = np.triu(rng.random((24, 24)) < 0.45, 1)
    filled = Complex.flag(np.argwhere(joined), vertices=24)
    kept = filled.triangles[rng.random(filled.triangle_count) < 0.6]
    agrees(Complex.given(filled.edges, kept, vertices=24))


def test_many_loops_and_some_triangles_set_aside_take_little_memory():
    rng = np.random.default_rng(0)
    tail = rng.integers(0, 3_000, 15_000)
    head = (tail + rng.integers(1, 30, 15_000)) % 3_000
    edges = np.unique(np.sort(np.stack([tail, head], axis=1), axis=1), axis=0)
    homology = Homology(Complex.flag(edges, vertices=3_000))
    assert homology.aside
    _, holes, _ = homology.betti
    assert 0 < holes <= homology.loops
    assert "cochains" not in homology.__dict__
