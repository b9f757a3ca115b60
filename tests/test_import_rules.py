"""What core may import: numpy and those parts of the standard library that keep it repeatable.

The direction between the three packages is import-linter's; that core stays runnable in the browser
and free of clocks, chance and input is read off its syntax trees here.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "core" / "flockcore"

# Standard, yet not for core: each would let in wall time, chance, input or a second thread.
FORBIDDEN = {
    "time": "core has no clock of its own: time is virtual, or handed in",
    "datetime": "core has no clock of its own: time is virtual, or handed in",
    "random": "every draw comes from flockcore.kernel.rng",
    "secrets": "every draw comes from flockcore.kernel.rng",
    "uuid": "every draw comes from flockcore.kernel.rng",
    "asyncio": "pacing lives in the cockpit",
    "threading": "pacing lives in the cockpit",
    "multiprocessing": "the browser has no processes",
    "subprocess": "the browser has no processes",
    "concurrent": "the browser has no processes",
    "socket": "core does no input or output",
    "http": "core does no input or output",
    "urllib": "core does no input or output",
    "os": "core does no input or output",
    "io": "core does no input or output",
    "tempfile": "core does no input or output",
    "logging": "core reports by events and statistics",
    "pickle": "what is stored must not run code when it is read",
}

# These measure how long a tick takes: only how far apart checkpoints lie depends on it.
ALLOWED = {"kernel/history.py": {"time"}, "simulation.py": {"time"}}


def walk(tree):
    """Yield the nodes that run: what stands under ``if TYPE_CHECKING`` is for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from walk(node)


def imported(tree):
    """Yield (line, module) for every import of a syntax tree; a relative one is core's own."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module if node.level == 0 else "flockcore"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("__import__", "import_module")
        ):
            yield node.lineno, f"import by name: {ast.unparse(node)}"


def offences(source, allowed=frozenset()):
    """Return one sentence for each import that core may not have."""
    found = []
    for line, module in imported(ast.parse(source)):
        top = module.split(".")[0]
        if top in allowed:
            continue
        if top in FORBIDDEN:
            found.append(f"line {line} imports {module}: {FORBIDDEN[top]}")
        elif top not in sys.stdlib_module_names | {"numpy", "flockcore"}:
            found.append(f"line {line} imports {module}: core is numpy and the standard library")
    return found


MODULES = sorted(path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_core_is_numpy_and_the_standard_library(module):
    source = (CORE / module).read_text(encoding="utf-8")
    assert offences(source, ALLOWED.get(module, frozenset())) == []


@pytest.mark.parametrize(
    ("source", "sign"),
    [
        ("import panel as pn", "imports panel:"),
        ("from scipy.sparse import csr_array", "imports scipy.sparse:"),
        ("import flockpit.session", "imports flockpit.session:"),
        ("def late():\n    from time import monotonic", "line 2 imports time:"),
        ("import numpy, random", "imports random:"),
        ("import importlib\nimportlib.import_module('bokeh')", "line 2 imports import by name"),
    ],
)
def test_an_offence_is_seen_wherever_it_stands(source, sign):
    (sentence,) = offences(source)
    assert sign in sentence


@pytest.mark.parametrize(
    "source",
    [
        "import numpy.typing",
        "from collections.abc import Callable",
        "from flockcore import errors",
        "from . import rng",
        "if TYPE_CHECKING:\n    from _typeshed import DataclassInstance",
    ],
)
def test_numpy_the_standard_library_and_core_itself_are_allowed(source):
    assert offences(source) == []


@pytest.mark.slow
def test_core_brings_no_view_into_a_fresh_interpreter():
    script = (
        "import sys, flockcore\n"
        "print(*sorted({'bokeh', 'panel', 'param', 'pandas', 'flockpit'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(CORE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
