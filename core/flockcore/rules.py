"""Rules for the keys of declarative records: how a value is read, checked and named when wrong.

Scenarios, options and faults are frozen dataclasses whose fields carry a `Rule` in their metadata.
One set of functions then reads them from plain tables, writes them back, checks them against the
number of nodes, and words every complaint the same way: the key, the value, what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from operator import index
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, cast

from flockcore.errors import FlockError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "FLAG",
    "SHARE",
    "TEXT",
    "TEXTS",
    "Rule",
    "check",
    "choice",
    "coerce",
    "from_table",
    "groups",
    "hint",
    "key_of",
    "many",
    "nodes",
    "one_node",
    "optional",
    "pairs",
    "path",
    "real",
    "ruled",
    "to_table",
    "whole",
    "whole_of",
]

_LONGEST_ID = 10**6


def _unchecked(value: object, nodes: int) -> str | None:
    del value, nodes
    return None


def _itself(value: object) -> object:
    return value


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one kind of value is read, checked and written.

    Attributes:
        allowed: What may be given, in words; ``{last}`` stands for the highest node number.
        read: Turns a given value into the stored one; TypeError or ValueError if it cannot.
        check: From the stored value and the number of nodes, what is wrong with it, or None.
        write: Turns the stored value into one of plain lists, tables, texts and numbers.
    """

    allowed: str
    read: Callable[[object], object] = _itself
    check: Callable[..., str | None] = _unchecked
    write: Callable[..., object] = _itself


def ruled(rule: Rule, *, key: str | None = None) -> dict[str, object]:
    """Metadata of a field: the rule of its value, and its key in files where that differs."""
    return {"rule": rule, "key": key}


def key_of(item: Field[Any]) -> str:
    """The key that a field has in files."""
    return item.metadata["key"] or item.name


def hint(given: str, allowed: Iterable[str]) -> str:
    """The end of a message about a name: the nearest allowed ones, then all.

    Args:
        given: The name that is not allowed.
        allowed: All names that are.

    Returns:
        A text such as ``did you mean "groups"? Allowed are groups, one_way``.
    """
    names = list(allowed)
    close = get_close_matches(given, names, n=2)
    guess = "did you mean " + " or ".join(f'"{name}"' for name in close) + "? " if close else ""
    return f"{guess}{'A' if guess else 'a'}llowed are {', '.join(names)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def _allowed(rule: Rule, nodes: int | None) -> str:
    return rule.allowed.replace("{last}", "N-1" if nodes is None else str(nodes - 1))


def coerce(record: DataclassInstance, where: str) -> None:
    """Read every field of a frozen dataclass by its rule, in place; for ``__post_init__``.

    Args:
        record: The record under construction.
        where: What the record is called in messages.

    Raises:
        FlockError: If a value is of the wrong type.
    """
    for item in fields(record):
        rule: Rule = item.metadata["rule"]
        value = getattr(record, item.name)
        try:
            object.__setattr__(record, item.name, rule.read(value))
        except FlockError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise FlockError(
                f"{where}: {key_of(item)} is {_shown(value)}; allowed is {_allowed(rule, None)}"
            ) from error


def check(record: DataclassInstance, where: str, nodes: int) -> None:
    """Check every field of a record by its rule.

    Args:
        record: A dataclass whose fields carry rules.
        where: What the record is called in messages.
        nodes: Number of nodes of the flock.

    Raises:
        FlockError: At the first value that is not allowed.
    """
    for item in fields(record):
        rule: Rule = item.metadata["rule"]
        value = getattr(record, item.name)
        complaint = rule.check(value, nodes)
        if complaint is not None:
            raise FlockError(
                f"{where}: {key_of(item)} is {_shown(rule.write(value))}: {complaint}; "
                f"allowed is {_allowed(rule, nodes)}"
            )


def from_table[T: DataclassInstance](cls: type[T], table: object, where: str) -> T:
    """Build a record from a table of plain values.

    Args:
        cls: The dataclass; its fields carry rules.
        table: Keys and values.
        where: What the record is called in messages.

    Returns:
        The record.

    Raises:
        FlockError: If the table is none, or a key is unknown or missing, or a value is of the
            wrong type.
    """
    if not isinstance(table, Mapping):
        raise FlockError(f"{where} is {_shown(table)}; allowed is a table of keys and values")
    names = {key_of(item): item.name for item in fields(cls)}
    for key in table:
        if key not in names:
            raise FlockError(f"{where}: key {key!r} is unknown; {hint(str(key), names)}")
    for item in fields(cls):
        required = item.default is MISSING and item.default_factory is MISSING
        if required and key_of(item) not in table:
            allowed = _allowed(item.metadata["rule"], None)
            raise FlockError(f"{where}: key {key_of(item)!r} is missing; allowed is {allowed}")
    return cls(**{names[key]: value for key, value in table.items()})


def to_table(record: DataclassInstance) -> dict[str, object]:
    """A record as a table of plain values, without the keys that hold their default."""
    table: dict[str, object] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        default = item.default
        if default is MISSING and item.default_factory is not MISSING:
            default = item.default_factory()
        if default is MISSING or value != default:
            table[key_of(item)] = item.metadata["rule"].write(value)
    return table


# ------------------------------------------------------------------------------ readers


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    return index(cast("SupportsIndex", value))


def _real(value: object) -> float:
    if isinstance(value, bool | str):
        raise TypeError("not a number")
    return float(cast("SupportsFloat", value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError("one text, not a list of texts")
    return tuple(_text(item) for item in cast("Iterable[object]", value))


def _node_list(value: object) -> tuple[int, ...]:
    if isinstance(value, str):
        return tuple(_span(value))
    found: list[int] = []
    for item in cast("Iterable[object]", value):
        found.extend(_span(item) if isinstance(item, str) else (_whole(item),))
    return tuple(found)


def _span(text: str) -> range:
    first, dash, last = text.partition("-")
    low = int(first)
    high = int(last) if dash else low
    if not 0 <= low <= high <= _LONGEST_ID:
        raise ValueError("not a span of nodes")
    return range(low, high + 1)


def _spans(value: tuple[int, ...]) -> list[int | str]:
    """Write runs of three nodes or more as ``"first-last"``."""
    found: list[int | str] = []
    at = 0
    while at < len(value):
        end = at
        while end + 1 < len(value) and value[end + 1] == value[end] + 1:
            end += 1
        if end - at >= 2:
            found.append(f"{value[at]}-{value[end]}")
        else:
            found.extend(value[at : end + 1])
        at = end + 1
    return found


# ------------------------------------------------------------------------------ checks


def _within(low: float, high: float) -> Callable[[float, int], str | None]:
    def checked(value: float, nodes: int) -> str | None:
        del nodes
        if math.isnan(value):
            return "this is not a number"
        return None if low <= value <= high else "this is out of range"

    return checked


def _check_node(value: int, nodes: int) -> str | None:
    return None if 0 <= value < nodes else f"node {value} does not exist"


def _check_nodes(value: tuple[int, ...], nodes: int) -> str | None:
    for node in value:
        if not 0 <= node < nodes:
            return f"node {node} does not exist"
    return "a node is named twice" if len(set(value)) < len(value) else None


def _check_groups(value: tuple[tuple[int, ...], ...], nodes: int) -> str | None:
    if not value:
        return "no group is named"
    for number, group in enumerate(value):
        if not group:
            return f"group {number} is empty"
    return _check_nodes(tuple(node for group in value for node in group), nodes)


# ------------------------------------------------------------------------------ rules


def whole(low: int, high: int, unit: str = "") -> Rule:
    """A whole number from `low` to `high`."""
    return Rule(
        allowed=f"a whole number from {low} to {high}{unit}",
        read=_whole,
        check=_within(low, high),
    )


def whole_of(names: Mapping[str, int], low: int, high: int) -> Rule:
    """A whole number from `low` to `high`, or one of the names that stand for numbers."""

    def read(value: object) -> int:
        if not isinstance(value, str):
            return _whole(value)
        if value not in names:
            raise ValueError("unknown name")
        return names[value]

    allowed = f"a whole number from {low} to {high}, or one of {', '.join(names)}"
    return Rule(allowed=allowed, read=read, check=_within(low, high))


def optional(rule: Rule) -> Rule:
    """The rule, or nothing: None, which files write as ``"none"``."""
    return Rule(
        allowed=f'{rule.allowed}, or "none"',
        read=lambda value: None if value is None or value == "none" else rule.read(value),
        check=lambda value, nodes: None if value is None else rule.check(value, nodes),
        write=lambda value: "none" if value is None else rule.write(value),
    )


def choice(*names: str) -> Rule:
    """One of several names."""

    def checked(value: str, nodes: int) -> str | None:
        del nodes
        if value in names:
            return None
        close = get_close_matches(value, names, n=1)
        return f'did you mean "{close[0]}"?' if close else "this is none of them"

    return Rule(allowed=f"one of {', '.join(names)}", read=_text, check=checked)


def nodes(*, empty: bool) -> Rule:
    """A list of nodes, with spans such as ``"0-23"``; an empty one stands for all or none."""
    if empty:
        allowed = 'a list of different nodes from 0 to {last}, spans as "0-5", or an empty one'
        return Rule(allowed=allowed, read=_node_list, check=_check_nodes, write=_spans)
    return Rule(
        allowed='a list of one or more different nodes from 0 to {last}, spans as "0-5"',
        read=_node_list,
        check=lambda value, n: _check_nodes(value, n) if value else "no node is named",
        write=_spans,
    )


def many(rule: Rule, allowed: str) -> Rule:
    """A list of values that follow one rule."""

    def checked(value: tuple[object, ...], nodes: int) -> str | None:
        return next((bad for item in value if (bad := rule.check(item, nodes))), None)

    return Rule(
        allowed=allowed,
        read=lambda value: tuple(rule.read(item) for item in cast("Iterable[object]", value)),
        check=checked,
        write=lambda value: [rule.write(item) for item in value],
    )


def one_node() -> Rule:
    """One node."""
    return Rule(allowed="one node from 0 to {last}", read=_whole, check=_check_node)


def groups() -> Rule:
    """Lists of nodes, no node twice."""
    return Rule(
        allowed='one or more lists of nodes from 0 to {last}, spans as "0-5", no node twice',
        read=lambda value: tuple(_node_list(item) for item in cast("Iterable[object]", value)),
        check=_check_groups,
        write=lambda value: [_spans(group) for group in value],
    )


def pairs(allowed: str) -> Rule:
    """A list of pairs of whole numbers."""

    def read(value: object) -> tuple[tuple[int, int], ...]:
        given = cast("Iterable[tuple[object, object]]", value)
        return tuple((_whole(first), _whole(second)) for first, second in given)

    return Rule(allowed=allowed, read=read, write=lambda value: [list(pair) for pair in value])


FLAG = Rule(allowed="true or false", read=_flag)
"""True or false."""


def real(least: float, most: float) -> Rule:
    """A finite number from `least` to `most`."""
    allowed = f"a number from {least:g} to {most:g}"
    return Rule(allowed=allowed, read=_real, check=_within(least, most))


def path(least: int, most: int) -> Rule:
    """A list of `least` to `most` different nodes in order, with spans such as ``"0-23"``."""

    def checked(value: tuple[int, ...], nodes: int) -> str | None:
        if not least <= len(value) <= most:
            return f"there are {len(value)} nodes"
        return _check_nodes(value, nodes)

    allowed = f'a list of {least} to {most} different nodes from 0 to {{last}}, spans as "0-5"'
    return Rule(allowed=allowed, read=_node_list, check=checked, write=_spans)


SHARE = Rule(allowed="a number from 0 to 1", read=_real, check=_within(0.0, 1.0))
"""A probability or a share, 0..1."""
TEXT = Rule(allowed="a text", read=_text)
"""Any text."""
TEXTS = Rule(allowed="a list of texts", read=_texts, write=list)
"""A list of texts."""
