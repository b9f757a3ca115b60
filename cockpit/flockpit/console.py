"""What the commands share: reading text, writing it, and a progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from flockcore.errors import FlockError

__all__ = ["STANDARD", "progress", "read", "read_input", "show", "writable", "write"]

STANDARD = "-"
"""Name of the standard input or output in place of a file's."""
_PLAIN = str.maketrans({"█": "#", "→": ">", "−": "-", "…": "~", "—": "-", "≥": ">=", "≤": "<="})


def read(name: str) -> str:
    """Return the text of a file.

    Raises:
        FlockError: it is not text in UTF-8.
        OSError: there is no such file, or it cannot be read.
    """
    try:
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FlockError(f"{name} is not text in UTF-8: {error.reason}") from error


def read_input(name: str) -> str:
    """Return the text of a file, or of the standard input; raises as `read` does."""
    if name != STANDARD:
        return read(name)
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise FlockError(f"the standard input is not text in UTF-8: {error.reason}") from error


def write(name: str, text: str) -> None:
    """Write text to a file, or to the standard output."""
    if name == STANDARD:
        print(text)
    else:
        Path(name).write_text(text, encoding="utf-8")


def show(text: str, *, stream: TextIO) -> None:
    """Print text, in plainer signs where the stream's coding lacks one."""
    coding = stream.encoding or "utf-8"
    try:
        text.encode(coding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(coding, "replace").decode(coding)
    print(text, file=stream)


def writable(*names: str | None) -> None:
    """Say what cannot be written before the work, not after it.

    Raises:
        OSError: a file cannot be opened for writing.
    """
    for name in names:
        if name in (None, STANDARD):
            continue
        is_new = not Path(name).exists()
        Path(name).open("a", encoding="utf-8").close()
        if is_new:
            Path(name).unlink()


@contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """A progress bar, where there is a terminal to draw it on; told how much is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", leave=False) as bar:
        yield lambda done: bar.update(done - bar.n)
