"""A Bokeh document whose other half is on a page: changes go out and come in as messages.

Panel's own link sends every change as a message of its own. Here everything that changes within
one turn of the loop, a whole frame, travels as one.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Buffer, Serialized, Serializer
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent, DocumentPatchedEvent

__all__ = ["Joint", "written"]

_PAGE: Any = "page"
"""Who set what came from the page: it is not sent back."""

type Post = Callable[[str, Sequence[str], Sequence[bytes]], object]


def written(doc: Document) -> str:
    """Return a document as JSON, for a page that has nothing of it yet."""
    made = serialize_json(doc.to_json(deferred=False))
    doc.models.flush_synced()
    return made


class Joint:
    """Keeps a document and its half on the page the same, once the page has it.

    Args:
        doc: the document.
        post: sends a patch: its JSON, and names and contents of the arrays that go beside it.
    """

    def __init__(self, doc: Document, post: Post) -> None:
        self._doc = doc
        self._post = post
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
        serializer = Serializer(references=self._doc.models.synced_references)
        content = {"events": serializer.encode(events)}
        self._doc.models.flush_synced(lambda model: not serializer.has_ref(model))
        buffers = serializer.buffers
        text = serialize_json(Serialized(content, buffers))
        names: list[str] = [buffer.id for buffer in buffers]
        parts: list[Any] = [buffer.to_bytes() for buffer in buffers]
        self._post(text, names, parts)
