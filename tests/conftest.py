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
    reports = [one for one in every if isinstance(one, pytest.TestReport)]
    write_section(terminalreporter, "recorded runs of the original runtime", golden.tally(reports))
    write_section(terminalreporter, "explored to closure", closures(reports))


def closures(reports):
    """Lines that tests printed about state spaces: those that end with ``closed``."""
    printed = (line for one in reports if one.when == "call" for line in one.capstdout.splitlines())
    return sorted(line for line in printed if line.endswith(" closed"))


def write_section(terminalreporter, title, lines):
    if lines:
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
