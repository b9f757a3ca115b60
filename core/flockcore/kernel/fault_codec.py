"""Fault records to and from plain dictionaries, and their validation.

A record is written as ``{"kind": "partition", "start": 200, "groups": [[0, 1], [2, 3]]}``. Keys
that hold their default are left out. Field components, proposal kinds and thresholds may be given
by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches

from flockcore.errors import FlockError
from flockcore.flock.codes import ProposalKind
from flockcore.kernel.fault_rules import RULES
from flockcore.kernel.faults import (
    COMPONENTS,
    KINDS,
    SIMPLE_MAJORITY,
    STRICT_MAJORITY,
    SUPERMAJORITY,
    TWO_THIRDS,
    UNANIMOUS,
    Clear,
    Fault,
    Flap,
    Partition,
)

__all__ = ["allowed_names", "from_dict", "to_dict", "validate"]

_NAMED: dict[str, dict[str, int]] = {
    "component": {name: number for number, name in enumerate(COMPONENTS)},
    "proposal": {kind.name.lower(): int(kind) for kind in ProposalKind},
    "threshold": {
        "simple_majority": SIMPLE_MAJORITY,
        "strict_majority": STRICT_MAJORITY,
        "two_thirds": TWO_THIRDS,
        "supermajority": SUPERMAJORITY,
        "unanimous": UNANIMOUS,
    },
}


def allowed_names(given: str, allowed: list[str]) -> str:
    """The end of an error message: what is allowed, nearest names first.

    Args:
        given: The name that is not allowed.
        allowed: All names that are.

    Returns:
        A text such as ``did you mean "groups"? Allowed are groups, one_way``.
    """
    close = get_close_matches(given, allowed, n=2)
    hint = "did you mean " + " or ".join(f'"{name}"' for name in close) + "? " if close else ""
    return f"{hint}{'A' if hint else 'a'}llowed are {', '.join(allowed)}"


def to_dict(fault: Fault) -> dict[str, object]:
    """A record as a dictionary of plain values, fit for JSON and TOML.

    Args:
        fault: Any record.

    Returns:
        The dictionary, ``kind`` first, without the keys that hold their default.
    """
    plain: dict[str, object] = {"kind": fault.kind_name}
    for item in fields(fault):
        value = getattr(fault, item.name)
        if item.default is not MISSING and value == item.default:
            continue
        plain[item.metadata["key"] or item.name] = _plain(value)
    return plain


def _plain(value: object) -> object:
    if isinstance(value, Fault):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def from_dict(plain: Mapping[str, object]) -> Fault:
    """The record that a dictionary describes.

    Args:
        plain: As written by `to_dict`; names are allowed where they exist.

    Returns:
        The record. Its values are of the right type; `validate` checks their range.

    Raises:
        FlockError: If the kind or a key is unknown, a key is missing, or a value is of the wrong
            type. The message names it and lists what is allowed.
    """
    if not isinstance(plain, Mapping):
        raise FlockError(f"a fault is {plain!r}; allowed is a table with a kind and its keys")
    kind = plain.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        hint = allowed_names(str(kind), list(KINDS))
        raise FlockError(f"fault kind {kind!r} is unknown; {hint}")
    cls = KINDS[kind]
    names = {item.metadata["key"] or item.name: item.name for item in fields(cls)}
    values: dict[str, object] = {}
    for key, value in plain.items():
        if key == "kind":
            continue
        if key not in names:
            raise FlockError(f"{kind}: key {key!r} is unknown; {allowed_names(key, list(names))}")
        values[names[key]] = _named(cls.kind_name, key, value)
    for item in fields(cls):
        if item.default is MISSING and item.name not in values:
            key = item.metadata["key"] or item.name
            allowed = _allowed(item.metadata["rule"], None)
            raise FlockError(f"{kind}: key {key!r} is missing; allowed is {allowed}")
    return cls(**values)  # type: ignore[arg-type]


def _named(kind: str, key: str, value: object) -> object:
    if key == "fault" and isinstance(value, Mapping):
        return from_dict(value)
    if isinstance(value, str) and key in _NAMED:
        if value not in _NAMED[key]:
            hint = allowed_names(value, list(_NAMED[key]))
            raise FlockError(f"{kind}: {key} {value!r} is unknown; {hint}")
        return _NAMED[key][value]
    return value


def _allowed(rule: str, nodes: int | None) -> str:
    last = "N-1" if nodes is None else str(nodes - 1)
    return RULES[rule].allowed.replace("{last}", last)


def validate(fault: Fault, nodes: int) -> None:
    """Check a record against a flock.

    Args:
        fault: Any record.
        nodes: Number of nodes.

    Raises:
        FlockError: If a value is out of its range, or names a node that does not exist. The
            message names the kind, the key, the value and what is allowed.
    """
    for item in fields(fault):
        rule = RULES[item.metadata["rule"]]
        value = getattr(fault, item.name)
        complaint = rule.check(value, nodes)
        if complaint is not None:
            key = item.metadata["key"] or item.name
            raise FlockError(
                f"{fault.kind_name}: {key} is {_plain(value)!r}: {complaint}; "
                f"allowed is {_allowed(item.metadata['rule'], nodes)}"
            )
    _validate_span(fault)
    if isinstance(fault, Partition):
        _validate_directions(fault)
    elif isinstance(fault, Flap):
        _validate_flap(fault, nodes)
    elif isinstance(fault, Clear):
        lasting = [name for name, cls in KINDS.items() if cls.lasting]
        if fault.kind not in lasting:
            hint = allowed_names(fault.kind, lasting)
            raise FlockError(f"clear: what is {fault.kind!r}; {hint}")


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
