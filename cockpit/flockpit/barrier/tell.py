"""What the barrier's commands print and write."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from flockcore.barrier.codes import Phase
from flockcore.barrier.report import COLUMNS
from flockpit.barrier.proofs import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flockcore.barrier.report import Report
    from flockpit.barrier.jobs import Plan
    from flockpit.barrier.proofs import Theorem

__all__ = ["FORMAT", "as_json", "as_text", "as_upstream", "theorem_table"]

FORMAT = "flockpit-fuzz/1"
_NOTES = {
    Kind.THEOREM: "",
    Kind.COUNTEREXAMPLE: "expected counterexample",
    Kind.CONTROL: "control, false as it must be",
}
_MOST = 10  # violations that are told, one a line


def as_text(report: Report, plan: Plan, *, missing: str | None = None) -> str:
    """Return the report for a person.

    Args:
        report: What the campaign, or what was done of it, came to.
        plan: What was asked for.
        missing: Why runs are missing.
    """
    asked = f"{plan.hosts:,} hosts, {plan.runs:,} runs, seed {plan.seed}"
    rate = report.reports / report.seconds if report.seconds else 0.0
    lines = [
        asked if missing is None else f"{asked}: PARTIAL, {report.runs:,} of {plan.runs:,} runs",
        *([] if missing is None else [f"stopped     {missing}"]),
        f"converged   {report.converged:,}",
        f"failed      {report.failed:,}",
        f"violations  {len(report.violations):,}",
        f"reports     {report.reports:,}",
        f"time        {report.seconds:.3f} s, {rate:,.0f} reports/s",
        "",
        *_cells(report),
    ]
    if report.first is not None:
        lines += ["", *_violations(report)]
    return "\n".join(lines)


def _cells(report: Report) -> list[str]:
    width = max(map(len, ["CELL", *report.cells]))
    rows = [f"{'CELL':<{width}}  CONVERGED  FAILED"]
    rows += [
        f"{name:<{width}}  {won:>9,}  {lost:>6,}" for name, (won, lost) in report.cells.items()
    ]
    return rows


def _violations(report: Report) -> list[str]:
    first, *others = report.violations
    lines = [f"first violation: {first}"]
    lines += [f"then: {one}" for one in others[: _MOST - 1]]
    if len(others) >= _MOST:
        lines.append(f"… and {len(others) - _MOST + 1:,} more (--json writes all)")
    return lines


def as_upstream(report: Report, plan: Plan) -> str:
    """Return the report in the layout of the original's command (spec barrier, section 12)."""
    rows = (
        ("converged:", report.converged),
        ("failed:", report.failed),
        ("violations:", len(report.violations)),
        ("elapsed:", f"{report.seconds:.3f}s"),
    )
    return "\n".join(
        [
            f"L4 fuzz — {plan.hosts} hosts, {plan.runs} runs, seed {plan.seed}",
            *(f"  {label:<12}{value}" for label, value in rows),
            "  per-scenario (converge / fail):",
            *(f"    {name:<38} {won:>4} / {lost:<4}" for name, (won, lost) in report.cells.items()),
        ]
    )


def as_json(report: Report, plan: Plan, *, missing: str | None = None) -> str:
    """Return everything: the tallies, every violation, and a row for each run."""
    rows = zip(report.results.table.tolist(), report.results.names, strict=True)
    cells = report.suite
    table = [
        [run, cells[cell], *names, Phase(phase).letter, *numbers]
        for (run, cell, phase, *numbers), names in rows
    ]
    record = {
        "format": FORMAT,
        **asdict(plan),
        "asked": plan.runs,
        "runs": report.runs,
        "complete": missing is None,
        "stopped": missing,
        "converged": report.converged,
        "failed": report.failed,
        "reports": report.reports,
        "seconds": report.seconds,
        "cells": {name: list(pair) for name, pair in report.cells.items()},
        "violations": [asdict(one) for one in report.violations],
        "columns": ["run", "cell", "policy", "schedule", *COLUMNS[2:]],
        "table": table,
    }
    return json.dumps(record)


def theorem_table(theorems: Sequence[Theorem], *, z3: str) -> str:
    """Return a line for each theorem, and what refutes those that are false."""
    name_width = max(len(one.name) for one in theorems)
    width = max(len(one.statement) for one in theorems)
    lines = [f"{'THEOREM':<{name_width}}  {'STATEMENT':<{width}}  {'RESULT':<8}  {'MS':>6}"]
    for one in theorems:
        note = _NOTES[one.kind] if one.as_expected else f"NOT {one.expected}"
        lines.append(
            f"{one.name:<{name_width}}  {one.statement:<{width}}  {one.result:<8}"
            f"  {one.milliseconds:>6.1f}  {note}".rstrip()
        )
        if one.model:
            lines.append(f"{'':<{name_width}}  {one.model}")
    wrong = sum(not one.as_expected for one in theorems)
    verdict = f"{wrong} not as expected" if wrong else "all as expected"
    spent = sum(one.milliseconds for one in theorems)
    lines.append(f"{len(theorems)} theorems, {verdict}; z3 {z3}, {spent:.0f} ms")
    return "\n".join(lines)
