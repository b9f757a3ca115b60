import json
import os
import sys
import types

import pytest

import flockpit
from flockcore.kernel.faults import Crash
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit import cli, commands
from flockpit.exports import RunRecord
from flockpit.sharing import token_of

SMALL = ["--nodes", "8", "--ticks", "30"]


def run(capsys, *argv):
    code = cli.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *argv):
    """The one line of a refusal; argparse leaves by an exception, everything else by a code."""
    try:
        code = cli.main(argv)
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("flockpit")
    return captured.err


def test_scenarios_are_listed(capsys):
    code, out, _ = run(capsys, "scenarios")
    assert code == 0
    assert len(out.splitlines()) == 1 + len(Scenario.names())
    assert "split-brain" in out


def test_a_run_says_what_came_of_it(capsys):
    code, out, err = run(capsys, "run", "calm-flock", *SMALL, "--seed", "5")
    assert code == 0
    assert err == ""
    expected = Simulation(Scenario.load("calm-flock").resized(8).replace(ticks=30, seed=5))
    expected.run(30)
    assert expected.digest() in out
    assert "8 nodes, seed 5, 30 ticks of 1 ms" in out
    assert all(verdict.name in out for verdict in expected.verdicts("flock"))
    unused = [*expected.verdicts("hodge"), *expected.verdicts("barrier")]
    assert not any(verdict.name in out for verdict in unused)


def test_a_run_says_what_holds_of_the_layers_in_use(capsys):
    code, out, _ = run(capsys, "run", "late-report", "--ticks", "60")
    assert code == 0
    assert "All hosts report" in out
    assert "Replicas agree" not in out


def test_a_scenario_file_is_run(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nnodes = 4\nticks = 12\n')
    code, out, _ = run(capsys, "run", str(path))
    assert code == 0
    assert out.startswith("mine: 4 nodes")


def test_a_recorded_run_is_verified(capsys, tmp_path):
    path = tmp_path / "run.json"
    assert run(capsys, "run", "split-brain", *SMALL, "--json", str(path))[0] == 0
    code, out, _ = run(capsys, "verify", str(path))
    assert code == 0
    assert out == "identical: 30 ticks run again, every digest the same\n"


def test_the_tick_that_differs_is_named(capsys, tmp_path):
    path = tmp_path / "run.json"
    run(capsys, "run", "calm-flock", *SMALL, "--json", str(path))
    table = json.loads(path.read_text())
    table["digests"][17] = table["digests"][16]
    path.write_text(json.dumps(table))
    code, out, _ = run(capsys, "verify", str(path))
    assert code == 1
    assert out.startswith("differs at tick 17: the state; ticks 0 to 16 are identical")


def test_a_record_may_go_to_the_output_and_come_from_the_input(capsys, monkeypatch):
    code, out, err = run(capsys, "run", "calm-flock", *SMALL, "--json", "-")
    assert code == 0
    assert RunRecord.from_json(out).ticks == 30
    assert "digest" in err
    monkeypatch.setattr(sys.stdin, "read", lambda: out)
    assert run(capsys, "verify", "-")[0] == 0


@pytest.fixture
def token():
    simulation = Simulation(Scenario(nodes=6))
    simulation.run(20)
    simulation.inject(Crash(nodes=(2,)))
    simulation.run(20)
    return token_of(simulation)


@pytest.mark.parametrize("form", ["{}", " {}\n", "http://localhost:5006/?theme=dark&run={}"])
def test_a_token_or_its_link_is_verified(capsys, token, form):
    code, out, _ = run(capsys, "verify", form.format(token))
    assert code == 0
    assert out.startswith("identical")


def test_a_token_of_another_outcome_differs(capsys, monkeypatch, token):
    plain = Simulation.digest
    monkeypatch.setattr(
        Simulation, "digest", lambda self: "00" * 32 if self.tick > 35 else plain(self)
    )
    code, out, _ = run(capsys, "verify", token)
    assert code == 1
    assert "differs between ticks" in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run", "split-brian"], "split-brain"),
        (["run", "calm-flock", "--nodes", "1000000000"], "GB"),
        (["run", "calm-flock", "--nodes", "0"], "empty flock"),
        (["run", "calm-flock", "--nodes", "many"], "--nodes"),
        (["run", "calm-flock", "--ticks", "0"], "ticks"),
        (["run", "calm-flock", "--seed", "-1"], "seed"),
        (["run", "nowhere.toml"], "nowhere.toml: No such file"),
        (["run", "calm-flock", "--json", "/no/such/folder/run.json"], "/no/such/folder/run.json"),
        (["run"], "SCENARIO"),
        (["fly"], "fly"),
        (["verify", "nowhere.json"], "neither a share token"),
        (["verify", "fp1.12.short"], "truncated"),
        (["verify", "fp2.4.abcd"], "version 2"),
        (["verify", "x" * 3000], "neither a share token"),
        (["swarm", "--seeds", "0"], "--seeds 0; allowed is 1 or more"),
        (["swarm", "--jobs", "-3"], "--jobs"),
        (["serve", "--port", "99999"], "port 99999"),
        (["serve", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(capsys, argv, words):
    assert words in refused(capsys, *argv)


@pytest.mark.parametrize(
    ("text", "words"),
    [("nodes = [", "not valid TOML"), ("nodez = 3", "nodez"), ("k = 16", "3 to 15")],
)
def test_a_broken_scenario_file_is_named(capsys, tmp_path, text, words):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    message = refused(capsys, "run", str(path))
    assert str(path) in message
    assert words in message


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "flockpit-run/9"}', "\xff"])
def test_a_broken_record_is_refused(capsys, tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text, encoding="latin-1")
    refused(capsys, "verify", str(path))


def test_a_terminal_sees_a_progress_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, out, err = run(capsys, "run", "calm-flock", *SMALL)
    assert "ticks" in err
    assert "30/30" not in out


def test_interruption_is_no_traceback(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_scenario", interrupted)
    code, _, err = run(capsys, "run", "calm-flock")
    assert code == 130
    assert err == "stopped\n"


@pytest.fixture
def app(monkeypatch):
    """A stand-in for the cockpit: what it would have been asked to serve."""
    stand_in = types.SimpleNamespace(SCENARIO_FILE="FLOCKPIT_SCENARIO", served=[])
    stand_in.serve = lambda **options: stand_in.served.append(options)
    monkeypatch.setattr(flockpit, "app", stand_in, raising=False)
    monkeypatch.setitem(sys.modules, "flockpit.app", stand_in)
    monkeypatch.setenv(stand_in.SCENARIO_FILE, "to be restored")
    return stand_in


def test_serving_hands_on_address_and_file(capsys, app, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("nodes = 4")
    assert run(capsys, "serve", "--port", "5099", "--address", "0.0.0.0", str(path))[0] == 0
    assert app.served == [{"port": 5099, "address": "0.0.0.0", "show": False}]
    assert os.environ[app.SCENARIO_FILE] == str(path)


def test_a_broken_file_is_refused_before_the_server_starts(capsys, app, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("nodes = 0")
    assert "empty flock" in refused(capsys, "serve", str(path))
    assert app.served == []


def test_a_port_in_use_is_refused_in_one_line(capsys, app):
    def taken(**_):
        raise OSError(98, "Address already in use")

    app.serve = taken
    assert "choose another --port" in refused(capsys, "serve")
