"""The base of all records of a fault script."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from flockcore import rules
from flockcore.kernel import fault_keys as keys

__all__ = ["Command", "Fault"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Base of all records of a fault script.

    Attributes:
        start: Tick at whose beginning the record applies; the first tick of a run is 1. None
            means "at once": injection fills in the next tick, a scenario takes tick 1.
        until: Tick at whose beginning a lasting record ends; None means that it stays.
    """

    kind_name: ClassVar[str] = ""
    lasting: ClassVar[bool] = False

    start: int | None = field(default=None, metadata=rules.ruled(keys.TICK))
    until: int | None = field(default=None, metadata=rules.ruled(keys.TICK))

    def __post_init__(self) -> None:
        """Turn lists into tuples, names into numbers and numpy numbers into plain ones.

        Raises:
            FlockError: If a value is of the wrong type; the message names kind and key.
        """
        rules.coerce(self, self.kind_name)


@dataclass(frozen=True, kw_only=True)
class Command(Fault):
    """Base of the records that use the flock rather than hurt it."""
