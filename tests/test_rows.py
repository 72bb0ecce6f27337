"""Rows of the experiments, as a chapter reads them."""

import pytest

import d2lutil


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "experiments" / "results").mkdir(parents=True)
    (tmp_path / "book").mkdir()
    text = "arm,seed,ppl\nwhole,0,5.25\nchunks 1,1,inf\n"
    (tmp_path / "experiments" / "results" / "toy.csv").write_text(text)
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path


def test_rows_have_numbers(folder):
    rows = d2lutil.rows("toy")
    assert rows == [
        {"arm": "whole", "seed": 0, "ppl": 5.25},
        {"arm": "chunks 1", "seed": 1, "ppl": float("inf")},
    ]
    assert isinstance(rows[0]["seed"], int)


def test_rows_beside_the_notebook_come_first(folder):
    (folder / "book" / "toy.csv").write_text("arm\nown\n")
    assert d2lutil.rows("toy") == [{"arm": "own"}]


def test_rows_of_the_translations(folder):
    (folder / "book" / "translations").mkdir()
    (folder / "book" / "translations" / "other.csv").write_text("case\nnone\n")
    assert d2lutil.rows("other") == [{"case": "none"}]


def test_rows_that_do_not_exist(folder):
    with pytest.raises(FileNotFoundError, match=r"name='other': other\.csv is neither in .*book nor"):
        d2lutil.rows("other")


@pytest.mark.parametrize("name", ["../toy", "toy.csv", "", None, 3])
def test_a_name_that_is_none(folder, name):
    with pytest.raises(ValueError, match=r"name=.*; allowed: that of a table"):
        d2lutil.rows(name)
