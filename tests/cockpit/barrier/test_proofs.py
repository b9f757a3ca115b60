"""The proofs, their controls, and that nothing passes for proved which is not."""

import re
import sys
from dataclasses import replace

import pytest
import z3

from flockcore.errors import FlockError
from flockpit.barrier import encoding, proofs
from flockpit.barrier.induction import Claim
from flockpit.barrier.obligations import claims
from flockpit.barrier.proofs import Kind, Result, discharge, prove, recorded


@pytest.fixture(scope="module")
def proved():
    return prove()


def timeless(theorems):
    return [replace(one, milliseconds=0) for one in theorems]


def test_every_theorem_comes_out_as_expected(proved):
    assert [one.name for one in proved if not one.as_expected] == []
    kinds = [one.kind for one in proved]
    assert kinds.count(Kind.COUNTEREXAMPLE) == 2
    assert kinds.count(Kind.CONTROL) == 2
    assert len({one.name for one in proved}) == len(proved)


def test_the_counterexamples_are_one_failure_at_the_cap(proved):
    models = {one.name: one.model for one in proved if one.kind is Kind.COUNTEREXAMPLE}
    assert models == {
        "max-failures is stable": "n = 1, m = 0: B(0, 0, 1) → B(0, 1, 0)",
        "combined is stable": "n = 1, t = 0, m = 0: B(0, 0, 1) → B(0, 1, 0)",
    }


def test_a_control_shows_a_run(proved):
    models = {one.name: one.model for one in proved if one.kind is Kind.CONTROL}
    assert models == {
        "control: nothing converges": ("n = 1: I(0, 0, 1) → B(0, 0, 1) → B(1, 0, 0) → C(1, 0, 0)"),
        "control: nothing fails": "n = 1: I(0, 0, 1) → B(0, 0, 1) → B(0, 1, 0) → F(0, 1, 0)",
    }


@pytest.mark.parametrize("broken", [False, True])
def test_a_broken_encoding_does_not_pass(monkeypatch, broken):
    monkeypatch.setattr(encoding, "step", lambda *_, **__: z3.BoolVal(broken))
    results = prove()
    assert not all(one.as_expected for one in results)
    if not broken:  # nothing ever happens: all else would be proved
        wrong = {one.kind for one in results if not one.as_expected}
        assert wrong >= {Kind.CONTROL, Kind.COUNTEREXAMPLE}


def hard():
    x, y, w = z3.Ints("x y w")
    powers = x * x * x * x * x + y * y * y * y * y == w * w * w * w * w + 7
    return Claim(name="hard", statement="", obligations=(z3.Not(powers), z3.BoolVal(True)))


def test_a_timeout_is_unknown():
    answer = discharge(hard(), timeout_ms=20)
    assert answer.result is Result.UNKNOWN
    assert not answer.as_expected


def test_a_timeout_is_not_hidden_by_what_else_is_asked():
    known = z3.BoolVal(False)
    both = replace(hard(), obligations=(*hard().obligations, known))
    assert discharge(both, timeout_ms=20).result is Result.REFUTED


def test_what_z3_cannot_take_is_unknown(monkeypatch):
    class Raises(z3.Solver):
        def check(self):
            raise z3.Z3Exception("canceled")

    monkeypatch.setattr(z3, "Solver", Raises)
    assert {one.result for one in prove()} == {Result.UNKNOWN}


def test_with_next_to_no_time_nothing_false_is_proved():
    for one in prove(timeout_ms=1):
        assert one.result in (one.expected, Result.UNKNOWN)


def test_no_time_at_all_is_refused():
    with pytest.raises(FlockError, match="timeout is 0 ms; 1 or more"):
        prove(timeout_ms=0)


def test_progress_is_told():
    told = []
    prove(progress=lambda *pair: told.append(pair))
    total = len(claims())
    assert told == [(done, total) for done in range(1, total + 1)]


def test_the_record_is_what_a_fresh_proof_says(proved):
    version, found = recorded()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert timeless(found) == timeless(proved)


def forget_the_encoding(monkeypatch):
    """What is asked of z3 is to be imported anew."""
    for name in ("encoding", "induction", "obligations"):
        monkeypatch.delitem(sys.modules, f"flockpit.barrier.{name}")


def test_without_z3_the_extra_is_named(monkeypatch):
    forget_the_encoding(monkeypatch)
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(FlockError, match=r"pip install 'flockpit\[proofs\]'"):
        prove()
    with pytest.raises(FlockError, match=r"pip install 'flockpit\[proofs\]'"):
        proofs.z3_version()
    assert recorded()[1]


def test_another_missing_module_is_no_question_of_extras(monkeypatch):
    forget_the_encoding(monkeypatch)
    monkeypatch.setitem(sys.modules, "flockcore.barrier.codes", None)
    with pytest.raises(ModuleNotFoundError):
        prove()
