"""What the barrier layer keeps while a provisioning is on, and how hosts get on with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.barrier.codes import Host
from flockcore.barrier.machine import Barriers, BarriersState
from flockcore.barrier.policy import Combined, MaxFailures, Policy, StrictAll, Threshold
from flockcore.barrier.post import Letter, Post
from flockcore.kernel.fault_keys import POLICIES
from flockcore.kernel.rng import EXPONENTIAL_BINS, exponential_table
from flockcore.kernel.state import derived

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Bytes, Indices, Mask
    from flockcore.kernel.faults import Provision, Require
    from flockcore.kernel.network import Network
    from flockcore.kernel.rng import Streams
    from flockcore.kernel.world import World

__all__ = ["BarrierState", "Stage", "pack_policy", "policy_of", "unpack_policy"]

_BIN_SHIFT = np.uint64(64 - (EXPONENTIAL_BINS.bit_length() - 1))
_HALF = np.uint64(32)
_FIELD = 24

type Numbers = NDArray[np.int64]


class Stage(IntEnum):
    """How far a host is, in truth; BROKEN is for good, IMAGED until it restarts."""

    AWAY = 0
    IMAGING = 1
    IMAGED = 2
    BROKEN = 3


def pack_policy(record: Provision | Require) -> int:
    """Return the policy of a record as one number, as states and logs keep it."""
    return (POLICIES.index(record.policy) << 2 * _FIELD) | (record.ready << _FIELD) | record.failed


def unpack_policy(number: int) -> tuple[str, int, int]:
    """Return name, hosts that must be READY and hosts that may have FAILED."""
    mask = (1 << _FIELD) - 1
    return POLICIES[number >> 2 * _FIELD], (number >> _FIELD) & mask, number & mask


def policy_of(number: int) -> Policy:
    """Return the policy that `pack_policy` wrote."""
    name, ready, failed = unpack_policy(number)
    match name:
        case "strict_all":
            return StrictAll()
        case "threshold":
            return Threshold(ready)
        case "max_failures":
            return MaxFailures(failed)
        case _:
            return Combined(ready, failed)


@dataclass(slots=True, kw_only=True)
class BarrierState:
    """All that changes in a provisioning of N hosts.

    Attributes:
        seat: the controller's node.
        asked_for: the gate's policy, packed.
        early: the gate fails as soon as the policy is out of reach.
        least_us: fixed part of the time that a host needs.
        mean_us: mean of the exponential part.
        fail: probability that imaging fails, in 2^-32.
        resend: ticks after which an unacknowledged report is repeated.
        began: tick of the fan-out.
        asking: the gate has yet to be asked, because it has just been built or its policy changed.
        changed_after: reports taken when the policy last changed, 0 if it never did.
        decided: tick of the decision, -1 before.
        gate: phase, counts and each host as the controller knows them.
        stage: `Stage` of each host, shape (N,).
        fate: whether its imaging is going to fail, shape (N,).
        left: ticks that it still has to run to be imaged, shape (N,).
        ended: tick at which its outcome was there, -1 before, shape (N,).
        owing: whether it has an outcome that nobody acknowledged, shape (N,).
        due: tick from which it reports again, shape (N,).
        heard: whether a report of it reached the controller, taken or not, shape (N,).
        place: which report was taken from it, from 0; -1 for none, shape (N,).
        up: whether it ran when last looked at, shape (N,).
        incarnation: of each node when last looked at, shape (N,).
        reports: letters to the controller.
        receipts: letters from it.
        foretold: decision, ready, failed and report that the closed form gave at the fan-out.
        sent: reports sent, repeats included.
        received: reports that the controller read, repeats included.
        repeated: those of them that said nothing new.
    """

    seat: int
    asked_for: int
    early: bool
    least_us: int
    mean_us: int
    fail: int
    resend: int
    began: int
    asking: bool = True
    changed_after: int = 0
    decided: int = -1
    gate: BarriersState
    stage: Bytes
    fate: Mask
    left: Numbers
    ended: Numbers
    owing: Mask
    due: Numbers
    heard: Mask
    place: Numbers
    up: Mask
    incarnation: Numbers
    reports: Post
    receipts: Post
    foretold: Numbers
    sent: int = 0
    received: int = 0
    repeated: int = 0
    barriers: Barriers = derived()

    @classmethod
    def begun(
        cls, record: Provision, *, world: World, network: Network, tick: int, tick_us: int
    ) -> Self:
        """Return the state at the fan-out, before anything was drawn."""
        nodes = world.nodes
        barriers = Barriers(
            runs=1, hosts=nodes, policy=policy_of(pack_policy(record)), early=record.early
        )
        barriers.fan_out([0])
        return cls(
            seat=record.seat,
            asked_for=pack_policy(record),
            early=record.early,
            least_us=record.least_us,
            mean_us=record.mean_us,
            fail=round(record.fail * 2**32),
            resend=max(1, -(-record.resend_us // tick_us)),
            began=tick,
            gate=barriers.state,
            stage=np.full(nodes, Stage.AWAY, dtype=np.uint8),
            fate=np.zeros(nodes, dtype=np.bool_),
            left=np.zeros(nodes, dtype=np.int64),
            ended=np.full(nodes, -1, dtype=np.int64),
            owing=np.zeros(nodes, dtype=np.bool_),
            due=np.zeros(nodes, dtype=np.int64),
            heard=np.zeros(nodes, dtype=np.bool_),
            place=np.full(nodes, -1, dtype=np.int64),
            up=world.up,
            incarnation=world.incarnation.copy(),
            reports=Post(network=network, kind=Letter.REPORT, seat=record.seat),
            receipts=Post(network=network, kind=Letter.RECEIPT, seat=record.seat),
            foretold=np.zeros(4, dtype=np.int64),
            barriers=barriers,
        )

    def adopt(self) -> None:
        """Let the machine and the post follow fields that were restored."""
        self.barriers.policy, self.barriers.early = policy_of(self.asked_for), self.early
        self.reports.seat = self.receipts.seat = self.seat

    @property
    def outcome(self) -> Numbers:
        """What each host reports, or is going to as far as that is drawn: a `Host`, shape (N,)."""
        breaks = (self.stage == Stage.BROKEN) | ((self.stage == Stage.IMAGING) & self.fate)
        return np.where(breaks, Host.FAILED, Host.READY).astype(np.int64)

    def begin_imaging(self, rows: Indices, streams: Streams, tick: int, tick_us: int) -> None:
        """Draw how long the imaging of some hosts takes, and whether it fails."""
        if not len(rows):
            return
        nodes = len(self.stage)
        time = streams.raw("barrier/imaging", tick, nodes)[rows]
        luck = streams.raw("barrier/failing", tick, nodes)[rows]
        part = exponential_table()[(time >> _BIN_SHIFT).astype(np.intp)] * self.mean_us >> 16
        self.left[rows] = np.maximum(-(-(self.least_us + part) // tick_us), 1)
        self.fate[rows] = (luck >> _HALF).astype(np.int64) < self.fail
        self.stage[rows] = Stage.IMAGING
        self.ended[rows] = -1
        self.owing[rows] = False

    def end_imaging(self, rows: Indices, broken: Mask, tick: int) -> None:
        """Give some hosts their outcome, which they owe the controller from now on."""
        self.stage[rows] = np.where(broken, Stage.BROKEN, Stage.IMAGED)
        self.ended[rows] = tick
        self.owing[rows] = True
        self.due[rows] = tick
