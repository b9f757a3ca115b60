"""Fault records in words: what a control does, what a script says, what a marker is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flockcore.kernel import faults as f

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["EXPLANATIONS", "describe", "label"]

EXPLANATIONS: dict[str, str] = {
    "partition": "Traffic between the groups stops; messages in flight across the cut are lost.",
    "cut": "One link stops carrying messages, in one direction or in both.",
    "loss": "Every copy of a message is lost with this probability.",
    "delay": "Messages arrive later, by a fixed part and an exponential part.",
    "duplicate": "Every copy of a message arrives a second time with this probability.",
    "reorder": "Some messages are held back, so that later ones overtake them.",
    "flap": "A fault comes and goes: on, off, on again.",
    "crash": "The node stops at once and loses its inbox; the others see only silence.",
    "restart": "A crashed node comes back with fresh state, as a new incarnation.",
    "pause": "The node stops ticking and keeps its state; its inbox fills up.",
    "resume": "A paused node goes on where it stopped and reads its full inbox.",
    "slow": "The node runs only every m-th tick, so its heartbeats come late.",
    "equivocate": "The node says different things to different peers about one ballot.",
    "join": "An absent node enters the flock with fresh state.",
    "leave": "The node goes for good, without a farewell.",
    "heal": "All partitions, cuts and flapping links end.",
    "clear": "All lasting faults of one kind end.",
    "propose": "The node opens a ballot; its elected neighbours vote.",
    "inhibit": "The node tries to cancel a ballot; only its voters may.",
    "set_field": "The node's own field takes a value; neighbours see it decay.",
    "set_neighbours": "Every node elects this many nearest neighbours.",
    "add_task": "The node is given a task; at most one task runs per tick.",
    "lift": "The node's quarantine ends: it is heard and elected again.",
    "write": "The node adds a rate along these edges to its log, which travels by message.",
    "storm": "Nodes drawn at random write flows round triangles, again and again.",
    "mend": "Every node that has heard nothing new for a while removes the curl it knows of.",
    "reconcile": "Every node removes the curl from the flow that it knows, asking nobody.",
    "provision": "All nodes are imaged; a controller counts their reports and waits at a barrier.",
    "require": "The barrier's gate asks for something else, if it has not decided yet.",
}
"""One sentence for every kind, to be shown where the fault is pressed."""


_NEEDED = {
    f.SIMPLE_MAJORITY: "half",
    f.STRICT_MAJORITY: "more than half",
    f.TWO_THIRDS: "two thirds",
    f.UNANIMOUS: "all",
}


def _people(nodes: Sequence[int], *, most: int = 6) -> str:
    if len(nodes) == 1:
        return f"node {nodes[0]}"
    if len(nodes) > most:
        return f"{len(nodes)} nodes"
    return "nodes " + ", ".join(map(str, nodes[:-1])) + f" and {nodes[-1]}"


def _links(fault: f.LinkFault) -> str:
    if not fault.sources and not fault.targets:
        return "every link"
    source = _people(fault.sources) if fault.sources else "any node"
    target = _people(fault.targets) if fault.targets else "any node"
    return f"the way from {source} to {target}"


def _share(value: float) -> str:
    return f"{100 * value:.4g} %"


def _time(microseconds: int) -> str:
    return f"{microseconds / 1000:.4g} ms"


def _partition(fault: f.Partition) -> str:
    if not fault.one_way and len(fault.groups) == 1:
        return f"Cut {_people(fault.groups[0])} off from everyone else."
    if not fault.one_way:
        return f"Cut the flock into sides of {_sizes(fault)}; nodes in none form one more side."
    ways = ", ".join(f"group {source} to group {target}" for source, target in fault.one_way)
    return f"Stop traffic from {ways}; the other direction still works."


def _cut(fault: f.Cut) -> str:
    ways = "in both directions" if fault.both else "in this direction only"
    return f"Cut the link from node {fault.source} to node {fault.target}, {ways}."


def _loss(fault: f.Loss) -> str:
    return f"Lose {_share(fault.probability)} of the messages on {_links(fault)}."


def _delay(fault: f.Delay) -> str:
    mean = f" plus {_time(fault.mean_us)} on average" if fault.mean_us else ""
    return f"Delay messages on {_links(fault)} by {_time(fault.min_us)}{mean}."


def _duplicate(fault: f.Duplicate) -> str:
    return f"Deliver {_share(fault.probability)} of the messages on {_links(fault)} twice."


def _reorder(fault: f.Reorder) -> str:
    share, time = _share(fault.probability), _time(fault.by_us)
    return f"Hold {share} of the messages on {_links(fault)} back by {time}."


def _flap(fault: f.Flap) -> str:
    return f"{fault.times} times {fault.on} ticks on, {fault.off} off: {describe(fault.fault)}"


def _crash(fault: f.Crash) -> str:
    return f"Crash {_people(fault.nodes)}: silent at once, inbox lost."


def _restart(fault: f.Restart) -> str:
    return f"Restart {_people(fault.nodes)} with fresh state."


def _pause(fault: f.Pause) -> str:
    return f"Pause {_people(fault.nodes)}: no tick, state kept, inbox filling."


def _resume(fault: f.Resume) -> str:
    return f"Resume {_people(fault.nodes)} with the state from before the pause."


def _slow(fault: f.Slow) -> str:
    verb = "runs" if len(fault.nodes) == 1 else "run"
    people = _people(fault.nodes)
    return f"{people[0].upper()}{people[1:]} {verb} only every {fault.every} ticks."


def _equivocate(fault: f.Equivocate) -> str:
    people = _people(fault.nodes)
    verb = "tells" if len(fault.nodes) == 1 else "tell"
    what = "every ballot" if fault.ballot is None else f"ballot {fault.ballot}"
    return f"{people[0].upper()}{people[1:]} {verb} different peers different things about {what}."


def _join(fault: f.Join) -> str:
    return f"Node {fault.node} joins at ({fault.x}, {fault.y})."


def _leave(fault: f.Leave) -> str:
    people = _people(fault.nodes)
    verb = "leaves" if len(fault.nodes) == 1 else "leave"
    return f"{people[0].upper()}{people[1:]} {verb} the flock."


def _heal(fault: f.Heal) -> str:
    del fault
    return "End all partitions, cuts and flapping links."


def _clear(fault: f.Clear) -> str:
    return f"End every {fault.kind} fault."


def _propose(fault: f.Propose) -> str:
    known = {number: name.upper() for name, number in f.PROPOSALS.items()}
    kind = known.get(fault.kind, f"kind {fault.kind}")
    need = _NEEDED.get(fault.threshold, _share(fault.threshold / f.UNANIMOUS))
    return f"Node {fault.node} proposes {kind} {fault.data}; approved by {need} of its voters."


def _inhibit(fault: f.Inhibit) -> str:
    return f"Node {fault.node} inhibits ballot {fault.ballot} of node {fault.proposer}."


def _set_field(fault: f.SetField) -> str:
    return f"Node {fault.node} sets its {f.COMPONENTS[fault.component]} to {fault.value:.4g}."


def _set_neighbours(fault: f.SetNeighbours) -> str:
    return f"Every node elects {fault.k} neighbours."


def _add_task(fault: f.AddTask) -> str:
    repeats = f", every {_time(fault.period_us)}" if fault.period_us else ", once"
    due = "" if fault.deadline_us is None else f", due in {_time(fault.deadline_us)}"
    return f"Node {fault.node} gets a task of priority {fault.priority}{repeats}{due}."


def _lift(fault: f.Lift) -> str:
    return f"Lift the quarantine of node {fault.node}."


def _write(fault: f.Write) -> str:
    if fault.shape == "star":
        far = _people(fault.path[1:])
        return f"Node {fault.node} writes a rate of {fault.rate:.4g} from {fault.path[0]} to {far}."
    way = "round" if fault.shape == "loop" else "along"
    return f"Node {fault.node} writes a rate of {fault.rate:.4g} {way} {_people(fault.path)}."


def _storm(fault: f.Storm) -> str:
    return f"Every {fault.every} ticks some node writes up to {fault.rate:.4g} round a triangle."


def _mend(fault: f.Mend) -> str:
    return f"Every node mends its flow after {_time(fault.quiet_us)} without news."


def _reconcile(fault: f.Reconcile) -> str:
    if fault.aim == "balance":
        return "Every node asks for the flow that makes the queues equal and has no curl."
    return "Every node removes the curl from the flow that it knows."


def _asked(fault: f.Provision | f.Require) -> str:
    ready, failed = f"{fault.ready} hosts are READY", f"{fault.failed} have FAILED"
    match fault.policy:
        case "threshold":
            return f"at least {ready}"
        case "max_failures":
            return f"at most {failed}"
        case "combined":
            return f"at least {ready} and at most {failed}"
        case _:
            return "every host is READY"


def _provision(fault: f.Provision) -> str:
    early = ", or cannot any more" if fault.early else ""
    return f"Image every node; node {fault.seat} waits until {_asked(fault)}{early}."


def _require(fault: f.Require) -> str:
    return f"The gate now waits until {_asked(fault)}."


_SENTENCES: dict[str, Callable[..., str]] = {
    "partition": _partition,
    "cut": _cut,
    "loss": _loss,
    "delay": _delay,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "flap": _flap,
    "crash": _crash,
    "restart": _restart,
    "pause": _pause,
    "resume": _resume,
    "slow": _slow,
    "equivocate": _equivocate,
    "join": _join,
    "leave": _leave,
    "heal": _heal,
    "clear": _clear,
    "propose": _propose,
    "inhibit": _inhibit,
    "set_field": _set_field,
    "set_neighbours": _set_neighbours,
    "add_task": _add_task,
    "lift": _lift,
    "write": _write,
    "storm": _storm,
    "reconcile": _reconcile,
    "mend": _mend,
    "provision": _provision,
    "require": _require,
}


def describe(fault: f.Fault) -> str:
    """What a record does, in one sentence.

    Args:
        fault: Any record.

    Returns:
        A sentence with its full stop, without the ticks of the record.
    """
    return _SENTENCES[fault.kind_name](fault)


def label(fault: f.Fault) -> str:
    """A record's name for a marker on the timeline: a few words, with a number or a node in it.

    Args:
        fault: Any record.

    Returns:
        For example ``crash 7``, ``loss 20 %`` or ``partition 3 sides``.
    """
    name = fault.kind_name.replace("_", " ")
    match fault:
        case f.Partition(one_way=()):
            return f"{name} {_sizes(fault)}"
        case f.Partition():
            return f"one-way {name}"
        case f.Cut():
            return f"{name} {fault.source} {'-' if fault.both else '→'} {fault.target}"
        case f.Loss() | f.Duplicate() | f.Reorder():
            return f"{name} {_share(fault.probability)}"
        case f.Delay():
            return f"{name} {_time(fault.min_us)}"
        case f.Flap():
            return f"{name} {label(fault.fault)}"
        case f.Slow():
            return f"{name} {_brief(fault.nodes)} 1 in {fault.every}"
        case f.Clear():
            return f"{name} {fault.kind}"
        case f.SetField():
            return f"{f.COMPONENTS[fault.component]} {fault.node} = {fault.value:.4g}"
        case f.SetNeighbours():
            return f"k = {fault.k}"
        case f.Write():
            return f"{name} {fault.node}: {fault.rate:.3g}"
        case f.Reconcile(aim="balance"):
            return "balance"
        case f.Provision() | f.Require():
            return f"{name} {_wanted(fault)}"
        case f.Inhibit():
            return f"{name} {fault.proposer}:{fault.ballot}"
        case f.Crash() | f.Restart() | f.Pause() | f.Resume() | f.Equivocate() | f.Leave():
            return f"{name} {_brief(fault.nodes)}"
        case f.Join() | f.Propose() | f.AddTask() | f.Lift():
            return f"{name} {fault.node}"
        case _:
            return name


def _wanted(fault: f.Provision | f.Require) -> str:
    wanted = {
        "strict_all": "all",
        "threshold": f"≥ {fault.ready}",
        "max_failures": f"≤ {fault.failed} failed",
        "combined": f"≥ {fault.ready}, ≤ {fault.failed} failed",
    }
    return wanted.get(fault.policy, fault.policy)


def _sizes(fault: f.Partition) -> str:
    return " | ".join(str(len(group)) for group in fault.groups)


def _brief(nodes: Sequence[int]) -> str:
    return ", ".join(map(str, nodes)) if len(nodes) <= 3 else f"{len(nodes)} nodes"
