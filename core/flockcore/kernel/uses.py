"""What uses the flock rather than hurts it: ballots, fields, tasks, flows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from flockcore import rules
from flockcore.kernel import fault_keys as keys
from flockcore.kernel.fault_base import Command, Fault

__all__ = [
    "AddTask",
    "Inhibit",
    "Lift",
    "Mend",
    "Propose",
    "Provision",
    "Reconcile",
    "Require",
    "SetField",
    "SetNeighbours",
    "Storm",
    "Write",
]


@dataclass(frozen=True, kw_only=True)
class Propose(Command):
    """A node opens a ballot among its elected neighbours.

    Attributes:
        node: The proposer.
        kind: A `flockcore.flock.codes.ProposalKind`.
        data: 32-bit payload; for a quarantine, the suspect's node number.
        threshold: Share of yes votes that approves, raw Q16.16.
    """

    kind_name: ClassVar[str] = "propose"

    node: int = field(metadata=rules.ruled(keys.NODE))
    kind: int = field(default=0, metadata=rules.ruled(keys.PROPOSAL, key="proposal"))
    data: int = field(default=0, metadata=rules.ruled(keys.DATA))
    threshold: int = field(default=keys.STRICT_MAJORITY, metadata=rules.ruled(keys.THRESHOLD))


@dataclass(frozen=True, kw_only=True)
class Inhibit(Command):
    """A node tries to cancel a ballot, named by its proposer and its number."""

    kind_name: ClassVar[str] = "inhibit"

    node: int = field(metadata=rules.ruled(keys.NODE))
    proposer: int = field(metadata=rules.ruled(keys.NODE))
    ballot: int = field(metadata=rules.ruled(keys.BALLOT))


@dataclass(frozen=True, kw_only=True)
class SetField(Command):
    """A node's own field component takes a value, which its neighbours then see.

    Attributes:
        node: The node.
        component: Index into `COMPONENTS`.
        value: From 0 to 1.
    """

    kind_name: ClassVar[str] = "set_field"

    node: int = field(metadata=rules.ruled(keys.NODE))
    component: int = field(metadata=rules.ruled(keys.COMPONENT))
    value: float = field(metadata=rules.ruled(rules.SHARE))


@dataclass(frozen=True, kw_only=True)
class SetNeighbours(Command):
    """Every node elects ``k`` neighbours from now on."""

    kind_name: ClassVar[str] = "set_neighbours"

    k: int = field(metadata=rules.ruled(keys.NEIGHBOURS))


@dataclass(frozen=True, kw_only=True)
class AddTask(Command):
    """A node is given a task, ready at once.

    Attributes:
        node: The node.
        priority: 0 (first) to 255 (last).
        period_us: Microseconds between runs; 0 runs once.
        need: Capability bits that the node must have.
        deadline_us: Deadline, counted from the tick of the command; None for none.
        duration_us: Estimated duration, used for the slack alone.
    """

    kind_name: ClassVar[str] = "add_task"

    node: int = field(metadata=rules.ruled(keys.NODE))
    priority: int = field(default=128, metadata=rules.ruled(keys.BYTE))
    period_us: int = field(default=0, metadata=rules.ruled(keys.TIME))
    need: int = field(default=0, metadata=rules.ruled(keys.BITS))
    deadline_us: int | None = field(default=None, metadata=rules.ruled(keys.OPTIONAL_TIME))
    duration_us: int = field(default=0, metadata=rules.ruled(keys.TIME))


@dataclass(frozen=True, kw_only=True)
class Lift(Command):
    """A node's quarantine is lifted everywhere."""

    kind_name: ClassVar[str] = "lift"

    node: int = field(metadata=rules.ruled(keys.NODE))


@dataclass(frozen=True, kw_only=True)
class Write(Command):
    """A node appends to its log of edge flows: a rate along edges of the mesh.

    Attributes:
        node: The writer.
        path: Nodes that edges join.
        rate: Flow added along each edge.
        shape: "loop" goes from each node to the next and from the last one to the first: what
            circulates is curl, which no merge of logs can explain away. "path" ends at the last
            node. "star" goes from the first node to each of the others: if these are all its
            neighbours, the flow is a gradient.
    """

    kind_name: ClassVar[str] = "write"

    node: int = field(metadata=rules.ruled(keys.NODE))
    path: tuple[int, ...] = field(metadata=rules.ruled(keys.PATH))
    rate: float = field(default=1.0, metadata=rules.ruled(keys.RATE))
    shape: str = field(default="loop", metadata=rules.ruled(keys.SHAPE))


@dataclass(frozen=True, kw_only=True)
class Storm(Fault):
    """Every so many ticks a node drawn at random writes up to ``rate`` round a triangle of its."""

    kind_name: ClassVar[str] = "storm"
    lasting: ClassVar[bool] = True

    every: int = field(default=20, metadata=rules.ruled(keys.TICKS))
    rate: float = field(default=1.0, metadata=rules.ruled(keys.RATE))


@dataclass(frozen=True, kw_only=True)
class Reconcile(Command):
    """Every node removes the curl from the flow that it knows; to balance evens queues out too."""

    kind_name: ClassVar[str] = "reconcile"

    aim: str = field(default="project", metadata=rules.ruled(keys.AIM))


@dataclass(frozen=True, kw_only=True)
class Mend(Fault):
    """Nodes reconcile by themselves as soon as they have learned nothing new for a while.

    Attributes:
        quiet_us: How long that is, in microseconds.
    """

    kind_name: ClassVar[str] = "mend"
    lasting: ClassVar[bool] = True

    quiet_us: int = field(default=50_000, metadata=rules.ruled(keys.TIME))


@dataclass(frozen=True, kw_only=True)
class Provision(Command):
    """All nodes are imaged, and a controller waits at a barrier for what they report.

    What an earlier provisioning left behind is forgotten.

    Attributes:
        policy: What the gate asks for: "strict_all", "threshold" (at least ``ready`` hosts READY),
            "max_failures" (at most ``failed`` hosts FAILED) or "combined" (both).
        ready: Hosts that must be READY.
        failed: Hosts that may have FAILED.
        seat: Node at which the controller sits.
        least_us: Fixed part of the time that a host needs, in microseconds.
        mean_us: Mean of the exponential part of it.
        fail: Probability that a host's imaging fails.
        early: The gate fails as soon as the policy is out of reach.
        resend_us: How long a host waits for an acknowledgement before it repeats its report.
    """

    kind_name: ClassVar[str] = "provision"

    policy: str = field(default="strict_all", metadata=rules.ruled(keys.POLICY))
    ready: int = field(default=0, metadata=rules.ruled(keys.HOSTS))
    failed: int = field(default=0, metadata=rules.ruled(keys.HOSTS))
    seat: int = field(default=0, metadata=rules.ruled(keys.NODE))
    least_us: int = field(default=20_000, metadata=rules.ruled(keys.TIME))
    mean_us: int = field(default=30_000, metadata=rules.ruled(keys.TIME))
    fail: float = field(default=0.0, metadata=rules.ruled(rules.SHARE))
    early: bool = field(default=False, metadata=rules.ruled(rules.FLAG))
    resend_us: int = field(default=10_000, metadata=rules.ruled(keys.WAIT))


@dataclass(frozen=True, kw_only=True)
class Require(Command):
    """The gate asks for something else from now on, if it has not decided yet.

    Attributes:
        policy: As for `Provision`.
        ready: Hosts that must be READY.
        failed: Hosts that may have FAILED.
    """

    kind_name: ClassVar[str] = "require"

    policy: str = field(default="strict_all", metadata=rules.ruled(keys.POLICY))
    ready: int = field(default=0, metadata=rules.ruled(keys.HOSTS))
    failed: int = field(default=0, metadata=rules.ruled(keys.HOSTS))
