"""Lanes of hosts over time, from the log alone: truth, word, and where the word is false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Host
from flockcore.barrier.reports import Said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Bytes, Indices

__all__ = ["Lanes", "Spans", "lanes"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Spans:
    """Stretches of ticks of hosts, by host and then by time.

    Attributes:
        host: Whose stretch it is, shape (S,).
        start: First tick, shape (S,).
        end: First tick after it, shape (S,).
        code: What holds then, shape (S,).
    """

    host: Indices
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    code: Bytes

    def __len__(self) -> int:
        """Return the number of stretches."""
        return len(self.host)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Lanes:
    """The lanes of the last provisioning in a log.

    Attributes:
        began: Tick of its fan-out, -1 if there is none.
        up: Stretches in which hosts run; code 1.
        truth: Stretches by `Host` code in truth; READY only while a host is up.
        word: Stretches by `Host` code as the controller knows it.
        false_ready: Stretches in which the word is READY and the truth is not; code 1.
    """

    began: int
    up: Spans
    truth: Spans
    word: Spans
    false_ready: Spans


def lanes(log: Mapping[str, NDArray[Any]], *, hosts: int, until: int) -> Lanes:
    """Return the lanes up to a tick.

    Args:
        log: Rows of the log "barrier", as ``records.logs["barrier"].rows()`` gives them.
        hosts: Number of hosts N.
        until: Last tick to be drawn; what the log says of later ones is left out.
    """
    what, tick, host = log["what"], log["tick"], log["host"]
    shown = tick <= until
    fans = np.flatnonzero(shown & (what == Said.FANNED_OUT))
    if not len(fans):
        none = _merged(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
        return Lanes(began=-1, up=none, truth=none, word=none, false_ready=none)
    began = int(tick[fans[-1]])
    rows = np.flatnonzero(shown & (host >= 0) & (np.arange(len(tick)) > fans[-1]))
    # A row for each host at the fan-out, then what happened to it: all in order of host and time.
    names = np.concatenate([np.arange(hosts), host[rows]])
    order = np.argsort(names, kind="stable")
    names = names[order]
    times = np.concatenate([np.full(hosts, began), tick[rows]])[order]
    says = np.concatenate([np.full(hosts, Said.FANNED_OUT), what[rows]])[order]
    values = np.concatenate([np.zeros(hosts, dtype=np.int64), log["value"][rows]])[order]
    begins = says == Said.FANNED_OUT
    up = _latest(begins | (says == Said.CAME_UP) | (says == Said.WENT_DOWN), says != Said.WENT_DOWN)
    anew = (says == Said.CAME_UP) & (values == 1)
    stage = np.select([says == Said.IMAGED, says == Said.BROKE], [Host.READY, Host.FAILED], 0)
    turned = begins | anew | (says == Said.IMAGED) | (says == Said.BROKE)
    stage = _latest(turned, stage)
    truth = np.where((stage == Host.READY) & (up == 0), Host.PROVISIONING, stage)
    told = (says == Said.SAID_READY) | (says == Said.SAID_FAILED)
    word = np.where(says == Said.SAID_FAILED, Host.FAILED, Host.READY)
    word = _latest(begins | told, np.where(begins, Host.PROVISIONING, word))
    wrong = (word == Host.READY) & (truth != Host.READY)
    ends = np.append(times[1:], until + 1)
    ends[np.append(names[1:] != names[:-1], True)] = until + 1

    def spans(code: NDArray[Any], *, only: bool) -> Spans:
        return _merged(names, times, ends, code, only=only)

    return Lanes(
        began=began,
        up=spans(up, only=True),
        truth=spans(truth, only=False),
        word=spans(word, only=False),
        false_ready=spans(wrong, only=True),
    )


def _latest(here: NDArray[np.bool_], value: NDArray[Any]) -> NDArray[np.int64]:
    """Carry the values of some rows on to those that follow; the first row of a host is one."""
    place = np.maximum.accumulate(np.where(here, np.arange(len(here)), 0))
    carried: NDArray[np.int64] = value[place].astype(np.int64)
    return carried


def _merged(
    host: NDArray[Any],
    start: NDArray[Any],
    end: NDArray[Any],
    code: NDArray[Any],
    *,
    only: bool = False,
) -> Spans:
    """Join stretches of one host and code; leave out empty ones, and with `only` code 0."""
    some = np.flatnonzero(end > start)
    host, start, end, code = host[some], start[some], end[some], code[some]
    new = np.append(True, (host[1:] != host[:-1]) | (code[1:] != code[:-1]))[: len(host)]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(host)) - 1 if len(first) else first
    keep = np.flatnonzero(code[first]) if only else np.arange(len(first))
    first, last = first[keep], last[keep]
    return Spans(
        host=host[first].astype(np.intp),
        start=start[first].astype(np.int64),
        end=end[last].astype(np.int64),
        code=code[first].astype(np.uint8),
    )
