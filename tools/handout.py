"""The notebooks to hand in as a student gets them, and the tests, in otter-grader's format.

Nothing is removed from a notebook to make it a student's: it is put together from the parts that a student
may see, so that no solution and no hidden test has been in it.
"""

import ast
import re
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import exercises

COLAB = exercises.ROOT / "_build" / "colab"  # chapters, by `make colab` …
NOTEBOOKS = COLAB / "exercises"  # … and the notebooks to hand in
REQUIREMENTS = exercises.ROOT / "requirements-exercises.txt"
FOLDER = "checks"  # where a student's notebook puts its tests
PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
HEADER = """\
# Exercises: {title}

{count} exercises of a chapter of {book}, {points} points in all.

- **Answer** in the cells that have `...` in them. Keep the names, because the tests look for them. You may
  add cells of your own.
- **Check** by the cell below each answer. It looks at the form: is an answer there, of the right type and
  shape? Whether the answer is true is tested after you have handed it in, with numbers that this notebook
  does not have. So test it yourself, for example by finite differences.
- **Hand in** this notebook as one file under its name, `{name}`. Before that, restart the
  kernel, run all cells and save (on Colab: *File*, *Download*, *Download .ipynb*). The grader runs the file
  from top to bottom.
"""
INSTALLED = """\
# @title Install what the exercises need (on Colab; skip it where the book's environment is)
{book}
%pip install --quiet {grader}"""
CHECKS = """\
# @title Write the tests that you may see, which look at the form
from pathlib import Path

Path("{folder}").mkdir(exist_ok=True)
for label, tests in {{
{tests}
}}.items():
    Path("{folder}", f"{{label}}.py").write_text(tests, encoding="utf-8")"""
GRADER = f"""\
import otter

grader = otter.Notebook(tests_dir="{FOLDER}")"""
TESTS = """\
from otter.test_files import test_case

OK_FORMAT = False

{setup}

name = "{label}"
points = {points}
all_or_nothing = True

"""
FORM = "The form is right. Whether the answer is true, this test does not know: compare it yourself."
ABOUT = {
    "visible": f'name="form", hidden=False, success_message="{FORM}"',
    "hidden": 'name="truth", hidden=True',
}


class Page(NamedTuple):
    """What a student's notebook takes from the notebook of the chapter for Colab.

    Attributes
    ----------
    title : str
        The chapter's, with its number.
    book : str
        The book's title, where its address is known with a link to the chapter.
    install : str
        The cell that installs the package.
    prompts : list of str
        The exercises, in their order, in plain Markdown.
    """

    title: str
    book: str
    install: str
    prompts: list


def page(path):
    """Return the :class:`Page` of a notebook for Colab."""
    cells = nbformat.read(path, as_version=4).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    title = next(text for text in prose if text.startswith("# ")).splitlines()[0]
    book = re.search("A chapter of (.+?), made from", prose[0]).group(1)
    install = next(cell.source for cell in cells if cell.source.startswith("%pip"))
    prompts = [text for text in prose if re.match(r"### Exercise [\d.]+ \(★+ ", text)]
    return Page(title.removeprefix("# "), book, install, prompts)


def file_name(chapter):
    """Return the name of the notebook that is handed in."""
    return f"{chapter}-exercises.ipynb"


def tests(chapter, one, points, kinds):
    """Return a file of tests; all of them must pass, or there are no points.

    Parameters
    ----------
    chapter : exercises.Chapter
    one : exercises.Exercise
    points : int
    kinds : sequence of {"visible", "hidden"}
    """
    head = TESTS.format(setup=chapter.setup, label=one.label, points=points)
    cases = [f"@test_case({ABOUT[kind]})\n{exercises.function(one, kind)}" for kind in kinds]
    return head + "\n\n".join(cases)


def quoted(text):
    """Return a text as a Python literal that can be read."""
    literal = f"r'''{text}'''"
    return literal if ast.literal_eval(literal) == text else repr(text)


def folded(source):
    """Return a cell that opens folded, and that the grader does not run."""
    about = {"tags": ["otter_ignore"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    return new_code_cell(source, metadata=about)


def grader():
    """Return what pip installs as otter-grader: the version of `make exercises`."""
    return re.search("^otter-grader==.*", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE).group()


def points(chapter):
    """Return the points of each exercise: a point a star."""
    levels = exercises.labels(chapter.name)
    return {one.label: levels[one.label] for one in chapter.exercises}


def notebook(chapter, page):
    """Return the notebook of a chapter that students get.

    Parameters
    ----------
    chapter : exercises.Chapter
    page : Page
        What it takes from the book.
    """
    prompts = dict(zip(exercises.labels(chapter.name), page.prompts, strict=True))
    asked = points(chapter)
    name, total = file_name(chapter.name), sum(asked.values())
    shown = [(one.label, tests(chapter, one, asked[one.label], ["visible"])) for one in chapter.exercises]
    checks = "\n".join(f'    "{label}": {quoted(text)},' for label, text in shown)
    head = HEADER.format(title=page.title, book=page.book, count=len(asked), points=total, name=name)
    cells = [
        new_markdown_cell(head),
        folded(INSTALLED.format(book=page.install, grader=grader())),
        folded(CHECKS.format(folder=FOLDER, tests=checks)),
        new_code_cell(GRADER),
        new_code_cell(chapter.setup),
    ]
    for one in chapter.exercises:
        worth = f"*{asked[one.label]} point{'s' * (asked[one.label] > 1)}.*"
        cells.append(new_markdown_cell(f"{prompts[one.label]}\n\n{worth}"))
        cells.append(new_code_cell(one.stub))
        cells.append(new_code_cell(f'grader.check("{one.label}")'))
    for number, cell in enumerate(cells):
        cell.id = f"{chapter.name}-exercises-{number}"
        cell.metadata.id = cell.id  # where Colab looks
    about = {"kernelspec": PYTHON, "language_info": {"name": "python"}, "colab": {"provenance": []}}
    return new_notebook(cells=cells, metadata=about | {"otter": {"assignment_name": chapter.name}})


def write():
    """Write the notebooks of all chapters that have exercises to hand in; return their paths."""
    NOTEBOOKS.mkdir(exist_ok=True)
    paths = []
    for chapter in map(exercises.read, exercises.files()):
        paths.append(NOTEBOOKS / file_name(chapter.name))
        nbformat.write(notebook(chapter, page(COLAB / f"{chapter.name}.ipynb")), paths[-1])
    return paths


def answered(student, chapter, answers):
    """Return a student's notebook with answers, by label, in the place of the stubs."""
    by_stub = {one.stub: answers[one.label] for one in chapter.exercises if one.label in answers}
    filled = nbformat.from_dict(student)
    for cell in filled.cells:
        cell.source = by_stub.get(cell.source, cell.source)
    return filled


def leaks(student, chapter):
    """Return the lines of solutions and the assertions of hidden tests that a student's notebook shows."""
    text = "\n".join(cell.source for cell in student.cells)
    shown = {line.strip() for line in text.splitlines()}
    found = []
    for one in chapter.exercises:
        parts = chapter.setup, one.stub, one.visible
        given = {line.strip() for part in parts for line in part.splitlines()}
        lines = {line.strip() for line in one.solution.splitlines()} - given
        found += sorted(line for line in lines & shown if len(re.findall(r"\w+", line)) > 1)  # not `else:`
        for node in ast.walk(ast.parse(one.hidden)):
            if isinstance(node, ast.Assert):
                forms = ast.unparse(node), ast.get_source_segment(one.hidden, node)
                found += [form for form in forms if form in text]
    return found
