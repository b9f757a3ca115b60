"""A Bokeh document whose other half is on a page: changes go out and come in as messages.

Panel's own link sends every change as a message of its own. Here everything that changes within
one turn of the loop, a whole frame, travels as one.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from bokeh.core.json_encoder import serialize_json
from bokeh.core.property.wrappers import PropertyValueSet
from bokeh.core.serialization import Buffer, Ref, Serialized, Serializer
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent, DocumentPatchedEvent
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model

__all__ = ["Joint", "written"]

_PAGE: Any = "page"
"""Who set what came from the page: it is not sent back."""

type Post = Callable[[str, Sequence[str], Sequence[bytes]], object]


def written(doc: Document) -> str:
    """Return a document as JSON, for a page that has nothing of it yet."""
    # The order in a set depends on the machine, and this is to be the same on each.
    Serializer._encoders[PropertyValueSet] = _encoded_set
    made = doc.to_json(deferred=False)
    # A page defines what is in the document; which classes there are besides tells of imports.
    used = {type(model).__qualified_model__ for model in doc.models}
    made["defs"] = [one for one in made.get("defs", []) if one["name"] in used]
    doc.models.flush_synced()
    return serialize_json(made)


def _encoded_set(values: set[str], serializer: Serializer) -> Any:  # noqa: ANN401
    return {"type": "set", "entries": serializer._encode_list(sorted(values))}


class _Writer(Serializer):
    """Writes models that the page has as their ids, without a list of all of them for each patch.

    Args:
        models: of the document.
    """

    def __init__(self, models: DocumentModelManager) -> None:
        super().__init__()
        self._models = models

    def get_ref(self, obj: Any) -> Ref | None:  # noqa: ANN401
        ref = super().get_ref(obj)
        if ref is None and isinstance(obj, Model) and self._has(obj):
            return obj.ref
        return ref

    def _has(self, model: Model) -> bool:
        models = self._models
        return models.get_by_id(model.id) is model and model not in models._new_models


class Joint:
    """Keeps a document and its half on the page the same, once the page has it.

    Args:
        doc: the document.
        post: sends a patch: its JSON, and names and contents of the arrays that go beside it.
        part: called with the reason when a patch cannot be written: the page lacks something from
            then on, so the two have to part.
    """

    def __init__(self, doc: Document, post: Post, part: Callable[[Exception], object]) -> None:
        self._doc = doc
        self._post = post
        self._part = part
        self._events: list[DocumentPatchedEvent] = []
        doc.on_change(self._changed)
        doc.unhold()

    def receive(self, patch: str, arrays: Sequence[bytes] = ()) -> None:
        """Take a patch from the page.

        Args:
            patch: its JSON, in which arrays are named `page-0` and so on.
            arrays: their contents, in order.
        """
        buffers = [Buffer(id=ID(f"page-{at}"), data=data) for at, data in enumerate(arrays)]
        content = json.loads(patch)
        self._doc.apply_json_patch(Serialized(content=content, buffers=buffers), setter=_PAGE)

    def _changed(self, event: DocumentChangedEvent) -> None:
        if not isinstance(event, DocumentPatchedEvent) or event.setter == _PAGE:
            return
        if not self._events:
            asyncio.get_running_loop().call_soon(self._flush)
        self._events.append(event)

    def _flush(self) -> None:
        events, self._events = self._events, []
        serializer = _Writer(self._doc.models)
        try:
            content = {"events": serializer.encode(events)}
        except Exception as error:
            self._part(error)
            return
        self._doc.models.flush_synced(lambda model: not serializer.has_ref(model))
        buffers = serializer.buffers
        text = serialize_json(Serialized(content, buffers))
        names: list[str] = [buffer.id for buffer in buffers]
        parts: list[Any] = [buffer.to_bytes() for buffer in buffers]
        self._post(text, names, parts)
