import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("hodge.py")


@pytest.mark.slow
def test_the_measuring_runs_and_checks_itself_on_small_complexes():
    command = [sys.executable, str(SCRIPT), "--triangles", "200", "1000", "--only", "grid"]
    done = subprocess.run([*command, "averaging"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in (
        "one thread",
        "200 triangles, 320 edges, 121 vertices",
        "first projection",
        "growth exponent",
        "A projector, gain 0.35",
    ):
        assert line in done.stdout


@pytest.mark.slow
def test_peers_that_are_absent_are_said_to_be():
    # Their metadata is what says that they are here; this finds none.
    hidden = (
        "import importlib.metadata as m, runpy, sys\n"
        "real = m.version\n"
        "def version(name):\n"
        "    if name in ('scipy', 'pyamg'):\n"
        "        raise m.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "m.version = version\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import peers\n"
        "assert peers.absent() == ['scipy', 'pyamg']\n"
        "assert peers.measured(None, None, 1e-8, grounded=True) == {}\n"
        "import hodge\n"
        "hodge.print_peers()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, str(SCRIPT.parent)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "NOT INSTALLED: scipy and pyamg" in done.stdout
    assert "make bench" in done.stdout
