"""The folder that `make lab` opens: what the reader has changed stays."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def lab():
    """Return the tool, as a module."""
    spec = importlib.util.spec_from_file_location("tool_lab", ROOT / "tools" / "lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reader(lab, tmp_path):
    """Return a function that brings the reader's folder to a version of the book."""
    (tmp_path / "new").mkdir()

    def reader(**pages):
        for path in (tmp_path / "new").iterdir():
            path.unlink()
        for name, text in pages.items():
            (tmp_path / "new" / f"{name}.ipynb").write_text(text)
        return lab.update(sorted((tmp_path / "new").iterdir()), tmp_path / "lab")

    reader.folder = tmp_path / "lab"
    return reader


def shown(folder):
    """Return the text of each page that a reader sees in the folder."""
    return {path.stem: path.read_text() for path in folder.glob("*.ipynb")}


def test_pages_that_the_reader_left_alone_follow_the_book(reader):
    assert reader(a="1", b="1") == []
    assert reader(a="2", b="1", c="1") == []
    assert shown(reader.folder) == {"a": "2", "b": "1", "c": "1"}


def test_a_change_of_the_reader_stays(reader):
    reader(a="1", b="1")
    (reader.folder / "a.ipynb").write_text("mine")
    (reader.folder / "own.ipynb").write_text("mine")
    for _ in range(2):
        assert reader(a="1", b="1") == [("a.ipynb", "")]
    assert shown(reader.folder) == {"a": "mine", "b": "1", "own": "mine"}


def test_a_page_that_both_have_changed_comes_beside_and_once(reader):
    reader(a="1")
    (reader.folder / "a.ipynb").write_text("mine")
    assert reader(a="2") == [("a.ipynb", "a.new.ipynb")]
    assert shown(reader.folder) == {"a": "mine", "a.new": "2"}
    (reader.folder / "a.new.ipynb").unlink()  # read, and thrown away
    assert reader(a="2") == [("a.ipynb", "")]
    assert shown(reader.folder) == {"a": "mine"}


def test_a_page_beside_that_was_changed_too_stays(reader):
    reader(a="1")
    (reader.folder / "a.ipynb").write_text("mine")
    reader(a="2")
    assert reader(a="3") == [("a.ipynb", "a.new.ipynb")]
    (reader.folder / "a.new.ipynb").write_text("also mine")
    assert reader(a="4") == [("a.ipynb", "a.new2.ipynb")]
    assert shown(reader.folder) == {"a": "mine", "a.new": "also mine", "a.new2": "4"}


def test_a_reader_who_takes_the_books_page_follows_it_again(reader):
    reader(a="1")
    (reader.folder / "a.ipynb").write_text("mine")
    reader(a="2")
    (reader.folder / "a.ipynb").write_text("2")
    assert reader(a="2") == []
    assert reader(a="3") == []
    assert shown(reader.folder)["a"] == "3"


def test_a_folder_from_before_the_record_is_the_readers(reader):
    reader.folder.mkdir()
    (reader.folder / "a.ipynb").write_text("mine")
    assert reader(a="1") == [("a.ipynb", "a.new.ipynb")]
    assert shown(reader.folder) == {"a": "mine", "a.new": "1"}


def test_a_new_page_never_overwrites_a_file_of_the_readers_own(reader):
    reader(a="1")
    (reader.folder / "b.ipynb").write_text("mine")
    assert reader(a="1", b="1") == [("b.ipynb", "b.new.ipynb")]
    assert shown(reader.folder)["b"] == "mine"


def test_a_notebook_that_was_only_opened_follows_the_book(reader):
    def notebook(source, **metadata):
        cell = {"cell_type": "code", "source": [source], "outputs": [], "metadata": {}, "id": "a"}
        return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})

    reader(a=notebook("1"), b=notebook("1"))
    (reader.folder / "a.ipynb").write_text(notebook("1", language_info={"version": "3.14.8"}))
    (reader.folder / "b.ipynb").write_text(notebook("1 + 1"))
    assert reader(a=notebook("2"), b=notebook("1")) == [("b.ipynb", "")]
    assert shown(reader.folder) == {"a": notebook("2"), "b": notebook("1 + 1")}


def test_jupyterlab_opens_the_folder_and_asks_nobody(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")
    command = lab.command(tmp_path, "localhost", "page.ipynb")
    assert command[0] == str(Path(sys.executable).with_name("jupyter-lab"))
    assert {f"--ServerApp.root_dir={tmp_path}", "--ServerApp.ip=localhost", "page.ipynb"} <= set(command)
    assert "--LabApp.news_url=" in command
    environment = lab.environment(tmp_path)
    assert "JUPYTER_NO_CONFIG" not in environment
    assert Path(environment["JUPYTERLAB_SETTINGS_DIR"]).is_relative_to(tmp_path)
