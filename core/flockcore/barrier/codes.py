"""Names of the barrier's numbers (spec barrier, sections 2 and 5)."""

from enum import IntEnum, StrEnum

__all__ = ["Decision", "Gate", "Host", "Phase"]


class Host(IntEnum):
    """State of a host; READY and FAILED are final."""

    PROVISIONING = 0
    READY = 1
    FAILED = 2


class Phase(IntEnum):
    """Phase of the controller; CONVERGE and FAILED are final."""

    IMAGING = 0
    BARRIER = 1
    CONVERGE = 2
    FAILED = 3

    @property
    def letter(self) -> str:
        """The first letter, as recorded traces write it."""
        return self.name[0]

    @property
    def is_final(self) -> bool:
        """Whether nothing leaves this phase."""
        return self >= Phase.CONVERGE


class Decision(IntEnum):
    """Answer of the gate."""

    HOLD = 0
    PROCEED = 1
    FAIL = 2

    @property
    def letter(self) -> str:
        """The first letter, as recorded tables write it."""
        return self.name[0]


class Gate(StrEnum):
    """When the gate is asked.

    EAGER asks at barrier entry and after every report, and its answer is the next step: a run is a
    function of its schedule. LAZY is the machine of the proofs: once the policy holds the
    controller may proceed, and hosts may go on reporting.
    """

    EAGER = "eager"
    LAZY = "lazy"
