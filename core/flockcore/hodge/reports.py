"""What the hodge layer tells: statistics, verdicts, events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.deltas import STEP
from flockcore.hodge.operators import curl, divergence
from flockcore.hodge.options import LIVE_NODES
from flockcore.hodge.solver import dot, norm
from flockcore.kernel.layer import Event, Status, Verdict

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from flockcore.hodge.arrays import Integers
    from flockcore.hodge.knowledge import Knowledge
    from flockcore.hodge.layer import Hodge

__all__ = ["CONSISTENT", "LOGS", "FlowStatistics", "describe_events", "verdicts"]

CONSISTENT = 1e-6
"""Curl norm below which flows count as consistent: the step of a delta."""
_ROUNDING = 1e-9
_SPREAD_PERIODS = 20

LOGS: dict[str, dict[str, DTypeLike]] = {
    "flow_writes": {
        "node": np.int32,
        "number": np.int32,
        "lines": np.int32,
        "largest": np.int64,
    },
    "flow_settlements": {"nodes": np.int32, "balance": np.bool_},
}
"""Logs of the layer."""


@dataclass(frozen=True, slots=True)
class FlowStatistics:
    """Counters and gauges of the layer.

    Attributes:
        live: whether the layer runs.
        writers: nodes that have written.
        entries: entries that they wrote.
        lines: edges in these, each time.
        replicas: different sets of entries among the members that run.
        behind: members that run and lack an entry.
        curl_norm: largest norm of the triangle curls in a flow that a member acts on.
        messages: copies of letters sent.
        octets: payload bytes of these.
    """

    live: bool
    writers: int
    entries: int
    lines: int
    replicas: int
    behind: int
    curl_norm: float
    messages: int
    octets: int


_NAMES = (
    "Replicas agree",
    "No curl is left",
    "Parts are orthogonal",
    "Node totals kept",
    "No obstruction",
    "Solver converged",
)


def verdicts(layer: Hodge) -> tuple[Verdict, ...]:
    """Return the verdict on every invariant."""
    if not layer.live:
        reason = f"off: 2 to {LIVE_NODES:,} nodes are live"
        return tuple(Verdict(name, Status.UNKNOWN, reason) for name in _NAMES)
    if not len(layer.state.log.writer):
        return tuple(Verdict(name, Status.HOLDS, "nothing was written") for name in _NAMES)
    members, _, counts = layer.groups()
    if not len(members):
        return tuple(Verdict(name, Status.UNKNOWN, "no node runs") for name in _NAMES)
    node = int(members[counts.argmax()])
    known = layer.knowledge(node)
    parts, projection = known.parts, known.projection
    size = max(norm(known.flow), 1.0)
    products = (
        abs(dot(parts.gradient, parts.curl)),
        abs(dot(parts.gradient, parts.harmonic)),
        abs(dot(parts.curl, parts.harmonic)),
    )
    complex_ = known.plan.complex
    drift = np.abs(divergence(complex_, projection.flow) - divergence(complex_, known.flow))
    kept = float(drift.max(initial=0.0))
    around = norm(parts.harmonic)
    holes = known.plan.projector.betti[1]
    return (
        _agreement(layer, node),
        _curl(layer, members),
        _judge(
            _NAMES[2], max(products) <= _ROUNDING * size**2, f"largest product {max(products):.0e}"
        ),
        _judge(_NAMES[3], kept <= _ROUNDING * size, f"drift {kept:.0e} after projection"),
        Verdict(
            _NAMES[4],
            Status.HOLDS if around <= _ROUNDING * size else Status.UNKNOWN,
            f"harmonic {around:.3g} round {holes} hole{'s' * (holes != 1)}"
            if around > _ROUNDING * size
            else "no flow round a hole",
        ),
        _convergence(known),
    )


def _judge(name: str, holds: bool, reason: str) -> Verdict:
    return Verdict(name, Status.HOLDS if holds else Status.VIOLATED, reason)


def _agreement(layer: Hodge, node: int) -> Verdict:
    row = layer.columns()
    if row["flow_replicas"] <= 1 and not row["flow_behind"]:
        many = int(layer.world.up.sum())
        return Verdict(_NAMES[0], Status.HOLDS, f"{many} nodes, one flow, bit for bit")
    period = layer.options.period_us // layer.clock.tick_us
    since = layer.present_tick - max(
        int(layer.state.replicas.learned.max()), layer.flock.last_fault
    )
    versions = layer.state.replicas.versions
    others = np.flatnonzero(layer.world.up & (versions != versions[node]).any(axis=1))
    reason = f"{row['flow_replicas']} versions, {row['flow_behind']} nodes lack some"
    waiting = layer.network.divided or since <= _SPREAD_PERIODS * max(period, 1)
    status = Status.UNKNOWN if waiting else Status.VIOLATED
    return Verdict(_NAMES[0], status, reason[:34], tuple(others[:8].tolist()))


def _curl(layer: Hodge, members: Integers) -> Verdict:
    norms = [layer.curl_norm(int(node)) for node in members]
    worst = int(np.argmax(norms))
    if norms[worst] <= CONSISTENT:
        return Verdict(_NAMES[1], Status.HOLDS, f"curl norm {norms[worst]:.0e}")
    node = int(members[worst])
    complex_ = layer.state.mesh.plan.complex
    turned = np.abs(curl(complex_, layer.settled(node))) > CONSISTENT
    many = int(turned.sum())
    reason = f"curl {norms[worst]:.3g} in {many} triangle{'s' * (many != 1)}"
    corners = complex_.triangles[turned]
    nodes = tuple(np.unique(corners)[:8].tolist())
    return Verdict(_NAMES[1], Status.VIOLATED, reason, nodes)


def _convergence(known: Knowledge) -> Verdict:
    found = [one for one in (*known.parts.solutions, known.projection.solution) if one is not None]
    worst = max((one.residual for one in found), default=0.0)
    passes = max((one.iterations for one in found), default=0)
    reason = f"residual {worst:.0e} in {passes} pass{'es' * (passes != 1)}"
    if not (known.parts.converged and known.projection.converged):
        return Verdict(_NAMES[5], Status.VIOLATED, f"cap of {passes} passes, {worst:.0e}")
    return Verdict(_NAMES[5], Status.HOLDS, reason)


def describe_events(layer: Hodge, since: int) -> tuple[Event, ...]:
    """Return what happened at tick `since` or later, oldest first."""
    found = []
    rows = layer.records.logs["flow_writes"].rows(since)
    for tick, node, number, lines, largest in zip(
        *(rows[name].tolist() for name in ("tick", "node", "number", "lines", "largest")),
        strict=True,
    ):
        text = f"n{node:02d} writes entry {number}: up to {largest * STEP:.3g} on {lines} edges"
        found.append(Event(tick, "flow", node, text))
    rows = layer.records.logs["flow_settlements"].rows(since)
    for tick, nodes, balance in zip(
        *(rows[name].tolist() for name in ("tick", "nodes", "balance")), strict=True
    ):
        how = "balance their queues and remove curl" if balance else "remove the curl they know of"
        found.append(Event(tick, "flow", -1, f"{nodes} nodes {how}"))
    return tuple(sorted(found, key=lambda event: event.tick))
