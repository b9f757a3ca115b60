"""Flows and comparisons read from a person's own text; messages name the row."""

import numpy as np
import pytest

from flockcore.errors import FlockError
from flockcore.hodge.projection import Projector
from flockcore.hodge.table import Meaning, read_csv, read_json

FLOW = "from,to,value\na,b,1\nb,c,1.5\n# a remark\n\na,c,-1\n"


def test_columns_may_come_in_any_order_with_or_without_names():
    for text in (
        FLOW,
        FLOW.replace("from,to,value\n", ""),
        "\ufeffvalue, Target ,source,note\n1,b,a,x\n1.5,c,b,\n-1,c,a,y\n",
    ):
        table = read_csv(text)
        assert table.names == ("a", "b", "c")
        assert table.complex.edges.tolist() == [[0, 1], [1, 2], [0, 2]]
        assert table.complex.triangles.tolist() == [[0, 1, 2]]
        assert table.flow.tolist() == [1, 1.5, -1]
        assert table.rows.tolist() == [1, 1, 1]


def test_json_rows_are_lists_or_objects():
    for text in (
        '[["a", "b", 1], ["b", "c", 1.5], ["a", "c", -1]]',
        '{"edges": [{"from": "a", "to": "b", "value": 1}, ["b", "c", 1.5], '
        '{"tail": "a", "head": "c", "flow": -1}]}',
    ):
        table = read_json(text)
        assert table.names == ("a", "b", "c")
        assert table.flow.tolist() == [1, 1.5, -1]
    assert read_json("[[1, 2, 3]]").names == ("1", "2")


def test_comparisons_are_averaged_and_rank():
    table = read_csv("left,right,score\nx,y,2\ny,x,-4\ny,z,1\n", meaning=Meaning.COMPARISON)
    assert table.flow.tolist() == [3, 1]
    assert table.rows.tolist() == [2, 1]
    potential = Projector(table.complex).decompose(table.flow).potential
    assert np.argsort(potential).tolist() == [0, 1, 2]


def test_wins_that_contradict_each_other_are_curl():
    table = read_csv(
        "winner,loser\nrock,scissors\npaper,rock\nscissors,paper\n", meaning=Meaning.WIN
    )
    parts = Projector(table.complex).decompose(table.flow)
    assert parts.shares == pytest.approx((0, 1, 0))
    assert read_json('[["b", "a"], ["a", "b"]]', meaning=Meaning.WIN).flow.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FLOW + "c,c,1\n", 'line 7 joins "c" with itself; two names are needed'),
        (FLOW + "c,a,1\n", 'line 7 joins "c" and "a", as line 6 does; one row for each pair'),
        (FLOW + "c,d,much\n", "line 7: the value is 'much'; a number is needed"),
        (FLOW + "c,d,nan\n", "line 7: the value is 'nan'; a finite number is needed"),
        (FLOW + "c,d,-inf\n", "line 7: the value is '-inf'; a finite number"),
        (FLOW + "c,d\n", "line 7 has 2 columns; from, to, value are needed"),
        (FLOW + "c,d,1,5\n", "line 7 has 4 columns; from, to, value are needed"),
        ("a,b,1e308\nb,a,1e309", "line 2: the value is '1e309'; a finite number"),
        (FLOW + ",d,1\n", "line 7 names ''; a name or a number is needed"),
        ("from,to,value\n", "there is no row with values"),
        ("", "there is no row with values"),
        ('a,"b\n', "line 1: unexpected end of data; comma-separated text is needed"),
    ],
)
def test_csv_that_is_refused_names_the_line(text, words):
    with pytest.raises(FlockError, match=words):
        read_csv(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[1, 2, 3],", "line 1, column 12: .*; JSON is needed"),
        ('{"rows": []}', 'the JSON is no list of rows and has no "edges"'),
        ("[[1, 2, 3], [1, 2]]", r"row 2 is \[1, 2\]; from, to, value are needed"),
        ('[{"from": 1, "to": 2}]', "row 1 is .*; from, to, value are needed"),
        ('[["a", "b", NaN]]', "row 1: the value is nan; a finite number is needed"),
        ('[["a", "b", null]]', "row 1: the value is None; a number is needed"),
        ('[["a", "b", true]]', "row 1: the value is True; a finite number is needed"),
        ('[["a", null, 1]]', "row 1 names None; a name or a number is needed"),
        ('[["a", "a", 1]]', 'row 1 joins "a" with itself'),
        (f'[["a", "b", {"9" * 400}]]', "row 1: the value is 9+; a finite number is needed"),
        (f'[["a", "b", {"9" * 5000}]]', "the JSON holds a number of more digits"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"nodes": ["a", "b"], "edges": [["a", "b", 1], ["b", "c", 1]]}', 'row 2 names "c"; only'),
        ('{"nodes": ["a", "b", "a"], "edges": []}', 'node 3 is "a" again'),
        ('{"nodes": "a", "edges": []}', '"nodes" is no list'),
    ],
)
def test_json_that_is_refused_names_the_row(text, words):
    with pytest.raises(FlockError, match=words):
        read_json(text)


def test_nodes_may_be_listed_those_without_an_edge_too():
    table = read_json('{"nodes": ["c", "b", "a"], "edges": [["a", "b", 1]]}')
    assert table.names == ("c", "b", "a")
    assert table.complex.edges.tolist() == [[2, 1]]


def test_values_of_a_pair_that_add_up_beyond_a_number_are_refused():
    with pytest.raises(FlockError, match="line 2: the sum of this pair's values is too large"):
        read_csv("a,b,1.5e308\na,b,1.5e308\n", meaning=Meaning.COMPARISON)


def test_half_a_line_of_column_names_is_no_competitor():
    with pytest.raises(FlockError, match='line 1 has a column "winner"; loser, winner are needed'):
        read_csv("winner,second\na,b\n", meaning=Meaning.WIN)
