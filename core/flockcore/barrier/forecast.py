"""How a provisioning ends if nothing more happens: the closed form, from any point on.

The closed form of `flockcore.barrier.outcome` speaks of whole schedules in which every host has its
turn. Here some hosts may never report, and the gate may have been given another policy on the way:
what is left is then a schedule of its own, with what was counted taken off the policy's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision
from flockcore.barrier.outcome import predict
from flockcore.barrier.policy import Combined, MaxFailures, Threshold

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Mask
    from flockcore.barrier.policy import Policy

__all__ = ["Prediction", "forecast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How a provisioning ends.

    Attributes:
        ends_in: PROCEED for CONVERGE, FAIL for FAILED, HOLD when the gate waits for ever.
        ready: Number of READY hosts in the controller's counts then.
        failed: Number of FAILED hosts in them then.
        report: Number of reports taken by then.
    """

    ends_in: Decision
    ready: int
    failed: int
    report: int


def forecast(
    policy: Policy, *, hosts: int, ready: int, failed: int, words: Mask, early: bool = False
) -> Prediction:
    """Return how a gate decides that has counted some reports and is going to get others.

    Args:
        policy: One of the four policies of the specification.
        hosts: Number of hosts, n.
        ready: READY hosts counted so far.
        failed: FAILED hosts counted so far.
        words: Whether each report still to come is a failure, in their order, shape (m,) with m at
            most the number of hosts that have not reported.
        early: The gate fails as soon as the policy is out of reach.
    """
    target, cap = _numbers(policy, hosts)
    taken = ready + failed
    silent = hosts - taken - len(words)
    fallen = int(np.count_nonzero(words))
    over = Prediction(
        ends_in=Decision.HOLD if silent else Decision.FAIL,
        ready=ready + len(words) - fallen,
        failed=failed + fallen,
        report=taken + len(words),
    )
    if failed > cap:
        now = Prediction(ends_in=Decision.FAIL, ready=ready, failed=failed, report=taken)
        return now if early else over
    # Who is silent comes last of all. If the gate would wait for one of them it waits for ever.
    padded = np.append(words, np.zeros(silent, dtype=np.bool_))[None, :]
    found = predict(Combined(max(target - ready, 0), cap - failed), padded, early=early)
    assert found is not None
    reports = int(found.length[0]) - 3
    if reports > len(words):
        return over
    return Prediction(
        ends_in=Decision.PROCEED if found.converges[0] else Decision.FAIL,
        ready=ready + int(found.ready[0]),
        failed=failed + int(found.failed[0]),
        report=taken + reports,
    )


def _numbers(policy: Policy, hosts: int) -> tuple[int, int]:
    """Return how many hosts must be READY and how many may have FAILED."""
    match policy:
        case Threshold(ready):
            return ready, hosts
        case MaxFailures(failures):
            return 0, failures
        case Combined(ready, failures):
            return ready, failures
        case _:
            return hosts, hosts
