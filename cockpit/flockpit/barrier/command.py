"""The commands `flockpit barrier fuzz` and `flockpit barrier prove`."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from flockcore.barrier.policy import is_vacuous
from flockcore.barrier.report import merge
from flockcore.errors import FlockError
from flockpit.barrier import tell
from flockpit.barrier.jobs import Plan, here, load_policy, on_processes
from flockpit.barrier.proofs import TIMEOUT_MS, as_json, prove, z3_version
from flockpit.console import STANDARD, progress, show, writable, write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from flockcore.barrier.report import Report

__all__ = ["add_arguments", "fuzz", "prove_all"]

FAILED = 1
"""Exit code of a check that failed, or of a campaign that could not be finished."""
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the two commands take."""
    made = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, add, words in (
        (
            "fuzz",
            _add_fuzz,
            "run many schedules through the gate and put every trace to the checks",
        ),
        ("prove", _add_prove, "prove the barrier's theorems for any number of hosts, by z3"),
    ):
        add(made.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}."))


def _add_fuzz(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--hosts", type=int, default=10_000, metavar="N", help="hosts of each run (10000)")
    add("--runs", type=int, default=240, metavar="K", help="how many runs (240)")
    add("--seed", type=int, default=0, metavar="S", help="seed of the schedules (0)")
    add(
        "--policy",
        metavar="POLICY",
        help="one policy against several failure patterns, in place of the suite: strict-all,"
        " threshold:80%%, max-failures:5, 'threshold:80%%&fail:5%%', or MODULE:FUNCTION, a function"
        " of your own that takes the numbers of ready, failed and provisioning hosts",
    )
    add(
        "--failures",
        type=int,
        metavar="PERCENT",
        help="with --policy: how many hosts fail in its random patterns (10, 30 and 50)",
    )
    add("--early", action="store_true", help="gates fail once their policy is out of reach")
    add("--jobs", type=int, default=1, metavar="J", help="processes on this machine (1)")
    add("--scheduler", metavar="ADDRESS", help="a Dask scheduler whose workers make the runs")
    add(
        "--format",
        choices=("plain", "upstream"),
        default="plain",
        help="layout of the report: our own, or that of the original (plain)",
    )
    add("--json", metavar="FILE", help="write everything there (- is the output)")
    parser.set_defaults(command=fuzz)


def _add_prove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=int,
        default=TIMEOUT_MS,
        metavar="MS",
        help=f"most milliseconds for each question ({TIMEOUT_MS}); what takes longer is unknown",
    )
    parser.add_argument("--json", metavar="FILE", help="write the table there (- is the output)")
    parser.set_defaults(command=prove_all)


# ------------------------------------------------------------------ fuzz


def fuzz(arguments: argparse.Namespace) -> int:
    """Run a campaign; 1 when a run failed a check or runs are missing, 130 when interrupted."""
    plan = _plan(arguments)
    writable(arguments.json)
    _warn(plan)
    began = time.perf_counter()
    found, missing, code = _gathered(plan, _source(arguments, plan))
    report = replace(merge(found), seconds=time.perf_counter() - began)
    if report.stopped is not None and missing is None:
        missing = report.stopped
    stream = sys.stderr if arguments.json == STANDARD else sys.stdout
    if arguments.format == "upstream":
        show(tell.as_upstream(report, plan), stream=stream)
        _complain(missing, report)
    else:
        show(tell.as_text(report, plan, missing=missing), stream=stream)
    if arguments.json is not None:
        write(arguments.json, tell.as_json(report, plan, missing=missing))
    return code or (FAILED if missing is not None or report.violations else 0)


def _plan(arguments: argparse.Namespace) -> Plan:
    """Return what is asked for, or refuse it."""
    # The original takes no hosts at all, and its recorded output has that case.
    least = 0 if arguments.format == "upstream" else 1
    for key, bound in (("hosts", least), ("runs", 0), ("jobs", 1)):
        if getattr(arguments, key) < bound:
            raise FlockError(
                f"--{key} {getattr(arguments, key)}; allowed is a whole number of {bound} or more"
            )
    if arguments.failures is not None and arguments.policy is None:
        raise FlockError("--failures goes with --policy: the suite has its own patterns")
    if arguments.scheduler is not None and arguments.jobs != 1:
        raise FlockError("--jobs and --scheduler exclude each other")
    percents = (10, 30, 50) if arguments.failures is None else (arguments.failures,)
    plan = Plan(
        hosts=arguments.hosts,
        runs=arguments.runs,
        seed=arguments.seed,
        policy=arguments.policy,
        percents=percents,
        early=arguments.early,
    )
    plan.campaign()
    return plan


def _warn(plan: Plan) -> None:
    """Say of a policy that its gate never waits."""
    if plan.policy is None:
        return
    policy = load_policy(plan.policy, hosts=plan.hosts)
    try:
        vacuous = is_vacuous(policy, plan.hosts)
    except FlockError:
        return  # the campaign will say so
    if vacuous:
        print(
            f"note: {policy.name} holds before anybody has reported: the gate never waits",
            file=sys.stderr,
        )


def _source(arguments: argparse.Namespace, plan: Plan) -> Generator[Report]:
    if arguments.scheduler is not None:
        from flockpit.barrier.cluster import on_cluster

        return on_cluster(plan, arguments.scheduler)
    return here(plan) if arguments.jobs == 1 else on_processes(plan, arguments.jobs)


def _gathered(plan: Plan, source: Generator[Report]) -> tuple[list[Report], str | None, int]:
    """Return the parts that were made, why there are no more, and an exit code for that."""
    found = [plan.campaign().run(stop=0)]
    try:
        with progress(plan.runs, "runs") as told, closing(source):
            for report in source:
                found.append(report)
                told(sum(one.runs for one in found))
    except KeyboardInterrupt:
        return found, "interrupted", INTERRUPTED
    except (FlockError, MemoryError) as error:
        if len(found) == 1 and isinstance(error, FlockError):
            raise
        return found, str(error) or "out of memory", FAILED
    return found, None, 0


def _complain(missing: str | None, report: Report) -> None:
    """Say on standard error what the original's layout has no place for."""
    if missing is not None:
        print(f"partial, {report.runs} runs: {missing}", file=sys.stderr)
    if report.first is not None:
        print(f"first violation: {report.first}", file=sys.stderr)


# ------------------------------------------------------------------ prove


def prove_all(arguments: argparse.Namespace) -> int:
    """Prove the theorems; 1 when the result of one is not the expected one."""
    version = z3_version()
    writable(arguments.json)
    theorems = prove(timeout_ms=arguments.timeout)
    stream = sys.stderr if arguments.json == STANDARD else sys.stdout
    show(tell.theorem_table(theorems, z3=version), stream=stream)
    if arguments.json is not None:
        write(arguments.json, as_json(theorems, z3=version))
    return 0 if all(one.as_expected for one in theorems) else FAILED
