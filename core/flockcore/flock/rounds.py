"""Running an operation on rows that may repeat, and small helpers of flat columns."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.flock.codes import Code
from flockcore.flock.evidence import Evidence
from flockcore.flock.outbox import Completions, Outbox, Reply

__all__ = ["columns", "first_code", "flat", "in_rounds", "occurrence", "running_count"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]


def flat[T: np.generic](column: NDArray[T]) -> NDArray[T]:
    """View a C-contiguous column by cell (or by seat)."""
    return column.reshape(-1)


def first_code(size: int, *rules: tuple[Mask, Code]) -> NDArray[np.int8]:
    """Return the code of the first rule that applies, else OK, (size,)."""
    code = np.zeros(size, np.int8)
    for applies, value in reversed(rules):
        code[applies] = value
    return code


def running_count(hit: Mask, start: Index, group: Index) -> Index:
    """Count hits up to and including each entry within its group.

    Args:
        hit: What to count, (n,).
        start: Where each group begins, (g,).
        group: Number of each entry's group, ascending, (n,).
    """
    total = np.cumsum(hit)
    return total - (total[start] - hit[start])[group]


def columns(rows: ArrayLike, *given: ArrayLike) -> tuple[Index, list[Ints]]:
    """Spread arguments over rows: the rows (n,) and each argument as int64, (n,)."""
    index = np.atleast_1d(np.asarray(rows, np.intp))
    return index, [_column(np.asarray(each, np.int64), index.shape) for each in given]


def _column(given: Ints, shape: tuple[int, ...]) -> Ints:
    return given if given.shape == shape else np.broadcast_to(given, shape)


def in_rounds(step: Callable[..., Reply], rows: ArrayLike, *given: ArrayLike) -> Reply:
    """Run ``step`` on rounds of unique rows: the k-th occurrence of a row goes in round k.

    Args:
        step: Takes unique rows and one array per argument.
        rows: Node indices, repeats allowed, (n,).
        *given: Arguments, one for all or one per row.

    Returns:
        Codes in the order given; messages and completions round by round.
    """
    index, arguments = columns(rows, *given)
    if index.size < 2 or bool((index[1:] > index[:-1]).all()):
        return step(index, *arguments)
    rank = occurrence(index)
    code = np.zeros(index.size, np.int8)
    ballot = np.zeros(index.size, np.int32)
    replies = []
    for turn in range(int(rank.max()) + 1):
        which = np.flatnonzero(rank == turn)
        reply = step(index[which], *(argument[which] for argument in arguments))
        code[which] = reply.code
        if reply.ballot.size:
            ballot[which] = reply.ballot
        replies.append(reply)
    return Reply(
        code=code,
        ballot=ballot if replies[0].ballot.size else replies[0].ballot,
        outbox=Outbox.join(reply.outbox for reply in replies),
        completions=Completions.join(reply.completions for reply in replies),
        evidence=Evidence.join([reply.evidence for reply in replies]),
    )


def occurrence(index: Index) -> Index:
    """Number the occurrences of each value from 0, (n,)."""
    order = np.argsort(index, kind="stable")
    head = np.ones(index.size, np.bool_)
    head[1:] = index[order][1:] != index[order][:-1]
    start = np.flatnonzero(head)
    rank = np.empty(index.size, np.intp)
    rank[order] = np.arange(index.size) - start[np.cumsum(head) - 1]
    return rank
