"""Which Chromium the browser tests take, with stand-ins for the executables."""

import os
import stat

import pytest

from ui import find_chromium
from ui.find_chromium import NoChromiumError


def executable(folder, name, body="echo Stand-in 1.0"):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A path on which nothing is, no variable, and a Playwright that has downloaded nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FLOCKPIT_CHROMIUM", raising=False)
    monkeypatch.setattr(find_chromium, "downloaded", lambda: None)
    return tmp_path


def test_the_variable_comes_first(folder, monkeypatch):
    executable(folder, "chromium")
    mine = executable(folder, "mine", "echo Mine 2.0")
    monkeypatch.setenv("FLOCKPIT_CHROMIUM", mine)
    found = find_chromium.find()
    assert (found.path, found.version, found.source) == (mine, "Mine 2.0", "$FLOCKPIT_CHROMIUM")


def test_the_variable_may_be_a_name_on_the_path(folder, monkeypatch):
    mine = executable(folder, "mine")
    monkeypatch.setenv("FLOCKPIT_CHROMIUM", "mine")
    assert find_chromium.find().path == mine


def test_a_variable_that_names_nothing_is_an_error_not_a_search(folder, monkeypatch):
    executable(folder, "chromium")
    monkeypatch.setenv("FLOCKPIT_CHROMIUM", str(folder / "gone"))
    with pytest.raises(NoChromiumError, match="gone does not start"):
        find_chromium.find()


@pytest.mark.parametrize("name", find_chromium.NAMES)
def test_each_name_is_found_on_the_path(folder, name):
    path = executable(folder, name)
    assert find_chromium.find().path == path


def test_one_that_does_not_start_is_passed_over(folder):
    executable(folder, "chromium", "echo missing library >&2; exit 127")
    whole = executable(folder, "google-chrome")
    assert find_chromium.find().path == whole


def test_playwrights_download_comes_before_the_package_manager(folder, monkeypatch):
    path = executable(folder, "downloaded")
    monkeypatch.setattr(
        find_chromium, "download", lambda: find_chromium.check(path, "Playwright's download")
    )
    assert find_chromium.find_or_install().source == "Playwright's download"


def test_the_package_manager_comes_last(folder, monkeypatch):
    executable(folder, "apt-get", f'[ "$1" = update ] || echo "$@" > {folder}/asked')
    monkeypatch.setattr(find_chromium, "download", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(NoChromiumError):
        find_chromium.find_or_install()
    assert (folder / "asked").read_text().split()[-3:] == list(find_chromium.PACKAGES)

    executable(folder, "chromium")
    assert find_chromium.from_system().source == "the system's package manager"


def test_without_root_the_package_manager_is_left_alone(folder, monkeypatch, capsys):
    executable(folder, "apt-get", f"touch {folder}/asked")
    monkeypatch.setattr(find_chromium, "download", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_chromium.main(["--install"]) == 1
    assert not (folder / "asked").exists()
    assert "set FLOCKPIT_CHROMIUM" in capsys.readouterr().err


def test_a_command_that_is_not_there_has_failed(folder):
    assert not find_chromium.succeeds([str(folder / "gone")])
    assert find_chromium.answer([str(folder / "gone")]) == ""


def test_it_says_which_it_took(folder, capsys):
    path = executable(folder, "chromium")
    assert find_chromium.main([]) == 0
    assert capsys.readouterr().out == (f"browser: Stand-in 1.0, {path} (installed, on the path)\n")


def test_finding_alone_installs_nothing(folder, capsys):
    assert find_chromium.main([]) == 1
    assert "--install" in capsys.readouterr().err
