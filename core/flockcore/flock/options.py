"""Options of the flock layer: every deviation from the original runtime, by name.

The defaults are the corrected behaviour (spec ekk, sections 13 and 14); the other value of each
option is the behaviour of the original, used to reproduce its recorded runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flockcore import rules

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ComponentDecay", "FlockOptions"]

_COMPONENTS = ("load", "thermal", "power", "custom_0", "custom_1", "slack")
_MODELS = ("rational", "linear", "step", "exponential")
_TIME = rules.whole(1, 10**12, " microseconds")


@dataclass(frozen=True, kw_only=True)
class ComponentDecay:
    """How one field component fades, where it differs from the others.

    Attributes:
        component: Name of the component.
        model: Decay model.
        tau_us: Time constant in microseconds.
    """

    component: str = field(metadata=rules.ruled(rules.choice(*_COMPONENTS)))
    model: str = field(default="rational", metadata=rules.ruled(rules.choice(*_MODELS)))
    tau_us: int = field(default=100_000, metadata=rules.ruled(_TIME))

    def __post_init__(self) -> None:
        """Read the values; see `flockcore.rules.coerce`."""
        rules.coerce(self, "decay")
        rules.check(self, "decay", 0)


def _read_decay(value: object) -> ComponentDecay:
    if isinstance(value, ComponentDecay):
        return value
    return rules.from_table(ComponentDecay, value, "decay")


_DECAY = rules.Rule(
    allowed="a table with component, model and tau_us",
    read=_read_decay,
    write=lambda value: rules.to_table(value),
)


@dataclass(frozen=True, kw_only=True)
class FlockOptions:
    """Options of the flock layer. Q numbers are anomalies of the original (spec section 13).

    Attributes:
        timeout_count: Missed heartbeat periods until DEAD (Q21: 1..255).
        vote_timeout_us: Life of a ballot.
        inhibit_duration_us: Life of an inhibition.
        discovery_period_us: Time between announcements; a quarter of it when short of neighbours.
        min_neighbours: Elected neighbours below which a node is DEGRADED; None means
            min(3, N-1), so that small flocks become ACTIVE (Q23; the original has 3). A node
            alone stays DISCOVERING.
        receive_budget: Messages that a node reads per tick.
        inbox: ``newest`` keeps one heartbeat per sender, ``fifo`` keeps all (Q18).
        inbox_limit: Messages that an inbox holds; None is without bound (Q18).
        region: ``live`` lets a node sample fields over live links only; ``shared`` lets every
            node read every field, whatever is cut (spec section 11).
        decay: Decay model of the field components (Q13).
        decay_tau_us: Time constant of the decay.
        component_decay: Components that fade differently.
        max_age_us: Age beyond which a field is refused.
        wiring: ``corrected`` or ``upstream`` (Q01 to Q03).
        announce_results: The proposer tells its voters the result (Q06).
        result_grace_us: How long a voter waits for the result beyond its deadline.
        inhibit_from: Whose inhibition counts: the ``electorate`` or ``anyone`` (Q10).
        quorum_guard: A node with too few neighbours refuses to propose (Q08).
        ballot_history: Finished ballots that are remembered; 0 forgets them (Q33).
        full_table: With four ballots held, ``evict_finished`` or ``refuse`` (Q05).
        full_answer: A node whose table is full answers ``busy``, or ``no`` as if it had an opinion.
        abstain: An abstention ``closes`` the voter's slot or leaves it ``open`` (Q07).
        allow_self_vote: The proposer votes yes on its own ballot.
        require_all_neighbours: At the deadline a ballot with missing votes is TIMEOUT instead of
            REJECTED.
        conflicts: ``allow`` lets a node say yes to any number of ballots. Otherwise ballots of one
            kind compete: who has promised a yes to one says no to the others (``one_yes``), or
            inhibits them (``inhibit``).
        electorate: Who may vote: all ``elected`` neighbours, or only the ``heard`` ones, which
            are ALIVE or SUSPECT (Q27).
        enforce_quarantine: An approved quarantine silences the suspect (Q26).
        drop_unknown: Forget peers that were announced but never heard within timeout_count
            periods (Q04).
        reject_replays: Ignore heartbeats that are not newer than the last one (Q25).
        start_us: What the clock shows at tick 0; below a quarter of the discovery period the
            first announcement waits (Q28).
        start_stagger: Spread the nodes' heartbeats over the period, so that inboxes fill evenly.
        clear_deadlines: A one-shot task that has run no longer drives slack (Q17).
        capabilities: Capability bits that every node has.
    """

    timeout_count: int = field(default=5, metadata=rules.ruled(rules.whole(1, 255, " periods")))
    vote_timeout_us: int = field(default=50_000, metadata=rules.ruled(_TIME))
    inhibit_duration_us: int = field(default=100_000, metadata=rules.ruled(_TIME))
    discovery_period_us: int = field(default=1_000_000, metadata=rules.ruled(_TIME))
    min_neighbours: int | None = field(
        default=None, metadata=rules.ruled(rules.optional(rules.whole(1, 15)))
    )
    receive_budget: int = field(
        default=16, metadata=rules.ruled(rules.whole(1, 10_000, " messages"))
    )
    inbox: Literal["newest", "fifo"] = field(
        default="newest", metadata=rules.ruled(rules.choice("newest", "fifo"))
    )
    inbox_limit: int | None = field(
        default=256, metadata=rules.ruled(rules.optional(rules.whole(1, 100_000, " messages")))
    )
    region: Literal["live", "shared"] = field(
        default="live", metadata=rules.ruled(rules.choice("live", "shared"))
    )
    decay: str = field(default="rational", metadata=rules.ruled(rules.choice(*_MODELS)))
    decay_tau_us: int = field(default=100_000, metadata=rules.ruled(_TIME))
    component_decay: tuple[ComponentDecay, ...] = field(
        default=(), metadata=rules.ruled(rules.many(_DECAY, "a list of tables"))
    )
    max_age_us: int = field(default=500_000, metadata=rules.ruled(_TIME))
    wiring: Literal["corrected", "upstream"] = field(
        default="corrected", metadata=rules.ruled(rules.choice("corrected", "upstream"))
    )
    announce_results: bool = field(default=True, metadata=rules.ruled(rules.FLAG))
    result_grace_us: int = field(
        default=10_000, metadata=rules.ruled(rules.whole(0, 10**12, " microseconds"))
    )
    inhibit_from: Literal["electorate", "anyone"] = field(
        default="electorate", metadata=rules.ruled(rules.choice("electorate", "anyone"))
    )
    quorum_guard: bool = field(default=True, metadata=rules.ruled(rules.FLAG))
    ballot_history: int = field(default=16, metadata=rules.ruled(rules.whole(0, 64, " ballots")))
    full_table: Literal["evict_finished", "refuse"] = field(
        default="evict_finished", metadata=rules.ruled(rules.choice("evict_finished", "refuse"))
    )
    full_answer: Literal["busy", "no"] = field(
        default="busy", metadata=rules.ruled(rules.choice("busy", "no"))
    )
    abstain: Literal["closes", "open"] = field(
        default="closes", metadata=rules.ruled(rules.choice("closes", "open"))
    )
    allow_self_vote: bool = field(default=True, metadata=rules.ruled(rules.FLAG))
    require_all_neighbours: bool = field(default=False, metadata=rules.ruled(rules.FLAG))
    conflicts: Literal["allow", "one_yes", "inhibit"] = field(
        default="allow",
        metadata=rules.ruled(rules.choice("allow", "one_yes", "inhibit")),
    )
    electorate: Literal["elected", "heard"] = field(
        default="elected", metadata=rules.ruled(rules.choice("elected", "heard"))
    )
    enforce_quarantine: bool = field(default=True, metadata=rules.ruled(rules.FLAG))
    drop_unknown: bool = field(default=False, metadata=rules.ruled(rules.FLAG))
    reject_replays: bool = field(default=False, metadata=rules.ruled(rules.FLAG))
    start_us: int = field(
        default=1_000_000, metadata=rules.ruled(rules.whole(0, 10**15, " microseconds"))
    )
    start_stagger: bool = field(default=True, metadata=rules.ruled(rules.FLAG))
    clear_deadlines: bool = field(default=False, metadata=rules.ruled(rules.FLAG))
    capabilities: int = field(default=0, metadata=rules.ruled(rules.whole(0, 0xFFFF)))

    def __post_init__(self) -> None:
        """Read and check the values.

        Raises:
            FlockError: If a value is not allowed.
        """
        rules.coerce(self, "flock")
        rules.check(self, "flock", 0)

    @classmethod
    def upstream(cls, **changes: object) -> FlockOptions:
        """The options under which the original runtime's recorded runs are reproduced.

        Args:
            **changes: Options that differ for one recording.

        Returns:
            Options with every deviation switched to the behaviour of the original.
        """
        original: Mapping[str, object] = {
            "min_neighbours": 3,
            "inbox": "fifo",
            "inbox_limit": None,
            "region": "shared",
            "wiring": "upstream",
            "announce_results": False,
            "inhibit_from": "anyone",
            "quorum_guard": False,
            "ballot_history": 0,
            "full_table": "refuse",
            "full_answer": "no",
            "abstain": "open",
            "enforce_quarantine": False,
            "start_stagger": False,
        }
        return cls(**{**original, **changes})  # type: ignore[arg-type]
