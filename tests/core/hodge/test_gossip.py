"""Pairwise averaging against its one-by-one twin; diffusion converges below its gain (P47)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.hodge.complex import Complex
from flockcore.hodge.gossip import (
    AveragingOptions,
    Outcome,
    Partners,
    diffuse,
    gossip,
    largest_curl,
    stable_gain,
)
from flockcore.hodge.operators import vertex_laplacian
from flockcore.hodge.projection import Projector
from flockcore.kernel.rng import Streams
from hodge_complexes import NAMED, annulus, complexes


def one_by_one(values, pairs, options):
    """The obvious twin: exchange, look, exchange, look."""
    x = np.array(values, dtype=float)
    mean = x.mean()
    for step, (one, other) in enumerate(pairs, 1):
        x[one] = x[other] = 0.5 * (x[one] + x[other])
        if np.abs(x - mean).max() < options.tolerance:
            return step, x
    return len(pairs), x


@pytest.mark.slow
@given(complexes(), st.integers(0, 2**32 - 1))
def test_groups_of_exchanges_are_the_same_as_one_after_the_other(complex_, seed):
    values = np.random.default_rng(seed).normal(size=complex_.vertex_count)
    streams, partners = Streams([(0, seed)]), Partners(complex_)
    options = AveragingOptions(tolerance=1e-2, limit=700)
    run = gossip(values, lambda batch: partners.draw(streams, batch), options=options)
    steps, wanted = one_by_one(values, partners.draw(streams, 0)[:700].tolist(), options)
    assert run.steps == steps
    assert run.bytes == 16 * steps
    np.testing.assert_array_equal(run.values, wanted)
    assert (run.outcome is Outcome.CONVERGED) == (run.distance < 1e-2)
    assert run.values.sum() == pytest.approx(values.sum())


@pytest.mark.slow
@given(complexes(), st.integers(0, 100))
def test_draws_are_neighbours_and_depend_on_nothing_but_their_place(complex_, batch):
    partners, streams = Partners(complex_), Streams([(0, 7)])
    pairs = partners.draw(streams, batch)
    np.testing.assert_array_equal(pairs, Partners(complex_).draw(streams, batch))
    edge, _ = complex_.find_edges(pairs[:, 0], pairs[:, 1])
    lonely = ~np.isin(pairs[:, 0], complex_.edges)
    np.testing.assert_array_equal(edge < 0, lonely)
    assert (pairs[lonely, 0] == pairs[lonely, 1]).all()
    words = streams.raw("gossip", batch, 2 * len(pairs)).reshape(-1, 2).tolist()
    picked = [partners.pick((one, other)) for one, other in words]
    assert [one for one in picked if one] == [tuple(one) for one in pairs[~lonely].tolist()]


@pytest.mark.parametrize("share", [0.3, 0.9, 1.2, 2.0])
def test_diffusion_converges_below_the_stable_gain_and_says_when_it_does_not(share):
    ring = annulus(8)
    largest = np.linalg.eigvalsh(vertex_laplacian(ring).dense())[-1]
    gain = stable_gain(ring)
    assert gain == pytest.approx(2 / largest, rel=0.02)
    start = np.zeros(ring.vertex_count)
    start[0] = 50.0
    run = diffuse(Projector(ring), start, gain=share * gain)
    assert run.outcome is (Outcome.CONVERGED if share < 1 else Outcome.DIVERGED)
    assert (run.distance < 1e-3) == (share < 1)
    assert run.bytes == 16 * ring.edge_count * run.steps
    assert len(run.history) == run.steps + 1
    assert np.isfinite(run.values).all()


def test_what_cannot_spread_ends_at_the_limit():
    apart = NAMED["bowtie and point"]
    start = np.arange(6.0)
    options = AveragingOptions(limit=50)
    assert diffuse(Projector(apart), start, gain=0.1, options=options).outcome is Outcome.CAPPED
    partners, streams = Partners(apart), Streams([(0, 1)])
    run = gossip(start, lambda batch: partners.draw(streams, batch), options=options)
    assert (run.outcome, run.steps) == (Outcome.CAPPED, 50)
    assert stable_gain(NAMED["points"]) == float("inf")
    assert largest_curl(NAMED["points"], np.zeros(0)) == 0


def test_bad_settings_and_values_are_refused():
    projector = Projector(Complex.flag([(0, 1)]))
    for call, words in [
        (lambda: AveragingOptions(tolerance=0), "tolerance is 0; a number above 0 is allowed"),
        (lambda: AveragingOptions(limit=0), "limit is 0; 1 or more is allowed"),
        (lambda: diffuse(projector, [0, 1], gain=0), "gain is 0; a finite number above 0"),
        (lambda: diffuse(projector, [0, np.nan], gain=1), "the values of vertex 1 is nan"),
    ]:
        with pytest.raises(FlockError, match=words):
            call()
