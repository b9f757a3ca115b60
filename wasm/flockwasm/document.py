"""The page's first document, written while the site is built, before any Python runs in a browser.

The worker makes the same document from the same code, model for model. The page need not wait for
it: it shows what was written here, and the two halves are joined once the worker is there.
"""

import json
import os
import subprocess
import sys
from typing import Any

from flockpit.look.tokens import Theme
from flockwasm.errors import SiteError
from flockwasm.inside.start import start, worker

__all__ = ["document"]


def document(
    width: int, height: int, theme: Theme, *, quick: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Return the document, made in a process of its own: models are numbered as they are made.

    Args:
        width: of the page in pixels.
        height: of the page in pixels.
        theme: of the page.
        quick: make it with all shortcuts that the browser takes, as a test does.
        seed: of Python's hashes, on which the order of a set depends.

    Returns:
        `doc`: the document as JSON; `models`: digest of all models.

    Raises:
        SiteError: it cannot be made.
    """
    made = subprocess.run(
        [sys.executable, "-m", "flockwasm.document", str(width), str(height), theme, str(quick)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SiteError(f"the first page cannot be made: {made.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def _print(width: str, height: str, theme: str, quick: str) -> None:
    start("{}", quick=quick == "True")
    import panel as pn

    # As in the browser, where sheets are addresses on the site; this process does nothing else.
    setattr(type(pn.state), "_is_pyodide", property(lambda _: True))  # noqa: B010
    setattr(sys, "platform", "emscripten")  # noqa: B010
    models = worker().begin(int(width), int(height), theme)
    print(json.dumps({"doc": worker().document(), "models": models}))


if __name__ == "__main__":
    _print(*sys.argv[1:])
