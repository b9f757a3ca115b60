"""Wire layout of the messages: packed, little-endian (spec ekk, section 10).

Ids take one byte there: the layout serves the recorded runs and the count of bytes, not large
flocks. RESULT and EVIDENCE are ours (Q06, Q26).
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple

from flockcore.errors import FlockError
from flockcore.flock.codes import MessageKind

__all__ = ["FIELDS", "MAX_PAYLOAD", "OCTETS", "Message", "decode", "encode"]

MAX_PAYLOAD = 64
"""Most bytes of one message."""

_LAYOUT: Mapping[MessageKind, tuple[str, tuple[str, ...]]] = {
    MessageKind.HEARTBEAT: (
        "<BBBBBBBB",
        ("sender", "sequence", "state", "tracked", "load", "thermal", "flags"),
    ),
    MessageKind.DISCOVERY: (
        "<BBhhhBBH",
        ("sender", "x", "y", "z", "elected", "state", "sequence"),
    ),
    MessageKind.PROPOSAL: (
        "<BBHBIi",
        ("proposer", "ballot", "kind", "data", "threshold"),
    ),
    MessageKind.VOTE: ("<BBBHBI", ("voter", "proposer", "ballot", "vote", "clock")),
    MessageKind.INHIBIT: ("<BBHI", ("proposer", "ballot", "clock")),
    MessageKind.RESULT: (
        "<BBHBIiB",
        ("proposer", "ballot", "kind", "data", "threshold", "result"),
    ),
    MessageKind.EVIDENCE: (
        "<BBBBBBBB24s",
        ("sender", "suspect", "kind", "count", "witness_0", "witness_1", "witness_2", "payload"),
    ),
}

_CODECS = {kind: struct.Struct(layout) for kind, (layout, _) in _LAYOUT.items()}

FIELDS: Mapping[MessageKind, tuple[str, ...]] = {
    kind: names for kind, (_, names) in _LAYOUT.items()
}
"""Names of the fields behind the type byte, in order."""

OCTETS: Mapping[MessageKind, int] = {kind: codec.size for kind, codec in _CODECS.items()}
"""Bytes of each message."""

_SENDER_FIELDS = {"sender", "voter"}
_CLAIMED_BY_PROPOSER = {MessageKind.PROPOSAL, MessageKind.RESULT}


class Message(NamedTuple):
    """A decoded message.

    Attributes:
        kind: What it is.
        fields: Its fields by name, see ``FIELDS``.
    """

    kind: MessageKind
    fields: dict[str, int | bytes]


def encode(kind: MessageKind, fields: Mapping[str, int | bytes]) -> bytes:
    """Pack one message.

    Args:
        kind: What it is.
        fields: Every field of ``FIELDS[kind]``; ``clock`` is taken modulo 2^32.

    Raises:
        FlockError: A field is missing, unknown or out of its range.
    """
    names = FIELDS[kind]
    if set(fields) != set(names):
        raise FlockError(
            f"{kind.name} was given {', '.join(sorted(fields))}; it needs {', '.join(names)}"
        )
    values = [fields[name] for name in names]
    if names[-1] == "clock":
        values[-1] = int(values[-1]) % 2**32
    try:
        return _CODECS[kind].pack(int(kind), *values)
    except struct.error as error:
        raise FlockError(f"{kind.name} with {dict(fields)} cannot be packed: {error}") from error


def decode(payload: bytes, transport_sender: int) -> Message | None:
    """Unpack one message, or drop it.

    Args:
        payload: The bytes; more than the layout needs are ignored.
        transport_sender: Id of the node that the transport says it came from.

    Returns:
        The message; ``None`` when it is of no known kind, too short, or claims another sender
        than the transport's (spec section 9.3).
    """
    try:
        kind = MessageKind(payload[0]) if payload else None
    except ValueError:
        kind = None
    if kind is None or len(payload) < OCTETS[kind]:
        return None
    values = _CODECS[kind].unpack_from(payload)[1:]
    fields = dict(zip(FIELDS[kind], values, strict=True))
    if _claimed_sender(kind, fields) not in (None, transport_sender):
        return None
    return Message(kind, fields)


def _claimed_sender(kind: MessageKind, fields: Mapping[str, int | bytes]) -> int | bytes | None:
    """Return who a message says that it is from; INHIBIT does not say."""
    if kind in _CLAIMED_BY_PROPOSER:
        return fields["proposer"]
    return next((fields[name] for name in _SENDER_FIELDS & fields.keys()), None)
