"""Settings of the election and of the failure detector, checked where they are made."""

from dataclasses import dataclass

from flockcore.errors import FlockError

__all__ = ["MAX_NEIGHBOURS", "HeartbeatOptions", "TopologyOptions"]

MAX_NEIGHBOURS = 15
"""The largest k (spec ekk, section 1)."""

_MAX_TIMEOUT_COUNT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyOptions:
    """Settings of the election.

    Attributes:
        k: Neighbours wanted, 1..15.
        min_neighbours: Below it a node announces itself four times as often, 0..k.
        discovery_period_us: Time between two announcements.
    """

    k: int = 7
    min_neighbours: int = 3
    discovery_period_us: int = 1_000_000

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.k <= MAX_NEIGHBOURS:
            raise FlockError(f"k is {self.k}; 1 to {MAX_NEIGHBOURS} is allowed")
        if not 0 <= self.min_neighbours <= self.k:
            raise FlockError(f"min_neighbours is {self.min_neighbours}; 0 to k={self.k} is allowed")
        if self.discovery_period_us < 1:
            raise FlockError(
                f"discovery_period_us is {self.discovery_period_us}; 1 or more is allowed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatOptions:
    """Settings of the failure detector.

    Attributes:
        period_us: Time between two heartbeats of a node.
        timeout_count: Missed periods until DEAD, 1..255.
        auto_broadcast: Whether nodes send heartbeats of their own.
        track_gaps: Whether the mean time between heartbeats is kept for every edge.
        reject_replays: Ignore heartbeats that are not newer than the last one of a living peer and
            count those that never came (Q25; the original accepts all).
        expire_unknown: Hold a tracked peer for dead that is never heard within `timeout_count`
            periods (Q04; the original waits for ever).
    """

    period_us: int = 10_000
    timeout_count: int = 5
    auto_broadcast: bool = True
    track_gaps: bool = True
    reject_replays: bool = False
    expire_unknown: bool = False

    def __post_init__(self) -> None:
        """Check the ranges (Q21)."""
        if self.period_us < 1:
            raise FlockError(f"period_us is {self.period_us}; 1 or more is allowed")
        if not 1 <= self.timeout_count <= _MAX_TIMEOUT_COUNT:
            raise FlockError(
                f"timeout_count is {self.timeout_count}; 1 to {_MAX_TIMEOUT_COUNT} is allowed"
            )
