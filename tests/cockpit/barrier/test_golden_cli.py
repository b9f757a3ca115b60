"""Output and rejected arguments of the original's command."""

import re

import pytest

from flockpit import cli
from golden import cases

REJECTED = [
    case
    for case in cases("barrier/errors")
    if not case.values[0] or case.values[0].data["call"].startswith("cli ")
]
ARGUMENTS = {
    "cli --bogus": ["--bogus"],
    "cli --hosts without value": ["--hosts"],
    "cli --hosts x": ["--hosts", "x"],
    "cli --hosts -1": ["--hosts", "-1"],
}


@pytest.mark.parametrize("case", cases("barrier/cli"))
def test_output(case, capsys):
    code = cli.main(["barrier", "fuzz", *case.data["argv"], "--format", "upstream"])
    out = capsys.readouterr().out
    assert code == case.data["exit"]
    masked = re.sub(r"(elapsed:    )\d+\.\d{3}s", r"\1<seconds>s", out)
    assert masked.split("\n") == [*case.data["stdout_lines"], ""]


@pytest.mark.parametrize("case", REJECTED)
@pytest.mark.parametrize("layout", ["plain", "upstream"])
def test_rejected_arguments(case, layout, capsys):
    assert case.data["raises"] is not None
    argv = ["barrier", "fuzz", "--format", layout, *ARGUMENTS[case.data["call"]]]
    try:
        code = cli.main(argv)
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
