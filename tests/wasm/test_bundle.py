"""The archive of everything that the browser imports, and imports from it."""

import ctypes
import io
import json
import sys
import zipfile
from hashlib import sha256
from importlib.resources import files
from importlib.util import MAGIC_NUMBER

import pytest

from flockwasm import bundle
from flockwasm.inside.packed import Archive

pytestmark = pytest.mark.slow


def stored(members):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return written.getvalue()


@pytest.fixture(scope="module")
def ours():
    return bundle.bundle()


@pytest.fixture(scope="module")
def entries(ours):
    with zipfile.ZipFile(io.BytesIO(ours)) as archive:
        return {entry.filename: (entry, archive.read(entry)) for entry in archive.infolist()}


def test_the_archive_is_stored_and_holds_no_source_and_nothing_compiled_for_this_machine(entries):
    assert {entry.compress_type for entry, _ in entries.values()} == {zipfile.ZIP_STORED}
    assert not [name for name in entries if name.endswith((".py", ".so", ".pyd", ".dll"))]
    assert all(
        data.startswith(MAGIC_NUMBER) for name, (_, data) in entries.items() if name[-4:] == ".pyc"
    )


def test_the_archive_holds_what_runs_in_the_browser_and_not_what_builds_the_site(entries):
    assert "flockwasm/inside/worker.pyc" in entries
    assert "flockcore/scenarios/split-brain.toml" in entries
    assert "flockpit/assets/css/deck.css" in entries
    assert "flockwasm/site.pyc" not in entries
    assert "flockpit/cli.pyc" not in entries
    assert not [name for name in entries if name.startswith("panel/dist")]


def test_the_same_input_gives_the_same_bytes(ours):
    assert bundle.bundle() == ours


def test_the_lock_names_what_the_site_serves(ours):
    made = json.loads(bundle.lock(b"numpy", ours))
    assert made["packages"]["flockpit"]["sha256"] == sha256(ours).hexdigest()
    assert made["packages"]["numpy"]["sha256"] == sha256(b"numpy").hexdigest()
    assert made["packages"]["flockpit"]["depends"] == ["numpy"]
    assert made["info"]["version"] == "0.27.7"


def test_the_standard_library_is_compiled_and_stored():
    given = stored({"json/__init__.py": b"x = 1", "turtle.py": b"", "data.txt": b"text"})
    with zipfile.ZipFile(io.BytesIO(bundle.repacked_stdlib(given))) as archive:
        assert set(archive.namelist()) == {"json/__init__.pyc", "data.txt"}
        assert archive.read("json/__init__.pyc").startswith(MAGIC_NUMBER)


@pytest.fixture
def packed(tmp_path, monkeypatch):
    def code(text, name):
        return bundle.compiled(text.encode(), name)

    data = stored(
        {
            "onlyhere/__init__.pyc": code("from onlyhere.plain.part import answer", "a"),
            "onlyhere/plain/part.pyc": code("answer = 42", "b"),
            "onlyhere/words.txt": b"some words",
        }
    )
    monkeypatch.setattr(sys, "meta_path", [Archive(data, tmp_path), *sys.meta_path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("onlyhere")]:
        del sys.modules[name]


def test_modules_come_from_the_archive_and_data_from_a_folder(packed):
    import onlyhere

    assert onlyhere.answer == 42
    assert onlyhere.__file__ == str(packed / "onlyhere" / "__init__.pyc")
    assert (files("onlyhere") / "words.txt").read_text() == "some words"


def test_an_archive_that_let_its_memory_go_reads_from_a_file(tmp_path):
    code = bundle.compiled(b"answer = 42", "a")
    data = stored({"alone.pyc": code, "words.txt": b"some words"})
    archive = Archive(data, tmp_path)
    address, size = archive.place
    assert ctypes.string_at(address, size) == data
    (tmp_path / "archive.zip").write_bytes(data)
    archive.let_go(str(tmp_path / "archive.zip"))
    assert archive.get_code("alone").co_filename == "a"


def test_what_the_archive_lacks_is_looked_for_elsewhere(packed):
    with pytest.raises(ModuleNotFoundError, match=r"onlyhere\.nothing"):
        __import__("onlyhere.nothing")
