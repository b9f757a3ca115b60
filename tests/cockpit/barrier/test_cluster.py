"""A campaign on a real Dask cluster: two worker processes, one of which is killed on the way."""

import json
import os
import signal
import sys

import pytest

from flockcore.barrier.report import merge
from flockcore.errors import FlockError
from flockpit import cli
from flockpit.barrier import cluster as on_machines
from flockpit.barrier.cluster import on_cluster
from flockpit.barrier.jobs import Plan, here

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    # Their modules are the tests': a worker imports what this process does.
    path = os.pathsep.join(filter(None, sys.path))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = path
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made:
            yield made
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def workers(address):
    with distributed.Client(address, set_as_default=False) as client:
        return client.run(os.getpid)


def test_a_worker_that_is_killed_loses_no_run(cluster):
    plan = Plan(hosts=1000, runs=2000, seed=6)
    pids = workers(cluster.scheduler_address)
    assert len(pids) == 2
    assert os.getpid() not in pids.values()
    found, killed = [], next(iter(pids.values()))
    for part in on_cluster(plan, cluster.scheduler_address):
        if not found:
            os.kill(killed, signal.SIGKILL)
        found.append(part)
    assert killed not in workers(cluster.scheduler_address).values()
    assert len(found) == len(list(plan.parts(workers=2))) > 4
    report, wanted = merge(found), merge(list(here(plan)))
    assert report.runs == 2000
    assert report == wanted
    assert report.results.table.tolist() == wanted.results.table.tolist()
    assert report.results.names == wanted.results.names


def test_the_command_says_the_same_as_on_one_machine(cluster, capsys, tmp_path):
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    argv = ["barrier", "fuzz", "--hosts", "500", "--runs", "60", "--json"]
    address = ["--scheduler", cluster.scheduler_address]
    assert cli.main([*argv, str(one)]) == 0
    assert cli.main([*argv, str(many), *address]) == 0
    capsys.readouterr()
    first, second = (json.loads(path.read_text("utf-8")) for path in (one, many))
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_an_unreachable_scheduler_is_said(capsys, monkeypatch):
    monkeypatch.setattr(on_machines, "_PATIENCE_S", 1)
    # Port 1 of this machine: nobody listens there.
    assert cli.main(["barrier", "fuzz", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("flockpit: no scheduler answers at tcp://127.0.0.1:1 within 1 s")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("address", ["nonsense://127.0.0.1:1", "127.0.0.1:notaport"])
def test_an_address_that_is_none_is_said(capsys, monkeypatch, address):
    monkeypatch.setattr(on_machines, "_PATIENCE_S", 1)
    assert cli.main(["barrier", "fuzz", "--scheduler", address]) == 2
    assert f"no scheduler answers at {address}" in capsys.readouterr().err


def test_a_scheduler_without_workers_is_said(monkeypatch):
    monkeypatch.setattr(on_machines, "_PATIENCE_S", 2)
    with (
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty,
        pytest.raises(FlockError, match="has no workers"),
    ):
        list(on_cluster(Plan(hosts=5, runs=5, seed=0), empty.scheduler_address))


def test_a_cluster_that_is_lost_keeps_what_was_done(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(on_machines, "_PATIENCE_S", 5)
    path = tmp_path / "fuzz.json"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as lost:

        def until_closed(plan, address):
            for part in on_cluster(plan, address):
                yield part
                lost.close()

        monkeypatch.setattr(on_machines, "on_cluster", until_closed)
        argv = ["--hosts", "1000", "--runs", "100000", "--json", str(path)]
        code = cli.main(["barrier", "fuzz", "--scheduler", lost.scheduler_address, *argv])
    captured = capsys.readouterr()
    assert code == 1
    assert "stopped     the cluster at tcp://127.0.0.1:" in captured.out
    assert "gave up: " in captured.out
    record = json.loads(path.read_text("utf-8"))
    assert 0 < record["runs"] == len(record["table"]) < 100_000


def test_workers_of_another_version_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(on_machines, "engine_version", lambda: "9.9")
    monkeypatch.setattr(on_machines, "_RETRIES", 0)
    with pytest.raises(FlockError, match=r"a worker has flockpit .*; 9\.9 is needed"):
        list(on_cluster(Plan(hosts=5, runs=5, seed=0), cluster.scheduler_address))


def test_without_dask_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["barrier", "fuzz", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "pip install 'flockpit[cluster]'" in capsys.readouterr().err
