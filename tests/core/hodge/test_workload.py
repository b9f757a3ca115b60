"""Settling: what goes in circles stops, and what is hot is relieved (P42, P44, W15)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.hodge.operators import curl, divergence
from flockcore.hodge.workload import Settle, WorkloadProxy
from hodge_complexes import complexes

RATE = st.floats(-50, 50)


def proxy_on(complex_, queues, rates):
    names = [f"n{one}" for one in range(complex_.vertex_count)]
    pairs = [(names[a], names[b]) for a, b in complex_.edges]
    proxy = WorkloadProxy(nodes=names, edges=pairs)
    for name, queue in zip(names, queues, strict=True):
        proxy.record_queue_len(name, queue)
    for pair, rate in zip(pairs, rates, strict=True):
        proxy.record_offload(*pair, rate)
    return proxy


def drawn(data, complex_):
    queues = [data.draw(st.integers(0, 300)) for _ in range(complex_.vertex_count)]
    return proxy_on(complex_, queues, [data.draw(RATE) for _ in range(complex_.edge_count)])


@pytest.mark.slow
@given(complexes(), st.data())
def test_balancing_makes_queues_equal_and_leaves_no_curl(complex_, data):
    proxy = drawn(data, complex_)
    horizon = data.draw(st.sampled_from([0.5, 1.0, 8.0]))
    done = proxy.settle(horizon=horizon)
    assert done.converged
    assert done.kind is Settle.BALANCE
    after = proxy.snapshot().queue + horizon * divergence(proxy.complex, done.recommended)
    piece = proxy._projector.homology.components
    for one in range(piece.max() + 1):
        assert np.ptp(after[piece == one]) < 1e-7
    assert after.sum() == pytest.approx(proxy.snapshot().queue.sum(), abs=1e-7)
    assert np.abs(curl(proxy.complex, done.recommended)).max(initial=0) < 1e-7


@pytest.mark.slow
@given(complexes(), st.data())
def test_projecting_keeps_every_nodes_net_outflow(complex_, data):
    proxy = drawn(data, complex_)
    done = proxy.settle(Settle.PROJECT)
    before, after = (divergence(proxy.complex, one) for one in (proxy.flow, done.recommended))
    np.testing.assert_allclose(after, before, atol=1e-8)
    assert done.moved == 0
    for pair, rate in zip(proxy.snapshot().pairs, done.recommended, strict=True):
        proxy.record_offload(f"n{pair[0]}", f"n{pair[1]}", rate)
    again = proxy.settle(Settle.PROJECT)
    assert again.curl_norm < 1e-8
    np.testing.assert_allclose(again.recommended, done.recommended, atol=1e-8)


def test_a_hot_node_is_relieved_by_balancing_alone():
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    proxy = WorkloadProxy(nodes="abc", edges=pairs)
    proxy.record_queue_len("a", 300)
    proxy.record_offload("b", "a", 10)
    projected = proxy.settle(Settle.PROJECT)
    assert projected.recommended[0] + projected.recommended[2] == pytest.approx(-10)
    balanced = proxy.settle()
    assert balanced.recommended.tolist() == pytest.approx([100, 0, 100])
    assert balanced.moved > 0
    found = proxy.snapshot()
    assert found.mass.tolist() == [1 + 300 / 32, 1, 1]
    assert found.reported.tolist() == [-10, 0, 0]
    assert found.curl_norm == balanced.curl_norm


def test_a_reversed_declaration_has_its_recommendation():
    proxy = WorkloadProxy(nodes="ab", edges=[("a", "b"), ("b", "a")])
    assert proxy.complex.edge_count == 1
    proxy.record_offload("b", "a", 4)
    assert proxy.settle(Settle.PROJECT).recommended.tolist() == [-4, 4]
    assert WorkloadProxy(nodes="", edges=[]).settle().recommended.tolist() == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.record_offload("a", "b", float("nan")), "rate from `a` to `b` is nan; finite"),
        (lambda p: p.record_offload("a", "b", float("inf")), "rate from `a` to `b` is inf"),
        (lambda p: p.record_offload("a", "c", 1), "no offload edge between `a` and `c`"),
        (lambda p: p.record_queue_len("a", -1), "queue length of `a` is -1; 0 or more is allowed"),
        (lambda p: p.record_queue_len("x", 1), "unknown node `x`"),
        (lambda p: p.settle(horizon=0), "horizon is 0; a finite number above 0 is allowed"),
    ],
)
def test_bad_reports_are_refused_and_change_nothing(call, words):
    proxy = WorkloadProxy(nodes="abc", edges=[("a", "b")])
    proxy.record_offload("a", "b", 2)
    with pytest.raises(FlockError, match=words):
        call(proxy)
    assert proxy.flow.tolist() == [2]
    assert proxy.mass.tolist() == [1, 1, 1]
