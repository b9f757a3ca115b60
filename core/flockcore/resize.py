"""Fault scripts for a flock of another size: the same story, told with more or fewer nodes.

Runs of consecutive nodes keep their share of the flock, so that "the left half" stays the left
half; a single node stays a single node at the same relative place.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from flockcore.kernel import fault_keys as keys
from flockcore.kernel.faults import Cut, Fault, Flap, Propose, Provision, Require

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["resize_fault", "resize_nodes"]


def _resize_node(node: int, old: int, new: int) -> int:
    return (2 * node + 1) * new // (2 * old)


def resize_nodes(nodes: Iterable[int], old: int, new: int) -> tuple[int, ...]:
    """Map nodes of a flock of `old` nodes to one of `new` nodes.

    Args:
        nodes: Nodes from 0 to ``old - 1``.
        old: Size of the flock that they belong to.
        new: Size of the other flock.

    Returns:
        Different nodes from 0 to ``new - 1``, ascending: runs of two or more keep their share of
        the flock, others stay single.
    """
    found: set[int] = set()
    for first, last in _runs(sorted(nodes)):
        spread = range(first * new // old, (last + 1) * new // old)
        if last > first and spread:
            found.update(spread)
        else:
            found.add(_resize_node(first, old, new))
    return tuple(sorted(found))


def _runs(nodes: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for node in nodes:
        if runs and runs[-1][1] == node - 1:
            runs[-1] = (runs[-1][0], node)
        else:
            runs.append((node, node))
    return runs


def resize_fault(fault: Fault, old: int, new: int) -> Fault:
    """Map a fault record of a flock of `old` nodes to one of `new` nodes.

    Args:
        fault: Any record, valid for `old` nodes.
        old: Size of the flock that it was written for.
        new: Size of the other flock.

    Returns:
        The record with its nodes mapped. It may not be valid, if the flock is too small for the
        groups or links that it names.
    """
    changes: dict[str, Any] = {}
    for item in fields(fault):
        value, rule = getattr(fault, item.name), item.metadata["rule"]
        if rule is keys.NODE:
            changes[item.name] = _resize_node(value, old, new)
        elif rule is keys.PATH:
            # Two of its nodes may fall together in a smaller flock.
            mapped = dict.fromkeys(_resize_node(one, old, new) for one in value)
            changes[item.name] = tuple(mapped)
        elif rule in (keys.NODES, keys.LINKS):
            changes[item.name] = resize_nodes(value, old, new)
        elif rule is keys.GROUPS:
            changes[item.name] = tuple(resize_nodes(group, old, new) for group in value)
    if isinstance(fault, Flap):
        changes["fault"] = resize_fault(fault.fault, old, new)
    elif isinstance(fault, Cut) and changes["source"] == changes["target"]:
        changes["target"] = (changes["source"] + 1) % new
    elif isinstance(fault, Propose) and fault.kind == keys.PROPOSALS["quarantine"]:
        changes["data"] = _resize_node(fault.data, old, new) if fault.data < old else fault.data
    elif isinstance(fault, Provision | Require):
        changes["ready"] = -(-fault.ready * new // old)
        changes["failed"] = fault.failed * new // old
    return replace(fault, **changes)
