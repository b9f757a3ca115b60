import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_measuring_runs_and_checks_itself_on_small_flocks():
    script = Path(__file__).with_name("tick.py")
    command = [sys.executable, str(script), "--quick", "--sizes", "9", "60", "--no-history"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in ("steady median", "split: worst tick", "times 507", "heartbeat tick", "exponent"):
        assert line in done.stdout
