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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from flockcore import rules
from flockcore.errors import FlockError
from flockcore.kernel import fault_keys as keys
from flockcore.kernel.fault_base import Command, Fault
from flockcore.kernel.fault_keys import (
    COMPONENTS,
    PROPOSALS,
    SIMPLE_MAJORITY,
    STRICT_MAJORITY,
    SUPERMAJORITY,
    THRESHOLDS,
    TWO_THIRDS,
    UNANIMOUS,
)
from flockcore.kernel.uses import (
    AddTask,
    Inhibit,
    Lift,
    Mend,
    Propose,
    Provision,
    Reconcile,
    Require,
    SetField,
    SetNeighbours,
    Storm,
    Write,
)

__all__ = [
    "COMPONENTS",
    "KINDS",
    "PROPOSALS",
    "SIMPLE_MAJORITY",
    "STRICT_MAJORITY",
    "SUPERMAJORITY",
    "THRESHOLDS",
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
    "Mend",
    "Partition",
    "Pause",
    "Propose",
    "Provision",
    "Reconcile",
    "Reorder",
    "Require",
    "Restart",
    "Resume",
    "SetField",
    "SetNeighbours",
    "Slow",
    "Storm",
    "Write",
    "expand",
    "from_dict",
    "to_dict",
    "validate",
]


def _read_fault(value: object) -> Fault:
    return value if isinstance(value, Fault) else from_dict(value)


_FAULT = rules.Rule(
    allowed="a lasting fault with its kind and keys",
    read=_read_fault,
    write=lambda value: to_dict(value),
)


@dataclass(frozen=True, kw_only=True)
class Partition(Fault):
    """Traffic between groups stops.

    Nodes in no group form one more group, numbered ``len(groups)``. With an empty ``one_way`` all
    traffic between different groups stops; otherwise only traffic from group ``a`` to group ``b``
    stops, for every listed pair ``(a, b)``.
    """

    kind_name: ClassVar[str] = "partition"
    lasting: ClassVar[bool] = True

    groups: tuple[tuple[int, ...], ...] = field(metadata=rules.ruled(keys.GROUPS))
    one_way: tuple[tuple[int, int], ...] = field(default=(), metadata=rules.ruled(keys.WAYS))


@dataclass(frozen=True, kw_only=True)
class Cut(Fault):
    """One link is cut, in one direction or in both."""

    kind_name: ClassVar[str] = "cut"
    lasting: ClassVar[bool] = True

    source: int = field(metadata=rules.ruled(keys.NODE))
    target: int = field(metadata=rules.ruled(keys.NODE))
    both: bool = field(default=True, metadata=rules.ruled(rules.FLAG))


@dataclass(frozen=True, kw_only=True)
class LinkFault(Fault):
    """Base of the faults that a set of links suffers; empty lists mean all nodes."""

    lasting: ClassVar[bool] = True

    sources: tuple[int, ...] = field(default=(), metadata=rules.ruled(keys.LINKS))
    targets: tuple[int, ...] = field(default=(), metadata=rules.ruled(keys.LINKS))


@dataclass(frozen=True, kw_only=True)
class Loss(LinkFault):
    """Every copy of a message is lost with ``probability``, drawn per copy."""

    kind_name: ClassVar[str] = "loss"

    probability: float = field(metadata=rules.ruled(rules.SHARE))


@dataclass(frozen=True, kw_only=True)
class Delay(LinkFault):
    """Messages take ``min_us`` plus an exponential part with mean ``mean_us`` longer."""

    kind_name: ClassVar[str] = "delay"

    min_us: int = field(metadata=rules.ruled(keys.TIME))
    mean_us: int = field(default=0, metadata=rules.ruled(keys.TIME))


@dataclass(frozen=True, kw_only=True)
class Duplicate(LinkFault):
    """Every copy of a message arrives a second time with ``probability``."""

    kind_name: ClassVar[str] = "duplicate"

    probability: float = field(metadata=rules.ruled(rules.SHARE))


@dataclass(frozen=True, kw_only=True)
class Reorder(LinkFault):
    """With ``probability`` a copy is held back by ``by_us``, so that later ones overtake it."""

    kind_name: ClassVar[str] = "reorder"

    probability: float = field(metadata=rules.ruled(rules.SHARE))
    by_us: int = field(metadata=rules.ruled(keys.TIME))


@dataclass(frozen=True, kw_only=True)
class Crash(Fault):
    """Nodes stop and lose their inbox; at ``until`` they restart with fresh state."""

    kind_name: ClassVar[str] = "crash"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))


@dataclass(frozen=True, kw_only=True)
class Restart(Fault):
    """Crashed nodes come back with fresh state and a new incarnation."""

    kind_name: ClassVar[str] = "restart"

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))


@dataclass(frozen=True, kw_only=True)
class Pause(Fault):
    """Nodes stop ticking and keep their state; their inbox fills to its bound."""

    kind_name: ClassVar[str] = "pause"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))


@dataclass(frozen=True, kw_only=True)
class Resume(Fault):
    """Paused nodes go on where they stopped."""

    kind_name: ClassVar[str] = "resume"

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """Nodes run only every ``every``-th tick."""

    kind_name: ClassVar[str] = "slow"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))
    every: int = field(metadata=rules.ruled(keys.EVERY))


@dataclass(frozen=True, kw_only=True)
class Equivocate(Fault):
    """Nodes say different things to different peers about one ballot.

    Attributes:
        nodes: The nodes that lie.
        ballot: Ballot number to lie about; None means every ballot while the fault lasts.
    """

    kind_name: ClassVar[str] = "equivocate"
    lasting: ClassVar[bool] = True

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))
    ballot: int | None = field(default=None, metadata=rules.ruled(keys.OPTIONAL_BALLOT))


@dataclass(frozen=True, kw_only=True)
class Flap(Fault):
    """A lasting fault that comes and goes: ``on`` ticks, ``off`` ticks, ``times`` over."""

    kind_name: ClassVar[str] = "flap"
    lasting: ClassVar[bool] = True

    fault: Fault = field(metadata=rules.ruled(_FAULT))
    on: int = field(metadata=rules.ruled(keys.TICKS))
    off: int = field(metadata=rules.ruled(keys.TICKS))
    times: int = field(metadata=rules.ruled(keys.TIMES))


@dataclass(frozen=True, kw_only=True)
class Join(Fault):
    """An absent node enters the flock at a place, with fresh state."""

    kind_name: ClassVar[str] = "join"

    node: int = field(metadata=rules.ruled(keys.NODE))
    x: int = field(metadata=rules.ruled(keys.COORDINATE))
    y: int = field(metadata=rules.ruled(keys.COORDINATE))


@dataclass(frozen=True, kw_only=True)
class Leave(Fault):
    """Nodes leave the flock for good, without a farewell; a join brings one back."""

    kind_name: ClassVar[str] = "leave"

    nodes: tuple[int, ...] = field(metadata=rules.ruled(keys.NODES))


@dataclass(frozen=True, kw_only=True)
class Heal(Fault):
    """All partitions, cuts and flaps of links end."""

    kind_name: ClassVar[str] = "heal"


@dataclass(frozen=True, kw_only=True)
class Clear(Fault):
    """All lasting faults of one kind end."""

    kind_name: ClassVar[str] = "clear"

    kind: str = field(metadata=rules.ruled(rules.TEXT, key="what"))


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
        Write,
        Storm,
        Reconcile,
        Mend,
        Provision,
        Require,
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


def to_dict(fault: Fault) -> dict[str, object]:
    """A record as a table of plain values, fit for JSON and TOML.

    Args:
        fault: Any record.

    Returns:
        The table, ``kind`` first, without the keys that hold their default; runs of nodes are
        written as ``"first-last"``.
    """
    return {"kind": fault.kind_name, **rules.to_table(fault)}


def from_dict(table: object) -> Fault:
    """The record that a table describes.

    Args:
        table: As written by `to_dict`. Components, proposal kinds and thresholds may be names.

    Returns:
        The record. Its values are of the right type; `validate` checks their range.

    Raises:
        FlockError: If the kind or a key is unknown, a key is missing, or a value is of the wrong
            type. The message names it and says what is allowed.
    """
    if not isinstance(table, Mapping):
        raise FlockError(f"a fault is {table!r}; allowed is a table with a kind and its keys")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FlockError(f"fault kind {kind!r} is unknown; {rules.hint(str(kind), KINDS)}")
    keys = {key: value for key, value in table.items() if key != "kind"}
    return rules.from_table(KINDS[kind], keys, kind)


def validate(fault: Fault, nodes: int) -> None:
    """Check a record against a flock.

    Args:
        fault: Any record.
        nodes: Number of nodes.

    Raises:
        FlockError: If a value is out of its range, or names a node that does not exist. The
            message names the kind, the key, the value and what is allowed.
    """
    rules.check(fault, fault.kind_name, nodes)
    _validate_span(fault)
    if isinstance(fault, Partition):
        _validate_directions(fault)
    elif isinstance(fault, Cut) and fault.source == fault.target:
        raise FlockError(
            f"cut: source and target are both {fault.source}; allowed is a link between two nodes"
        )
    elif isinstance(fault, Flap):
        _validate_flap(fault, nodes)
    elif isinstance(fault, Clear):
        lasting = [name for name, cls in KINDS.items() if cls.lasting]
        if fault.kind not in lasting:
            raise FlockError(f"clear: what is {fault.kind!r}; {rules.hint(fault.kind, lasting)}")


def _validate_span(fault: Fault) -> None:
    if fault.until is None:
        return
    if not fault.lasting:
        raise FlockError(
            f"{fault.kind_name}: until is {fault.until}, but a {fault.kind_name} happens at one "
            "tick; allowed is start alone"
        )
    if fault.start is not None and fault.until <= fault.start:
        raise FlockError(
            f"{fault.kind_name}: until is {fault.until} and start is {fault.start}; allowed is an "
            "until later than start"
        )


def _validate_directions(fault: Partition) -> None:
    sides = len(fault.groups)
    for source, target in fault.one_way:
        if source == target or not (0 <= source <= sides and 0 <= target <= sides):
            raise FlockError(
                f"partition: one_way is {[source, target]}; allowed are pairs of different groups "
                f"from 0 to {sides} (group {sides} is all nodes that no group names)"
            )


def _validate_flap(fault: Flap, nodes: int) -> None:
    inner = fault.fault
    if not inner.lasting or isinstance(inner, Flap):
        lasting = [name for name, cls in KINDS.items() if cls.lasting and cls is not Flap]
        raise FlockError(
            f"flap: fault is a {inner.kind_name}; allowed are lasting faults: {', '.join(lasting)}"
        )
    if inner.start is not None or inner.until is not None:
        raise FlockError(
            "flap: the fault inside has a start or an until of its own; allowed are these on the "
            "flap alone"
        )
    validate(inner, nodes)
