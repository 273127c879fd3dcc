"""Tables that people open in a spreadsheet program say what was written and run nothing."""

from __future__ import annotations

import csv
import io

import pytest

from app.api.spreadsheet import Cell, csv_file, csv_text


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")', "\uff1d1", "\uff0b1"],
)
def test_a_text_that_begins_like_a_formula_is_a_text(name: str) -> None:
    assert read(csv_text(["name"], [{"name": name}])) == [["name"], [f"'{name}"]]


@pytest.mark.parametrize("name", ["Ana", "O'Brien", 'Ana "the pager"', "Ana, Ben", "two\nlines", "a=b", "名前", ""])
def test_any_other_text_is_read_back_as_it_was(name: str) -> None:
    assert read(csv_text(["first", "name"], [{"first": "x", "name": name}])) == [["first", "name"], ["x", name]]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-11.5, "-11.5"), (168.0, "168"), (0.333333, "0.333333"), (0.0, "0"), (1e-6, "0.000001"), (7, "7"), (None, "")],
)
def test_numbers_stay_numbers(value: Cell, cell: str) -> None:
    assert read(csv_text(["n", "m"], [{"n": value, "m": 1}]))[1] == [cell, "1"]


def test_lines_end_as_rfc_4180_says_and_a_missing_cell_is_empty() -> None:
    assert csv_text(["a", "b"], [{"a": 1}]) == "a,b\r\n1,\r\n"


def test_the_file_is_kept_under_its_name() -> None:
    answer = csv_file("x.csv", "é")
    assert answer.headers["content-disposition"] == 'attachment; filename="x.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.body == "é".encode()
