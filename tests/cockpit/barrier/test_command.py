"""`flockpit barrier fuzz` and `prove`: figures, refusals, and what stays of a run cut short."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from flockcore.barrier.fuzz import Campaign
from flockcore.barrier.traces import run as honest
from flockpit import cli
from flockpit.barrier import command, jobs, proofs
from flockpit.barrier.proofs import Result

SMALL = ["--hosts", "30", "--runs", "24"]


def fuzz(capsys, *argv):
    code = cli.main(["barrier", "fuzz", *argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *argv):
    try:
        code = cli.main(["barrier", *argv])
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def figures(path):
    """What was recorded, but for the time that it took."""
    return {**json.loads(path.read_text("utf-8")), "seconds": 0}


@pytest.fixture
def policies(tmp_path, monkeypatch):
    """A module of a user's policies in the working folder."""
    tmp_path.joinpath("mine.py").write_text(
        "from flockcore.barrier.plays import Assert, WaitForOthers, play\n"
        "from flockcore.barrier.policy import MaxFailures\n"
        "def most(ready, failed, prov):\n"
        "    return ready > 2 * (failed + prov)\n"
        "def ratio(ready, failed, prov):\n"
        "    return ready / (10 - failed) > 1\n"
        "def vague(ready, failed, prov):\n"
        "    return None\n"
        "patient = play(WaitForOthers(), Assert(MaxFailures(2)))\n"
        "number = 3\n"
    )
    tmp_path.joinpath("bad.py").write_text("import no_such_module\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in ("mine", "bad"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


# ------------------------------------------------------------------ what is printed


def test_a_campaign_says_what_it_came_to(capsys):
    code, out, err = fuzz(capsys, *SMALL, "--seed", "3")
    expected = Campaign(hosts=30, runs=24, seed=3).run()
    assert (code, err) == (0, "")
    assert out.startswith("30 hosts, 24 runs, seed 3\n")
    assert f"converged   {expected.converged}\n" in out
    assert f"reports     {expected.reports:,}\n" in out
    assert "strict-all / all-ready                      2       0" in out


def test_no_runs_at_all(capsys):
    code, out, _ = fuzz(capsys, "--runs", "0")
    assert code == 0
    assert "converged   0" in out


def test_everything_is_written(capsys, tmp_path):
    path = tmp_path / "fuzz.json"
    assert fuzz(capsys, *SMALL, "--json", str(path))[0] == 0
    record = figures(path)
    expected = Campaign(hosts=30, runs=24).run()
    assert record["complete"]
    assert record["cells"] == {name: list(pair) for name, pair in expected.cells.items()}
    assert len(record["table"]) == 24
    row = dict(zip(record["columns"], record["table"][5], strict=True))
    assert (row["cell"], row["policy"]) == ("threshold(n) / all-ready", "threshold>=30")
    assert [row["run"], row["phase"], row["ready"], row["length"]] == [5, "C", 30, 33]


def test_the_record_may_go_to_the_output(capsys):
    code, out, err = fuzz(capsys, *SMALL, "--json", "-")
    assert code == 0
    assert json.loads(out)["runs"] == 24
    assert "converged" in err


def test_a_violation_is_shown_and_ends_with_1(capsys, monkeypatch, tmp_path):
    def lies(policy, words, *, early=False):
        traces = honest(policy, words, early=early)
        traces.ready[-1] += 1
        return traces

    monkeypatch.setattr(jobs, "Campaign", lambda **fields: Campaign(**fields, engine=lies))
    path = tmp_path / "fuzz.json"
    code, out, _ = fuzz(capsys, *SMALL, "--seed", "9", "--json", str(path))
    assert code == 1
    found = json.loads(path.read_text("utf-8"))["violations"]
    assert f"violations  {len(found)}\n" in out
    assert f"first violation: run {found[0]['run']} of seed 9, 30 hosts" in out
    code, out, err = fuzz(capsys, *SMALL, "--seed", "9", "--format", "upstream")
    assert code == 1
    assert f"violations: {len(found)}\n" in out
    assert err.startswith("first violation: run ")


def test_a_long_list_of_violations_is_cut(capsys, monkeypatch):
    def lies(policy, words, *, early=False):
        traces = honest(policy, words, early=early)
        traces.phase[:] = 0
        return traces

    monkeypatch.setattr(jobs, "Campaign", lambda **fields: Campaign(**fields, engine=lies))
    _, out, _ = fuzz(capsys, *SMALL)
    assert out.count("then: ") == 9
    assert "… and 14 more (--json writes all)" in out


def test_a_terminal_sees_a_progress_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, out, err = fuzz(capsys, *SMALL)
    assert "runs" in err
    assert "24/24" not in out


# ------------------------------------------------------------------ policies


def test_one_policy_against_failure_patterns(capsys):
    code, out, err = fuzz(capsys, *SMALL, "--policy", "threshold:80%", "--failures", "20")
    assert (code, err) == (0, "")
    assert "threshold>=24 / 20%-fail" in out
    assert "threshold>=24 / 10%-fail" not in out


def test_a_gate_that_never_waits_is_noted(capsys):
    code, _, err = fuzz(capsys, *SMALL, "--policy", "max-failures:2")
    assert code == 0
    assert "max-failures<=2 holds before anybody has reported" in err


@pytest.mark.parametrize("name", ["most", "patient"])
def test_a_policy_of_ones_own(capsys, policies, name):
    code, out, err = fuzz(capsys, *SMALL, "--policy", f"mine:{name}", "--early")
    assert (code, err) == (0, "")
    assert "24 runs" in out


@pytest.mark.parametrize("more", [[], ["--jobs", "2"]])
def test_a_policy_that_raises_keeps_the_runs_before_it(capsys, policies, more):
    path = policies / "fuzz.json"
    argv = ["--hosts", "10", "--runs", "12", "--policy", "mine:ratio", "--json", str(path)]
    code, out, err = fuzz(capsys, *argv, *more)
    assert code == 1
    assert err == ""
    assert out.startswith("10 hosts, 12 runs, seed 0: PARTIAL, 1 of 12 runs\n")
    assert "stopped     policy `mine:ratio` raised ZeroDivisionError" in out
    assert "at ready 0, failed 10, prov 0" in out
    record = figures(path)
    assert (record["complete"], record["runs"], len(record["table"])) == (False, 1, 1)
    assert "policy `mine:ratio` raised" in record["stopped"]
    code, _, err = fuzz(capsys, *argv[:6], "--format", "upstream")
    assert code == 1
    assert err.startswith("partial, 1 runs: policy `mine:ratio` raised ZeroDivisionError")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--hosts", "0"], "--hosts 0; allowed is a whole number of 1 or more"),
        (["--hosts", "-5"], "--hosts -5; allowed"),
        (["--hosts", "9999999999"], "hosts is 9999999999; at most 2147483644"),
        (["--runs", "-1"], "--runs -1"),
        (["--jobs", "0"], "--jobs 0; allowed is a whole number of 1 or more"),
        (["--jobs", "2", "--scheduler", "tcp://localhost:1"], "exclude each other"),
        (["--seed", "one"], "--seed"),
        (["--failures", "5"], "--failures goes with --policy"),
        (["--policy", "strict-all", "--failures", "101"], "percentage is 101"),
        (["--policy", "quorum"], "unknown policy `quorum`; allowed are such as strict-all"),
        (["--policy", "threshold:10001"], "threshold is 10001; 0 to 10000 is allowed"),
        (["--policy", "threshold:101%"], "percentage is 101; a whole number from 0 to 100"),
        (["--policy", "threshold:-1%"], "percentage is -1"),
        (["--policy", "max-failures:0.5%"], "`0.5%` in a policy; a whole number from 0 to 100"),
        (["--policy", "no_such_module:f"], "cannot import no_such_module: ModuleNotFoundError"),
        (["--policy", "mine:absent"], "module mine has no `absent`"),
        (["--policy", "mine:number"], "policy `mine:number` is 3; a function of three counts"),
        (["--policy", "bad:f"], "cannot import bad: ModuleNotFoundError: No module named 'no_such"),
        (["--format", "fancy"], "--format"),
        (["--json", "/no/such/folder/fuzz.json"], "/no/such/folder/fuzz.json"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(capsys, policies, argv, words):
    assert words in refused(capsys, "fuzz", *argv)


def test_a_policy_that_answers_neither_yes_nor_no(capsys, policies):
    code, out, _ = fuzz(capsys, *SMALL, "--policy", "mine:vague")
    assert code == 1
    assert "0 of 24 runs" in out
    assert "`mine:vague` answered None at ready 0" in out


# ------------------------------------------------------------------ processes


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_processes_come_to_the_same_as_one(capsys, tmp_path, count):
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    argv = ["--hosts", "2000", "--runs", "50", "--seed", "4", "--json"]
    assert fuzz(capsys, *argv, str(one))[0] == 0
    assert fuzz(capsys, *argv, str(many), "--jobs", str(count))[0] == 0
    assert figures(one) == figures(many)


def test_parts_cover_every_run_once():
    for hosts, runs, workers in ((1, 0, 1), (5, 1, 3), (10_000, 240, 2), (10**6, 24, 1)):
        parts = jobs.Plan(hosts=hosts, runs=runs, seed=0).parts(workers=workers)
        assert [run for first, stop in parts for run in range(first, stop)] == list(range(runs))


DIES = "import os\ndef dies(ready, failed, prov):\n    os._exit(9)\n"


@pytest.mark.slow
def test_a_process_that_dies_is_said(capsys, policies, monkeypatch):
    policies.joinpath("dying.py").write_text(DIES)
    monkeypatch.setattr(command, "is_vacuous", lambda *_: False)
    message = refused(capsys, "fuzz", *SMALL, "--policy", "dying:dies", "--jobs", "2")
    assert "a worker process died" in message


# ------------------------------------------------------------------ cut short


def test_what_was_done_before_an_interruption_is_kept(capsys, monkeypatch, tmp_path):
    made = []

    class Interrupted(Campaign):
        def run(self, **options):
            made.append(options)
            if len(made) > 3:
                raise KeyboardInterrupt
            return super().run(**options)

    monkeypatch.setattr(jobs, "Campaign", Interrupted)
    path = tmp_path / "fuzz.json"
    code, out, err = fuzz(capsys, "--hosts", "30", "--runs", "24", "--json", str(path))
    assert (code, err) == (130, "")
    # The first call makes no run.
    assert out.startswith("30 hosts, 24 runs, seed 0: PARTIAL, 12 of 24 runs\nstopped     interr")
    assert len(json.loads(path.read_text("utf-8"))["table"]) == 12


def test_memory_that_runs_out_is_said(capsys, monkeypatch):
    def full(plan):
        yield from list(jobs.here(plan))[:1]
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr(command, "here", full)
    code, out, _ = fuzz(capsys, *SMALL)
    assert code == 1
    assert "PARTIAL, 6 of 24 runs\nstopped     Unable to allocate 8 TiB" in out


# Says that it has been asked more often than a part of the campaign asks.
TELLTALE = """
import itertools, pathlib
asked = itertools.count()
def most(ready, failed, prov):
    if next(asked) == 620_000:
        pathlib.Path("part-done").touch()
    return ready > 2 * (failed + prov)
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--jobs", "2"]])
def test_ctrl_c_prints_what_was_done(policies, more):
    policies.joinpath("telltale.py").write_text(TELLTALE)
    argv = ["--hosts", "500", "--runs", "2400", "--policy", "telltale:most", *more]
    with subprocess.Popen(
        [sys.executable, "-m", "flockpit.cli", "barrier", "fuzz", *argv, "--json", "fuzz.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        while process.poll() is None and not policies.joinpath("part-done").exists():
            time.sleep(0.01)
        # As a terminal does: to every process of the group.
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == ""
    assert "PARTIAL" in out
    record = figures(policies / "fuzz.json")
    assert 0 < record["runs"] == len(record["table"]) < 2400


# ------------------------------------------------------------------ proofs


def test_the_table_of_theorems(capsys, tmp_path):
    path = tmp_path / "proofs.json"
    code = cli.main(["barrier", "prove", "--json", str(path)])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    lines = captured.out.splitlines()
    assert lines[0].split() == ["THEOREM", "STATEMENT", "RESULT", "MS"]
    assert "n = 1, m = 0: B(0, 0, 1) → B(0, 1, 0)" in captured.out
    version, found = proofs.read_json(path.read_text("utf-8"))
    assert lines[-1].startswith(f"{len(found)} theorems, all as expected; z3 {version}, ")
    assert version == proofs.z3_version()


def test_counterexamples_and_controls_are_shown_as_such(capsys):
    cli.main(["barrier", "prove"])
    notes = [
        line.split("refuted")[1].split(maxsplit=1)[1]
        for line in capsys.readouterr().out.splitlines()
        if "refuted" in line
    ]
    assert notes == ["expected counterexample"] * 2 + ["control, false as it must be"] * 2


def test_a_terminal_that_lacks_a_sign_gets_a_plainer_one(monkeypatch):
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    assert cli.main(["barrier", "prove"]) == 0
    plain.seek(0)
    assert "B(0, 0, 1) > B(0, 1, 0)" in plain.read()


def test_a_theorem_that_is_not_proved_ends_with_1(capsys, monkeypatch):
    real = proofs.discharge

    def slow(claim, *, timeout_ms):
        found = real(claim, timeout_ms=timeout_ms)
        return (
            dataclasses.replace(found, result=Result.UNKNOWN)
            if claim.name == "partition"
            else found
        )

    monkeypatch.setattr(proofs, "discharge", slow)
    assert cli.main(["barrier", "prove"]) == 1
    out = capsys.readouterr().out
    assert "unknown" in out
    assert "NOT proved" in out
    assert "theorems, 1 not as expected" in out


def test_no_time_for_proofs_is_refused(capsys):
    assert "timeout is 0 ms; 1 or more" in refused(capsys, "prove", "--timeout", "0")


def test_without_z3_the_extra_is_named(capsys, monkeypatch):
    for name in ("encoding", "induction", "obligations"):
        monkeypatch.delitem(sys.modules, f"flockpit.barrier.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "z3", None)
    assert "pip install 'flockpit[proofs]'" in refused(capsys, "prove")
