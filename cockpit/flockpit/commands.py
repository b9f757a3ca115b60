"""What the commands of the command line do."""

import argparse
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from flockcore import swarm as trials
from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.console import STANDARD, progress, read, read_input, write
from flockpit.exports import RunRecord, engine_version
from flockpit.sharing import Reopening

__all__ = ["run", "scenarios", "serve", "swarm", "verify"]

FAILED = 1
"""Exit code of a check that failed."""
_TOKEN = re.compile(r"\s*fp\d+\.")


def serve(arguments: argparse.Namespace) -> int:
    """Serve the cockpit until interrupted."""
    if not 0 < arguments.port < 65_536:
        raise FlockError(f"port {arguments.port}; allowed is a whole number from 1 to 65535")
    if arguments.file is not None:
        _from_file(arguments.file)
    # Panel takes seconds to import; the other commands do without.
    from flockpit import app

    if arguments.file is not None:
        os.environ[app.SCENARIO_FILE] = str(Path(arguments.file).resolve())
    try:
        app.serve(port=arguments.port, address=arguments.address, show=arguments.show)
    except OSError as error:
        where = f"{arguments.address}:{arguments.port}"
        raise FlockError(
            f"cannot listen on {where}: {error.strerror}; choose another --port"
        ) from error
    return 0


def scenarios(arguments: argparse.Namespace) -> int:
    """List the scenarios that come with the package."""
    del arguments
    table = [("NAME", "NODES", "TICKS", "TITLE")]
    for name in Scenario.names():
        scenario = Scenario.load(name)
        table.append((name, str(scenario.nodes), str(scenario.ticks), scenario.title))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, nodes, ticks, title in table:
        left, middle, right, _ = widths
        print(f"{name:<{left}}  {nodes:>{middle}}  {ticks:>{right}}  {title}")
    return 0


# ------------------------------------------------------------------ run


def run(arguments: argparse.Namespace) -> int:
    """Run a scenario; record it when asked to."""
    scenario = _scenario(arguments.scenario)
    if arguments.nodes is not None:
        scenario = scenario.resized(arguments.nodes)
    changes = {"ticks": arguments.ticks, "seed": arguments.seed}
    scenario = scenario.replace(**{key: v for key, v in changes.items() if v is not None})
    recording = arguments.json is not None
    # The summary makes way when the record itself goes to the standard output.
    report = sys.stderr if arguments.json == STANDARD else sys.stdout
    if recording and arguments.json != STANDARD:
        Path(arguments.json).touch()
    began = time.perf_counter()
    simulation = Simulation(scenario)
    digests = [simulation.digest()] if recording else []
    with progress(scenario.ticks, "ticks") as told:
        while simulation.tick < scenario.ticks:
            simulation.run(1)
            if recording:
                digests.append(simulation.digest())
            told(simulation.tick)
    print(_summary(simulation, time.perf_counter() - began), file=report)
    if recording:
        write(arguments.json, RunRecord.made(simulation, digests).to_json())
    return 0


def _scenario(name: str) -> Scenario:
    is_file = name.endswith(".toml") or os.sep in name
    return _from_file(name) if is_file else Scenario.load(name)


def _from_file(name: str) -> Scenario:
    text = read(name)
    try:
        return Scenario.from_toml(text)
    except FlockError as error:
        raise FlockError(f"{name}: {error}") from error


def _summary(simulation: Simulation, seconds: float) -> str:
    scenario = simulation.scenario
    ticks = max(simulation.tick, 1)
    series = simulation.series
    last = {name: int(series.column(name)[-1]) for name in series.names}
    total = {name: int(series.column(name).sum()) for name in series.names}
    lines = [
        f"{scenario.name}: {scenario.nodes} nodes, seed {simulation.schedule[0][1]}, "
        f"{simulation.tick} ticks of {scenario.tick_us / 1000:g} ms "
        f"in {seconds:.2f} s ({seconds / ticks * 1e3:.3g} ms a tick)",
        f"digest    {simulation.digest()}",
        "beliefs   "
        + ", ".join(f"{last[name]} {name}" for name in _BELIEFS if name in last)
        + " (pairs of observer and peer)",
        "messages  " + ", ".join(f"{total[name]} {name}" for name in _MESSAGES if name in total),
    ]
    verdicts = [
        f"{verdict.status.value:<9} {verdict.name}: {verdict.reason}"
        for layer in simulation.layers
        if layer.in_use
        for verdict in layer.invariants()
    ]
    return "\n".join([*lines, *verdicts])


_BELIEFS = ("alive", "suspect", "dead", "unknown")
_MESSAGES = ("sent", "delivered", "dropped_loss", "dropped_cut", "dropped_dead", "dropped_full")


# ------------------------------------------------------------------ verify


def verify(arguments: argparse.Namespace) -> int:
    """Run a recorded run or a shared one again, and say whether it is identical."""
    wanted = arguments.run
    token = _token(wanted)
    if token is not None:
        return _verify_token(token)
    text = _record(wanted)
    record = RunRecord.from_json(text)
    with progress(record.ticks, "ticks") as told:
        result = record.verify(progress=told)
    print(result.sentence)
    return 0 if result.differs_at is None else FAILED


def _token(wanted: str) -> str | None:
    """The token that an argument is, or that a link carries; None for a file."""
    in_link = parse_qs(urlsplit(wanted).query).get("run") if "://" in wanted else None
    if in_link:
        return in_link[0]
    is_file = wanted.endswith(".json")
    return wanted if _TOKEN.match(wanted) and not is_file else None


def _verify_token(token: str) -> int:
    opening = Reopening(token)
    goal = opening.content.tick
    with progress(goal, "ticks") as told:
        while not opening.done:
            opening.advance()
            told(opening.sim.tick)
    print(f"{opening.outcome}: {opening.content.scenario.name}, {goal} ticks run again")
    return 0 if opening.outcome == "identical" else FAILED


def _record(name: str) -> str:
    try:
        return read_input(name)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            raise
        raise FlockError(
            f"{name[:60]!r} is neither a share token (it begins with fp1.) nor a file"
        ) from error


# ------------------------------------------------------------------ swarm


def swarm(arguments: argparse.Namespace) -> int:
    """Run random flocks under random faults; report every failure."""
    for key, least in (("seeds", 1), ("first", 0), ("jobs", 1)):
        if getattr(arguments, key) < least:
            raise FlockError(f"--{key} {getattr(arguments, key)}; allowed is {least} or more")
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    failures = 0
    with progress(len(seeds), "runs") as told, _mapped(arguments.jobs) as each:
        for done, outcome in enumerate(each(trials.trial, seeds), start=1):
            told(done)
            if outcome.failure is not None:
                failures += 1
                print(outcome.report(engine_version()), flush=True)
    verdict = f"{failures} failed" if failures else "all held"
    print(f"{len(seeds)} runs, seeds {seeds[0]} to {seeds[-1]}: {verdict}")
    return FAILED if failures else 0


@contextmanager
def _mapped(jobs: int) -> Iterator[Callable[..., Iterator[trials.Outcome]]]:
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
