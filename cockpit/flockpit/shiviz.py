r"""Messages as a log for ShiViz, which draws them as a space-time diagram.

ShiViz (https://bestchai.bitbucket.io/shiviz/) reads the file as it is: its first line is the
regular expression that reads the rest, the second, empty, says that there is one execution. Every
event takes two lines: host and vector clock, then tick and text. A broadcast is one event of its
sender, an arrival one event of its receiver.

    (?<host>\S+) (?<clock>\{.*\})\n(?<tick>\d+) (?<event>.*)
"""

import json
from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from flockcore.flock.codes import MessageKind, ProposalKind, Result, Vote
from flockcore.kernel.mail import BODY
from flockcore.kernel.trace import Fate, Trace

__all__ = ["EVENTS_LIMIT", "PARSER", "log"]

PARSER = r"(?<host>\S+) (?<clock>\{.*\})\n(?<tick>\d+) (?<event>.*)"
"""The regular expression with which ShiViz reads the log."""
EVENTS_LIMIT = 10_000
"""Most events of a log: beyond that ShiViz becomes too slow to be of use."""
_NOTE_HOST = "flockpit"
_SEND, _ARRIVE = 0, 1
_LATER = {
    Fate.LOST: "lost",
    Fate.CUT: "stopped by a cut",
    Fate.DOWN: "to nodes that are down",
    Fate.IN_FLIGHT: "still under way",
}


def log(trace: Trace, *, limit: int = EVENTS_LIMIT) -> str:
    """Return the messages of a trace as a ShiViz log.

    Args:
        trace: The messages.
        limit: Most events. Of a longer trace the latest ticks are written, from the sending on, so
            that every arrival has its sending, and an event of the host `flockpit` says so.

    Returns:
        The text of the file.
    """
    every = _order(trace)
    events = _latest(trace, every, limit)
    lines = [PARSER, "", *_note(every, events)]
    clocks: dict[int, dict[str, int]] = {}
    stamps: dict[int, dict[str, int]] = {}
    firsts = _first_copies(trace)
    for tick, phase, copy in events.tolist():
        message = int(trace.message[copy])
        node = int(trace.source[copy] if phase == _SEND else trace.target[copy])
        clock = clocks.setdefault(node, {})
        if phase == _ARRIVE:
            _merge(clock, stamps[message])
        host = f"node-{node}"
        clock[host] = clock.get(host, 0) + 1
        if phase == _SEND:
            stamps[message] = dict(clock)
            text = _sending(trace, firsts, message)
        else:
            text = f"receives {_name(trace, copy)} from node {trace.source[copy]}"
        lines += [f"{host} {json.dumps(clock)}", f"{tick} {text}"]
    return "\n".join(lines) + "\n"


def _order(trace: Trace) -> np.ndarray:
    """Events in causal order, one row (tick, phase, copy) each: a tick's arrivals end it."""
    _, sent = np.unique(trace.message, return_index=True)
    arrived = np.flatnonzero(trace.fate == Fate.DELIVERED)
    copy = np.r_[sent, arrived]
    phase = np.r_[np.full(len(sent), _SEND), np.full(len(arrived), _ARRIVE)]
    tick = np.r_[trace.tick[sent], trace.delivered[arrived]]
    order = np.lexsort((trace.target[copy] * (phase == _ARRIVE), trace.message[copy], phase, tick))
    return np.stack([tick, phase, copy], axis=1)[order].astype(np.int64)


def _latest(trace: Trace, events: np.ndarray, limit: int) -> np.ndarray:
    """The events of the messages sent in the last ticks, as many as fit; at least a part of one."""
    if len(events) <= limit:
        return events
    sent = trace.tick[events[:, 2]]
    kept = np.array([np.count_nonzero(sent >= tick) for tick in np.unique(sent)])
    fitting = np.unique(sent)[kept <= limit]
    first = fitting[0] if len(fitting) else sent.max()
    # Any beginning of what is left is causally complete, because it is in causal order.
    return events[sent >= first][:limit]


def _first_copies(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Copies sorted by message, and where each message starts among them."""
    order = np.argsort(trace.message, kind="stable")
    numbers = trace.message[order]
    starts = np.searchsorted(numbers, np.arange(numbers.max(initial=-1) + 2))
    return order, starts


def _sending(trace: Trace, firsts: tuple[np.ndarray, np.ndarray], message: int) -> str:
    order, starts = firsts
    copies = order[starts[message] : starts[message + 1]]
    counts = np.bincount(trace.fate[copies], minlength=len(Fate))
    targets = np.unique(trace.target[copies])
    whom = f"node {targets[0]}" if len(targets) == 1 else f"{len(targets)} nodes"
    missing = [f"{counts[fate]} {words}" for fate, words in _LATER.items() if counts[fate]]
    tail = f" ({', '.join(missing)})" if missing else ""
    return f"sends {_name(trace, copies[0])} to {whom}{tail}"


def _name(trace: Trace, copy: int) -> str:
    kind = MessageKind(int(trace.kind[copy]))
    if kind is MessageKind.HEARTBEAT:
        return f"{kind.name} #{trace.sequence[copy]}"
    if kind not in _ABOUT_BALLOTS or trace.body.shape[1] != BODY:
        return kind.name
    proposer, ballot, value, data, _, result = trace.body[copy].tolist()
    # On the wire a node's id is its number + 1.
    which = f"ballot {ballot} of node {proposer - 1}"
    if kind is MessageKind.PROPOSAL:
        return f"{kind.name} of {which}: {_word(ProposalKind, value)}, data {data}"
    if kind is MessageKind.VOTE:
        return f"{kind.name} {_word(Vote, value)} on {which}"
    if kind is MessageKind.RESULT:
        return f"{kind.name} {_word(Result, result)} of {which}"
    return f"{kind.name} of {which}"


_ABOUT_BALLOTS = (
    MessageKind.PROPOSAL,
    MessageKind.VOTE,
    MessageKind.RESULT,
    MessageKind.INHIBIT,
)


def _word(names: type[IntEnum], number: int) -> str:
    known = {int(name) for name in names}
    return names(number).name.lower().replace("_", " ") if number in known else str(number)


def _merge(clock: dict[str, int], other: Mapping[str, int]) -> None:
    for host, count in other.items():
        if clock.get(host, 0) < count:
            clock[host] = count


def _note(every: np.ndarray, events: np.ndarray) -> list[str]:
    if len(events) == len(every):
        return []
    first, last = int(events[0, 0]), int(events[-1, 0])
    begun, ended = int(every[0, 0]), int(every[-1, 0])
    text = (
        f"{len(events)} of {len(every)} events are written: those of ticks {first} to {last}, "
        f"where ticks {begun} to {ended} were asked for"
    )
    return [f"{_NOTE_HOST} {json.dumps({_NOTE_HOST: 1})}", f"{first} {text}"]
