"""What every test stands on: how hypothesis searches, and the tally of recorded runs."""

import os

import pytest
from hypothesis import HealthCheck, settings

import golden

# No test asserts a time, hypothesis's included; a shared machine tries the same examples each run.
settings.register_profile(
    "flockpit",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("flockpit")


def pytest_collection_modifyitems(items):
    golden.note(items)


def pytest_terminal_summary(terminalreporter):
    every = [one for group in terminalreporter.stats.values() for one in group]
    lines = golden.tally(one for one in every if isinstance(one, pytest.TestReport))
    if lines:
        terminalreporter.section("recorded runs of the original runtime")
        for line in lines:
            terminalreporter.write_line(line)
