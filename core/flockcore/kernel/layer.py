"""What a layer of the simulation offers, whatever it simulates."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from numpy.typing import DTypeLike

from flockcore.kernel.faults import Fault
from flockcore.kernel.records import Records
from flockcore.kernel.script import Script
from flockcore.kernel.state import Captured

__all__ = ["Event", "Layer", "Status", "Verdict"]


class Status(StrEnum):
    """What can be said of an invariant at a tick."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one invariant.

    Attributes:
        name: the invariant, in at most four words.
        status: holds, violated, or unknown when it cannot be known now.
        reason: at most 34 characters, with a number or a node in it.
        nodes: the nodes that the reason is about, for a view to point at.
    """

    name: str
    status: Status
    reason: str
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a line in the log.

    Attributes:
        tick: when it happened.
        kind: a short word: "fault", "health", "ballot", "state", "quarantine", ...
        node: the node it is about, -1 for the whole flock.
        text: one sentence without its subject's tick.
    """

    tick: int
    kind: str
    node: int
    text: str


class Layer(ABC):
    """One layer of the world: exact and digested, or float and compared by value.

    A layer keeps all its state in dataclass fields (see `flockcore.kernel.state`), draws from the
    kernel's streams alone and never looks at a clock.
    """

    name: str
    exact: bool
    records: Records

    @property
    def in_use(self) -> bool:
        """Whether the run has done anything yet that the layer is about."""
        return True

    @abstractmethod
    def start(self) -> None:
        """Put the layer into its state before the first tick."""

    @abstractmethod
    def check(self, fault: Fault) -> None:
        """Refuse a fault or command that the layer cannot carry out as things stand.

        Raises:
            FlockError: what is wrong and what is allowed.
        """

    @abstractmethod
    def apply(self, script: Script, tick: int) -> None:
        """Let what begins or ends at `tick` do so, before the tick itself."""

    @abstractmethod
    def resume(self, script: Script, tick: int) -> None:
        """Go on at `tick` under `script`, after the run was taken elsewhere."""

    @abstractmethod
    def tick(self, tick: int) -> None:
        """Advance by one simulation step."""

    @abstractmethod
    def columns(self) -> Mapping[str, int]:
        """Return this tick's statistics, one integer per column of the recorded series."""

    @abstractmethod
    def logs(self) -> Mapping[str, dict[str, DTypeLike]]:
        """Return the logs that the layer writes: columns with their dtypes, by log name."""

    @abstractmethod
    def statistics(self) -> Any:  # noqa: ANN401 - each layer has its own frozen dataclass
        """Return counters and gauges as a frozen dataclass."""

    @abstractmethod
    def invariants(self) -> tuple[Verdict, ...]:
        """Return the verdict on every invariant, as of now."""

    @abstractmethod
    def events(self, since: int) -> tuple[Event, ...]:
        """Return what happened at tick `since` or later, oldest first."""

    @abstractmethod
    def capture(self) -> Captured:
        """Return the canonical state."""

    @abstractmethod
    def restore(self, captured: Captured) -> None:
        """Take a captured state back."""
