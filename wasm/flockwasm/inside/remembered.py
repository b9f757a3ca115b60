"""Answers that Bokeh works out anew for every property of every model, and that never change.

Eight hundred models have forty thousand properties, nearly all of them at their default. In the
browser it takes seconds to ask each of them whether its default may change, what that is and
whether it is allowed, whether a theme says otherwise and which models it leads to. It leans on
Bokeh's internals: a test compares the document that comes of it with one made without.
"""

from collections.abc import Callable
from typing import Any

import bokeh.model.util as models
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.singletons import Intrinsic, Undefined
from bokeh.core.property.wrappers import PropertyValueDict, PropertyValueList, PropertyValueSet
from bokeh.settings import settings

__all__ = ["remember"]

_has_unstable_default = PropertyDescriptor.has_unstable_default
_instance_default = PropertyDescriptor.instance_default
_visit = models.visit_immediate_value_references
_UNSTABLE: dict[tuple[Any, type], bool] = {}
"""Whether a property of a class has a default that is made for each model."""
_MADE_ANEW: dict[type, list[tuple[str, PropertyDescriptor[Any]]]] = {}
"""Those of a class that have one."""
_MAKERS: dict[tuple[Any, type], Callable[[], Any]] = {}
"""What returns the default of a property of a class, once it was found to be allowed."""
_EMPTY = (PropertyValueDict, PropertyValueList, PropertyValueSet)
_CONSTANT = (bool, float, int, str, type(None))


def remember() -> None:
    """Let Bokeh ask once; twice is as good as once."""
    PropertyDescriptor.has_unstable_default = _unstable  # type: ignore[method-assign]
    PropertyDescriptor.instance_default = _default  # type: ignore[method-assign]
    HasProps.__init__ = _initialize  # type: ignore[method-assign,assignment]
    HasProps.themed_values = _themed_values  # type: ignore[method-assign]
    models.visit_immediate_value_references = _visit_set
    # Whether a callback takes as many arguments as it is given is known.
    settings.perform_error_diagnostics = False


def _unstable(self: PropertyDescriptor[Any], obj: Any) -> bool:  # noqa: ANN401
    key = self, obj if isinstance(obj, type) else type(obj)
    known = _UNSTABLE.get(key)
    if known is None:
        known = _UNSTABLE[key] = _has_unstable_default(self, obj)
    return known


def _initialize(self: HasProps, **properties: Any) -> None:  # noqa: ANN401
    super(HasProps, self).__init__()
    self._property_values = {}
    self._unstable_default_values = {}
    self._unstable_themed_values = {}
    for name, value in properties.items():
        if value is not Undefined and value is not Intrinsic:
            setattr(self, name, value)
    cls = type(self)
    made = _MADE_ANEW.get(cls)
    if made is None:
        found = [(name, cls.lookup(name)) for name in cls.properties(_with_props=True)]
        made = _MADE_ANEW[cls] = [one for one in found if one[1].has_unstable_default(self)]
    for name, descriptor in made:
        if name not in properties:
            descriptor._get(self)
    self._initialized = True


def _default(self: PropertyDescriptor[Any], obj: HasProps) -> Any:  # noqa: ANN401
    if obj.themed_values() is not None:
        return _instance_default(self, obj)
    key = self, type(obj)
    make = _MAKERS.get(key)
    if make is not None:
        return make()
    value = _instance_default(self, obj)
    kind = type(value)
    if isinstance(value, HasProps):
        made = type(obj)._overridden_defaults().get(self.name, self.property._default)
        if callable(made):
            _MAKERS[key] = made
    elif kind in _EMPTY and not value:
        _MAKERS[key] = kind
    elif kind in _CONSTANT and not self.has_unstable_default(obj):
        _MAKERS[key] = lambda: value
    return value


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
