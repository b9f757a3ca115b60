"""How frames travel to the page: in few messages, and without waiting for each other.

Bokeh sends every array as two messages of its own. A frame of ours has dozens of arrays of a few
hundred numbers, and so many messages cost both sides more time than anything that is in them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.core.serialization import Serializer
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bokeh.document import Document

__all__ = ["INLINE_BYTES", "join_small_arrays", "send_at_once"]

INLINE_BYTES = 16_384
"""Largest array that goes within its message, in base64; larger ones are cheaper apart."""


def join_small_arrays() -> None:
    """Let Bokeh write small arrays into the message that they belong to; twice is as good as once.

    It holds for the process. Pages of others read the same values: only how they travel changes.
    """
    if np.ndarray not in Serializer._encoders:
        Serializer.register(np.ndarray, _encoded)


def _encoded(array: NDArray[Any], serializer: Serializer) -> Any:  # noqa: ANN401
    made: Any = serializer._encode_ndarray(array)
    data, apart = made["array"], serializer._buffers
    if array.nbytes <= INLINE_BYTES and apart and isinstance(data, dict):
        data["data"] = apart.pop().to_base64()
    return made


def send_at_once(doc: "Document") -> None:
    """Send what is written to a served page at once.

    A frame is several small packets. By default the second is held back until the other side has
    said that the first has come, for which it takes its time: 40 ms on Linux.
    """
    context = doc.session_context
    session = getattr(context, "session", None)
    for connection in getattr(session, "_subscribed_connections", ()):
        connection._socket.set_nodelay(True)
