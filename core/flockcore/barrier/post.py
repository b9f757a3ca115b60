"""Letters between the controller and its hosts: a star, so that each is named by its host alone.

What the network does to a letter it decides as for every other message: loss, duplication and delay
when it is sent, partitions and cuts when it is delivered. A letter sent in a tick is delivered at
the end of that tick, or of a later one, and read in the tick after that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.kernel.rng import pair_key
from flockcore.kernel.state import derived

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Indices, Mask
    from flockcore.kernel.mail import Traffic
    from flockcore.kernel.network import Network

__all__ = ["OCTETS", "Letter", "Post"]

OCTETS = 16
"""Payload bytes of a letter: ids, outcome, incarnation, padding."""

type Numbers = NDArray[np.int64]


class Letter(IntEnum):
    """Message kinds of the barrier layer; other layers have other numbers, below 16 too."""

    REPORT = 14
    RECEIPT = 15


@dataclass(frozen=True, slots=True)
class _Copies:
    """Copies as the network asks for them, shape (n,) each."""

    source: Indices
    target: Indices
    pairs: NDArray[np.uint64]


def _none() -> Numbers:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True, kw_only=True)
class Post:
    """Letters of one kind, under way or unread.

    Attributes:
        network: the faults that act on messages.
        kind: `Letter.REPORT` to the controller, `Letter.RECEIPT` from it.
        seat: the controller's node.
        flight_host: host of each letter under way, shape (m,).
        flight_word: the outcome that it is about, a `Host` code.
        flight_due: tick at whose end it arrives.
        host: host of each unread letter, in order of arrival, shape (k,).
        word: the outcome that it is about.
    """

    network: Network = derived()
    kind: Letter = derived()
    seat: int = derived()
    flight_host: Numbers = field(default_factory=_none)
    flight_word: Numbers = field(default_factory=_none)
    flight_due: Numbers = field(default_factory=_none)
    host: Numbers = field(default_factory=_none)
    word: Numbers = field(default_factory=_none)

    def __bool__(self) -> bool:
        """Return whether any letter is under way or unread."""
        return bool(len(self.flight_host) or len(self.host))

    def _ends(self, hosts: Numbers) -> tuple[Indices, Indices]:
        ends = hosts.astype(np.intp), np.full(len(hosts), self.seat, dtype=np.intp)
        return ends if self.kind is Letter.REPORT else ends[::-1]

    def send(self, hosts: Numbers, words: Numbers, tick: int, traffic: Traffic) -> None:
        """Hand one letter for each of some hosts to the network; no host is named twice."""
        if not len(hosts):
            return
        # What the controller's own node tells it never leaves that node.
        away = hosts != self.seat
        near = np.full(int(np.count_nonzero(~away)), tick, dtype=np.int64)
        self._launch(hosts[~away], words[~away], near)
        hosts, words = hosts[away], words[away]
        source, target = self._ends(hosts)
        copies = _Copies(source, target, pair_key(source, target))
        fate = self.network.dispatch(copies, kind=self.kind, tick=tick)
        index = np.arange(len(hosts), dtype=np.intp) if fate.index is None else fate.index
        due = np.full(len(index), tick, dtype=np.int64)
        if fate.ticks is not None:
            due += fate.ticks
            traffic.delayed += int(np.count_nonzero(fate.ticks))
        distinct = len(np.unique(index))
        traffic.sent += len(hosts)
        traffic.octets += OCTETS * len(hosts)
        traffic.lost += len(hosts) - distinct
        traffic.duplicated += len(index) - distinct
        self._launch(hosts[index], words[index], due)

    def _launch(self, hosts: Numbers, words: Numbers, due: Numbers) -> None:
        self.flight_host = np.append(self.flight_host, hosts)
        self.flight_word = np.append(self.flight_word, words)
        self.flight_due = np.append(self.flight_due, due)

    def deliver(self, tick: int, listening: Mask, limit: int, traffic: Traffic) -> None:
        """Put what is due at the end of `tick` among the unread letters.

        Args:
            tick: the present tick.
            listening: nodes whose inbox takes letters of this kind, shape (N,).
            limit: letters that may lie unread; what comes beyond is dropped.
            traffic: where copies are counted.
        """
        if not len(self.flight_host):
            return
        now = self.flight_due <= tick
        hosts, words = self.flight_host[now], self.flight_word[now]
        self.flight_host, self.flight_word = self.flight_host[~now], self.flight_word[~now]
        self.flight_due = self.flight_due[~now]
        source, target = self._ends(hosts)
        fine = listening[target]
        traffic.down += int(np.count_nonzero(~fine))
        passing = self.network.cross(source[fine], target[fine])
        hosts, words = hosts[fine], words[fine]
        if passing is not None:
            traffic.cut += int(np.count_nonzero(~passing))
            hosts, words = hosts[passing], words[passing]
        room = max(limit - len(self.host), 0)
        traffic.full += max(len(hosts) - room, 0)
        traffic.delivered += min(len(hosts), room)
        self.host = np.append(self.host, hosts[:room])
        self.word = np.append(self.word, words[:room])

    def read(self, reading: Mask) -> tuple[Numbers, Numbers]:
        """Take out the unread letters of some hosts, in order.

        Args:
            reading: about which hosts, shape (N,).

        Returns:
            Hosts and outcomes, shape (m,) each.
        """
        mine = reading[self.host]
        taken = self.host[mine], self.word[mine]
        self.host, self.word = self.host[~mine], self.word[~mine]
        return taken
