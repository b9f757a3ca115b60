"""Writing TOML: the standard library reads it only.

Covers what scenarios are made of: texts, numbers, truth values, lists, tables, lists of tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

__all__ = ["write"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _text(value: str) -> str:
    # JSON and TOML escape alike, but for DEL, which TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML")


def _is_table_list(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(item, Mapping) for item in value)
    )


def write(table: Mapping[str, object]) -> str:
    """Write a table as a TOML document.

    Args:
        table: Plain values; tables and lists of tables of the first level become sections.

    Returns:
        The document, which ``tomllib`` reads back to an equal table.

    Raises:
        TypeError: If a value has no form in TOML, as None has none.
    """
    lines: list[str] = []
    sections: list[str] = []
    for name, value in table.items():
        if isinstance(value, Mapping):
            sections += ["", f"[{_key(name)}]", *_body(value)]
        elif _is_table_list(value):
            for item in value:  # type: ignore[attr-defined]
                sections += ["", f"[[{_key(name)}]]", *_body(item)]
        else:
            lines.append(f"{_key(name)} = {_value(value)}")
    return "\n".join([*lines, *sections]) + "\n"


def _body(table: Mapping[str, object]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items()]
