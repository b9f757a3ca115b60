"""Building and byte-compiling, by the tools that are meant for it."""

import marshal
import sys
from importlib.util import MAGIC_NUMBER

import pytest

from flockwasm.archives import built_wheel, compiled, stored, unzipped
from flockwasm.errors import SiteError

pytestmark = pytest.mark.slow

MODULE = b'"""A docstring."""\nassert one\n'
WHEEL = "some_thing-1.0-py3-none-any.whl"

PROJECT = """
[build-system]
requires = ["{backend}"]
build-backend = "hatchling.build"

[project]
name = "some-thing"
version = "1.0"
requires-python = ">=3.12"
"""


def code(members, name):
    return marshal.loads(members[name][16:])


@pytest.mark.parametrize("archive", ["some.zip", WHEEL])
def test_modules_become_byte_code_and_all_else_stays(archive):
    made = compiled(archive, {"a/b.py": MODULE, "a/c.txt": b"text"})
    assert list(made) == ["a/b.pyc", "a/c.txt"]
    assert made["a/c.txt"] == b"text"
    assert made["a/b.pyc"].startswith(MAGIC_NUMBER)
    assert code(made, "a/b.pyc").co_filename == "a/b.py"


def test_byte_code_tells_of_no_time_and_of_no_source(monkeypatch):
    made = compiled("some.zip", {"a.py": MODULE})
    assert made["a.pyc"][4:16] == bytes([1, *bytes(11)])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    assert compiled("some.zip", {"a.py": MODULE}) == made


def test_docstrings_and_assertions_go_on_demand():
    with_docs = code(compiled("some.zip", {"a.py": MODULE}), "a.pyc")
    without = code(compiled("some.zip", {"a.py": MODULE}, docs=False), "a.pyc")
    assert "A docstring." in with_docs.co_consts
    assert "one" in with_docs.co_names
    assert "A docstring." not in without.co_consts
    assert "one" not in without.co_names


def test_a_module_that_is_none_is_told_of_by_its_archive():
    with pytest.raises(SiteError, match=r"(?s)cannot compile some\.zip.*SyntaxError"):
        compiled("some.zip", {"a.py": b"one two"})


def test_another_python_does_not_build_the_site(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(SiteError, match=r"by Python 3\.12"):
        compiled("some.zip", {})


def test_a_stored_archive_gives_back_what_went_in():
    members = {"b": b"2", "a/c": b"1"}
    assert unzipped(stored(members)) == members
    assert list(unzipped(stored(members))) == ["a/c", "b"]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "some_thing").mkdir()
    (tmp_path / "some_thing" / "__init__.py").write_bytes(MODULE)
    return tmp_path


def test_a_wheel_is_built_with_what_is_installed(project):
    (project / "pyproject.toml").write_text(PROJECT.format(backend="hatchling"))
    name, members = built_wheel(project)
    assert name == WHEEL
    assert members["some_thing/__init__.py"] == MODULE


def test_a_wheel_that_cannot_be_built_is_told_of_with_the_reason(project):
    (project / "pyproject.toml").write_text(PROJECT.format(backend="not-installed-anywhere"))
    with pytest.raises(SiteError, match=r"(?s)cannot build the wheel.*not-installed-anywhere"):
        built_wheel(project)
