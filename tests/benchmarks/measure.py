"""One measurement in a process of its own: prints its figures as JSON, progress on stderr.

Times are never judged here. What was measured is: a figure of a run that did not do what it should
is worth nothing, so the runs are checked as they go.
"""

import json
import random
import resource
import sys
import time

import numpy as np
from shares import ENGINES, KEEPING, Shares

from flockcore.flock.codes import Health, ProposalKind
from flockcore.flock.options import FlockOptions
from flockcore.kernel.faults import Cut, Partition, Propose
from flockcore.scenario import NetworkOptions, Scenario
from flockcore.simulation import Simulation

WARM_UP = 40
BALLOT_LEAD = 5
SPLIT = 60
UNANIMOUS = 65_536


def say(text):
    print(text, file=sys.stderr, flush=True)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Stopwatch:
    """Runs ticks one by one and notes what each took, in milliseconds.

    Attributes:
        wall: on the wall clock, without checkpoints and digests.
        cpu: of this process's processor time, without checkpoints and digests.
        whole: on the wall clock, with them.
    """

    def __init__(self, simulation):
        self.simulation = simulation
        self.wall, self.cpu, self.whole = [], [], []

    def run(self, ticks, title):
        """Run `ticks` ticks and return self."""
        shares = Shares()
        began = told = time.perf_counter()
        with shares.watch(KEEPING):
            for done in range(ticks):
                shares.clear()
                cpu, wall = time.process_time(), time.perf_counter()
                self.simulation.run(1)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                self.whole.append(wall * 1e3)
                self.wall.append((wall - shares.wall.total()) * 1e3)
                self.cpu.append((cpu - shares.cpu.total()) * 1e3)
                if time.perf_counter() - told > 10:
                    told = time.perf_counter()
                    say(f"  {title}: {done + 1} of {ticks} ticks")
        say(f"  {title}: {ticks} ticks in {time.perf_counter() - began:.1f} s")
        return self


def flock(nodes, loss=0.01):
    """Return the flock that is measured: 1 ms ticks, and ballots that wait for their last vote."""
    scenario = Scenario(
        nodes=nodes,
        network=NetworkOptions(loss=loss),
        flock=FlockOptions(vote_timeout_us=10**9),
    )
    assert scenario.tick_us == 1_000
    return Simulation(scenario)


def open_ballot(simulation):
    """Open a ballot that stays open: it must be unanimous, and one voter's answer is cut off."""
    proposer = simulation.scenario.nodes // 2
    voter = int(simulation.flock.elected_peers()[proposer][0])
    until = simulation.tick + 1 + BALLOT_LEAD
    simulation.inject(Cut(source=voter, target=proposer, both=False, until=until))
    simulation.inject(
        Propose(node=proposer, kind=ProposalKind.MODE_CHANGE, data=1, threshold=UNANIMOUS)
    )
    simulation.run(BALLOT_LEAD)


def check_ballot(simulation):
    (ballot,) = simulation.flock.ballots()
    assert ballot.is_open, ballot
    heard = sum(vote is not None for vote in ballot.votes)
    assert 1 < heard < len(ballot.votes), ballot


def check_steady(simulation, since, loss):
    """Everybody beats once in ten ticks, nobody dies, and messages are lost as asked for."""
    stop = simulation.tick + 1
    column = {name: simulation.series.column(name)[since:stop] for name in simulation.series.names}
    assert len(column["sent"]) % 10 == 0, "whole heartbeat periods, or the counts are uneven"
    pairs = np.count_nonzero(simulation.flock.peer >= 0)
    beats = pairs * len(column["sent"]) // 10
    sent, lost = int(column["sent"].sum()), int(column["dropped_loss"].sum())
    assert beats <= sent <= 1.02 * beats + pairs, (beats, sent)
    # Six standard deviations of a binomial draw.
    assert abs(lost - sent * loss) <= 6 * np.sqrt(sent * loss), (sent, lost)
    assert int(column["delivered"].sum()) == sent - lost
    assert not column["dropped_cut"].any()
    assert not column["dead"].any()
    believed = column["alive"] + column["suspect"] + column["unknown"]
    assert (believed == pairs).all()
    # One pair in a hundred missed its announcement, another its last heartbeat. When everybody
    # announces itself, more arrives than may be read in a tick, and what is unread is in doubt too.
    doubted = 2 * loss * pairs
    least = pairs - doubted - 8 * np.sqrt(doubted) - 2 - column["backlog"]
    assert (column["alive"] >= least).all(), (column["alive"] - least).min()


def check_lossless(nodes):
    """Without loss everybody holds everybody ALIVE, at every tick."""
    simulation = flock(min(nodes, 1_000), loss=0.0)
    simulation.run(WARM_UP + 20)
    alive = simulation.series.column("alive")[WARM_UP:]
    assert (alive == np.count_nonzero(simulation.flock.peer >= 0)).all()


def halves(simulation):
    """Return a side per node, two near halves, so that everybody has elected across the cut."""
    elected = simulation.flock.elected_peers()
    side = np.arange(len(elected)) % 2
    while True:
        across = (elected >= 0) & (side[elected] != side[:, None])
        whole = np.flatnonzero(~across.any(axis=1))
        if not len(whole):
            return side
        side[whole[::2]] ^= 1


def split(simulation, ticks=SPLIT):
    """Cut the flock in two, and time the ticks until all has been noticed."""
    side = halves(simulation)
    before = simulation.flock.state.counters.set_changes.copy()
    groups = tuple(tuple(np.flatnonzero(side == one).tolist()) for one in (0, 1))
    simulation.inject(Partition(groups=groups))
    began, kept_before = simulation.tick, simulation.flock.elected_peers()
    watch = Stopwatch(simulation).run(ticks, "split")
    elections = simulation.series.column("elections")[began + 1 :]
    worst, busiest = int(np.argmax(watch.cpu)), int(np.argmax(elections))
    again = simulation.flock.state.counters.set_changes > before
    assert again.all(), f"{np.count_nonzero(~again)} nodes kept their neighbours"
    assert (simulation.flock.elected_peers() != kept_before).any(axis=1).all()
    peer, health = simulation.flock.peer, simulation.flock.heartbeat.health
    there = peer >= 0
    across = there & (side[peer] != side[:, None])
    assert not (health[there & ~across] == Health.DEAD).any()
    assert not np.isin(health[across], (Health.ALIVE, Health.SUSPECT)).any()
    return {
        "split_ms": max(watch.wall),
        "split_cpu_ms": watch.cpu[worst],
        "split_at": worst + 1,
        "split_elections": int(elections[worst]),
        "busiest_ms": watch.wall[busiest],
        "busiest_cpu_ms": watch.cpu[busiest],
        "busiest_elections": int(elections[busiest]),
        "split_nodes": int(np.count_nonzero(again)),
    }


def engines(simulation, ticks):
    """Return microseconds of processor time per tick by engine, with the rest of the tick."""
    shares = Shares()
    with shares.watch({**ENGINES, **KEEPING}):
        began = time.process_time()
        simulation.run(ticks)
        whole = time.process_time() - began
    found = dict(shares.cpu)
    kept = sum(found.pop(name, 0.0) for name in KEEPING)
    found["rest"] = whole - kept - sum(found.values())
    return {name: 1e6 * seconds / ticks for name, seconds in found.items()}


def measure(nodes, ticks):
    """Return the figures of one size of flock."""
    check_lossless(nodes)
    began = time.perf_counter()
    simulation = flock(nodes)
    say(f"  start: {time.perf_counter() - began:.1f} s")
    Stopwatch(simulation).run(WARM_UP - BALLOT_LEAD, "warm-up")
    open_ballot(simulation)
    since = simulation.tick + 1
    steady = Stopwatch(simulation).run(ticks, "steady")
    check_steady(simulation, since, 0.01)
    check_ballot(simulation)
    steady_peak = peak_bytes()
    shares = engines(simulation, max(20, ticks // 5))
    figures = split(simulation)
    check_ballot(simulation)
    return {
        "nodes": nodes,
        "ticks": ticks,
        "median_ms": float(np.median(steady.wall)),
        "p99_ms": float(np.percentile(steady.wall, 99)),
        "cpu_ms": float(np.median(steady.cpu)),
        "cpu_p99_ms": float(np.percentile(steady.cpu, 99)),
        "whole_p99_ms": float(np.percentile(steady.whole, 99)),
        "kept_ms": float(np.mean(np.subtract(steady.whole, steady.wall))),
        "messages": float(simulation.series.column("delivered")[since : since + ticks].mean()),
        "unread": int(simulation.series.column("backlog")[since : since + ticks].max()),
        **figures,
        "engines": shares,
        "steady_bytes": steady_peak,
        "peak_bytes": peak_bytes(),
    }


def history(nodes, ticks, seeks=20):
    """Return what it costs to go anywhere in a run."""
    simulation = flock(nodes)
    simulation.run(WARM_UP - BALLOT_LEAD)
    open_ballot(simulation)
    Stopwatch(simulation).run(ticks - simulation.tick, "history")
    held = simulation._branch.history
    size, points, spacing = held.nbytes, len(held.ticks()), held.spacing
    draw = random.Random(1)
    took, cpu = [], []
    for _ in range(seeks):
        target = draw.randrange(ticks)
        wall, process = time.perf_counter(), time.process_time()
        simulation.seek(target)
        took.append((time.perf_counter() - wall) * 1e3)
        cpu.append((time.process_time() - process) * 1e3)
        assert simulation.tick == target
    say(f"  seeks: {seeks} in {sum(took) / 1e3:.1f} s")
    recorded = simulation.records.trail.digests
    for tick in draw.sample(sorted(recorded), 3):
        simulation.seek(tick)
        assert simulation.digest() == recorded[tick].hex(), tick
    return {
        "nodes": nodes,
        "ticks": ticks,
        "seeks": seeks,
        "seek_ms": float(np.median(took)),
        "seek_cpu_ms": float(np.median(cpu)),
        "worst_seek_ms": max(took),
        "history_bytes": size,
        "checkpoints": points,
        "spacing": spacing,
        "peak_bytes": peak_bytes(),
    }


if __name__ == "__main__":
    kind, nodes, ticks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({"measure": measure, "history": history}[kind](nodes, ticks)))
