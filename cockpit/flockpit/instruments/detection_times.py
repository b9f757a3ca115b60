"""How long it takes until the observers of a node that went down hold it DEAD.

Pure computations on columns of events; times are ticks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.kernel.faults import Crash, Join, Leave, Pause, Restart, Resume
from flockcore.kernel.script import Span

__all__ = [
    "Detections",
    "Outages",
    "detect",
    "distribution",
    "false_alarms",
    "outages_of",
    "quantile",
]

type Ints = NDArray[np.int64]

_FAR = 2**40
"""A tick that no run reaches: an outage that does not end ends there."""
_DOWN: Mapping[type, type] = {Crash: Restart, Pause: Resume, Leave: Join}


@dataclass(frozen=True, slots=True)
class Outages:
    """Stretches of time in which a node is really down, ascending by (subject, start).

    Attributes:
        subject: the node, shape (m,).
        start: first tick at which it is down, shape (m,).
        stop: first tick at which it no longer is, shape (m,).
    """

    subject: Ints
    start: Ints
    stop: Ints

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> "Outages":
        """Return outages from (subject, start, stop); overlapping ones of a node become one."""
        merged: list[list[int]] = []
        for subject, start, stop in sorted(rows):
            if merged and merged[-1][0] == subject and start <= merged[-1][2]:
                merged[-1][2] = max(merged[-1][2], stop)
            else:
                merged.append([subject, start, stop])
        table = np.array(merged, dtype=np.int64).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1], table[:, 2])

    def __len__(self) -> int:
        return len(self.subject)

    def until(self, tick: int) -> "Outages":
        """Return those that have begun at `tick`."""
        begun = self.start <= tick
        return Outages(self.subject[begun], self.start[begun], self.stop[begun])

    def at(self, subject: Ints, tick: Ints) -> NDArray[np.intp]:
        """Return the outage in which each subject is at a tick, -1 where it is up, (n,)."""
        if not len(self):
            return np.full(len(subject), -1, dtype=np.intp)
        key = self.subject * _FAR + self.start
        place = np.searchsorted(key, subject * _FAR + tick, "right") - 1
        candidate = np.maximum(place, 0)
        within = (place >= 0) & (self.subject[candidate] == subject) & (tick < self.stop[candidate])
        return np.where(within, place, -1).astype(np.intp)


def outages_of(spans: Iterable[Span]) -> Outages:
    """Return when nodes are down: crashed, paused or gone, until they are brought back."""
    known = sorted(spans, key=lambda span: (span.start, span.ordinal))
    rows = []
    for span in known:
        back = _DOWN.get(type(span.fault))
        if back is None:
            continue
        end = _FAR if span.stop is None else span.stop
        for subject in _nodes(span.fault):
            returns = [
                other.start
                for other in known
                if isinstance(other.fault, back)
                and (other.start, other.ordinal) > (span.start, span.ordinal)
                and subject in _nodes(other.fault)
            ]
            rows.append((subject, span.start, min([end, *returns])))
    return Outages.of(rows)


def _nodes(fault: Any) -> tuple[int, ...]:  # noqa: ANN401
    return (fault.node,) if isinstance(fault, Join) else tuple(fault.nodes)


@dataclass(frozen=True, slots=True)
class Detections:
    """Who held whom DEAD for the first time in an outage.

    Attributes:
        outage: index of the outage, shape (n,).
        observer: who noticed, shape (n,).
        delay: ticks from the outage's start, shape (n,).
        first: delay of the first observer, per outage, -1 when nobody noticed, shape (m,).
        last: delay of the last one so far, likewise.
        noticed: observers who noticed, per outage, shape (m,).
    """

    outage: NDArray[np.intp]
    observer: Ints
    delay: Ints
    first: Ints
    last: Ints
    noticed: Ints


def detect(tick: Ints, observer: Ints, subject: Ints, outages: Outages) -> Detections:
    """Find the first detection of every outage by every observer.

    Args:
        tick: when an observer came to hold a subject DEAD, ascending, shape (n,).
        observer: who, shape (n,).
        subject: whom, shape (n,).
        outages: when subjects were really down.
    """
    outage = outages.at(subject, tick)
    rows = np.flatnonzero(outage >= 0)
    key = outage[rows].astype(np.int64) * (int(observer.max(initial=0)) + 1) + observer[rows]
    # `unique` gives the first occurrence, and rows ascend by tick.
    _, first = np.unique(key, return_index=True)
    rows = rows[first]
    found = outage[rows]
    delay = tick[rows] - outages.start[found]
    earliest = np.full(len(outages), _FAR, dtype=np.int64)
    latest = np.full(len(outages), -1, dtype=np.int64)
    np.minimum.at(earliest, found, delay)
    np.maximum.at(latest, found, delay)
    noticed = np.bincount(found, minlength=len(outages)).astype(np.int64)
    earliest[noticed == 0] = -1
    return Detections(found, observer[rows], delay, earliest, latest, noticed)


def false_alarms(tick: Ints, subject: Ints, outages: Outages) -> NDArray[np.bool_]:
    """Return which of the declarations of death concern a node that is up, shape (n,)."""
    return outages.at(subject, tick) < 0


def quantile(delay: Ints, share: float) -> int | None:
    """Return the least delay within which at least `share` of all detections fall; None if none.

    This is the inverse of the drawn step line, so the dots lie on it.
    """
    if not len(delay):
        return None
    ordered = np.sort(delay)
    return int(ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)])


def distribution(
    delay: Ints, total: int, most: int = 240
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of `total` that is reached within each delay, as corners of a step line.

    Args:
        delay: delays, shape (n,).
        total: what counts as all of them.
        most: corners at most.

    Returns:
        Delays, ascending, and shares 0..1; both start with 0.
    """
    value, amount = np.unique(delay, return_counts=True)
    share = np.cumsum(amount) / max(total, 1)
    if len(value) > most:
        chosen = np.unique(np.linspace(0, len(value) - 1, most).round().astype(np.intp))
        value, share = value[chosen], share[chosen]
    return np.concatenate([[0.0], value]), np.concatenate([[0.0], share])
