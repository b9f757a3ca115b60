"""Answers that Bokeh works out anew for every property of every model, and that never change.

Eight hundred models have forty thousand properties, nearly all of them at their default. In the
browser it takes seconds to ask each of them whether its default may change, whether a theme says
otherwise and which models it leads to. It leans on Bokeh's internals: a test compares the document
that comes of it with one made without.
"""

from collections.abc import Callable
from typing import Any

import bokeh.model.util as models
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor

__all__ = ["remember"]

_has_unstable_default = PropertyDescriptor.has_unstable_default
_visit = models.visit_immediate_value_references
_UNSTABLE: dict[tuple[Any, type], bool] = {}
"""Whether a property of a class has a default that is made for each model."""


def remember() -> None:
    """Let Bokeh ask once; twice is as good as once."""
    PropertyDescriptor.has_unstable_default = _unstable  # type: ignore[method-assign]
    HasProps.themed_values = _themed_values  # type: ignore[method-assign]
    models.visit_immediate_value_references = _visit_set


def _unstable(self: PropertyDescriptor[Any], obj: Any) -> bool:  # noqa: ANN401
    key = self, obj if isinstance(obj, type) else type(obj)
    known = _UNSTABLE.get(key)
    if known is None:
        known = _UNSTABLE[key] = _has_unstable_default(self, obj)
    return known


def _themed_values(self: HasProps) -> dict[str, Any] | None:
    values: dict[str, Any] | None = vars(self).get("__themed_values__")
    return values


def _visit_set(value: Any, visitor: Callable[[Any], None]) -> None:  # noqa: ANN401
    """Visit the models that a model leads to: a default that is shared by all is none."""
    if not isinstance(value, HasProps):
        _visit(value, visitor)
        return
    given, made, themed = (
        value._property_values,
        value._unstable_default_values,
        value._unstable_themed_values,
    )
    for name in value.properties_with_refs():
        for values in (given, themed, made):
            if name in values:
                models.visit_value_and_its_immediate_references(values[name], visitor)
                break
