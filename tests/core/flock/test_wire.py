"""The wire layout, and messages that claim to be from somebody else (PBZ-4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.codes import MessageKind
from flockcore.flock.wire import FIELDS, MAX_PAYLOAD, OCTETS, decode, encode

RANGES = {
    "x": (-(2**15), 2**15 - 1),
    "y": (-(2**15), 2**15 - 1),
    "z": (-(2**15), 2**15 - 1),
    "ballot": (0, 2**16 - 1),
    "data": (0, 2**32 - 1),
    "clock": (0, 2**32 - 1),
    "threshold": (-(2**31), 2**31 - 1),
}
SENDER = {
    MessageKind.HEARTBEAT: "sender",
    MessageKind.DISCOVERY: "sender",
    MessageKind.PROPOSAL: "proposer",
    MessageKind.VOTE: "voter",
    MessageKind.RESULT: "proposer",
    MessageKind.EVIDENCE: "sender",
}


@st.composite
def messages(draw: st.DrawFn) -> tuple[MessageKind, dict]:
    kind = draw(st.sampled_from(MessageKind))
    fields = {}
    for name in FIELDS[kind]:
        if name == "payload":
            fields[name] = draw(st.binary(min_size=24, max_size=24))
        else:
            wide = name == "sequence" and kind == MessageKind.DISCOVERY
            fields[name] = draw(st.integers(*RANGES.get(name, (0, 65535 if wide else 255))))
    return kind, fields


@given(messages())
def test_there_and_back(message: tuple[MessageKind, dict]) -> None:
    kind, fields = message
    payload = encode(kind, fields)
    assert len(payload) == OCTETS[kind] <= MAX_PAYLOAD
    sender = fields.get(SENDER.get(kind), 7)
    assert decode(payload + b"more", sender) == (kind, fields)


@given(messages(), st.integers(0, 255))
def test_a_borrowed_name_is_dropped(message: tuple[MessageKind, dict], sender: int) -> None:
    """PBZ-4: only INHIBIT says nothing of its sender."""
    kind, fields = message
    claimed = fields.get(SENDER.get(kind), sender)
    assert (decode(encode(kind, fields), sender) is None) == (claimed != sender)


@given(messages(), st.data())
def test_a_short_payload_is_dropped(message: tuple[MessageKind, dict], data: st.DataObject) -> None:
    kind, fields = message
    short = encode(kind, fields)[: data.draw(st.integers(0, OCTETS[kind] - 1))]
    assert decode(short, fields.get(SENDER.get(kind), 7)) is None


def test_an_unknown_kind_is_dropped() -> None:
    assert decode(bytes([200] + [0] * 30), 0) is None


def test_the_clock_wraps() -> None:
    fields = {"proposer": 1, "ballot": 2, "clock": 2**32 + 5}
    assert encode(MessageKind.INHIBIT, fields)[-4:] == b"\x05\0\0\0"


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"proposer": 1, "ballot": 2}, "clock"), ({"proposer": 300, "ballot": 2, "clock": 0}, "300")],
)
def test_what_does_not_fit_is_named(fields: dict, named: str) -> None:
    with pytest.raises(FlockError, match=named):
        encode(MessageKind.INHIBIT, fields)
