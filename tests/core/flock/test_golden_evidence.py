"""Evidence, quarantine and wire layout of the original runtime (evidence.json)."""

import numpy as np
import pytest

from flockcore.flock.codes import Code, MessageKind, ProposalKind
from flockcore.flock.consensus import Consensus
from flockcore.flock.evidence import UPSTREAM_EVIDENCE, Evidence, verify
from flockcore.flock.quarantine import Quarantine, propose_quarantine
from flockcore.flock.wire import FIELDS, OCTETS, decode, encode
from golden import Case, cases

HIGHEST_ID = 63


def read_evidence(rows: list) -> Evidence:
    """Make evidence of rows [kind, suspect, count, witnesses, payload as hex]."""
    payload = [np.frombuffer(bytes.fromhex(row[4]), np.uint8) for row in rows]
    return Evidence(
        holder=np.arange(len(rows)),
        kind=np.array([row[0] for row in rows], np.uint8),
        suspect=np.array([row[1] for row in rows], np.int32),
        witness=np.array([row[3] for row in rows], np.int32),
        count=np.array([row[2] for row in rows], np.int16),
        payload=np.stack(payload),
        time=np.zeros(len(rows), np.int64),
    )


@pytest.mark.parametrize("case", cases("evidence"))
def test_evidence(case: Case) -> None:
    {
        "verify": check_verify,
        "quarantine": check_quarantine,
        "propose": check_propose,
        "wire": check_wire,
    }[case.data["kind"]](case.data)


def check_verify(data: dict) -> None:
    rows = data["rows"]
    believed = verify(read_evidence(rows), UPSTREAM_EVIDENCE)
    assert believed.astype(int).tolist() == [row[5] for row in rows]


def check_quarantine(data: dict) -> None:
    book = Quarantine.create(1, own_id=[data["my_id"]], places=HIGHEST_ID)
    for (name, suspect, *time), expected in zip(data["ops"], data["out"], strict=True):
        if name == "x":
            returned = book.execute([0], suspect, *time, highest_id=HIGHEST_ID)[0]
        elif name == "l":
            returned = book.lift([0], suspect, highest_id=HIGHEST_ID)[0]
        else:
            returned = book.holds([0], suspect)[0]
        assert [int(returned), int(book.count([0])[0])] == expected
        assert book.active == expected[1]


def check_propose(data: dict) -> None:
    for wanted, kind, suspect, count, witness, payload, code, about, threshold in data["rows"]:
        engine = Consensus.create(1, own_id=[64])
        evidence = read_evidence([[kind, suspect, count, witness, payload]])
        reply = propose_quarantine(engine, wanted, evidence, UPSTREAM_EVIDENCE, 1000)
        assert reply.code.tolist() == [code]
        assert reply.outbox.size == int(code == Code.OK)
        if reply.outbox.size:
            assert reply.outbox.value[0] == ProposalKind.QUARANTINE
            assert reply.outbox.data[0] == about
            assert reply.outbox.threshold[0] == threshold


def check_wire(data: dict) -> None:
    for number, destination, payload, (name, *values) in data["rows"]:
        kind = MessageKind(number)
        assert kind.name.lower() == name
        fields = dict(zip(FIELDS[kind], values, strict=True))
        assert encode(kind, fields).hex() == payload
        sender = values[0]
        message = decode(bytes.fromhex(payload), sender)
        assert message is not None
        assert message.fields == fields
        assert len(payload) == 2 * OCTETS[kind]
        unicast = kind == MessageKind.VOTE
        assert destination == (fields["proposer"] if unicast else 255)
