"""Golden data recorded from the originals, and what each of its tags asks of a test.

`POLICY` is the one place where a tag of a recorded case (an anomaly ``Qnn`` of spec ekk, section
13, or a weakness ``Wnn`` of spec shivya, section 13) is given its consequence. No assertion is
loosened anywhere else.

The folder ``tests/vectors`` can be replaced by the environment variable FLOCKPIT_VECTORS: same
layout, other numbers, and a file that is missing there is skipped by name.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

OWN_VECTORS = Path(__file__).parent / "vectors"
FILES = (
    "fixed",
    "field",
    "gradient",
    "topology",
    "heartbeat",
    "consensus",
    "ballot_eval",
    "module",
    "evidence",
    "multi",
    "shivya/hodge_complex",
    "shivya/hodge_cg",
    "shivya/hodge_project",
    "shivya/hodge_project_large",
    "shivya/hodge_errors",
    "shivya/bridge",
    "shivya/bench_gossip",
    "barrier/policies",
    "barrier/traces_small",
    "barrier/schedules",
    "barrier/fuzz_runs",
    "barrier/errors",
    "barrier/invariant_mutants",
    "barrier/exhaustive",
    "barrier/reachable",
    "barrier/cli",
)


class Handling(StrEnum):
    """What becomes of a case that carries a tag."""

    KEPT = "kept"  # passes in full
    RELAXED = "relaxed"  # compared without the columns that the reason names
    OPTION = "option"  # passes in full, run with the option that restores the original's way
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Rule:
    """One tag's consequence: ``handling``, unless ``only`` names another one for the file."""

    handling: Handling
    reason: str
    only: dict[str, Handling] = field(default_factory=dict)

    def for_file(self, name: str) -> Handling:
        return self.only.get(name, self.handling)


KEPT, RELAXED, OPTION, SKIPPED = Handling
POLICY = {
    "Q01": Rule(SKIPPED, "plain wiring: elected health does not follow the heartbeat"),
    "Q02": Rule(SKIPPED, "plain wiring: a peer that died while not elected is elected later"),
    "Q03": Rule(SKIPPED, "plain wiring: a heartbeat moves a peer to the origin"),
    "Q05": Rule(SKIPPED, "finished ballots no longer fill the table"),
    "Q06": Rule(
        OPTION,
        "announce_results off; multi: not 'remote', nor completed and timed-out ballots in 'stats'",
        only={"multi": RELAXED},
    ),
    "Q07": Rule(SKIPPED, "a recorded ABSTAIN closes its slot"),
    "Q08": Rule(OPTION, "quorum_guard off"),
    "Q09s": Rule(KEPT, "the threshold constant is kept: 0.67 refuses two thirds"),
    "Q09t": Rule(KEPT, "the threshold constant is kept: 0.50 accepts a tie"),
    "Q10": Rule(OPTION, "inhibit_from anyone"),
    "Q12": Rule(SKIPPED, "the root of a fixed-point number is exact"),
    "Q14": Rule(RELAXED, "REFORMING is an event, so the state callbacks differ"),
    "Q15": Rule(RELAXED, "every change of the elected set is reported, so callback counts differ"),
    "Q16": Rule(SKIPPED, "a task of priority 255 runs"),
    "Q17": Rule(KEPT, "the deadline of a finished task keeps driving the slack"),
    "Q18": Rule(SKIPPED, "the inbox is bounded"),
    "Q20": Rule(SKIPPED, "a time in the future counts as now"),
    "Q21": Rule(SKIPPED, "timeout_count is validated"),
    "Q22": Rule(RELAXED, "SUSPECT comes before DEAD, so the callbacks differ"),
    "Q23": Rule(OPTION, "min_neighbours 3 however small the flock"),
    "Q28": Rule(KEPT, "the clock of a case starts where the case says"),
    "Q33": Rule(OPTION, "ballot_history 0"),
    "L1": Rule(SKIPPED, "error texts of the agents' dense algebra, another layer"),
    "W1": Rule(OPTION, "an absolute tolerance and an absolute guard of the curvature"),
    "W15": Rule(OPTION, "the settle that keeps every node's net outflow"),
    "W23": Rule(RELAXED, "gain 0.5: divergence is reported, not a step and a distance of 0"),
}
# Tags of files whose cases carry none of their own.
TAGS = {
    "shivya/hodge_cg": lambda case: {"W1"},
    "shivya/hodge_errors": lambda case: set() if case["call"].startswith("project") else {"L1"},
    "shivya/bridge": lambda case: set() if case["kind"] == "constructor_error" else {"W15"},
    "shivya/bench_gossip": lambda case: {"W23"} if case["fixture"] == "A" else set(),
}
# Options of the original that all cases of a file need, whatever their tags.
EVERY_CASE = {"consensus": frozenset({"Q10"})}


@dataclass(frozen=True, eq=False)
class Case:
    """One recorded case.

    Attributes:
        file: name of its file without ``.json``.
        index: place in the file.
        data: the case as recorded.
        tags: anomalies of the original on which the recorded output depends.
        relaxed: tags because of which some columns are not compared.
        options: tags to be run with the original's option, those of ``EVERY_CASE`` included.
        skipped: tags because of which the case is not run.
    """

    file: str
    index: int
    data: dict[str, Any]
    tags: frozenset[str]

    def _tagged(self, handling: Handling) -> frozenset[str]:
        return frozenset(tag for tag in self.tags if POLICY[tag].for_file(self.file) is handling)

    @property
    def relaxed(self) -> frozenset[str]:
        return self._tagged(RELAXED)

    @property
    def options(self) -> frozenset[str]:
        return self._tagged(OPTION) | EVERY_CASE.get(self.file, frozenset())

    @property
    def skipped(self) -> frozenset[str]:
        return self._tagged(SKIPPED)

    @property
    def id(self) -> str:
        name = self.data.get("name") or self.data.get("op") or self.data.get("kind") or ""
        return " ".join([f"{self.file}[{self.index}]", *filter(None, [name]), *sorted(self.tags)])


def vectors(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of golden data: ``folder``, else FLOCKPIT_VECTORS, else the copy here."""
    return Path(folder or os.environ.get("FLOCKPIT_VECTORS") or OWN_VECTORS)


def load(name: str, folder: str | os.PathLike[str] | None = None) -> list[Case]:
    """Return the cases of ``<name>.json``, in ``ekk`` unless named; none if it is missing."""
    path = vectors(folder) / _file(name)
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))["cases"]
    tags = TAGS.get(name, lambda case: case.get("quirks", ()))
    made = [Case(name, i, one, frozenset(tags(one))) for i, one in enumerate(found)]
    unknown = sorted({tag for case in made for tag in case.tags} - POLICY.keys())
    if unknown:
        raise ValueError(f"{path}: no rule for {', '.join(unknown)}; add it to POLICY in golden.py")
    return made


def cases(name: str, *, skip: bool = True) -> list[Any]:
    """Return the cases of ``<name>.json`` as pytest parameters.

    Args:
        name: file name without ``.json``, in the folder ``ekk`` unless another one comes before
            it, as in ``shivya/bridge``; a missing file gives one skipped parameter naming it.
        skip: mark the cases that `POLICY` skips. False is for a test that runs everything with
            all of the original's options; in the tally such a case stays skipped.
    """
    loaded = load(name)
    if not loaded:
        path = vectors() / _file(name)
        reason = f"no cases: {path.name} is missing from {path.parent}"
        return [pytest.param(None, id=f"{name} missing", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(case, id=case.id, marks=_marks(case) if skip else []) for case in loaded]


def _file(name: str) -> str:
    return f"{name}.json" if "/" in name else f"ekk/{name}.json"


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    if not case.skipped:
        return []
    reasons = "; ".join(f"{tag}: {POLICY[tag].reason}" for tag in sorted(case.skipped))
    return [pytest.mark.skip(reason=reasons)]


# ---------------------------------------------------------------- tally

PROPERTY = "golden case"


def note(items: Iterable[pytest.Item]) -> None:
    """Write on every test of a golden case which case it runs, for `tally` to find in reports."""
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if isinstance(case, Case):
            item.user_properties.append(
                (PROPERTY, [case.file, case.index, bool(case.relaxed), bool(case.options)])
            )


def tally(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return one line per file: how many cases passed, were relaxed, were skipped or failed.

    A case that several tests run counts once, by its worst outcome.
    """
    worst: dict[tuple[str, int], int] = {}
    ranks = ("passed", "relaxed", "skipped", "failed")
    original: dict[str, set[int]] = defaultdict(set)
    for report in reports:
        for key, value in getattr(report, "user_properties", ()):
            if key != PROPERTY or (report.when != "call" and report.outcome == "passed"):
                continue
            name, index, relaxed, options = value
            outcome = "relaxed" if relaxed and report.outcome == "passed" else report.outcome
            worst[name, index] = max(worst.get((name, index), 0), ranks.index(outcome))
            if options and report.outcome == "passed":
                original[name].add(index)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (name, index), rank in worst.items():
        counts[name][ranks[rank]] += 1
        if ranks[rank] == "skipped":
            original[name].discard(index)
    order = sorted(counts, key=lambda name: FILES.index(name) if name in FILES else len(FILES))
    return [_line(name, counts[name], len(original[name])) for name in order]


def _line(name: str, count: Counter[str], original: int) -> str:
    line = f"{name:<12} passed {count['passed']:>3}  relaxed {count['relaxed']:>3}"
    line += f"  skipped {count['skipped']:>3}"
    if count["failed"]:
        line += f"  FAILED {count['failed']:>3}"
    if original:
        line += f"  ({original} with the original's options)"
    return line
