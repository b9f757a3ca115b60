"""What Panel and Bokeh expect and do not find on the site: set before they are imported.

It leans on Panel's internals, which is why Panel is held to one minor version, and why the site's
browser tests click, drag and draw.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bokeh.core.serialization import Deserializer

if TYPE_CHECKING:
    from bokeh.model import Model

__all__ = ["PANEL_ROOT", "pandas_while_importing", "prepare", "stand_in_for_jinja"]

PANEL_ROOT = "static/panel/"
"""Where the site keeps Panel's style sheets; below it Panel looks for its version."""


def prepare() -> None:
    """Let Panel find its sheets on the site, events their sentinel, and pages any of the models.

    Where there is no Jinja2, classes that have its names stand in for it.
    """
    os.environ["PANEL_CDN_ROOT"] = PANEL_ROOT
    if importlib.util.find_spec("jinja2") is None:
        stand_in_for_jinja()
    ffi = sys.modules.get("pyodide.ffi")
    # Newer versions of Pyodide hand JavaScript's null over as this; ours hands over None.
    if ffi is not None and not hasattr(ffi, "jsnull"):
        vars(ffi)["jsnull"] = object()
    Deserializer._resolve_type = _resolved  # type: ignore[method-assign, assignment]


_resolve_type = Deserializer._resolve_type


def _resolved(self: Deserializer, name: str) -> "type[Model]":
    """Return the class of a model that the page made: here it may be none yet, but for this."""
    module, _, plain = name.rpartition(".")
    if not module or module.startswith("panel.models."):
        getattr(importlib.import_module(module or "bokeh.models"), plain, None)
    return _resolve_type(self, name)


class _Template:
    """A page template: the site fills none, and packs none."""

    def __init__(self, *_args: Any, **_more: Any) -> None:  # noqa: ANN401
        """Take a text, as the real one does."""

    def render(self, *_args: Any, **_more: Any) -> str:  # noqa: ANN401
        raise ModuleNotFoundError("jinja2 is not part of the site: it fills no templates")


class _Environment:
    """Gives a template for every name."""

    def __init__(self, *_args: Any, **_more: Any) -> None:  # noqa: ANN401
        self.filters: dict[str, Any] = {}
        self.globals: dict[str, Any] = {}

    def get_template(self, _name: str) -> _Template:
        return _Template()

    def from_string(self, _text: str) -> _Template:
        return _Template()


def stand_in_for_jinja() -> None:
    """Let imports of jinja2 give classes of which nothing but their being there is asked for."""
    classes = {
        "Environment": _Environment,
        "FileSystemLoader": _Environment,
        "Template": _Template,
    }
    for name in ("jinja2", "jinja2.environment", "jinja2.loaders"):
        sys.modules[name] = _module(name, classes)
    sys.modules["markupsafe"] = _module("markupsafe", {"Markup": str})


def _module(name: str, content: dict[str, Any]) -> ModuleType:
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    vars(made).update(content)
    return made


@contextmanager
def pandas_while_importing() -> Iterator[None]:
    """Let `import pandas` give a module that is nearly empty.

    Panel imports it, on Pyodide alone, to replace two of its readers. Nothing else asks for it, and
    it would be 5.7 MB.
    """
    if importlib.util.find_spec("pandas") is not None:
        yield
        return
    sys.modules["pandas"] = _module("pandas", {"read_csv": _refuse, "read_json": _refuse})
    try:
        yield
    finally:
        del sys.modules["pandas"]


def _refuse(*_args: Any, **_more: Any) -> Any:  # noqa: ANN401
    raise ModuleNotFoundError("pandas is not part of the site")
