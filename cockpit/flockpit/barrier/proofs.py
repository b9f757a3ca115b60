"""The barrier's theorems, proved by z3 for any number of hosts (spec barrier, section 13).

Needs the extra `proofs`. Where z3 cannot run, `recorded` gives what was proved elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flockcore.errors import FlockError
from flockpit.packaged import asset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flockpit.barrier.induction import Claim

__all__ = [
    "RECORD",
    "Kind",
    "Result",
    "Theorem",
    "as_json",
    "prove",
    "read_json",
    "recorded",
    "z3_version",
]

RECORD = "data/proofs.json"
"""What was proved when this version was made, in the asset folder."""
TIMEOUT_MS = 10_000
"""Most time for each question to z3; every one takes a few milliseconds."""

# z3's default context is one for the whole process, and for one thread at a time.
_CONTEXT = Lock()


class Result(StrEnum):
    """What came of a theorem."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """Why a theorem is asked for.

    THEOREM: it is true. COUNTEREXAMPLE: it is false, and the way in which it is says something
    about the policy. CONTROL: it is false on purpose; were it proved, the encoding would be broken.
    """

    THEOREM = "theorem"
    COUNTEREXAMPLE = "counterexample"
    CONTROL = "control"


@dataclass(frozen=True, kw_only=True)
class Theorem:
    """A theorem and what z3 said.

    Attributes:
        name: Name.
        statement: What is claimed, in words and counts.
        kind: Why it is asked for.
        result: What came of it; a timeout is UNKNOWN.
        milliseconds: Time that it took.
        questions: Number of questions to z3, such as the first state and the step of an induction.
        model: What refutes it: parameters, and states one after another; else empty.
    """

    name: str
    statement: str
    kind: Kind
    result: Result
    milliseconds: float
    questions: int
    model: str = ""

    @property
    def expected(self) -> Result:
        """What should come of it."""
        return Result.PROVED if self.kind is Kind.THEOREM else Result.REFUTED

    @property
    def as_expected(self) -> bool:
        """Whether it did."""
        return self.result is self.expected


def prove(
    *, timeout_ms: int = TIMEOUT_MS, progress: Callable[[int, int], object] | None = None
) -> list[Theorem]:
    """Put every theorem to z3.

    Args:
        timeout_ms: Most milliseconds for each question, 1 or more.
        progress: Called with the number of theorems done and of all.

    Raises:
        FlockError: z3 is not installed, or no time is given.
    """
    if timeout_ms < 1:
        raise FlockError(f"timeout is {timeout_ms} ms; 1 or more is allowed")
    with _CONTEXT:
        claims = _claims()
        theorems = []
        for claim in claims:
            theorems.append(discharge(claim, timeout_ms=timeout_ms))
            if progress is not None:
                progress(len(theorems), len(claims))
    return theorems


def discharge(claim: Claim, *, timeout_ms: int = TIMEOUT_MS) -> Theorem:
    """Put one claim to z3: it is proved when no obligation of it can fail."""
    began = perf_counter()
    result, model = Result.PROVED, ""
    for obligation in claim.obligations:
        answer, found = claim.asked(obligation, timeout_ms=timeout_ms)
        if answer is not Result.PROVED:
            result, model = answer, found
        if answer is Result.REFUTED:
            break
    return Theorem(
        name=claim.name,
        statement=claim.statement,
        kind=claim.kind,
        result=result,
        milliseconds=round((perf_counter() - began) * 1e3, 1),
        questions=len(claim.obligations),
        model=model,
    )


def z3_version() -> str:
    """Return the version of z3.

    Raises:
        FlockError: it is not installed.
    """
    _claims()
    import z3

    return str(z3.get_version_string())


def _claims() -> Sequence[Claim]:
    try:
        from flockpit.barrier.obligations import claims
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        raise FlockError(
            "proofs need z3, which is not installed: pip install 'flockpit[proofs]'"
        ) from error
    return claims()


def as_json(theorems: Sequence[Theorem], *, z3: str) -> str:
    """Return theorems as text in JSON."""
    rows = [{**asdict(one), "expected": one.expected} for one in theorems]
    return json.dumps({"z3": z3, "theorems": rows}, indent=1) + "\n"


def read_json(text: str) -> tuple[str, list[Theorem]]:
    """Return the version of z3 and the theorems of what `as_json` wrote."""
    table = json.loads(text)
    return table["z3"], [_theorem(row) for row in table["theorems"]]


def _theorem(row: dict[str, Any]) -> Theorem:
    fields = {key: value for key, value in row.items() if key != "expected"}
    return Theorem(**fields | {"kind": Kind(row["kind"]), "result": Result(row["result"])})


def recorded() -> tuple[str, list[Theorem]]:
    """Return the version of z3 and the theorems of the record that comes with the package."""
    return read_json(asset(RECORD).read_text("utf-8"))
