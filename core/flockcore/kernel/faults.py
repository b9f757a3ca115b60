"""The fault vocabulary: what can be done to a run, as data.

A fault script is a tuple of these records. The same records come from a scenario file, from the
person at the screen and from a share token, so a run can always be repeated. Records are frozen
and carry ticks, never wall time. What a record does to the world is decided by the network and by
the layers; this module only says what was asked for.

Three kinds of record exist:

* *lasting* faults, which have a beginning (``start``) and may have an end (``until``);
* *momentary* faults and repairs, which happen at ``start`` and have no end of their own;
* *commands*, which use the flock rather than hurt it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

from flockcore.errors import FlockError
from flockcore.kernel.fault_rules import RULES

__all__ = [
    "COMPONENTS",
    "KINDS",
    "SIMPLE_MAJORITY",
    "STRICT_MAJORITY",
    "SUPERMAJORITY",
    "TWO_THIRDS",
    "UNANIMOUS",
    "AddTask",
    "Clear",
    "Command",
    "Crash",
    "Cut",
    "Delay",
    "Duplicate",
    "Equivocate",
    "Fault",
    "Flap",
    "Heal",
    "Inhibit",
    "Join",
    "Leave",
    "Lift",
    "LinkFault",
    "Loss",
    "Partition",
    "Pause",
    "Propose",
    "Reorder",
    "Restart",
    "Resume",
    "SetField",
    "SetNeighbours",
    "Slow",
    "expand",
]

COMPONENTS = ("load", "thermal", "power", "custom_0", "custom_1", "slack")
"""Names of the six field components, in their order (spec ekk, section 2)."""

SIMPLE_MAJORITY = 32768
"""Approval threshold of one half, raw Q16.16: a tie approves (anomaly Q09)."""
STRICT_MAJORITY = 32769
"""Approval threshold of more than one half, raw Q16.16."""
TWO_THIRDS = 43690
"""Approval threshold of two thirds, raw Q16.16."""
SUPERMAJORITY = 43908
"""Approval threshold of 0.67, raw Q16.16: exactly two thirds is refused (anomaly Q09)."""
UNANIMOUS = 65536
"""Approval threshold of everybody, raw Q16.16."""


def _item(rule: str, *, key: str | None = None) -> dict[str, str | None]:
    """Metadata of a field: the rule of its value, and its key in files if that differs."""
    return {"rule": rule, "key": key}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Base of all records of a fault script.

    Attributes:
        start: Tick at whose beginning the record applies; the first tick of a run is 1. None
            means "at once": injection fills in the next tick, a scenario takes tick 1.
        until: Tick at whose beginning a lasting record ends; None means that it stays.
    """

    kind_name: ClassVar[str] = ""
    lasting: ClassVar[bool] = False

    start: int | None = field(default=None, metadata=_item("optional_tick"))
    until: int | None = field(default=None, metadata=_item("optional_tick"))

    def __post_init__(self) -> None:
        """Turn lists into tuples and numpy numbers into plain ones.

        Raises:
            FlockError: If a value is of the wrong type; the message names kind and key.
        """
        for item in fields(self):
            rule = RULES[item.metadata["rule"]]
            value = getattr(self, item.name)
            try:
                object.__setattr__(self, item.name, rule.read(value))
            except (TypeError, ValueError) as error:
                key = item.metadata["key"] or item.name
                allowed = rule.allowed.replace("{last}", "N-1")
                raise FlockError(
                    f"{self.kind_name}: {key} is {value!r}; allowed is {allowed}"
                ) from error


@dataclass(frozen=True, kw_only=True)
class Partition(Fault):
    """Traffic between groups stops.

    Nodes in no group form one more group, numbered ``len(groups)``. With an empty ``one_way`` all
    traffic between different groups stops; otherwise only traffic from group ``a`` to group ``b``
    stops, for every listed pair ``(a, b)``.
    """

    kind_name: ClassVar[str] = "partition"
    lasting: ClassVar[bool] = True

    groups: tuple[tuple[int, ...], ...] = field(metadata=_item("groups"))
    one_way: tuple[tuple[int, int], ...] = field(default=(), metadata=_item("pairs"))


@dataclass(frozen=True, kw_only=True)
class Cut(Fault):
    """One link is cut, in one direction or in both."""

    kind_name: ClassVar[str] = "cut"
    lasting: ClassVar[bool] = True

    source: int = field(metadata=_item("node"))
    target: int = field(metadata=_item("node"))
    both: bool = field(default=True, metadata=_item("flag"))


@dataclass(frozen=True, kw_only=True)
class LinkFault(Fault):
    """Base of the faults that a set of links suffers; empty lists mean all nodes."""

    lasting: ClassVar[bool] = True

    sources: tuple[int, ...] = field(default=(), metadata=_item("links"))
    targets: tuple[int, ...] = field(default=(), metadata=_item("links"))


@dataclass(frozen=True, kw_only=True)
class Loss(LinkFault):
    """Every copy of a message is lost with ``probability``, drawn per copy."""

    kind_name: ClassVar[str] = "loss"

    probability: float = field(metadata=_item("share"))


@dataclass(frozen=True, kw_only=True)
class Delay(LinkFault):
    """Messages take ``min_us`` plus an exponential part with mean ``mean_us`` longer."""

    kind_name: ClassVar[str] = "delay"

    min_us: int = field(metadata=_item("us"))
    mean_us: int = field(default=0, metadata=_item("us"))


@dataclass(frozen=True, kw_only=True)
class Duplicate(LinkFault):
    """Every copy of a message arrives a second time with ``probability``."""

    kind_name: ClassVar[str] = "duplicate"

    probability: float = field(metadata=_item("share"))


@dataclass(frozen=True, kw_only=True)
class Reorder(LinkFault):
    """With ``probability`` a copy is held back by ``by_us``, so that later ones overtake it."""

    kind_name: ClassVar[str] = "reorder"

    probability: float = field(metadata=_item("share"))
    by_us: int = field(metadata=_item("us"))


@dataclass(frozen=True, kw_only=True)
class Crash(Fault):
    """Nodes stop and lose their inbox; at ``until`` they restart with fresh state."""

    kind_name: ClassVar[str] = "crash"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))


@dataclass(frozen=True, kw_only=True)
class Restart(Fault):
    """Crashed nodes come back with fresh state and a new incarnation."""

    kind_name: ClassVar[str] = "restart"

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))


@dataclass(frozen=True, kw_only=True)
class Pause(Fault):
    """Nodes stop ticking and keep their state; their inbox fills to its bound."""

    kind_name: ClassVar[str] = "pause"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))


@dataclass(frozen=True, kw_only=True)
class Resume(Fault):
    """Paused nodes go on where they stopped."""

    kind_name: ClassVar[str] = "resume"

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """Nodes run only every ``every``-th tick."""

    kind_name: ClassVar[str] = "slow"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))
    every: int = field(metadata=_item("every"))


@dataclass(frozen=True, kw_only=True)
class Equivocate(Fault):
    """Nodes say different things to different peers about one ballot.

    Attributes:
        nodes: The nodes that lie.
        ballot: Ballot number to lie about; None means every ballot while the fault lasts.
    """

    kind_name: ClassVar[str] = "equivocate"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))
    ballot: int | None = field(default=None, metadata=_item("optional_ballot"))


@dataclass(frozen=True, kw_only=True)
class Flap(Fault):
    """A lasting fault that comes and goes: ``on`` ticks, ``off`` ticks, ``times`` over."""

    kind_name: ClassVar[str] = "flap"
    lasting: ClassVar[bool] = True

    fault: Fault = field(metadata=_item("fault"))
    on: int = field(metadata=_item("ticks"))
    off: int = field(metadata=_item("ticks"))
    times: int = field(metadata=_item("times"))


@dataclass(frozen=True, kw_only=True)
class Join(Fault):
    """An absent node enters the flock at a place, with fresh state."""

    kind_name: ClassVar[str] = "join"

    node: int = field(metadata=_item("node"))
    x: int = field(metadata=_item("coordinate"))
    y: int = field(metadata=_item("coordinate"))


@dataclass(frozen=True, kw_only=True)
class Leave(Fault):
    """Nodes leave the flock for good, without a farewell; a join brings one back."""

    kind_name: ClassVar[str] = "leave"

    nodes: tuple[int, ...] = field(metadata=_item("nodes"))


@dataclass(frozen=True, kw_only=True)
class Heal(Fault):
    """All partitions, cuts and flaps of links end."""

    kind_name: ClassVar[str] = "heal"


@dataclass(frozen=True, kw_only=True)
class Clear(Fault):
    """All lasting faults of one kind end."""

    kind_name: ClassVar[str] = "clear"

    kind: str = field(metadata=_item("fault_kind", key="what"))


@dataclass(frozen=True, kw_only=True)
class Command(Fault):
    """Base of the records that use the flock rather than hurt it."""


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

    node: int = field(metadata=_item("node"))
    kind: int = field(default=0, metadata=_item("byte", key="proposal"))
    data: int = field(default=0, metadata=_item("data"))
    threshold: int = field(default=STRICT_MAJORITY, metadata=_item("threshold"))


@dataclass(frozen=True, kw_only=True)
class Inhibit(Command):
    """A node tries to cancel a ballot, named by its proposer and its number."""

    kind_name: ClassVar[str] = "inhibit"

    node: int = field(metadata=_item("node"))
    proposer: int = field(metadata=_item("node"))
    ballot: int = field(metadata=_item("ballot"))


@dataclass(frozen=True, kw_only=True)
class SetField(Command):
    """A node's own field component takes a value, which its neighbours then see.

    Attributes:
        node: The node.
        component: Index into `COMPONENTS`.
        value: From 0 to 1.
    """

    kind_name: ClassVar[str] = "set_field"

    node: int = field(metadata=_item("node"))
    component: int = field(metadata=_item("component"))
    value: float = field(metadata=_item("share"))


@dataclass(frozen=True, kw_only=True)
class SetNeighbours(Command):
    """Every node elects ``k`` neighbours from now on."""

    kind_name: ClassVar[str] = "set_neighbours"

    k: int = field(metadata=_item("neighbours"))


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

    node: int = field(metadata=_item("node"))
    priority: int = field(default=128, metadata=_item("byte"))
    period_us: int = field(default=0, metadata=_item("us"))
    need: int = field(default=0, metadata=_item("bits"))
    deadline_us: int | None = field(default=None, metadata=_item("optional_us"))
    duration_us: int = field(default=0, metadata=_item("us"))


@dataclass(frozen=True, kw_only=True)
class Lift(Command):
    """A node's quarantine is lifted everywhere."""

    kind_name: ClassVar[str] = "lift"

    node: int = field(metadata=_item("node"))


KINDS: dict[str, type[Fault]] = {
    cls.kind_name: cls
    for cls in (
        Partition,
        Cut,
        Loss,
        Delay,
        Duplicate,
        Reorder,
        Flap,
        Crash,
        Restart,
        Pause,
        Resume,
        Slow,
        Equivocate,
        Join,
        Leave,
        Heal,
        Clear,
        Propose,
        Inhibit,
        SetField,
        SetNeighbours,
        AddTask,
        Lift,
    )
}
"""Every kind of record by the name it has in scenario files, exports and tokens."""


def expand(fault: Fault) -> tuple[Fault, ...]:
    """The plain records that a record stands for.

    A flap becomes one copy of its inner fault for each time it is on; ``until`` cuts the series
    short. Every other record stands for itself.

    Args:
        fault: A record with ``start`` set, if it is a flap.

    Returns:
        Records with ``start`` and ``until`` set, in the order of their start.

    Raises:
        FlockError: If a flap has no ``start``.
    """
    if not isinstance(fault, Flap):
        return (fault,)
    if fault.start is None:
        raise FlockError("flap: start is not set; allowed is the tick at which it first strikes")
    end = fault.start + fault.times * (fault.on + fault.off) if fault.until is None else fault.until
    starts = range(fault.start, end, fault.on + fault.off)[: fault.times]
    return tuple(
        replace(fault.fault, start=begin, until=min(begin + fault.on, end)) for begin in starts
    )
