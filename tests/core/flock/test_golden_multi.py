"""Recorded runs of whole clusters, reproduced row for row (multi.json)."""

from typing import Any

import numpy as np
import pytest

from flockcore.flock.codes import Health, ModuleState, ProposalKind, Result
from flockcore.flock.layer import Flock
from flockcore.flock.options import FlockOptions
from flockcore.flock.reach import Metric
from flockcore.kernel.clock import Clock
from flockcore.kernel.faults import Crash, Partition
from flockcore.kernel.network import Network
from flockcore.kernel.rng import Streams
from flockcore.kernel.script import Script
from flockcore.kernel.world import World
from golden import Case, cases

SUPERMAJORITY, SIMPLE_MAJORITY = 43908, 32768
_PROPOSALS = {
    "propose_mode": (ProposalKind.MODE_CHANGE, SUPERMAJORITY),
    "propose_power": (ProposalKind.POWER_LIMIT, SIMPLE_MAJORITY),
}


class Driver:
    """The recording driver's network and wiring, around the flock layer."""

    def __init__(self, case: Case) -> None:
        data = case.data
        self.ids = np.array(data["ids"], dtype=np.int32)
        self.row = {int(one): n for n, one in enumerate(self.ids)}
        clock = Clock(tick_us=data["dt"], origin_us=data["t0"])
        network = Network(
            nodes=data["n"],
            streams=Streams([(0, 0)]),
            tick_us=data["dt"],
            loss_rule=self.loss_rule(data["loss"]),
        )
        own = np.zeros((6, data["n"]), dtype=np.int64)
        own[:3] = np.array(data["field"]).T
        physical = data["metric"] == 1
        self.flock = Flock(
            world=World.at(np.array(data["pos"], dtype=np.int64)),
            network=network,
            clock=clock,
            options=FlockOptions.upstream(wiring="corrected" if data["glue"] else "upstream"),
            metric=Metric.PHYSICAL if physical else Metric.CUSTOM,
            custom=lambda a, b: np.abs(self.ids[a].astype(np.int64) - self.ids[b]),
            ids=self.ids,
            own=own,
        )
        self.flock.start()
        self.actions = data["actions"]
        self.parts = 0

    def loss_rule(self, per_mille: int):
        def lost(source: np.ndarray, target: np.ndarray, tick: int) -> np.ndarray:
            s, r = self.ids[source].astype(np.int64), self.ids[target].astype(np.int64)
            limit = 0xFFFFFFFF
            mixed = (s * 73856093 & limit) ^ (r * 19349663 & limit) ^ (tick * 83492791 & limit)
            return mixed % 1000 < per_mille

        return lost

    def act(self, tick: int) -> list[list[int]]:
        """Apply the actions of a tick; return what was proposed."""
        flock = self.flock
        flock.apply(Script(), tick)
        proposed = []
        for _, verb, *args in (one for one in self.actions if one[0] == tick):
            match verb:
                case "part":
                    sides = np.array(args[0])
                    groups = tuple(
                        tuple(np.flatnonzero(sides == side).tolist()) for side in np.unique(sides)
                    )
                    flock.network.hold(Script([Partition(start=0, groups=groups)]).links(0), 1)
                case "heal":
                    flock.network.hold((), 1)
                case "kill":
                    kill = Script([Crash(start=tick, nodes=(self.row[args[0]],))])
                    flock.apply(kill, tick)
                case "revive":
                    flock.world.crashed[self.row[args[0]]] = False
                case "field":
                    flock.own[:2, self.row[args[0]]] = args[1:]
                case _:
                    kind, threshold = _PROPOSALS[verb]
                    row = self.row[args[0]]
                    now = flock.clock.now(tick)
                    code, ballot = flock.propose(
                        row, kind, args[1], threshold, now, tick, command=True
                    )
                    proposed.append([args[0], code, ballot])
        return proposed


def trace(driver: Driver, data: dict[str, Any], *, remote: bool) -> list[dict[str, Any]]:
    """Run the case; return the delta-encoded trace as the recording has it."""
    flock, ids = driver.flock, driver.ids.tolist()
    last: dict[str, dict[Any, Any]] = {"hb": {}, "nb": {}, "g": {}}
    shown: dict[str, str] = {}
    rows = []
    for tick in range(data["ticks"]):
        row: dict[str, Any] = {}
        proposed = driver.act(tick)
        ticked = flock.world.ticking(tick)
        flock.tick(tick)
        state = flock.state
        texts = {
            "s": "".join(str(int(one)) for one in state.module),
            "rc": "".join(
                "-" if not on else "0" if code == 0 else "d"
                for on, code in zip(ticked, state.outcome, strict=True)
            ),
        }
        for key, text in texts.items():
            if shown.get(key) != text:
                row[key] = shown[key] = text
        beliefs = [flock.belief(n) for n in range(len(ids))]
        tracked = [_tracked(flock, n) for n in range(len(ids))]
        elected = flock.elected_peers()
        now = {
            "hb": {
                str(ids[n]): "".join(
                    str(int(h)) if t else "-" for h, t in zip(beliefs[n], tracked[n], strict=True)
                )
                for n in range(data["hb_first"])
            },
            "nb": {str(ids[n]): [ids[p] for p in elected[n] if p >= 0] for n in range(len(ids))},
            "g": {str(ids[n]): state.gradient[:, n].tolist() for n in range(len(ids))},
        }
        for key, table in now.items():
            changed = {k: v for k, v in table.items() if last[key].get(k) != v}
            if changed:
                # A gradient is noted when any of its six components changed; three are shown.
                row[key] = changed if key != "g" else {k: v[:3] for k, v in changed.items()}
                last[key].update(changed)
        if proposed:
            row["prop"] = proposed
        row |= _endings(flock, ids, tick, remote=remote)
        if row:
            rows.append({"t": tick, **row})
    return rows


def _tracked(flock: Flock, node: int) -> np.ndarray:
    seen = np.zeros(flock.world.nodes, dtype=bool)
    peers = flock.peer[node]
    seen[peers[peers >= 0]] = flock.heartbeat.tracked[node][peers >= 0]
    return seen


def _endings(flock: Flock, ids: list[int], tick: int, *, remote: bool) -> dict[str, Any]:
    rows = flock.records.logs["endings"].rows(tick, tick + 1)
    names = ("node", "proposer", "ballot", "result", "yes", "no", "eligible")
    done, others = [], []
    for node, proposer, ballot, result, yes, no, size in zip(
        *(rows[name].tolist() for name in names), strict=True
    ):
        if node == proposer:
            done.append([ids[node], ballot, result, yes, no, size])
        else:
            others.append([ids[node], ids[proposer], ballot, result])
    found: dict[str, Any] = {"done": sorted(done)} if done else {}
    if others and remote:
        found["remote"] = sorted(others)
    return found


def _sorted_lists(row: dict[str, Any], *, remote: bool) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if remote or key != "remote"}
    for key in ("done", "remote"):
        if key in kept:
            kept[key] = sorted(kept[key])
    return kept


def stats(driver: Driver) -> dict[str, list[int]]:
    state = driver.flock.state
    c = state.counters
    known = state.topology.known.sum(axis=1)
    table = np.stack(
        [
            c.ticks, c.degraded, np.zeros_like(c.ticks), c.ticks, c.degraded, c.set_changes,
            c.discoveries, c.health_changes, c.started, c.completed, c.cancelled, c.timed_out,
            known,
        ],
        axis=1,
    )  # fmt: skip
    return {str(one): row.tolist() for one, row in zip(driver.ids, table, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("multi"))
def test_multi(case: Case) -> None:
    data = case.data
    driver = Driver(case)
    found = trace(driver, data, remote=True)
    wanted = [_sorted_lists(row, remote=True) for row in data["trace"]]
    for mine, theirs in zip(found, wanted, strict=False):
        assert mine == theirs
    assert len(found) == len(wanted)
    counted = stats(driver)
    relaxed = {5} if "Q15" in case.relaxed else set()
    for one, row in data["stats"].items():
        assert [v for n, v in enumerate(counted[one]) if n not in relaxed] == [
            v for n, v in enumerate(row) if n not in relaxed
        ], one


def test_the_codes_of_the_recording_are_ours() -> None:
    assert (Health.DEAD, ModuleState.ACTIVE, Result.REJECTED) == (3, 2, 2)
