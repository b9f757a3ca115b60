import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_measuring_runs_and_checks_itself_on_few_hosts():
    command = [sys.executable, str(Path(__file__).with_name("barrier.py")), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in (
        "M reports/s",
        "   1,000   240",
        "over hosts x runs, all",
        "over hosts x runs, 24",
    ):
        assert line in done.stdout
