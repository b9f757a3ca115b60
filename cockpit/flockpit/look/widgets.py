"""Panel components in the cockpit's clothes: one factory for each kind that is used."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import panel as pn
import param
from panel.theme.base import Design

from flockpit.look.assets import icon, sheet

__all__ = [
    "Plain",
    "box",
    "button",
    "field",
    "html",
    "menu",
    "range_slider",
    "rename",
    "segments",
    "slider",
    "words",
]


class Plain(Design):
    """Panel's design with nothing in it: what the cockpit looks like is in its own sheets."""


class _Hinted(pn.widgets.Widget):
    """A widget that says what it does while the pointer rests on it."""

    hint = param.String(default="", doc="The sentence; it becomes the element's `title`.")

    _rename = {"hint": None}  # noqa: RUF012 - Panel's own declaration

    def _init_params(self) -> dict[str, Any]:
        return {**super()._init_params(), "hint": self.hint}

    def _process_param_change(self, params: dict[str, Any]) -> dict[str, Any]:
        properties = super()._process_param_change(params)
        if "hint" in params:
            properties["html_attributes"] = {"title": params["hint"]} if params["hint"] else {}
        return properties


class _Words(pn.pane.HTML):
    """HTML of which nothing but the words ever changes: Panel would work out all else anew."""

    def _update(self, ref: str, model: Any) -> None:  # noqa: ANN401
        del ref
        model.text = escape(self.object or "")

    def _sync_layoutable(self, *events: object) -> None:
        """Leave alone the row that Panel makes for every pane: none of ours is shown in it."""


class _Button(_Hinted, pn.widgets.Button):  # type: ignore[misc]
    pass


class _Segments(_Hinted, pn.widgets.RadioButtonGroup):  # type: ignore[misc]
    pass


class _Slider(_Hinted, pn.widgets.FloatSlider):  # type: ignore[misc]
    pass


class _RangeSlider(_Hinted, pn.widgets.RangeSlider):  # type: ignore[misc]
    pass


class _Menu(_Hinted, pn.widgets.Select):  # type: ignore[misc]
    pass


class _Field(_Hinted, pn.widgets.TextInput):
    pass


def _params(sheet_name: str, classes: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "margin": 0,
        "css_classes": list(classes),
        "stylesheets": [sheet(sheet_name)],
        "sizing_mode": None,
        **more,
    }


def box(*children: Any, classes: Sequence[str], **more: Any) -> pn.Column:  # noqa: ANN401
    """Return a container whose classes say in `deck.css` how its children are laid out."""
    return pn.Column(*children, **_params("deck", classes, more))


def html(text: str = "", *, classes: Sequence[str] = (), **more: Any) -> pn.pane.HTML:  # noqa: ANN401
    """Return a pane of HTML; what comes from outside must be escaped by the caller."""
    return _Words(text, **_params("panes", ("pane", *classes), more))


def button(
    label: str,
    press: Callable[[], object],
    *,
    classes: Sequence[str] = (),
    symbol: str | None = None,
    hint: str = "",
    **more: Any,  # noqa: ANN401
) -> pn.widgets.Button:
    """Return a button.

    Args:
        label: what is on it; for an icon's button, its name for those who cannot see it.
        press: called at each press.
        classes: primary, quiet, small, icon.
        symbol: name of an icon.
        hint: what it does, shown while the pointer rests on it.
        more: further Panel parameters.
    """
    widget = _Button(
        label=label,
        hint=hint,
        icon=icon(symbol) if symbol else None,
        icon_size="16px",
        **_params("controls", ("button", *classes), more),
    )

    def pressed(_event: object) -> None:
        press()

    widget.on_click(pressed)
    return widget


def rename(widget: pn.widgets.Button, label: str) -> None:
    """Give a button another label, unless it has it already."""
    if widget.label != label:
        widget.label = label


def segments(
    options: Sequence[str] | Mapping[str, Any],
    value: Any,  # noqa: ANN401
    *,
    label: str,
    classes: Sequence[str] = (),
    **more: Any,  # noqa: ANN401
) -> pn.widgets.RadioButtonGroup:
    """Return a row of buttons of which one holds."""
    return _Segments(
        label=label,
        options=dict(options) if isinstance(options, Mapping) else list(options),
        value=value,
        **_params("controls", ("segments", *classes), more),
    )


def slider(
    label: str,
    *,
    start: float,
    end: float,
    step: float,
    value: float,
    classes: Sequence[str] = (),
    **more: Any,  # noqa: ANN401
) -> pn.widgets.FloatSlider:
    """Return a slider without words; its row says what it does and where it stands."""
    return _Slider(
        label=label,
        start=start,
        end=end,
        step=step,
        value=value,
        show_value=False,
        **_params("controls", ("slider", *classes), more),
    )


def range_slider(
    label: str,
    *,
    start: float,
    end: float,
    step: float,
    value: tuple[float, float],
    **more: Any,  # noqa: ANN401
) -> pn.widgets.RangeSlider:
    """Return a slider with two handles, like `slider` otherwise."""
    return _RangeSlider(
        label=label,
        start=start,
        end=end,
        step=step,
        value=value,
        show_value=False,
        **_params("controls", ("slider",), more),
    )


def menu(
    options: Mapping[str, Any],
    value: Any,  # noqa: ANN401
    *,
    label: str = "",
    classes: Sequence[str] = (),
    **more: Any,  # noqa: ANN401
) -> pn.widgets.Select:
    """Return a menu of named values; `label` stands before it."""
    return _Menu(
        label=label,
        options=dict(options),
        value=value,
        **_params("controls", ("menu", *classes), more),
    )


def field(
    label: str,
    value: str,
    *,
    classes: Sequence[str] = (),
    **more: Any,  # noqa: ANN401
) -> pn.widgets.TextInput:
    """Return a one-line text field; `label` stands before it."""
    return _Field(label=label, value=value, **_params("controls", ("field", *classes), more))


def words(text: object) -> str:
    """Return text made safe for HTML."""
    return escape(str(text), quote=True)
