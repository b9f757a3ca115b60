"""How ballots run: every deviation from the original runtime, by name (spec ekk, section 13)."""

from dataclasses import dataclass
from typing import Literal

from flockcore.errors import FlockError

__all__ = ["BUSY_VOTE", "NEVER", "UPSTREAM", "ConsensusOptions"]

BUSY_VOTE = 4
"""Answer of a voter without room for the ballot: counted, but neither YES nor NO."""
NEVER = 2**63 - 1
"""A time that does not come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsensusOptions:
    """How ballots run. The defaults are the corrected behaviour; ``UPSTREAM`` is the other.

    Attributes:
        vote_timeout_us: Life of a ballot.
        inhibit_duration_us: Life of an inhibition.
        allow_self_vote: The proposer belongs to its electorate and says YES at once.
        require_all_neighbours: A ballot that lacks votes at its deadline ends TIMEOUT, not
            REJECTED.
        announce_results: The proposer announces the outcome, and a voter's copy that hears none
            ends EXPIRED (upstream: no announcement, it ends REJECTED; Q06).
        result_grace_us: How long a voter's copy waits for the announcement beyond its deadline.
        inhibit_from: Whose inhibition counts: the electorate's and the proposer's, or anyone's
            (upstream; Q10).
        ballot_history: Finished ballots that a node remembers (upstream: 0; Q33).
        full_table: What a full table does with a new ballot: make room by dropping finished ones,
            or refuse (upstream; Q05).
        abstain: A recorded ABSTAIN closes the voter's slot, or leaves it open, counting the voter
            again (upstream; Q07).
        full_answer: Vote of a node whose table is full: BUSY, or NO (upstream), which looks like
            an opinion.
        conflicts: A voter may say YES to any number of ballots (``allow``, upstream), or ballots of
            one kind compete: who has promised a YES to one says NO to the others while it may be
            open (``one_yes``), or inhibits them (``inhibit``; PCN-15). Quarantines never compete.
    """

    vote_timeout_us: int = 50_000
    inhibit_duration_us: int = 100_000
    allow_self_vote: bool = True
    require_all_neighbours: bool = False
    announce_results: bool = True
    result_grace_us: int = 10_000
    inhibit_from: Literal["electorate", "anyone"] = "electorate"
    ballot_history: int = 16
    full_table: Literal["evict_finished", "refuse"] = "evict_finished"
    abstain: Literal["closes", "open"] = "closes"
    full_answer: Literal["busy", "no"] = "busy"
    conflicts: Literal["allow", "one_yes", "inhibit"] = "allow"

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        for name in ("vote_timeout_us", "inhibit_duration_us"):
            if getattr(self, name) <= 0:
                raise FlockError(f"{name} is {getattr(self, name)}; allowed: more than 0")
        if self.result_grace_us < 0:
            raise FlockError(f"result_grace_us is {self.result_grace_us}; allowed: 0 or more")
        if not 0 <= self.ballot_history <= 1024:
            raise FlockError(f"ballot_history is {self.ballot_history}; allowed: 0..1024")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise FlockError(
                    f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
                )


_CHOICES = {
    "inhibit_from": ("electorate", "anyone"),
    "full_table": ("evict_finished", "refuse"),
    "abstain": ("closes", "open"),
    "full_answer": ("busy", "no"),
    "conflicts": ("allow", "one_yes", "inhibit"),
}

UPSTREAM = ConsensusOptions(
    announce_results=False,
    inhibit_from="anyone",
    ballot_history=0,
    full_table="refuse",
    abstain="open",
    full_answer="no",
)
"""The original runtime, anomalies included (ids still skip 0, Q24)."""
