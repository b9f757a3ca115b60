"""Random scenarios: every parameter and every fault is a function of one seed.

A drawn scenario has two phases. In the *safety* phase anything of the fault vocabulary strikes,
faults overlap, and commands use the flock meanwhile. Then everything is healed, and in the
*liveness* phase nothing strikes any more, for as long as the flock may take to recover.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from flockcore.errors import FlockError
from flockcore.flock.options import FlockOptions
from flockcore.kernel.fault_keys import POLICIES
from flockcore.kernel.faults import (
    KINDS,
    PROPOSALS,
    THRESHOLDS,
    AddTask,
    Clear,
    Crash,
    Cut,
    Delay,
    Duplicate,
    Equivocate,
    Fault,
    Flap,
    Heal,
    Inhibit,
    Join,
    Leave,
    Lift,
    Loss,
    Mend,
    Partition,
    Pause,
    Propose,
    Provision,
    Reconcile,
    Reorder,
    Require,
    Restart,
    Resume,
    SetField,
    SetNeighbours,
    Slow,
    Storm,
    Write,
)
from flockcore.kernel.rng import Streams
from flockcore.scenario import NetworkOptions, Scenario

__all__ = ["Plan", "draw"]

_PERIODS_TO_RECOVER = 12
_TICKS_TO_SPARE = 60
_MODELS = ("rational", "linear", "step", "exponential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of the swarm.

    Attributes:
        seed: What everything was drawn from.
        scenario: The run; its script ends with the healing.
        safety: Ticks of the safety phase; at the tick after it everything is healed.
    """

    seed: int
    scenario: Scenario
    safety: int

    @property
    def parameters(self) -> dict[str, object]:
        """What was drawn, without the fault script, in plain values."""
        table = self.scenario.to_dict()
        return {key: value for key, value in table.items() if key not in {"faults", "title"}}


@dataclass(slots=True)
class _Drawer:
    """Draws one after another from a stream of its own: the order of drawing is part of a plan."""

    seed: int
    _drawn: int = 0
    _words: list[int] = field(default_factory=list)

    def word(self) -> int:
        if not self._words:
            self._words = Streams([(0, self.seed)]).raw("swarm", self._drawn, 64).tolist()[::-1]
            self._drawn += 1
        return self._words.pop()

    def between(self, low: int, high: int) -> int:
        return low + self.word() % (high - low + 1)

    def pick[T](self, choices: Sequence[T]) -> T:
        return choices[self.word() % len(choices)]

    def happens(self, percent: int) -> bool:
        return self.word() % 100 < percent

    def share(self, most_percent: int) -> float:
        return self.between(1, most_percent) / 100

    def some(self, nodes: int, most: int) -> tuple[int, ...]:
        """One to `most` different nodes, ascending."""
        wanted = self.between(1, max(1, min(most, nodes - 1)))
        found: set[int] = set()
        while len(found) < wanted:
            found.add(self.between(0, nodes - 1))
        return tuple(sorted(found))


def draw(seed: int) -> Plan:
    """Draw a run.

    Args:
        seed: At least 0; the same seed draws the same run in every installation of one version.

    Raises:
        FlockError: The seed is negative.
    """
    if seed < 0:
        raise FlockError(f"swarm seed {seed}; allowed is a whole number from 0 on")
    drawer = _Drawer(seed)
    bare = _flock(drawer, seed)
    safety = drawer.between(100, 600)
    strikes = [_strike(drawer, bare, safety) for _ in range(drawer.between(2, 12))]
    uses = [_use(drawer, bare, safety) for _ in range(drawer.between(0, 12))]
    known = [fault for fault in strikes if fault is not None]
    script = sorted([*known, *uses], key=lambda fault: fault.start or 1)
    healed = safety + 1
    mended = _mend(drawer, bare, script, healed)
    script = sorted([*script, *_provision(drawer, bare, safety)], key=lambda one: one.start or 1)
    end = max(fault.start or 1 for fault in mended) + _recovery_ticks(bare)
    scenario = bare.replace(faults=(*script, *mended), ticks=end)
    return Plan(seed=seed, scenario=scenario, safety=safety)


# ------------------------------------------------------------------ the flock


def _flock(drawer: _Drawer, seed: int) -> Scenario:
    nodes = drawer.pick((2, 3, 4, 5, 7, drawer.between(8, 20), drawer.between(20, 90)))
    reach = drawer.pick((63, 63, 63, max(7, nodes // 2)))
    k = drawer.pick((7, 7, drawer.between(3, min(15, reach))))
    period_us = drawer.pick((5_000, 10_000, 10_000, 20_000))
    return Scenario(
        name=f"swarm-{seed}",
        nodes=nodes,
        seed=seed,
        period_us=period_us,
        reach=reach,
        k=k,
        metric=drawer.pick(("physical", "physical", "logical", "latency")),
        layout=drawer.pick(("blob", "two-clusters", "three-clusters", "ring", "grid")),
        load_pattern=drawer.pick(("hill", "random", "even", "none")),
        network=_network(drawer),
        flock=_options(drawer, period_us),
    )


def _network(drawer: _Drawer) -> NetworkOptions:
    def sometimes(value: Callable[[], float]) -> float:
        return value() if drawer.happens(35) else 0

    return NetworkOptions(
        loss=sometimes(lambda: drawer.share(20)),
        delay_min_us=int(sometimes(lambda: drawer.between(0, 3_000))),
        delay_mean_us=int(sometimes(lambda: drawer.between(0, 3_000))),
        duplicate=sometimes(lambda: drawer.share(20)),
        reorder=sometimes(lambda: drawer.share(20)),
        reorder_by_us=drawer.between(1_000, 8_000),
    )


def _options(drawer: _Drawer, period_us: int) -> FlockOptions:
    """Corrected behaviour throughout: upstream's own is known to break what is checked here."""
    return FlockOptions(
        timeout_count=drawer.between(2, 8),
        vote_timeout_us=drawer.between(2, 80) * 1_000,
        result_grace_us=drawer.between(2, 80) * 1_000,
        inhibit_duration_us=drawer.between(5, 150) * 1_000,
        discovery_period_us=drawer.between(10, 40) * period_us,
        inbox=drawer.pick(("newest", "newest", "fifo")),
        region=drawer.pick(("live", "shared")),
        decay=drawer.pick(_MODELS),
        decay_tau_us=drawer.between(5, 200) * 1_000,
        require_all_neighbours=drawer.happens(25),
        conflicts=drawer.pick(("allow", "one_yes", "inhibit")),
        electorate=drawer.pick(("elected", "heard")),
        drop_unknown=drawer.happens(30),
        reject_replays=drawer.happens(30),
        clear_deadlines=drawer.happens(30),
        start_stagger=drawer.happens(80),
    )


# ------------------------------------------------------------------ what strikes and what is used


def _strike(drawer: _Drawer, flock: Scenario, safety: int) -> Fault | None:
    """One fault; None where the flock is too small for what was drawn."""
    nodes = flock.nodes
    start = drawer.between(1, safety)
    until = None if drawer.happens(30) else start + drawer.between(1, safety)
    until = None if until is not None and until > safety else until
    few = max(1, nodes // 3)
    kind = drawer.pick(_STRIKES)
    match kind:
        case "partition":
            return _partition(drawer, nodes, start, until)
        case "cut":
            source, target = drawer.between(0, nodes - 1), drawer.between(0, nodes - 1)
            both = drawer.happens(50)
            if source == target:
                return None
            return Cut(start=start, until=until, source=source, target=target, both=both)
        case "flap":
            inner = _partition(drawer, nodes, None, None)
            on, off = drawer.between(1, 60), drawer.between(1, 60)
            times = max(1, min(drawer.between(1, 8), (safety - start) // (on + off)))
            return Flap(start=start, fault=inner, on=on, off=off, times=times)
        case "leave":
            return Leave(start=start, nodes=drawer.some(nodes, few)) if nodes > 3 else None
        case "restart" | "resume":
            made = Restart if kind == "restart" else Resume
            return made(start=start, nodes=drawer.some(nodes, few))
        case "crash" | "pause" | "equivocate":
            hit = {"crash": Crash, "pause": Pause, "equivocate": Equivocate}[kind]
            return hit(start=start, until=until, nodes=drawer.some(nodes, few))
        case "mend":
            return Mend(start=start, until=until, quiet_us=drawer.between(1, 60) * 1_000)
        case "storm":
            every = drawer.between(5, 60)
            return Storm(start=start, until=until, every=every, rate=drawer.share(400))
        case "slow":
            every = drawer.between(2, 20)
            return Slow(start=start, until=until, nodes=drawer.some(nodes, few), every=every)
        case _:
            return _link_fault(drawer, kind, nodes, start, until)


_STRIKES = (
    "partition",
    "partition",
    "cut",
    "flap",
    "crash",
    "crash",
    "restart",
    "pause",
    "resume",
    "slow",
    "leave",
    "equivocate",
    "storm",
    "mend",
    "loss",
    "delay",
    "duplicate",
    "reorder",
)


def _partition(drawer: _Drawer, nodes: int, start: int | None, until: int | None) -> Partition:
    sides = drawer.between(1, 3)
    groups: list[list[int]] = [[] for _ in range(sides)]
    for node in range(nodes):
        side = drawer.between(0, sides)
        if side < sides:
            groups[side].append(node)
    held = [tuple(group) for group in groups if group] or [(0,)]
    one_way = ((0, len(held)),) if drawer.happens(30) else ()
    return Partition(start=start, until=until, groups=tuple(held), one_way=one_way)


def _link_fault(
    drawer: _Drawer, kind: str, nodes: int, start: int, until: int | None
) -> Loss | Delay | Duplicate | Reorder:
    sources = drawer.some(nodes, nodes) if drawer.happens(40) else ()
    targets = drawer.some(nodes, nodes) if drawer.happens(40) else ()
    made: Loss | Delay | Duplicate | Reorder
    if kind == "delay":
        made = Delay(min_us=drawer.between(0, 20_000), mean_us=drawer.between(0, 20_000))
    elif kind == "reorder":
        made = Reorder(probability=drawer.share(60), by_us=drawer.between(1_000, 30_000))
    elif kind == "loss":
        made = Loss(probability=drawer.share(100))
    else:
        made = Duplicate(probability=drawer.share(100))
    return replace(made, start=start, until=until, sources=sources, targets=targets)


_USES = (
    "propose",
    "propose",
    "propose",
    "inhibit",
    "field",
    "neighbours",
    "task",
    "write",
    "reconcile",
)


def _use(drawer: _Drawer, flock: Scenario, safety: int) -> Fault:
    start = drawer.between(1, safety)
    node, other = drawer.between(0, flock.nodes - 1), drawer.between(0, flock.nodes - 1)
    match drawer.pick(_USES):
        case "propose":
            kind = drawer.pick(sorted(PROPOSALS.values()))
            threshold = drawer.pick(sorted(THRESHOLDS.values()))
            return Propose(start=start, node=node, kind=kind, data=other, threshold=threshold)
        case "inhibit":
            ballot = drawer.between(1, 6)
            return Inhibit(start=start, node=node, proposer=other, ballot=ballot)
        case "field":
            component = drawer.between(0, 5)
            return SetField(start=start, node=node, component=component, value=drawer.share(100))
        case "write":
            path = (node, other) if node != other else (node, (node + 1) % flock.nodes)
            return Write(start=start, node=node, path=path, rate=drawer.share(300))
        case "reconcile":
            return Reconcile(start=start, aim=drawer.pick(("project", "balance")))
        case "neighbours":
            return SetNeighbours(start=start, k=drawer.between(3, min(15, flock.reach)))
        case _:
            period_us = drawer.pick((0, 5_000, 20_000))
            duration_us = drawer.between(0, 5_000)
            return AddTask(start=start, node=node, period_us=period_us, duration_us=duration_us)


def _provision(drawer: _Drawer, flock: Scenario, safety: int) -> tuple[Fault, ...]:
    """Now and then all nodes are provisioned, and the gate may be told something else later."""
    if drawer.happens(60):
        return ()
    first, later = (drawer.between(1, safety) for _ in range(2))
    ready, failed = (drawer.between(0, flock.nodes) for _ in range(2))
    provision = Provision(
        start=first,
        policy=drawer.pick(POLICIES),
        ready=ready,
        failed=failed,
        seat=drawer.between(0, flock.nodes - 1),
        least_us=drawer.between(0, 40) * 1_000,
        mean_us=drawer.between(0, 40) * 1_000,
        fail=drawer.share(30),
        early=drawer.happens(30),
        resend_us=drawer.between(1, 30) * 1_000,
    )
    if drawer.happens(50):
        return (provision,)
    require = Require(start=later, policy=drawer.pick(POLICIES), ready=failed, failed=ready)
    return provision, require


# ------------------------------------------------------------------ what mends


def _mend(
    drawer: _Drawer, flock: Scenario, script: Sequence[Fault], healed: int
) -> tuple[Fault, ...]:
    """Everything ends at tick `healed`; what was quarantined is let back a little later."""
    lasting = {fault.kind_name for fault in script if fault.lasting} | _base_kinds(flock)
    mended: list[Fault] = [Heal(start=healed)]
    mended += [Clear(start=healed, kind=name) for name in KINDS if name in lasting]
    gone = sorted({node for fault in script if isinstance(fault, Leave) for node in fault.nodes})
    half = flock.arena // 2
    for node in gone:
        x, y = drawer.between(0, flock.arena), drawer.between(0, half)
        mended.append(Join(start=healed, node=node, x=x, y=y))
    # A ballot about a quarantine that is open at the healing may still be approved.
    lifted = healed + -(-flock.flock.vote_timeout_us // flock.tick_us) + flock.period_ticks
    mended += [Lift(start=lifted, node=node) for node in _accused(script)]
    return tuple(mended)


def _base_kinds(flock: Scenario) -> set[str]:
    """Faults that hold from the start because the scenario's network has them."""
    network = flock.network
    held = {
        "loss": network.loss,
        "duplicate": network.duplicate,
        "delay": network.delay_min_us + network.delay_mean_us,
        "reorder": network.reorder,
    }
    return {kind for kind, amount in held.items() if amount}


def _accused(script: Sequence[Fault]) -> list[int]:
    accused = {node for fault in script if isinstance(fault, Equivocate) for node in fault.nodes}
    for fault in script:
        if isinstance(fault, Propose) and fault.kind == PROPOSALS["quarantine"]:
            accused.add(fault.data)
    return sorted(accused)


def _recovery_ticks(flock: Scenario) -> int:
    """Ticks within which a healed flock must have recovered.

    Everybody announces itself within a discovery period and is heard within a period after that;
    ballots and inhibitions that were open run out; paused inboxes empty.
    """
    options = flock.flock
    ballot_us = options.vote_timeout_us + options.result_grace_us
    longest_us = max(ballot_us, options.inhibit_duration_us)
    waits_us = options.discovery_period_us + longest_us + _PERIODS_TO_RECOVER * flock.period_us
    backlog = 256 // options.receive_budget
    return -(-waits_us // flock.tick_us) + backlog + _TICKS_TO_SPARE
