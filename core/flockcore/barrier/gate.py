"""The gate's decision, for one point or for many (spec barrier, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Bytes, Integers, Mask
    from flockcore.barrier.policy import Policy

__all__ = ["decide", "decisions", "resolved"]


def decide(policy: Policy, ready: int, failed: int, prov: int, *, early: bool = False) -> Decision:
    """Return the gate's answer in BARRIER: the policy is asked first.

    Args:
        policy: What must hold.
        ready: Number of READY hosts.
        failed: Number of FAILED hosts.
        prov: Number of PROVISIONING hosts.
        early: Fail as soon as the policy is out of reach, not only when all have reported.
    """
    if policy.holds(ready, failed, prov):
        return Decision.PROCEED
    if prov == 0 or (early and not policy.attainable(ready, failed, prov)):
        return Decision.FAIL
    return Decision.HOLD


def decisions(
    policy: Policy, ready: Integers, failed: Integers, prov: Integers, *, early: bool = False
) -> Bytes:
    """Return `decide` of many points, shape of the counts."""
    holds = np.asarray(policy.holds(ready, failed, prov))
    over = prov == 0
    if early:
        over = over | ~np.asarray(policy.attainable(ready, failed, prov))
    return np.where(holds, Decision.PROCEED, np.where(over, Decision.FAIL, Decision.HOLD)).astype(
        np.uint8
    )


def resolved(
    policy: Policy, ready: Integers, failed: Integers, prov: Integers, *, early: bool = False
) -> tuple[Mask, Mask]:
    """Return where the gate does not hold, and where the policy holds, shape of the counts."""
    holds = np.asarray(policy.holds(ready, failed, prov))
    over = holds | (prov == 0)
    if early:
        over |= ~np.asarray(policy.attainable(ready, failed, prov))
    return over, holds
