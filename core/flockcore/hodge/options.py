"""Options of the hodge layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from flockcore import rules

__all__ = ["LIVE_NODES", "CurlOptions"]

LIVE_NODES = 1_000
"""Most nodes with which the layer runs; a larger flock has none, and the verdicts say so."""

_TIME = rules.whole(1, 10**9, " microseconds")


@dataclass(frozen=True, kw_only=True)
class CurlOptions:
    """Options of the hodge layer.

    Attributes:
        reconcile: "manual" waits for the command; "automatic" lets a node project what it knows as
            soon as it has learned nothing new for `quiet_us`.
        quiet_us: How long that is, in microseconds.
        period_us: Time between two summaries that a node sends to its neighbours.
    """

    reconcile: str = field(
        default="manual", metadata=rules.ruled(rules.choice("manual", "automatic"))
    )
    quiet_us: int = field(default=50_000, metadata=rules.ruled(_TIME))
    period_us: int = field(default=10_000, metadata=rules.ruled(_TIME))

    def __post_init__(self) -> None:
        """Read and check the values."""
        rules.coerce(self, "curl")
        rules.check(self, "curl", 0)
