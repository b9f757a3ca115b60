"""The workload proxy of the original (bridge.json)."""

import numpy as np
import pytest

from flockcore.errors import FlockError
from flockcore.hodge.workload import Settle, WorkloadProxy
from golden import cases
from hodge_twin import Xorshift

CLOSE = 1e-7


def message(call, *arguments):
    """Return the text of the error that a call raises, None without one."""
    try:
        call(*arguments)
    except FlockError as error:
        return str(error)
    return None


def replay(proxy, op, names, edges):
    if op["op"] == "record_queue_len":
        assert message(proxy.record_queue_len, op["node"], op["q"]) == op["error"]
    elif op["op"] == "record_offload":
        assert message(proxy.record_offload, op["src"], op["dst"], op["rate"]) == op["error"]
    elif op["op"] == "settle":
        done = proxy.settle(Settle.PROJECT)
        assert done.converged
        assert done.curl_norm == pytest.approx(op["curl_norm"], abs=CLOSE)
        wanted = op["recommendations"]
        assert edges == [[one["from"], one["to"]] for one in wanted]
        rates = [one["recommended_rate"] for one in wanted]
        np.testing.assert_allclose(done.recommended, rates, atol=CLOSE, rtol=0)
    else:
        compare(proxy.snapshot(), op["snapshot"], names, edges)


def compare(found, wanted, names, edges):
    assert list(found.names) == names == [one["name"] for one in wanted["nodes"]]
    assert found.queue.tolist() == [one["queue_len"] for one in wanted["nodes"]]
    assert found.mass.tolist() == [one["mass"] for one in wanted["nodes"]]
    pairs = [[found.names[a], found.names[b]] for a, b in found.pairs]
    assert pairs == edges == [[one["from"], one["to"]] for one in wanted["edges"]]
    assert found.reported.tolist() == [one["reported_rate"] for one in wanted["edges"]]
    rates = [one["recommended_rate"] for one in wanted["edges"]]
    np.testing.assert_allclose(found.recommended, rates, atol=CLOSE, rtol=0)
    assert found.curl_norm == pytest.approx(wanted["last_curl_norm"], abs=CLOSE)


def three_nodes(data):
    """Section 10.3: each replica reports noisy rates on a triangle, settles, adopts, settles."""
    draw = Xorshift(int(data["seed_hex"], 16))
    for number, wanted in enumerate(data["replicas"]):
        proxy = WorkloadProxy(nodes="ABC", edges=[("A", "B"), ("B", "C"), ("A", "C")])
        for node, queue in zip("ABC", (200, 20, 5), strict=True):
            proxy.record_queue_len(node, queue)
        rates = {
            ("A", "B"): 12 + number / 2 + draw.noise(0.8),
            ("B", "C"): 3 + number / 2 + draw.noise(0.4),
            ("A", "C"): 7 - number / 2 + draw.noise(0.6),
        }
        reported = [wanted[key] for key in ("a_to_b", "b_to_c", "a_to_c")]
        assert list(rates.values()) == pytest.approx(reported)
        for pair, rate in rates.items():
            proxy.record_offload(*pair, rate)
        first = proxy.settle(Settle.PROJECT)
        assert first.curl_norm == pytest.approx(wanted["curl_norm"], abs=CLOSE)
        advice = [one["recommended_rate"] for one in wanted["recommendations"]]
        np.testing.assert_allclose(first.recommended, advice, atol=CLOSE, rtol=0)
        assert first.recommended[0] + first.recommended[2] == pytest.approx(wanted["a_outflow"])
        for pair, rate in zip(rates, first.recommended, strict=True):
            proxy.record_offload(*pair, rate)
        assert proxy.settle(Settle.PROJECT).curl_norm < 1e-6


@pytest.mark.parametrize("case", cases("shivya/bridge"))
def test_workload_proxy(case):
    data = case.data
    if data["kind"] == "three_node_workload":
        three_nodes(data)
    elif data["kind"] == "constructor_error":
        edges = [tuple(pair) for pair in data["edges"]]
        with pytest.raises(FlockError) as caught:
            WorkloadProxy(nodes=data["nodes"], edges=edges)
        assert str(caught.value) == data["error"]
    else:
        assert "W15" in case.options
        proxy = WorkloadProxy(nodes=data["nodes"], edges=[tuple(pair) for pair in data["edges"]])
        for op in data["ops"]:
            replay(proxy, op, data["nodes"], data["edges"])
