"""The archive of everything that the browser imports, and imports from it."""

import ctypes
import io
import json
import marshal
import re
import sys
import zipfile
from hashlib import sha256
from importlib.resources import files
from importlib.util import MAGIC_NUMBER

import pytest

from flockwasm import bundle
from flockwasm.archives import compiled, indexed, stored, unzipped
from flockwasm.inside.packed import Absent, Archive, expect
from flockwasm.official import repacked_numpy, repacked_stdlib

pytestmark = pytest.mark.slow


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


def test_the_standard_library_is_compiled_without_what_has_no_use_on_a_page():
    given = stored({"json/__init__.py": b"x = 1", "turtle.py": b"", "data.txt": b"text"})
    made = unzipped(repacked_stdlib(given))
    assert set(made) == {"json/__init__.pyc", "data.txt"}
    assert made["json/__init__.pyc"].startswith(MAGIC_NUMBER)


def test_numpy_keeps_what_runs_and_its_help_texts_go():
    added = "numpy/_core/_add_newdocs.py"
    given = stored({"numpy/a.py": b"x = 1", added: b"x = 1", "numpy/b.so": b"", "numpy/c.h": b""})
    made = unzipped(repacked_numpy(given))
    assert set(made) == {"index.json", "numpy/a.pyc", f"{added}c", "numpy/b.so"}
    assert "x" in marshal.loads(made["numpy/a.pyc"][16:]).co_names
    assert marshal.loads(made[f"{added}c"][16:]).co_names == ()


@pytest.fixture
def packed(tmp_path, monkeypatch):
    members = {
        "onlyhere/__init__.py": b"from onlyhere.plain.part import answer",
        "onlyhere/plain/part.py": b"answer = 42",
        "onlyhere/words.txt": b"some words",
    }
    data = indexed(compiled("onlyhere.zip", members))
    monkeypatch.setattr(sys, "meta_path", [Archive(data, tmp_path), *sys.meta_path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("onlyhere")]:
        del sys.modules[name]


def test_modules_come_from_the_archive_and_data_from_a_folder(packed):
    import onlyhere

    assert onlyhere.answer == 42
    assert onlyhere.__file__ == str(packed / "onlyhere" / "__init__.pyc")
    assert (files("onlyhere") / "words.txt").read_text() == "some words"


@pytest.fixture
def absent(packed, monkeypatch):
    """What is asked for, answered with what is put into the list."""
    answers = []

    def fetch():
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    expect(fetch)
    return answers


def test_the_first_import_fetches_what_is_absent_and_the_next_does_not(packed, absent):
    content = memoryview(b"an archive")
    right = [
        (str(packed / "late.zip"), sha256(content).hexdigest(), content),
        ("", sha256(b"a list").hexdigest(), b"a list"),
    ]
    absent.append(right)
    import onlyhere

    assert onlyhere.answer == 42
    assert (packed / "late.zip").read_bytes() == content
    assert not any(isinstance(finder, Absent) for finder in sys.meta_path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OSError("no network"), "onlyhere cannot be imported: no network"),
        ([("/late.zip", "0" * 64, b"x")], "onlyhere cannot be imported: late.zip is damaged"),
        ([("", "0" * 64, b"x")], "onlyhere cannot be imported: the list of packages is damaged"),
    ],
)
def test_an_import_that_cannot_have_it_fails_and_tries_again_next_time(
    packed, absent, answer, words
):
    absent += [answer, []]
    with pytest.raises(ImportError, match=re.escape(words)):
        import onlyhere
    import onlyhere

    assert onlyhere.answer == 42


def test_an_archive_that_let_its_memory_go_reads_from_a_file(tmp_path):
    members = {"alone.py": b"answer = 42", "words.txt": b"some words"}
    data = indexed(compiled("alone.zip", members))
    archive = Archive(data, tmp_path)
    address, size = archive.place
    assert ctypes.string_at(address, size) == data
    (tmp_path / "archive.zip").write_bytes(data)
    archive.let_go(str(tmp_path / "archive.zip"))
    assert archive.get_code("alone").co_filename == "alone.py"


def test_what_the_archive_lacks_is_looked_for_elsewhere(packed):
    with pytest.raises(ModuleNotFoundError, match=r"onlyhere\.nothing"):
        __import__("onlyhere.nothing")
