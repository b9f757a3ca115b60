"""A scenario: the declarative description of a run.

A scenario says how many nodes there are, where they stand, how the network behaves, what goes
wrong when, and what is worth watching. It is plain data with one meaning: the same scenario and
seed always give the same run.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from flockcore import presets, rules, toml_text
from flockcore.errors import FlockError
from flockcore.flock.options import FlockOptions
from flockcore.hodge.options import CurlOptions
from flockcore.kernel import faults as fault_records
from flockcore.kernel.faults import Fault
from flockcore.resize import resize_fault, resize_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "LAYOUTS",
    "LOAD_PATTERNS",
    "MAX_NODES",
    "VIEWS",
    "NetworkOptions",
    "Scenario",
    "TourStop",
]

MAX_NODES = 200_000
"""Most nodes of a scenario."""
BYTES_PER_NODE = 8_000
"""Rough memory of a node in bytes, for the message that refuses a flock too large."""
LAYOUTS = ("blob", "two-clusters", "three-clusters", "ring", "grid", "explicit")
"""How nodes are placed on the plane."""
LOAD_PATTERNS = ("hill", "random", "even", "none")
"""How the load component starts."""
VIEWS = (
    "map",
    "heartbeats",
    "detection",
    "field",
    "ballots",
    "messages",
    "verdicts",
    "events",
    "curl",
    "barrier",
    "lanes",
)
"""What a stop of the tour can point at."""

_SHORT = rules.whole(0, 10**9, " microseconds")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network as it is before any fault.

    Attributes:
        loss: Probability that a copy of a message is lost.
        delay_min_us: Least delay in microseconds; a message takes one tick at least.
        delay_mean_us: Mean of the exponential part of the delay.
        duplicate: Probability that a copy arrives a second time.
        reorder: Probability that a copy is held back.
        reorder_by_us: For how long it is held back.
    """

    loss: float = field(default=0.0, metadata=rules.ruled(rules.SHARE))
    delay_min_us: int = field(default=0, metadata=rules.ruled(_SHORT))
    delay_mean_us: int = field(default=0, metadata=rules.ruled(_SHORT))
    duplicate: float = field(default=0.0, metadata=rules.ruled(rules.SHARE))
    reorder: float = field(default=0.0, metadata=rules.ruled(rules.SHARE))
    reorder_by_us: int = field(default=5_000, metadata=rules.ruled(_SHORT))

    def __post_init__(self) -> None:
        """Read and check the values.

        Raises:
            FlockError: If a value is not allowed.
        """
        rules.coerce(self, "network")
        rules.check(self, "network", 0)


@dataclass(frozen=True, kw_only=True)
class TourStop:
    """One stop of the narrated tour: the run pauses and a card explains what is to be seen.

    Attributes:
        tick: Tick at which the run pauses.
        title: A few words.
        text: Two plain sentences.
        focus: Node to select, or None.
        view: The view to point at, one of `VIEWS`.
    """

    tick: int = field(metadata=rules.ruled(rules.whole(0, 10**9)))
    title: str = field(metadata=rules.ruled(rules.TEXT))
    text: str = field(metadata=rules.ruled(rules.TEXT))
    focus: int | None = field(default=None, metadata=rules.ruled(rules.optional(rules.one_node())))
    view: str = field(default="map", metadata=rules.ruled(rules.choice(*VIEWS)))

    def __post_init__(self) -> None:
        """Read the values; the scenario checks them, because it knows the nodes."""
        rules.coerce(self, "tour")


def _read_network(value: object) -> NetworkOptions:
    if isinstance(value, NetworkOptions):
        return value
    return rules.from_table(NetworkOptions, value, "network")


def _read_flock(value: object) -> FlockOptions:
    return (
        value if isinstance(value, FlockOptions) else rules.from_table(FlockOptions, value, "flock")
    )


def _read_curl(value: object) -> CurlOptions:
    return value if isinstance(value, CurlOptions) else rules.from_table(CurlOptions, value, "curl")


def _read_faults(value: object) -> tuple[Fault, ...]:
    found = []
    for number, item in enumerate(_items(value)):
        try:
            found.append(item if isinstance(item, Fault) else fault_records.from_dict(item))
        except FlockError as error:
            raise FlockError(f"faults[{number}]: {error}") from error
    return tuple(found)


def _read_tour(value: object) -> tuple[TourStop, ...]:
    stops = [
        item if isinstance(item, TourStop) else rules.from_table(TourStop, item, f"tour[{number}]")
        for number, item in enumerate(_items(value))
    ]
    return tuple(stops)


def _items(value: object) -> Iterable[object]:
    if not isinstance(value, list | tuple):
        raise TypeError("not a list")
    return value


def _check_positions(value: tuple[tuple[int, int], ...], nodes: int) -> str | None:
    if value and len(value) != nodes:
        return f"there are {len(value)} positions for {nodes} nodes"
    bad = next((pair for pair in value if not all(-32_768 <= c <= 32_767 for c in pair)), None)
    return None if bad is None else f"{list(bad)} is off the plane"


_POSITIONS = dataclasses.replace(
    rules.pairs("one [x, y] per node, each from -32768 to 32767"), check=_check_positions
)
_NETWORK = rules.Rule(allowed="a table", read=_read_network, write=rules.to_table)
_FLOCK = rules.Rule(allowed="a table", read=_read_flock, write=rules.to_table)
_CURL = rules.Rule(allowed="a table", read=_read_curl, write=rules.to_table)
_FAULTS = rules.Rule(
    allowed="a list of faults",
    read=_read_faults,
    write=lambda value: [fault_records.to_dict(fault) for fault in value],
)
_TOUR = rules.Rule(
    allowed="a list of stops",
    read=_read_tour,
    write=lambda value: [rules.to_table(stop) for stop in value],
)
_METRIC = rules.choice("logical", "physical", "latency")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The declarative description of a run; checked when it is made.

    Attributes:
        name: Short name; presets have the name of their file.
        title: Name for people.
        summary: What happens, in a sentence or two.
        watch: What to watch, sentence by sentence.
        nodes: Number of nodes N, 1..200,000.
        seed: Seed of the run's randomness.
        ticks: Length of the run in ticks.
        tick_us: Length of a tick in microseconds.
        period_us: Heartbeat period in microseconds.
        k: Neighbours that a node elects, 3..15.
        metric: Distance by which neighbours are near: ``logical`` (by number), ``physical`` (on
            the plane) or ``latency``.
        reach: Peers that a node tracks, its nearest ones by the metric.
        layout: How nodes are placed, one of `LAYOUTS`.
        positions: Places of the nodes, for the layout ``explicit``.
        arena: Width of the plane; its height is seven tenths of that.
        load_pattern: How the load component starts, one of `LOAD_PATTERNS`.
        absent: Nodes that are not there at the start, for a later join.
        network: The network before any fault.
        flock: Options of the flock layer.
        faults: The fault script.
        tour: The narrated tour, by tick.

    Raises:
        FlockError: If anything is not allowed; the message names the key, the value and what is.
    """

    name: str = field(default="custom", metadata=rules.ruled(rules.TEXT))
    title: str = field(default="", metadata=rules.ruled(rules.TEXT))
    summary: str = field(default="", metadata=rules.ruled(rules.TEXT))
    watch: tuple[str, ...] = field(default=(), metadata=rules.ruled(rules.TEXTS))
    nodes: int = field(default=60, metadata=rules.ruled(rules.whole(1, MAX_NODES)))
    seed: int = field(default=1, metadata=rules.ruled(rules.whole(0, 2**53 - 1)))
    ticks: int = field(default=2_000, metadata=rules.ruled(rules.whole(1, 10**7, " ticks")))
    tick_us: int = field(
        default=1_000, metadata=rules.ruled(rules.whole(1, 10**7, " microseconds"))
    )
    period_us: int = field(
        default=10_000, metadata=rules.ruled(rules.whole(1, 10**9, " microseconds"))
    )
    k: int = field(default=7, metadata=rules.ruled(rules.whole(3, 15)))
    metric: str = field(default="physical", metadata=rules.ruled(_METRIC))
    reach: int = field(default=63, metadata=rules.ruled(rules.whole(1, 63, " peers")))
    layout: str = field(default="blob", metadata=rules.ruled(rules.choice(*LAYOUTS)))
    positions: tuple[tuple[int, int], ...] = field(default=(), metadata=rules.ruled(_POSITIONS))
    arena: int = field(default=1_000, metadata=rules.ruled(rules.whole(10, 32_767)))
    load_pattern: str = field(default="hill", metadata=rules.ruled(rules.choice(*LOAD_PATTERNS)))
    absent: tuple[int, ...] = field(default=(), metadata=rules.ruled(rules.nodes(empty=True)))
    network: NetworkOptions = field(default_factory=NetworkOptions, metadata=rules.ruled(_NETWORK))
    flock: FlockOptions = field(default_factory=FlockOptions, metadata=rules.ruled(_FLOCK))
    curl: CurlOptions = field(default_factory=CurlOptions, metadata=rules.ruled(_CURL))
    faults: tuple[Fault, ...] = field(default=(), metadata=rules.ruled(_FAULTS))
    tour: tuple[TourStop, ...] = field(default=(), metadata=rules.ruled(_TOUR))

    def __post_init__(self) -> None:
        """Read and check everything."""
        rules.coerce(self, "scenario")
        self._check_size()
        rules.check(self, "scenario", self.nodes)
        self._check_layout()
        self._check_timing()
        self._check_neighbours()
        for number, fault in enumerate(self.faults):
            try:
                fault_records.validate(fault, self.nodes)
            except FlockError as error:
                raise FlockError(f"faults[{number}]: {error}") from error
        for number, stop in enumerate(self.tour):
            rules.check(stop, f"tour[{number}]", self.nodes)

    # -------------------------------------------------------------------- derived

    @property
    def period_ticks(self) -> int:
        """Heartbeat period in whole ticks, rounded up."""
        return -(-self.period_us // self.tick_us)

    @property
    def heard(self) -> int:
        """Peers that a node hears per heartbeat period at most."""
        return min(self.reach, self.nodes - 1)

    @property
    def min_neighbours(self) -> int:
        """Elected neighbours below which a node is DEGRADED."""
        chosen = self.flock.min_neighbours
        return max(1, min(3, self.nodes - 1)) if chosen is None else chosen

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole content, in hexadecimal; equal for equal scenarios."""
        content = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return sha256(content.encode()).hexdigest()

    # -------------------------------------------------------------------- reading and writing

    @staticmethod
    def names() -> tuple[str, ...]:
        """Names of the scenarios that come with the package."""
        return presets.names()

    @classmethod
    def load(cls, name: str) -> Self:
        """Load one of the scenarios that come with the package.

        Args:
            name: One of `names`.

        Returns:
            The scenario.

        Raises:
            FlockError: If there is no such scenario, or its file is broken.
        """
        return cls.from_toml(presets.text(name))

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a scenario from a TOML document.

        Args:
            text: The document.

        Returns:
            The scenario.

        Raises:
            FlockError: If the document is no TOML (with line and column), or is no scenario.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise FlockError(f"the scenario is not valid TOML: {error}") from error
        return cls.from_dict(table)

    @classmethod
    def from_dict(cls, table: Mapping[str, object]) -> Self:
        """Read a scenario from a table of plain values, as `to_dict` writes it.

        Raises:
            FlockError: If a key is unknown, or a value is not allowed.
        """
        return rules.from_table(cls, table, "scenario")

    def to_dict(self) -> dict[str, object]:
        """The scenario as a table of plain values, without what holds its default."""
        return rules.to_table(self)

    def to_toml(self) -> str:
        """The scenario as a TOML document."""
        return toml_text.write(self.to_dict())

    def replace(self, **changes: object) -> Self:
        """A changed copy, checked like any other.

        Args:
            **changes: New values by attribute name.

        Returns:
            The changed scenario.

        Raises:
            FlockError: If an attribute is unknown, or the result is not allowed.
        """
        known = [item.name for item in dataclasses.fields(self)]
        for key in changes:
            if key not in known:
                raise FlockError(f"scenario: key {key!r} is unknown; {rules.hint(key, known)}")
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def resized(self, nodes: int) -> Self:
        """The same story with more or fewer nodes.

        Groups keep their share of the flock and single nodes their relative place. The tour is
        left out, because it speaks of nodes that now stand elsewhere.

        Args:
            nodes: Number of nodes.

        Returns:
            The scenario itself if it has that size, otherwise the resized one.

        Raises:
            FlockError: If the story cannot be told with so few nodes, or the nodes have explicit
                positions, or the number is not allowed.
        """
        if nodes == self.nodes:
            return self
        if self.positions:
            raise FlockError(
                f"scenario: nodes is {nodes} but there are {len(self.positions)} explicit "
                "positions; allowed is their number"
            )
        bare = self.replace(nodes=nodes, faults=(), absent=(), tour=())
        return bare.replace(
            faults=tuple(resize_fault(fault, self.nodes, nodes) for fault in self.faults),
            absent=resize_nodes(self.absent, self.nodes, nodes),
        )

    # -------------------------------------------------------------------- checks across keys

    def _check_size(self) -> None:
        if self.nodes < 1:
            raise FlockError(
                f"scenario: nodes is {self.nodes}: an empty flock; allowed is a whole number from "
                f"1 to {MAX_NODES}"
            )
        if self.nodes > MAX_NODES:
            memory = self.nodes * BYTES_PER_NODE / 1e9
            raise FlockError(
                f"scenario: nodes is {self.nodes}, which would need about {memory:,.1f} GB of "
                f"memory; allowed is a whole number from 1 to {MAX_NODES} "
                f"(about {MAX_NODES * BYTES_PER_NODE / 1e9:.1f} GB)"
            )

    def _check_layout(self) -> None:
        if (self.layout == "explicit") != bool(self.positions):
            raise FlockError(
                f"scenario: layout is {self.layout!r} with {len(self.positions)} positions; "
                'allowed are positions with the layout "explicit" and with it alone'
            )
        if len(self.absent) >= self.nodes:
            raise FlockError(
                f"scenario: absent names all {self.nodes} nodes; allowed is a flock with one node "
                "or more at the start"
            )

    def _check_timing(self) -> None:
        if self.period_us < self.tick_us:
            raise FlockError(
                f"scenario: period_us is {self.period_us} and tick_us is {self.tick_us}; allowed "
                "is a period of one tick or longer"
            )
        budget = self.flock.receive_budget
        room = budget * self.period_us // self.tick_us
        if self.heard > room:
            raise FlockError(
                f"scenario: a node hears {self.heard} peers per period but can read only "
                f"{budget} messages per tick * {self.period_us} us period / {self.tick_us} us tick "
                f"= {room}, so its inbox would grow without end; allowed is a reach of {room} or "
                f"less, or a tick_us of {budget * self.period_us // self.heard} or less"
            )

    def _check_neighbours(self) -> None:
        if self.reach < self.k and self.reach < self.nodes - 1:
            raise FlockError(
                f"scenario: reach is {self.reach} and k is {self.k}; allowed is a reach of k or "
                "more"
            )
        if self.min_neighbours > self.k:
            raise FlockError(
                f"scenario: flock.min_neighbours is {self.min_neighbours} and k is {self.k}; "
                "allowed is k or less"
            )
