"""All schedules and all states of few hosts."""

import numpy as np
import pytest

from flockcore.barrier.codes import Gate
from flockcore.barrier.exhaustive import all_orders, all_words, explore, finals, lengths, table
from flockcore.barrier.traces import run
from golden import cases


@pytest.mark.parametrize("case", cases("barrier/exhaustive"))
def test_all_schedules(case, policy_of):
    data = case.data
    # Every host fails or not, in every order: the word is what the order makes of it.
    by_host, orders = all_words(data["n"]), all_orders(data["n"])
    words = by_host[:, orders].reshape(len(by_host) * len(orders), data["n"])
    assert len(words) == data["schedules"]
    traces = run(policy_of(data["policy"]), words)
    assert finals(traces) == data["finals"]
    assert {str(length): count for length, count in lengths(traces).items()} == data["trace_len"]


@pytest.mark.parametrize("case", cases("barrier/reachable"))
@pytest.mark.parametrize("gate", Gate)
def test_all_states(case, policy_of, gate):
    data, wanted = case.data, case.data[gate.value]
    found = explore(data["n"], table(policy_of(data["policy"]), data["n"]), gate=gate)
    assert len(found.states) == wanted["states"]
    assert dict(zip("IBCF", found.by_phase.tolist(), strict=True)) == wanted["by_phase"]
    assert len(found.edges) == wanted["edges"]
    assert len(np.unique(found.edges, axis=0)) == len(found.edges)
    assert len(found.deadlocks) == wanted["deadlocks"]
