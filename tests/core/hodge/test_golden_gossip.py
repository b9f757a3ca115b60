"""The two fixtures of the original's comparison with gossip (bench_gossip.json)."""

import numpy as np
import pytest

from flockcore.hodge.complex import Complex
from flockcore.hodge.gossip import Outcome, Partners, diffuse, gossip, largest_curl
from flockcore.hodge.operators import divergence
from flockcore.hodge.projection import Projector
from golden import cases
from hodge_twin import Xorshift

EDGES = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (4, 5), (5, 6)]
VERTICES = 7


def partners(seed, complex_):
    """Return pairs in the recorded order, as many a batch as anybody asks for."""
    draw, found = Xorshift.mixed(int(seed, 16)), Partners(complex_)
    return lambda batch: np.array([found.pick((draw.word(), draw.word())) for _ in range(64)])


def compare_gossip(run, wanted, sent=0):
    assert run.outcome is Outcome.CONVERGED
    assert run.steps == wanted["steps"]
    assert run.bytes + sent == wanted["bytes_exchanged"]
    assert run.distance == pytest.approx(wanted["final_linf"], abs=1e-12)
    np.testing.assert_allclose(run.values, wanted["final_x"], atol=1e-9, rtol=0)


def fixture_a(data, complex_):
    start = np.full(VERTICES, data["baseline"])
    start[data["spike_node"]] += data["spike"]
    drawn = partners(data["seed_hex"], complex_)(0)
    assert drawn[:20].tolist() == data["gossip"]["first_pairs"]
    compare_gossip(gossip(start, partners(data["seed_hex"], complex_)), data["gossip"])
    for gain in (0.25, 0.35, 0.5):
        wanted = data[f"curl_projector_kappa_{gain}"]
        run = diffuse(Projector(complex_), start, gain=gain)
        for row in wanted["trajectory"]:
            if row["step"] < len(run.history):
                assert run.history[row["step"], 1] == pytest.approx(row["linf"], rel=1e-6)
        if gain == 0.5:
            assert run.outcome is Outcome.DIVERGED
            assert run.steps < wanted["steps"]
            continue
        assert run.outcome is Outcome.CONVERGED
        assert (run.steps, run.bytes) == (wanted["steps"], wanted["bytes_exchanged"])
        np.testing.assert_allclose(run.values, wanted["final_x"], atol=1e-7, rtol=0)
        assert run.curl == pytest.approx(wanted["final_curl_as_reported"], abs=1e-7)


def fixture_b(data, complex_):
    flow, wanted = np.array(data["flow"]), data["curl_projector"]
    done = Projector(complex_).project(flow)
    np.testing.assert_allclose(done.flow, wanted["reconciled"], atol=1e-7, rtol=0)
    view = divergence(complex_, done.flow)
    np.testing.assert_allclose(view, wanted["node_view"], atol=1e-7, rtol=0)
    assert largest_curl(complex_, done.flow) == pytest.approx(wanted["final_curl"], abs=1e-7)
    start = divergence(complex_, flow)
    np.testing.assert_allclose(start, data["gossip"]["initial_x"], atol=1e-12, rtol=0)
    run = gossip(start, partners(data["seed_hex"], complex_))
    compare_gossip(run, data["gossip"], sent=16 * len(EDGES))
    left = np.hypot(largest_curl(complex_, flow), run.curl)
    assert left == pytest.approx(data["gossip"]["final_curl"])


@pytest.mark.parametrize("case", cases("shivya/bench_gossip"))
def test_gossip(case):
    complex_ = Complex.flag(EDGES)
    assert complex_.triangles.tolist() == [[0, 1, 2], [2, 3, 4]]
    (fixture_a if case.data["fixture"] == "A" else fixture_b)(case.data, complex_)
