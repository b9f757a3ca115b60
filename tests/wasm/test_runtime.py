"""Fetching the pinned runtime: sources in order, every byte checked, no network."""

from hashlib import sha256

import pytest

from flockwasm.errors import SiteError
from flockwasm.runtime import RUNTIME, Folder, Pin, cache_folder, fetch

ONE, TWO = b"one file", b"another file"


def pin_of(name, data):
    return Pin(name, len(data), sha256(data).hexdigest())


PINS = (pin_of("one.wasm", ONE), pin_of("two.zip", TWO))


class Remote:
    """A source that is asked for files; what it was asked for is kept."""

    name = "a remote source"

    def __init__(self, files, error=None):
        self.files = files
        self.error = error
        self.asked = []

    def read(self, pins, advance):
        self.asked.append([pin.name for pin in pins])
        for pin in pins:
            if pin.name in self.files:
                advance(len(self.files[pin.name]))
                yield pin, self.files[pin.name]
        if self.error:
            raise self.error


def get(tmp_path, *sources, folder=None):
    return fetch(PINS, folder=folder, cache=tmp_path / "cache", others=sources, quiet=True)


def test_files_come_from_the_folder_that_is_named(tmp_path):
    (tmp_path / "one.wasm").write_bytes(ONE)
    (tmp_path / "two.zip").write_bytes(TWO)
    remote = Remote({})
    assert get(tmp_path, remote, folder=tmp_path) == {"one.wasm": ONE, "two.zip": TWO}
    assert remote.asked == []


def test_what_the_folder_lacks_comes_from_elsewhere(tmp_path):
    (tmp_path / "one.wasm").write_bytes(ONE)
    remote = Remote({"two.zip": TWO})
    assert get(tmp_path, remote, folder=tmp_path)["two.zip"] == TWO
    assert remote.asked == [["two.zip"]]


def test_a_wrong_file_in_the_named_folder_stops_the_build(tmp_path):
    (tmp_path / "one.wasm").write_bytes(ONE[::-1])
    with pytest.raises(SiteError, match=r"one\.wasm is not Pyodide.*has SHA-256"):
        get(tmp_path, Remote({"one.wasm": ONE, "two.zip": TWO}), folder=tmp_path)


def test_what_was_fetched_is_kept_and_not_fetched_again(tmp_path):
    remote = Remote({"one.wasm": ONE, "two.zip": TWO})
    get(tmp_path, remote)
    assert get(tmp_path, remote) == {"one.wasm": ONE, "two.zip": TWO}
    assert len(remote.asked) == 1


def test_a_damaged_cache_is_fetched_anew(tmp_path):
    remote = Remote({"one.wasm": ONE, "two.zip": TWO})
    get(tmp_path, remote)
    (tmp_path / "cache" / "two.zip").write_bytes(b"cut")
    assert get(tmp_path, remote)["two.zip"] == TWO
    assert remote.asked[1:] == [["two.zip"]]


def test_a_source_that_does_not_answer_gives_way_to_the_next(tmp_path):
    silent = Remote({"one.wasm": ONE}, OSError("no route"))
    whole = Remote({"one.wasm": ONE, "two.zip": TWO})
    assert get(tmp_path, silent, whole)["two.zip"] == TWO
    assert whole.asked == [["two.zip"]]


def test_a_source_with_wrong_bytes_gives_way_to_the_next(tmp_path):
    wrong = Remote({"one.wasm": b"x" * len(ONE), "two.zip": TWO})
    assert get(tmp_path, wrong, Remote({"one.wasm": ONE}))["one.wasm"] == ONE


def test_a_missing_file_is_named_with_all_that_was_tried(tmp_path):
    sources = Remote({"one.wasm": ONE, "two.zip": b"short"}), Remote({}, OSError("no route"))
    with pytest.raises(SiteError) as caught:
        get(tmp_path, *sources)
    said = str(caught.value)
    assert said.startswith("two.zip (12 bytes)")
    assert "has 5 bytes, not 12" in said
    assert "does not answer (no route)" in said
    assert "--runtime FOLDER" in said


def test_the_cache_is_where_the_environment_says(tmp_path):
    assert cache_folder({"FLOCKPIT_CACHE": str(tmp_path)}).parent == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}).parent == tmp_path / "flockpit"


def test_every_pin_is_whole():
    assert len({pin.name for pin in RUNTIME.files}) == len(RUNTIME.files)
    assert all(len(pin.digest) == 64 and pin.size > 0 for pin in RUNTIME.files)


def test_a_folder_that_does_not_exist_has_nothing(tmp_path):
    assert list(Folder(tmp_path / "none").read(PINS, lambda _: None)) == []
