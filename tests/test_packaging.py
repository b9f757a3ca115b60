"""The built wheel, in an environment that holds nothing else, runs a preset."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"

RUN = """
import flockcore, pathlib
assert pathlib.Path(flockcore.__file__).is_relative_to({environment!r}), flockcore.__file__
simulation = flockcore.Simulation(flockcore.Scenario.load("calm-flock"))
simulation.run(5)
print(simulation.tick, simulation.digest())
"""

pytestmark = pytest.mark.slow


def run(*command, **options):
    """Run a command away from the checkout and from this environment; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def uv(*arguments, **options):
    """Run the uv that made this environment."""
    found = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    return run(found, *arguments, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def pins():
    """The pinned versions alone: as constraints they need no hashes."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")]


def empty_environment(folder):
    """Make an environment without a single package; return its Python."""
    uv("venv", "--python", sys.executable, folder)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture(scope="module")
def with_numpy_alone(wheel, pins, tmp_path_factory):
    python = empty_environment(tmp_path_factory.mktemp("numpy") / "venv")
    (numpy,) = [pin for pin in pins if pin.startswith("numpy==")]
    uv("pip", "install", "--python", python, "--no-deps", wheel, numpy)
    return python


@pytest.fixture(scope="module")
def with_what_it_declares(wheel, pins, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    constraints = folder / "pins.txt"
    constraints.write_text("\n".join(pins))
    python = empty_environment(folder / "venv")
    uv("pip", "install", "--python", python, "--constraint", constraints, wheel)
    return python


def test_the_wheel_holds_the_packages_their_assets_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"flockcore", "flockpit", "flockwasm"}
    assert {"flockcore/py.typed", "flockpit/py.typed", "flockwasm/py.typed"} <= names
    assets = {path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*") if path.is_file()}
    assert {f"flockpit/assets/{name}" for name in assets} <= names
    scenarios = {path.name for path in (ASSETS / "scenarios").glob("*.toml")}
    assert scenarios
    assert {f"flockcore/scenarios/{name}" for name in scenarios} <= names


def test_a_preset_runs_on_numpy_alone_as_it_does_in_the_checkout(with_numpy_alone, tmp_path):
    folder = with_numpy_alone.parents[1]
    installed = run(with_numpy_alone, "-I", "-c", RUN.format(environment=str(folder)), cwd=tmp_path)
    here = run(sys.executable, "-c", RUN.format(environment=str(ROOT)), cwd=tmp_path)
    assert installed.split()[0] == "5"
    assert installed == here


def test_the_example_of_the_readme_runs_on_numpy_alone(with_numpy_alone, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert "simulation.digest()" in example
    run(with_numpy_alone, "-I", "-c", example, cwd=tmp_path)


def test_what_the_wheel_declares_is_enough_for_its_command(with_what_it_declares, tmp_path):
    command = with_what_it_declares.with_name("flockpit")
    assert "calm-flock" in run(command, "scenarios", cwd=tmp_path)
