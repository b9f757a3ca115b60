"""The first document of the page, and what makes it quicker to make."""

import json
import os
import subprocess
import sys

import pytest

from documents import assert_alike
from flockwasm.document import document

QUICK = """
import json, sys
from flockwasm.inside.start import start, worker
start("{}")
import panel
setattr(type(panel.state), "_is_pyodide", property(lambda _: True))
sys.platform = "emscripten"
models = worker().begin(1280, 800, "light")
print(json.dumps({"doc": worker().document(), "models": models}))
"""


def quickly(seed):
    made = subprocess.run(
        [sys.executable, "-c", QUICK],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout)


@pytest.mark.slow
def test_what_bokeh_remembers_changes_nothing_nor_does_the_order_of_a_set():
    plain = document(1280, 800, "light")
    for seed in (1, 2):
        quick = quickly(seed)
        assert quick["models"] == plain["models"]
        assert_alike(json.loads(quick["doc"]), json.loads(plain["doc"]))
    assert len(json.loads(plain["doc"])["roots"]) == 1
    assert len(plain["models"]) == 64
