"""Evidence of misbehaviour and quarantine (spec ekk, section 8; corrections Q26).

Evidence names a suspect, up to three witnesses and 24 bytes of payload:

====================  =====================================================
EQUIVOCATION          term u32, hash u64, other hash u64: the two must differ
INVALID_MAC           never accepted: there are no keys
TIMING_ANOMALY        expected u64, actual u64, threshold u64 (microseconds)
STATE_INVALID         from u8, to u8, bitmap u32 of allowed transitions
====================  =====================================================

Upstream believes the accuser's own threshold and bitmap. By default the threshold and the
transition table are the verifier's own, and witnesses must differ from each other.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flockcore.errors import FlockError
from flockcore.flock.codes import ModuleState

__all__ = [
    "MAX_WITNESSES",
    "NO_EVIDENCE",
    "PAYLOAD_BYTES",
    "TRANSITIONS",
    "UPSTREAM_EVIDENCE",
    "Evidence",
    "EvidenceKind",
    "EvidenceOptions",
    "equivocation",
    "fingerprint",
    "gather",
    "state_invalid",
    "timing_anomaly",
    "verify",
]

MAX_WITNESSES = 3
"""Witnesses that evidence carries."""
PAYLOAD_BYTES = 24
"""Size of the payload."""

type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Ids = NDArray[np.int32] | NDArray[np.int64]


class EvidenceKind(IntEnum):
    """What the suspect is accused of."""

    EQUIVOCATION = 1
    INVALID_MAC = 2
    TIMING_ANOMALY = 3
    STATE_INVALID = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Pieces of evidence, one row each.

    Attributes:
        holder: Row of the node that holds the piece, (m,).
        kind: ``EvidenceKind`` number, (m,).
        suspect: Id of the accused, (m,).
        witness: Ids of the witnesses, 0 where there is none, (m, 3).
        count: Stated number of witnesses; only the first three are carried, (m,).
        payload: Little-endian numbers as in the module's table, (m, 24).
        time: When it was gathered, microseconds, (m,).
    """

    holder: NDArray[np.intp]
    kind: NDArray[np.uint8]
    suspect: NDArray[np.int32]
    witness: NDArray[np.int32]
    count: NDArray[np.int16]
    payload: NDArray[np.uint8]
    time: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of pieces."""
        return self.holder.size

    def take(self, index: Index | Mask) -> Self:
        """Pick pieces by index or mask."""
        return type(self)(**{each.name: getattr(self, each.name)[index] for each in fields(self)})

    @classmethod
    def join(cls, parts: list["Evidence"]) -> "Evidence":
        """Put several one after another."""
        parts = [part for part in parts if part.size]
        if len(parts) < 2:
            return parts[0] if parts else NO_EVIDENCE
        names = [each.name for each in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})

    def number(self, start: int, size: int) -> NDArray[np.uint64]:
        """Read the unsigned number of ``size`` bytes at ``start`` of each payload, (m,)."""
        raw = np.ascontiguousarray(self.payload[:, start : start + size])
        return raw.view(f"<u{size}")[:, 0].astype(np.uint64)


NO_EVIDENCE = Evidence(
    holder=np.zeros(0, np.intp),
    kind=np.zeros(0, np.uint8),
    suspect=np.zeros(0, np.int32),
    witness=np.zeros((0, MAX_WITNESSES), np.int32),
    count=np.zeros(0, np.int16),
    payload=np.zeros((0, PAYLOAD_BYTES), np.uint8),
    time=np.zeros(0, np.int64),
)
"""No evidence."""


def _step_table() -> Mask:
    """Transitions that one tick of a correct module can make (spec section 9.7)."""
    states = ModuleState
    table = np.eye(len(states), dtype=np.bool_)
    settled = [states.ACTIVE, states.DEGRADED, states.ISOLATED]
    table[states.INIT, states.DISCOVERING] = True
    table[states.DISCOVERING, states.ACTIVE] = True
    for before in (*settled, states.REFORMING):
        table[before, settled] = True
    table[[states.ACTIVE, states.DEGRADED], states.REFORMING] = True
    table[:, states.SHUTDOWN] = True
    return table


TRANSITIONS = _step_table()
"""TRANSITIONS[from, to]: whether a correct module can make this step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceOptions:
    """How evidence is judged.

    Attributes:
        distinct_witnesses: Refuse evidence that names a witness twice (upstream: no).
        local_transitions: Judge STATE_INVALID by our table (upstream: by the accuser's bitmap).
        timing_threshold_us: Judge TIMING_ANOMALY by this threshold; ``None``: by the accuser's
            (upstream). Default: five heartbeat periods of 10 ms.
        suspect_match: Refuse a quarantine of anyone but the suspect of the evidence
            (upstream: not compared).
        suspect_votes: Leave the suspect in the electorate of its quarantine (upstream: yes).
        min_witnesses: Fewest witnesses, 1..3.
        highest_id: Highest id of a module; ``None``: no limit (upstream: 63).
    """

    distinct_witnesses: bool = True
    local_transitions: bool = True
    timing_threshold_us: int | None = 50_000
    suspect_match: bool = True
    suspect_votes: bool = False
    min_witnesses: int = 1
    highest_id: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        if not 1 <= self.min_witnesses <= MAX_WITNESSES:
            raise FlockError(f"min_witnesses is {self.min_witnesses}; allowed: 1..{MAX_WITNESSES}")
        if self.timing_threshold_us is not None and self.timing_threshold_us < 0:
            raise FlockError(
                f"timing_threshold_us is {self.timing_threshold_us}; allowed: 0 or more, or none"
            )


UPSTREAM_EVIDENCE = EvidenceOptions(
    distinct_witnesses=False,
    local_transitions=False,
    timing_threshold_us=None,
    suspect_match=False,
    suspect_votes=True,
    highest_id=63,
)
"""The original runtime, which believes the accuser's own threshold and bitmap (Q26)."""


def verify(evidence: Evidence, options: EvidenceOptions) -> Mask:
    """Tell which pieces of evidence are to be believed, (m,)."""
    looked_at = np.arange(MAX_WITNESSES) < evidence.count[:, None]
    suspect = evidence.suspect[:, None]
    good: Mask = (evidence.witness > 0) & (evidence.witness != suspect)
    believed: Mask = (evidence.count >= options.min_witnesses) & (evidence.suspect > 0)
    if options.highest_id is not None:
        good &= evidence.witness <= options.highest_id
        believed &= evidence.suspect <= options.highest_id
    believed &= (good | ~looked_at).all(axis=1)
    if options.distinct_witnesses:
        believed &= ~_repeats(evidence.witness, looked_at)
    kind = evidence.kind
    proof: Mask = (kind == EvidenceKind.EQUIVOCATION) & (
        evidence.number(4, 8) != evidence.number(12, 8)
    )
    proof |= (kind == EvidenceKind.TIMING_ANOMALY) & _late(evidence, options)
    proof |= (kind == EvidenceKind.STATE_INVALID) & _impossible(evidence, options)
    return believed & proof


def _repeats(witness: NDArray[np.int32], looked_at: Mask) -> Mask:
    found = np.zeros(witness.shape[0], np.bool_)
    for one in range(1, MAX_WITNESSES):
        same = (witness[:, :one] == witness[:, one : one + 1]).any(axis=1)
        found |= looked_at[:, one] & same
    return found


def _late(evidence: Evidence, options: EvidenceOptions) -> Mask:
    expected, actual = evidence.number(0, 8), evidence.number(8, 8)
    apart = np.maximum(actual, expected) - np.minimum(actual, expected)
    if options.timing_threshold_us is None:
        return apart > evidence.number(16, 8)
    return apart > np.uint64(options.timing_threshold_us)


def _impossible(evidence: Evidence, options: EvidenceOptions) -> Mask:
    before, after = evidence.number(0, 1).astype(np.intp), evidence.number(1, 1).astype(np.intp)
    if options.local_transitions:
        known = (before < len(TRANSITIONS)) & (after < len(TRANSITIONS))
        step: Mask = TRANSITIONS[np.where(known, before, 0), np.where(known, after, 0)]
        return known & ~step
    bit = before * 8 + after
    allowed = evidence.number(2, 4) >> np.minimum(bit, 31).astype(np.uint64)
    refused: Mask = (bit < 32) & (allowed & np.uint64(1) == 0)
    return refused


def fingerprint(*parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Condense several numbers to one of 62 bits (SplitMix64 finaliser over each in turn).

    It stands for the hash of a message: equal contents give equal numbers.
    """
    state = np.zeros(np.broadcast_shapes(*(np.shape(part) for part in parts)), np.uint64)
    for part in parts:
        state = state + np.asarray(part, np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(2)).astype(np.int64)


def gather(
    kind: EvidenceKind,
    holder: Index,
    witness: Ids,
    suspect: Ids,
    now: int,
    numbers: list[tuple[int, str, NDArray[np.int64]]],
) -> Evidence:
    """Make evidence that its holder alone has witnessed.

    Args:
        kind: What the suspects are accused of.
        holder: Rows of the nodes that saw it, (m,).
        witness: Ids of these nodes, (m,).
        suspect: Ids of the accused, (m,).
        now: Time in microseconds.
        numbers: Payload as (first byte, little-endian dtype, values (m,)).
    """
    size = holder.size
    payload = np.zeros((size, PAYLOAD_BYTES), np.uint8)
    for start, dtype, number in numbers:
        raw = np.ascontiguousarray(np.broadcast_to(number, (size,)).astype(dtype))
        width = raw.dtype.itemsize
        payload[:, start : start + width] = raw.view(np.uint8).reshape(size, width)
    witnesses = np.zeros((size, MAX_WITNESSES), np.int32)
    witnesses[:, 0] = witness
    return Evidence(
        holder=holder.astype(np.intp),
        kind=np.full(size, int(kind), np.uint8),
        suspect=np.broadcast_to(suspect, (size,)).astype(np.int32),
        witness=witnesses,
        count=np.ones(size, np.int16),
        payload=payload,
        time=np.full(size, now, np.int64),
    )


def equivocation(
    holder: Index,
    witness: Ids,
    suspect: Ids,
    term: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    now: int,
) -> Evidence:
    """Make evidence that ``suspect`` said two things (hashes ``first``, ``second``) in one term.

    Args:
        holder: Row of the node that saw it, (m,).
        witness: Id of that node, (m,).
        suspect: Id of the accused, (m,).
        term: Ballot id, (m,).
        first: Hash of what was said first, (m,).
        second: Hash of what was said then, (m,).
        now: Time in microseconds.
    """
    numbers = [(0, "<u4", term), (4, "<u8", first), (12, "<u8", second)]
    return gather(EvidenceKind.EQUIVOCATION, holder, witness, suspect, now, numbers)


def timing_anomaly(
    holder: Index,
    witness: Ids,
    suspect: Ids,
    expected: NDArray[np.int64],
    actual: NDArray[np.int64],
    threshold: NDArray[np.int64],
    now: int,
) -> Evidence:
    """Make evidence that something due at ``expected`` happened at ``actual`` (microseconds)."""
    numbers = [(0, "<u8", expected), (8, "<u8", actual), (16, "<u8", threshold)]
    return gather(EvidenceKind.TIMING_ANOMALY, holder, witness, suspect, now, numbers)


def state_invalid(
    holder: Index,
    witness: Ids,
    suspect: Ids,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    now: int,
) -> Evidence:
    """Make evidence that ``suspect`` went from module state ``before`` to ``after``."""
    numbers = [(0, "u1", before), (1, "u1", after)]
    return gather(EvidenceKind.STATE_INVALID, holder, witness, suspect, now, numbers)
