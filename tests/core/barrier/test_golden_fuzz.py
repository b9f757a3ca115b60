"""Runs of the original's fuzz suite."""

import pytest

from flockcore.barrier.codes import Phase
from flockcore.barrier.fuzz import Campaign
from golden import cases


@pytest.mark.parametrize("case", cases("barrier/fuzz_runs"))
def test_runs_of_the_suite(case):
    data = case.data
    number = data["run"]
    campaign = Campaign(hosts=data["hosts"], runs=number + 1, seed=data["seed"])
    report = campaign.run(first=number)
    assert report.clean, report.first
    assert list(report.cells) == [data["scenario"]]
    assert report.results.names == ((data["policy"], data["pattern"]),)
    found = {name: int(report.results.column(name)[0]) for name in ("ready", "failed", "length")}
    assert found == {"ready": data["ready"], "failed": data["failed"], "length": data["trace_len"]}
    assert Phase(int(report.results.column("phase")[0])).letter == data["final"]
    assert report.results.column("ready_total")[0] == data["pattern_ready"]
    assert report.results.column("failed_total")[0] == data["pattern_failed"]
    assert data["ready"] + data["failed"] + data["prov"] == data["hosts"]
