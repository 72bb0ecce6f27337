"""The page for lecturers: its links lead to the book, its clocks add up, its numbers are the example's."""

import importlib.util
import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

import d2lutil
from d2lutil import example

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
PAGE = (BOOK / "teach.md").read_text(encoding="utf-8")

spec = importlib.util.spec_from_file_location("reading", ROOT / "tools" / "reading.py")
reading = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading)


def sections():
    """Return the sections of the chapters: for each name its chapter, its title and its cells."""
    found = {}
    for path in BOOK.glob("*.ipynb"):
        here = None
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                if here:
                    here["cells"].append(cell)
                continue
            for part in re.split(r"^(?=\([\w-]+\)=\n#|(?<!\)=\n)#{1,2} )", cell.source, flags=re.M):
                start = re.match(r"\(([\w-]+)\)=\n(#+) (.*)", part)
                if start:
                    here = {"chapter": path.stem, "title": start[3], "cells": []}
                    found[start[1]] = here
                elif re.match(r"#{1,2} ", part):
                    here = None
                if here:
                    here["cells"].append(new_markdown_cell(part))
    return found


def exercises():
    """Return the exercises: for each label its chapter and its level."""
    found = {}
    for path in BOOK.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            for level, label in re.findall(r"\{exercise\} (★+) .*\n:label: (\S+)", text):
                found[label] = {"chapter": path.stem, "level": len(level)}
    return found


SECTIONS, EXERCISES = sections(), exercises()
CORE = reading.form()["core"]


def table(name):
    """Return the rows of the tables of a section of this page, without their heads."""
    text = PAGE.split(f"({name})=\n")[1].split("\n(te-")[0]
    lines = [line.strip("|") for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    borders = [i for i, row in enumerate(rows) if set("".join(row)) == {"-"}]
    return [row for i, row in enumerate(rows) if i not in borders and i + 1 not in borders]


def linked(text):
    """Return the sections, the chapters and the exercises that a text links to."""
    links = re.findall(r"\[\]\(([^)]+)\)", text)
    chapters = [link.partition(".")[0] for link in links if re.search(r"\.(ipynb|md)$", link)]
    return [link for link in links if "." not in link], chapters, re.findall(r"\{ref\}`([^`]+)`", text)


def predictions(name):
    """Count the boxes of a section that ask for a prediction."""
    return sum("Predict before you run" in cell.source for cell in SECTIONS[name]["cells"])


def test_every_link_leads_to_a_section_a_page_or_an_exercise():
    own = set(re.findall(r"^\(([\w-]+)\)=", PAGE, re.M))
    found, chapters, labels = linked(PAGE)
    assert len(found) > 60
    assert set(found) - own - SECTIONS.keys() == set()
    assert set(labels) - EXERCISES.keys() == set()
    assert [name for name in chapters if not list(BOOK.glob(f"{name}.*"))] == []
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8").split()
    assert {f"book/{name}" for name in (*chapters, "teach")} <= set(toc)


def test_the_overview_names_every_section_in_order():
    overview = PAGE.split("## Overview\n")[1].split("\n## ")[0]
    assert linked(overview)[0] == re.findall(r"^\((te-[\w-]+)\)=", PAGE, re.M)


def test_the_page_reads_in_the_minutes_that_it_says():
    said = int(re.search(r"Time: (\d+) minutes", PAGE)[1])
    assert said == reading.measure(new_notebook(cells=[new_markdown_cell(PAGE)])).minutes
    (row,) = re.findall(r"^\| teach \|.*", (ROOT / "STORYBOARD.md").read_text("utf-8"), re.M)
    assert row.endswith(f"| *{said}* |")


# Goals and self-test.


@pytest.mark.parametrize("row", table("te-goals"), ids=lambda row: row[0][:30])
def test_a_goal_is_taught_and_shown_in_the_same_chapters(row):
    goal, taught, shown = row
    given = [EXERCISES[label] for label in linked(shown)[2]]
    chapters = {SECTIONS[name]["chapter"] for name in linked(taught)[0]}
    assert given
    assert {exercise["chapter"] for exercise in given} <= chapters
    levels = [exercise["level"] for exercise in given]
    assert levels[0] == 1, goal
    assert max(levels) == (2 if "(a cell)" in shown else 1), goal


def test_the_paths_reach_the_goals_that_they_promise():
    promise = "The lecture prepares the first five, the four weeks all but the last"
    assert promise in PAGE
    goals = [{SECTIONS[name]["chapter"] for name in linked(row[1])[0]} for row in table("te-goals")]
    shown = {SECTIONS[name]["chapter"] for row in table("te-lecture") for name in linked(row[3])[0]}
    read = {name for row in table("te-course") for name in linked(row[2])[1]}
    assert all(chapters & shown for chapters in goals[:5])
    assert [chapters <= read for chapters in goals] == [True] * (len(goals) - 1) + [False]
    fifth = PAGE.split("A fifth week")[1].split("\n")[0]
    assert goals[-1] <= {*linked(fifth)[1]}


def test_the_answers_of_the_self_test():
    w, eps = 2, 1e-6
    upper, lower = ((w + s) * 3 * (w + s) for s in (eps, -eps))
    tosses = numpy.array([0, 2])
    product = numpy.array([1, 2]) @ numpy.array([[1, 0], [3, 1]])
    values = numpy.linalg.eigvals([[0.5, 1], [0, -2]])
    expected = [
        [(upper - lower) / (2 * eps)],
        product,
        [1 - 0.6**2],
        [(numpy.log(0.25 + eps) - numpy.log(0.25 - eps)) / (2 * eps)],
        sorted(values, reverse=True),
        [tosses.mean(), tosses.var()],
        [t for t in range(6) if t % 3 == 0],
    ]
    rows = table("te-before")
    assert len(rows) == len(expected)
    assert "Seven questions" in PAGE
    assert len(rows) == 7
    for (_, said, needed), numbers in zip(rows, expected, strict=True):
        shown = re.findall(r"[\d.]+", said.replace("−", "-").replace("½", "0.5"))
        signs = [-1 if f"−{text}" in said else 1 for text in shown]
        found = [sign * float(text) for sign, text in zip(signs, shown, strict=True)]
        assert found == pytest.approx(numbers)
        assert linked(needed)[0]


# The blackboard.


def number(text):
    return float(text.strip().replace("−", "-"))


def test_the_numbers_on_the_board_are_those_of_the_example():
    rows = table("te-board")
    F, J = example.step_derivatives()
    for row, values in zip(rows[:3], (F, J, example.responses()), strict=True):
        assert [number(text) for text in row[1:]] == pytest.approx(values, abs=1e-12)
    terms = example.terms()
    for t, row in enumerate(rows[3:9]):
        cells = [text for text in row[1:-1] if text.strip()]
        assert [number(text) for text in cells] == pytest.approx(terms[t, : t + 1], abs=6e-5)
        assert number(row[-1]) == pytest.approx(terms[t].sum(), abs=6e-5)
    *columns, total = map(number, rows[9][1:])
    assert columns == pytest.approx(terms.sum(axis=0), abs=6e-5)
    assert total == pytest.approx(terms.sum(), abs=6e-5)


def test_the_sentences_at_the_board_have_the_right_numbers():
    F, J = example.step_derivatives()
    e, terms = example.responses(), example.terms()
    delta = [e[5]]
    for t in (4, 3, 2, 1, 0):
        delta.append(e[t] + delta[-1] * J[t + 1])
    assert numpy.array(delta)[::-1] * F == pytest.approx(terms.sum(axis=0))
    said = re.search(r"gives (.*?) and ([\d.]+)\. The column", PAGE)
    found = [number(text) for text in (*said[1].split(","), said[2])]
    assert found == pytest.approx(delta[1:], abs=6e-5)
    states = re.search(r"with the states ([^a-z]*), and", PAGE)[1]
    assert [number(text) for text in states.split(",")] == pytest.approx(example.states())
    chunks = example.terms(d2lutil.regular(6, 3))
    assert (terms != 0).sum() - (chunks != 0).sum() == 9
    window = numpy.triu(terms, -2)
    assert f"chunks of three leave {chunks.sum():.4f} of {terms.sum():.4f}" in PAGE
    assert f"the window of three leaves {window.sum():.4f}" in PAGE
    factors = re.search(r"e_\{t-1\}\$, which is (.*?) and (\S+), with", PAGE)
    found = [number(text) for text in (*factors[1].split(","), factors[2])]
    assert found == pytest.approx(e[1:] * J[1:] / e[:-1])
    assert terms[1:, 0] == pytest.approx(found * terms[:-1, 0])


def test_the_class_can_compute_its_first_two_states():
    """tanh(ln 2) is 0.6, and the inputs make both arguments ln 2."""
    offsets = re.findall(r"\$x_(\d) = \\ln 2 - ([\d.]+)\$", PAGE)
    assert [int(step) for step, _ in offsets] == [1, 2]
    inputs = [numpy.log(2) - float(offset) for _, offset in offsets]
    assert inputs == pytest.approx(example.x[:2])
    assert example.states()[1:3] == pytest.approx(numpy.tanh(numpy.log([2, 2])))
    assert example.v == 2
    loss = (2 * example.states()[1:] - example.y) ** 2 / 2
    assert "$(2 h_t - y_t)^2 / 2$" in PAGE
    assert loss == pytest.approx(example.losses())
    assert "$e_t = 2\\,(2 h_t - y_t)$" in PAGE
    assert 2 * (2 * example.states()[1:] - example.y) == pytest.approx(example.responses())


def test_the_coins_at_the_board_leave_what_stands_there():
    sentence = r"(Heads, .*?) leave (\S+), and the mean over all 32 outcomes is ([\d.]+)"
    tosses, left, mean = re.search(sentence, PAGE).groups()
    weight = {"heads": 2, "tails": 0}
    drawn = [1, *(weight[toss.lower()] for toss in tosses.split(", "))]
    assert number(left) == pytest.approx(example.terms(drawn).sum(), abs=6e-5)
    outcomes = [example.terms([1, *xi]).sum() for xi in itertools.product((0, 2), repeat=5)]
    assert number(mean) == pytest.approx(numpy.mean(outcomes), abs=6e-5)


# The two paths.


def test_the_lecture_takes_ninety_minutes():
    rows, clock = table("te-lecture"), 0
    assert "One lecture of 90 minutes" in PAGE
    for start, minutes, *_ in rows:
        hours, rest = map(int, start.split(":"))
        assert 60 * hours + rest == clock
        clock += int(minutes)
    assert clock == 90
    predicted = sum("predicts" in row[-1] for row in rows)
    words = ("four", "five", "six")
    assert re.search(r"asks the class (\w+) times", PAGE)[1] == words[predicted - 4]
    for clock in re.findall(r"\((\d:\d\d)\)", PAGE):
        assert clock in [row[0] for row in rows]


@pytest.mark.parametrize("row", table("te-lecture"), ids=lambda row: row[0])
def test_the_lecture_asks_for_predictions_where_the_book_does(row):
    *_, what, source, doing = row
    names = linked(source)[0]
    assert names
    if "predicts" in doing:
        assert sum(map(predictions, names)), what


def test_the_lecture_prepares_its_homework():
    """A chapter whose exercise is homework is one of those that the lecture takes sections from."""
    rows = table("te-lecture")
    shown = {SECTIONS[name]["chapter"] for row in rows for name in linked(row[3])[0]}
    homework = linked(rows[-1][-1])[2]
    assert len(homework) == 3
    assert {EXERCISES[label]["chapter"] for label in homework} <= shown


def test_a_week_takes_the_hours_that_it_says():
    """Reading, as long again for the exercises, and two classes of 90 minutes."""
    low, high = re.search(r"which makes (\w+) to (\w+) hours a week with both classes", PAGE).groups()
    hours = [
        (2 * sum(reading.read(BOOK / f"{name}.ipynb").minutes for name in linked(row[2])[1]) + 180) / 60
        for row in table("te-course")
    ]
    said = ["four", "five", "six", "seven"]
    assert [said.index(low) + 4, said.index(high) + 4] == [round(min(hours)), round(max(hours))]


def test_four_weeks_read_every_core_chapter_once_and_in_order():
    weeks = table("te-course")
    read = [linked(row[2])[1] for row in weeks]
    order = re.findall(r"file: book/(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    flat = [name for names in read for name in names]
    assert flat == sorted(set(flat), key=order.index)
    assert set(CORE) <= set(flat)
    assert [row[0] for row in weeks] == ["1", "2", "3", "4"]
    for row, names in zip(weeks, read, strict=True):
        assert row[3] == f"{{minutes}}`{' '.join(names)}`"
        assert sum(reading.read(BOOK / f"{name}.ipynb").minutes for name in names) <= 100
        given = [EXERCISES[label] for label in linked(row[4])[2]]
        assert len(given) == 4
        assert {exercise["level"] for exercise in given} == {1, 2}
        (project,) = (EXERCISES[label] for label in linked(row[5])[2])
        assert project["level"] == 3
        assert {exercise["chapter"] for exercise in (*given, project)} <= set(names)


# Misconceptions, and what to skip.


def test_there_are_misconceptions_of_every_part():
    rows = table("te-wrong")
    assert len(rows) >= 20
    places = [*linked(" ".join(row[2] for row in rows))]
    chapters = {SECTIONS[name]["chapter"] for name in places[0]} | {
        EXERCISES[label]["chapter"] for label in places[2]
    }
    assert len(chapters) >= 12


@pytest.mark.parametrize("row", table("te-wrong"), ids=lambda row: row[0][:40])
def test_a_misconception_fails_in_an_exercise_or_a_cell(row):
    belief, right, where = row
    assert re.fullmatch(r'".*[.]"', belief)
    assert right
    names, _, labels = linked(where)
    assert names or labels
    for kind, name in re.findall(r"the (prediction|cell) in \[\]\(([\w-]+)\)", where):
        names.remove(name)
        cells = SECTIONS[name]["cells"]
        if kind == "prediction":
            assert predictions(name)
        else:
            assert any(cell.cell_type == "code" and cell.get("outputs") for cell in cells)
    assert names == []  # a section is named with what it has


def test_every_optional_section_can_be_skipped():
    skipped, chapters, _ = linked(" ".join(row[0] for row in table("te-skip")))
    optional = {name for name, part in SECTIONS.items() if part["title"].startswith("Optional:")}
    assert [name for name in optional - {*skipped} if SECTIONS[name]["chapter"] not in chapters] == []
    assert len(optional & {*skipped}) > 2


def test_no_path_needs_what_can_be_skipped():
    skipped, chapters, _ = linked(" ".join(row[0] for row in table("te-skip")))
    needed = "".join(
        PAGE.split(f"({name})=\n")[1].split("\n(te-")[0] for name in ("te-goals", "te-lecture")
    )
    assert not {*skipped} & {*linked(needed)[0]}
    read = linked(" ".join(row[2] for row in table("te-course")))[1]
    assert not {*chapters} & {*read}
