"""What each key of a fault record may hold: one rule per kind of value.

A rule turns what a scenario file or a caller gave into the stored form (lists into tuples, numpy
numbers into plain ones) and, once the number of nodes is known, says what is wrong with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["LARGEST_TIME_US", "RULES", "Rule"]

LARGEST_TIME_US = 10**12
"""Longest time that a key may name: 10^12 us are eleven days."""

Complaint = str | None


def _nothing_wrong(value: object, nodes: int) -> Complaint:
    del value, nodes
    return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one kind of value is read and checked.

    Attributes:
        allowed: What may be given, in words.
        read: Turns a given value into the stored one; TypeError or ValueError if it cannot.
        check: Given the stored value and the number of nodes, what is wrong, or None.
    """

    allowed: str
    read: Callable[[object], object]
    check: Callable[..., Complaint] = _nothing_wrong


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    return index(cast("SupportsIndex", value))


def _optional_whole(value: object) -> int | None:
    return None if value is None else _whole(value)


def _real(value: object) -> float:
    if isinstance(value, (bool, str)):
        raise TypeError("not a number")
    return float(cast("SupportsFloat", value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _wholes(value: object) -> tuple[int, ...]:
    return tuple(_whole(item) for item in cast("Iterable[object]", value))


def _groups(value: object) -> tuple[tuple[int, ...], ...]:
    return tuple(_wholes(group) for group in cast("Iterable[object]", value))


def _pairs(value: object) -> tuple[tuple[int, int], ...]:
    pairs = cast("Iterable[tuple[object, object]]", value)
    return tuple((_whole(first), _whole(second)) for first, second in pairs)


def _record(value: object) -> object:
    if not hasattr(value, "kind_name"):
        raise TypeError("not a fault")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a name")
    return value


def _check_node(value: int, nodes: int) -> Complaint:
    return None if 0 <= value < nodes else f"node {value} does not exist"


def _check_nodes(value: tuple[int, ...], nodes: int) -> Complaint:
    for node in value:
        if not 0 <= node < nodes:
            return f"node {node} does not exist"
    return "a node is named twice" if len(set(value)) < len(value) else None


def _check_some_nodes(value: tuple[int, ...], nodes: int) -> Complaint:
    return _check_nodes(value, nodes) if value else "no node is named"


def _check_groups(value: tuple[tuple[int, ...], ...], nodes: int) -> Complaint:
    if not value:
        return "no group is named"
    for number, group in enumerate(value):
        if not group:
            return f"group {number} is empty"
    return _check_nodes(tuple(node for group in value for node in group), nodes)


def _between(low: float, high: float) -> Callable[[float, int], Complaint]:
    def check(value: float, nodes: int) -> Complaint:
        del nodes
        if math.isnan(value):
            return "not a number (NaN)"
        return None if low <= value <= high else "out of range"

    return check


def _optional(check: Callable[..., Complaint]) -> Callable[..., Complaint]:
    def checked(value: object, nodes: int) -> Complaint:
        return None if value is None else check(value, nodes)

    return checked


def _range(low: int, high: int, unit: str = "") -> Rule:
    allowed = f"a whole number from {low} to {high}{unit}"
    return Rule(allowed=allowed, read=_whole, check=_between(low, high))


def _optional_range(low: int, high: int, unit: str = "") -> Rule:
    allowed = f"a whole number from {low} to {high}{unit}, or nothing"
    return Rule(allowed=allowed, read=_optional_whole, check=_optional(_between(low, high)))


RULES: dict[str, Rule] = {
    "node": Rule(allowed="one node from 0 to {last}", read=_whole, check=_check_node),
    "links": Rule(
        allowed="a list of different nodes from 0 to {last}, empty for all",
        read=_wholes,
        check=_check_nodes,
    ),
    "nodes": Rule(
        allowed="a list of one or more different nodes from 0 to {last}",
        read=_wholes,
        check=_check_some_nodes,
    ),
    "groups": Rule(
        allowed="one or more lists of nodes from 0 to {last}, each node in one list at most",
        read=_groups,
        check=_check_groups,
    ),
    "pairs": Rule(allowed="a list of pairs [from group, to group]", read=_pairs),
    "share": Rule(allowed="a number from 0 to 1", read=_real, check=_between(0.0, 1.0)),
    "us": _range(0, LARGEST_TIME_US, " microseconds"),
    "optional_us": _optional_range(0, LARGEST_TIME_US, " microseconds"),
    "ticks": _range(1, 10**9, " ticks"),
    "optional_tick": _optional_range(1, 10**9),
    "every": _range(2, 10_000, " ticks"),
    "times": _range(1, 10_000),
    "coordinate": _range(-32_768, 32_767),
    "component": _range(0, 5),
    "byte": _range(0, 255),
    "bits": _range(0, 0xFFFF),
    "data": _range(0, 2**32 - 1),
    "threshold": _range(1, 65_536),
    "ballot": _range(1, 65_535),
    "optional_ballot": _optional_range(1, 65_535),
    "neighbours": _range(3, 15),
    "flag": Rule(allowed="true or false", read=_flag),
    "fault": Rule(allowed="a lasting fault", read=_record),
    "fault_kind": Rule(allowed="the name of a lasting fault", read=_name),
}
"""Rules by name; ``{last}`` in a text stands for the highest node number."""
