"""Which hosts have a lane, in which order, and what the controller's own detector held of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.barrier.codes import Host
from flockcore.barrier.lanes import Lanes, Spans
from flockcore.flock.codes import Health
from flockpit.instruments.view import Transitions

__all__ = ["Order", "beliefs", "order", "spans_of"]

_LATE_SHARE = 0.25
"""Share of the whole time for which a report must be overdue to be a story."""
_LATE_TIMES = 4.0
"""Or how many times as long as in the middle it must take."""


@dataclass(frozen=True, slots=True)
class Order:
    """Hosts in the order of their lanes.

    Attributes:
        hosts: all of them, those with a story first, shape (N,).
        stories: how many have one.
    """

    hosts: NDArray[np.intp]
    stories: int


def order(found: Lanes, hosts: int, until: int) -> Order:
    """Return the order of lanes: false words, failures, silence, downtime, lateness come first.

    Args:
        found: the lanes.
        hosts: number of hosts N.
        until: last tick that is drawn.
    """
    never = until + 1
    false = _first(found.false_ready, hosts, never)
    failed = _first(_only(found.word, Host.FAILED), hosts, never)
    said = np.minimum(_first(_only(found.word, Host.READY), hosts, never), failed)
    done = _first(_only(found.truth, Host.READY), hosts, never)
    done = np.minimum(done, _first(_only(found.truth, Host.FAILED), hosts, never))
    wait = said - found.began
    late = said - done > max(_LATE_SHARE * (never - found.began), 1)
    late |= wait > _LATE_TIMES * np.median(wait)
    up = np.bincount(found.up.host, weights=found.up.end - found.up.start, minlength=hosts)
    down = up < never - found.began
    stories = [false < never, failed < never, said >= never, down, late]
    kind = np.select(stories, list(range(len(stories))), len(stories))
    when = np.select([kind == 0, kind == 1], [false, failed], said)
    rank = np.lexsort((np.arange(hosts), when, kind))
    return Order(rank.astype(np.intp), int(np.count_nonzero(kind < len(stories))))


def _only(spans: Spans, code: int) -> Spans:
    chosen = spans.code == code
    return Spans(
        host=spans.host[chosen],
        start=spans.start[chosen],
        end=spans.end[chosen],
        code=spans.code[chosen],
    )


def _first(spans: Spans, hosts: int, never: int) -> NDArray[np.int64]:
    found = np.full(hosts, never, dtype=np.int64)
    np.minimum.at(found, spans.host, spans.start)
    return found


def spans_of(
    spans: Spans, lane: NDArray[np.intp], code: int | None = None
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Return lane, first tick and first tick after each stretch of hosts that have a lane.

    Args:
        spans: of all hosts.
        lane: number of each host's lane, -1 for none, shape (N,).
        code: what must hold in a stretch; None for anything.
    """
    chosen = lane[spans.host] >= 0
    if code is not None:
        chosen &= spans.code == code
    return lane[spans.host[chosen]], spans.start[chosen], spans.end[chosen]


def beliefs(
    found: Transitions, observer: int, lane: NDArray[np.intp], first: int, until: int
) -> dict[Health, tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]]:
    """Return the stretches in which a node held hosts with a lane SUSPECT, and DEAD.

    Args:
        found: all changes of belief.
        observer: the node.
        lane: number of each host's lane, -1 for none, shape (N,).
        first: first tick that is drawn.
        until: last one.
    """
    chosen = np.flatnonzero((found.observer == observer) & (lane[found.subject] >= 0))
    subject, tick, after = (part[chosen] for part in (found.subject, found.tick, found.after))
    rank = np.argsort(subject, kind="stable")
    subject, tick, after = subject[rank], tick[rank], after[rank]
    end = np.append(tick[1:], until + 1)
    end[np.append(subject[1:] != subject[:-1], True)[: len(end)]] = until + 1
    start, end = np.maximum(tick, first), np.minimum(end, until + 1)
    drawn = end > start
    return {
        health: (lane[subject[here]], start[here], end[here])
        for health in (Health.SUSPECT, Health.DEAD)
        for here in (drawn & (after == health),)
    }
