"""The command on the data that comes with it, on odd input, and on what it must refuse."""

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from flockcore.hodge.projection import Projector
from flockcore.hodge.solver import SolverOptions
from flockcore.hodge.table import Meaning, read_csv
from flockpit import cli
from flockpit.flows import analysis as analysing
from flockpit.flows import command
from flockpit.flows.analysis import PARTS, analyse
from flockpit.packaged import asset

CONFLICT = "from,to,value\na,b,1\nb,c,1\nc,a,1\nc,d,2\n"
SVG = "{http://www.w3.org/2000/svg}"


def run(capsys, *argv):
    code = cli.main(["curl", *map(str, argv)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *argv):
    try:
        code = cli.main(["curl", *map(str, argv)])
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


@pytest.fixture
def conflict(tmp_path):
    path = tmp_path / "conflict.csv"
    path.write_text(CONFLICT)
    return path


@pytest.fixture(scope="module")
def example():
    return asset("data/world-cup-2014.csv").read_text("utf-8")


# ------------------------------------------------------------------ the data set


def test_the_data_set_is_the_tournament(example):
    rows = list(csv.DictReader(io.StringIO(example)))
    assert len(rows) == 64
    assert len({row[side] for row in rows for side in ("left", "right")}) == 32
    goals = [int(row["left_goals"]) + int(row["right_goals"]) for row in rows]
    assert sum(goals) == 171
    assert sum(goals[:48]) == 136
    for row in rows:
        assert int(row["margin"]) == int(row["right_goals"]) - int(row["left_goals"])
    groups = [row["round"] for row in rows if row["round"].startswith("Group ")]
    assert sorted(groups) == [f"Group {one}" for one in "ABCDEFGH" for _ in range(6)]
    assert rows[-1]["round"] == "Final"
    assert {rows[-1]["left"], rows[-1]["right"]} == {"Germany", "Argentina"}


def test_its_parts_are_known(example):
    table = read_csv(example, meaning=Meaning.COMPARISON)
    found = analyse(table, name="it", meaning=Meaning.COMPARISON)
    # Eight groups of four are eight spheres, joined by 16 matches of which two close triangles.
    assert found.betti == (1, 7, 8)
    assert found.converged
    np.testing.assert_allclose(sum(found.parts.values()), table.flow, atol=1e-12)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(found.parts[PARTS[one]] @ found.parts[PARTS[other]]) < 1e-9
    names = [table.names[one] for one in found.ranking]
    assert names[0] == "Germany"
    corners, turn = found.triangle(found.worst_triangles[0])
    assert {table.names[one] for one in corners} == {"Spain", "Netherlands", "Australia"}
    assert turn == pytest.approx(6)
    dense = np.zeros((64, 32))
    dense[np.arange(64), table.complex.edges[:, 0]] = -1
    dense[np.arange(64), table.complex.edges[:, 1]] = 1
    twin = np.linalg.lstsq(dense, table.flow, rcond=None)[0]
    np.testing.assert_allclose(found.potential, twin - twin.mean(), atol=1e-10)


def test_the_example_is_told(capsys):
    code, out, err = run(capsys, "--example")
    assert (code, err) == (0, "")
    for words in (
        "64 rows read as comparisons; 32 names, 64 edges, 34 triangles",
        "Betti numbers: 1 piece, 7 holes, 8 voids",
        "gradient  68.5 %",
        "curl      25.0 %",
        "harmonic   6.5 %",
        "   1  Germany",
        "… and 54 more (--top 0 prints all)",
    ):
        assert words in out


def test_the_readme_shows_what_is_told(capsys):
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    command, _, shown = readme.partition("    $ flockpit curl ")[2].partition("\n")
    lines = [line[4:] for line in shown.partition("\n![")[0].rstrip().split("\n")]
    _, out, _ = run(capsys, *command.split())
    # A residual of rounding has other digits on another machine.
    told = [line.partition(", relative residual")[0] for line in out.rstrip().split("\n")]
    assert [line.partition(", relative residual")[0] for line in lines] == told


def test_all_rows_are_told_when_asked_for(capsys):
    _, out, _ = run(capsys, "--example", "--top", "0")
    assert "more" not in out
    assert out.count(" → ") == 64 + 3 * 27


# ------------------------------------------------------------------ reading and writing


def test_json_holds_everything_and_is_read_again(capsys, conflict, tmp_path):
    written = tmp_path / "parts.json"
    assert run(capsys, conflict, "--json", written)[0] == 0
    found = json.loads(written.read_text())
    assert found["format"] == "flockpit-curl/1"
    assert found["nodes"] == ["a", "b", "c", "d"]
    assert found["betti"] == [1, 0, 0]
    assert found["converged"]
    assert found["triangles"] == [{"nodes": ["a", "b", "c"], "curl": 3.0}]
    for edge in found["edges"]:
        assert sum(edge[part] for part in PARTS) == pytest.approx(edge["value"])
    code, out, _ = run(capsys, written)
    assert code == 0
    assert "4 rows read as a flow; 4 names, 4 edges, 1 triangle" in out


def test_input_and_output_may_be_the_standard_ones(capsys, monkeypatch):
    for text in (CONFLICT, '[["a", "b", 1], ["b", "c", 1], ["c", "a", 1], ["c", "d", 2]]'):
        monkeypatch.setattr(sys.stdin, "read", lambda text=text: text)
        code, out, err = run(capsys, "-", "--json", "-")
        assert code == 0
        assert len(json.loads(out)["edges"]) == 4
        assert "standard input: 4 rows" in err


@pytest.mark.parametrize("meaning", ["flow", "comparison", "win"])
def test_a_row_means_what_is_said(capsys, tmp_path, meaning):
    path = tmp_path / "games.csv"
    path.write_text("loser,winner\nb,a\nc,b\n" if meaning == "win" else "from,to,value\nb,a,1\n")
    code, out, _ = run(capsys, path, "--meaning", meaning)
    assert code == 0
    assert "   1  a" in out


def test_pieces_are_ranked_apart(capsys, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("a,b,1\nx,y,5\n")
    _, out, _ = run(capsys, path)
    assert "Betti numbers: 2 pieces" in out
    assert "cannot be compared" in out
    assert out.count("\n   1  ") == 2


def test_a_picture_is_well_formed_and_tells_each_arrow(capsys, conflict, tmp_path):
    drawn = tmp_path / "parts.svg"
    assert run(capsys, conflict, "--plot", drawn)[0] == 0
    root = ET.parse(drawn).getroot()
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert "a → b: curl 1, value 1" in titles
    assert "a → b → c → a: 3" in titles
    assert "c → d: gradient 2, value 2" in titles
    page = tmp_path / "parts.html"
    assert run(capsys, conflict, "--plot", page)[0] == 0
    assert "<svg" in page.read_text("utf-8")


def test_names_steer_neither_terminal_nor_picture(capsys, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("\x1b[31mred,<b>&,1\n<b>&,日本日本日本日本日本日本日本,2\n", "utf-8")
    drawn = tmp_path / "odd.svg"
    _, out, _ = run(capsys, path, "--plot", drawn)
    assert "\x1b" not in out
    ET.parse(drawn)
    assert "\x1b" not in drawn.read_text("utf-8")


def test_a_terminal_of_few_characters_gets_those(monkeypatch, conflict):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.main(["curl", str(conflict)]) == 0
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")
    assert "a > b > c > a" in text
    assert "####" in text


def test_a_terminal_sees_a_progress_bar(capsys, monkeypatch, conflict):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, err = run(capsys, conflict)
    assert "stages" in err


@pytest.mark.parametrize("value", ["1e300", "1e-300", "0", "-5e-324"])
def test_the_size_of_values_does_not_matter(capsys, tmp_path, value):
    path = tmp_path / "size.csv"
    path.write_text(CONFLICT.replace(",1\n", f",{value}\n").replace(",2\n", f",{value}\n"))
    code, out, _ = run(capsys, path, "--plot", tmp_path / "size.svg")
    assert code == 0
    assert "nan" not in out


def test_what_did_not_converge_is_said(capsys, monkeypatch, tmp_path):
    # Chains of triangles, too many for the coarsest level to be solved at once.
    rows = [f"{one},{one + step},{np.sin(one * step)}" for one in range(3000) for step in (1, 2)]
    path = tmp_path / "strip.csv"
    path.write_text("\n".join(rows))
    monkeypatch.setattr(
        analysing,
        "Projector",
        lambda complex_, options: Projector(complex_, options=SolverOptions(limit=1)),
    )
    code, out, _ = run(capsys, path)
    assert code == 1
    assert "NOT CONVERGED, 1 iteration" in out
    assert "an approach to them" in out


def test_holes_too_many_to_count_are_said(capsys, monkeypatch):
    monkeypatch.setattr(analysing, "_MOST_COUNTED", -1)
    _, out, _ = run(capsys, "--example")
    assert "1 piece, too many possible holes to count them" in out


@pytest.mark.slow
def test_of_a_large_flow_a_part_is_drawn(capsys, tmp_path):
    rows = [f"{one},{one + step},{np.sin(one * step)}" for one in range(2000) for step in (1, 2, 5)]
    path = tmp_path / "large.csv"
    path.write_text("\n".join(rows))
    drawn = tmp_path / "large.svg"
    assert run(capsys, path, "--plot", drawn)[0] == 0
    text = drawn.read_text("utf-8")
    assert "drawn are 100 names around the most inconsistent triangle" in text
    assert len(text) < 500_000


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,nan\n", "line 1: the value is 'nan'; a finite number"),
        ("a,b,1\nb,c,inf\n", "line 2: the value is 'inf'; a finite number"),
        ("a,b,1\nb,b,1\n", 'line 2 joins "b" with itself'),
        ("a,b,1\nb,a,1\n", "line 2 joins"),
        ("a,b,much\n", "line 1: the value is 'much'; a number"),
        ("a,b,1\na,,1\n", "line 2 names ''"),
        ("a,b,1\nb,c,1,5\n", "line 2 has 4 columns"),
        ("", "there is no row with values"),
        ('{"nodes": ["a"], "edges": [["a", "b", 1]]}', 'row 1 names "b"'),
        ("[[1, 2", "JSON is needed"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(capsys, tmp_path, text, words):
    path, kept, new = (tmp_path / name for name in ("bad.txt", "kept.json", "new.svg"))
    path.write_text(text)
    kept.write_text("an earlier result")
    message = refused(capsys, path, "--json", kept, "--plot", new)
    assert words in message
    assert str(path) in message
    assert kept.read_text() == "an earlier result"
    assert not new.exists()
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "one FILE, or --example"),
        (["a.csv", "--example"], "one FILE, or --example"),
        (["nowhere.csv"], "nowhere.csv: No such file"),
        (["--example", "--top", "-1"], "--top -1"),
        (["--example", "--plot", "x.png"], "ends in .svg or .html"),
        (["--example", "--json", "/no/such/folder/x.json"], "/no/such/folder/x.json"),
        (["--example", "--meaning", "noise"], "--meaning"),
        (["--example", "--json", "x.svg", "--plot", "x.svg"], "name the same file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(capsys, argv, words):
    assert words in refused(capsys, *argv)


def test_the_input_is_never_overwritten(capsys, conflict):
    assert "name the same file" in refused(capsys, conflict, "--json", conflict)
    assert conflict.read_text() == CONFLICT


def test_text_in_another_coding_is_refused(capsys, tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("a,Côte,1\n".encode("latin-1"))
    assert "not text in UTF-8" in refused(capsys, path)


def test_parts_beyond_a_number_are_refused(capsys, tmp_path):
    path = tmp_path / "huge.csv"
    path.write_text("\n".join(f"{one},{one + 1},1.7e308" for one in range(5)))
    assert "too large for a number" in refused(capsys, path)


def test_the_example_is_named_by_the_command():
    assert asset(f"data/{command.EXAMPLE}").is_file()
