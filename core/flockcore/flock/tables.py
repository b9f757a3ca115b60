"""The state of the flock layer, and what it counts, as struct of arrays over N nodes."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.consensus import Consensus
from flockcore.flock.fields import FieldRegion
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.quarantine import EvidenceBook, Quarantine
from flockcore.flock.tasks import Tasks
from flockcore.flock.topology import Topology
from flockcore.kernel.channel import Channel

__all__ = ["Accusations", "Counters", "FlockState"]


@dataclass(slots=True)
class Counters:
    """What every node's module counts (spec ekk, section 9.8), each of shape (N,).

    Attributes:
        ticks: ticks run.
        degraded: ticks with partial or stale data; without faults in the field region these are
            the ticks in which no neighbour could be sampled.
        set_changes: ticks in which the ordered elected set changed.
        discoveries: announcements broadcast.
        health_changes: changes of belief, a leap from ALIVE to DEAD counted once.
        started: ballots opened, own and others'.
        completed: ballots that ended APPROVED or REJECTED.
        cancelled: ballots that ended CANCELLED.
        timed_out: ballots that ended TIMEOUT.
        expired: other nodes' ballots whose result never came.
        sent: copies of messages sent.
        octets: payload bytes of these.
        task_runs: tasks run.
    """

    ticks: NDArray[np.int64]
    degraded: NDArray[np.int64]
    set_changes: NDArray[np.int64]
    discoveries: NDArray[np.int64]
    health_changes: NDArray[np.int64]
    started: NDArray[np.int64]
    completed: NDArray[np.int64]
    cancelled: NDArray[np.int64]
    timed_out: NDArray[np.int64]
    expired: NDArray[np.int64]
    sent: NDArray[np.int64]
    octets: NDArray[np.int64]
    task_runs: NDArray[np.int64]

    @classmethod
    def zero(cls, nodes: int) -> Self:
        """Return counters at zero."""
        return cls(*(np.zeros(nodes, dtype=np.int64) for _ in fields(cls)))


@dataclass(slots=True)
class Accusations:
    """Nodes that hold evidence and are about to ask for a quarantine.

    Attributes:
        suspect: id of the accused, 0 for none, shape (N,).
        due: tick at which the ballot opens, unless somebody else's did before, shape (N,).
    """

    suspect: NDArray[np.int64]
    due: NDArray[np.int64]

    @classmethod
    def none(cls, nodes: int) -> Self:
        """Return a flock in which nobody is accused."""
        return cls(np.zeros(nodes, dtype=np.int64), np.zeros(nodes, dtype=np.int64))


@dataclass(slots=True, kw_only=True)
class FlockState:
    """All that changes in the flock layer.

    Attributes:
        heartbeat: beliefs.
        topology: known and elected peers.
        region: published fields.
        consensus: ballots.
        tasks: tasks of each node.
        channel: messages under way.
        own: own field of each node, raw Q16.16, shape (6, N).
        gradient: neighbourhood aggregate minus own field, raw Q16.16, shape (6, N).
        stale: whether the gradient is older than the last tick (Q31), shape (N,).
        module: `flockcore.flock.codes.ModuleState`, shape (N,).
        outcome: outcome of the last tick run, OK or DEGRADED, shape (N,).
        capability: capability bits, shape (N,).
        quarantine: whose messages each node drops.
        book: evidence that each node believes.
        accusations: quarantines about to be proposed.
        counters: what every node counts.
    """

    heartbeat: Heartbeat
    topology: Topology
    region: FieldRegion
    consensus: Consensus
    tasks: Tasks
    channel: Channel
    own: NDArray[np.int64]
    gradient: NDArray[np.int64]
    stale: NDArray[np.bool_]
    module: NDArray[np.uint8]
    outcome: NDArray[np.int8]
    capability: NDArray[np.int64]
    quarantine: Quarantine
    book: EvidenceBook
    accusations: Accusations
    counters: Counters
