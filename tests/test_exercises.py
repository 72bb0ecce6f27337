"""The exercises to hand in: the reader, what it refuses, and that nothing hidden is handed out.

That the solutions pass and every mistake fails is the stage `exercises` of `make test`; that otter-grader
gives points accordingly is `make exercises`.
"""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import handout  # noqa: E402

import exercises  # noqa: E402

FILES = exercises.files()
CHAPTERS = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb")) if exercises.labels(path.stem)]
SETUP = "# %% setup\nimport math\n\n\ndef half(x):\n    return x / 2\n"
PARTS = {
    "stub": "def area(r):\n    ...\n",
    "solution": "def area(r):\n    return math.pi * r**2\n",
    "wrong": "def area(r):\n    return math.pi * r\n",
    "visible": "assert area(1.0) is not None, 'area returns nothing yet'\n",
    "hidden": "assert abs(area(half(4.0)) - 4 * math.pi) < 1e-9, 'twice the radius, four times the area'\n",
}


def cell(kind, source, label="ex-re-row", belief=None):
    belief = f' belief="{belief}"' if belief else ""
    return f'\n# %% {kind} exercise="{label}"{belief}\n{source}'


def file(folder, setup=SETUP, **changed):
    """Write a file with one exercise, some of its cells changed, and return its path."""
    beliefs = {"wrong": "the area grows like the radius"}
    cells = [cell(kind, source, belief=beliefs.get(kind)) for kind, source in (PARTS | changed).items()]
    path = folder / "recursion.py"
    path.write_text(setup + "".join(cells), encoding="utf-8")
    return path


def faults(path):
    chapter = exercises.read(path)
    return exercises.faults(chapter.setup, chapter.exercises[0])


def test_a_file_is_read_cell_by_cell(tmp_path):
    chapter = exercises.read(file(tmp_path))
    (one,) = chapter.exercises
    assert (chapter.name, one.label, chapter.left_out) == ("recursion", "ex-re-row", {})
    assert one.wrong == [("the area grows like the radius", PARTS["wrong"].strip())]
    assert one.hidden == PARTS["hidden"].strip()
    assert chapter.setup == SETUP.removeprefix("# %% setup\n").strip()


def test_what_is_left_out_says_why_and_is_not_handed_out(tmp_path):
    setup = SETUP.replace("\n", "\n# left out: ex-re-hold: it takes an hour\n", 1)
    chapter = exercises.read(file(tmp_path, setup))
    assert chapter.left_out == {"ex-re-hold": "it takes an hour"}
    assert "hour" not in chapter.setup


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n" + SETUP, "before the first cell"),
        (cell("stub", PARTS["stub"]), "`# %% setup`, the first"),
        (SETUP + cell("stub", PARTS["stub"]), "stub, solution, wrong"),
        (SETUP + "".join(cell(kind, source) for kind, source in PARTS.items()), "belief"),
        (
            SETUP + cell("stub", "", "ex-a") + cell("stub", "", "ex-b") + cell("stub", "", "ex-a"),
            "together",
        ),
        (SETUP + cell("answer", ""), "answer"),
    ],
)
def test_another_form_is_refused(text, message, tmp_path):
    path = tmp_path / "recursion.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        exercises.read(path)


def test_an_exercise_without_fault(tmp_path):
    assert faults(file(tmp_path)) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"solution": PARTS["wrong"]}, "the solution must pass"),
        ({"wrong": PARTS["solution"]}, "the area grows like the radius"),
        ({"wrong": "def area(r):\n    return None\n"}, "must pass visible tests"),
        ({"hidden": "assert area(2.0) > 12\n"}, "that says why"),
        ({"hidden": "1 / (area(2.0) > 12)\n"}, "that says why"),
        ({"visible": "assert callable(area)\n"}, "the stub must fail"),
        ({"visible": "area(1.0) + 1\n"}, "the stub must fail"),
    ],
)
def test_a_fault_is_found(changed, message, tmp_path):
    found = faults(file(tmp_path, **changed))
    assert any(message in line for line in found), found


def test_tests_see_the_answer_and_the_setup_alone(tmp_path):
    """What a student does to a name of the setup, or leaves lying about, does not reach the tests."""
    aside = "def half(x):\n    return x\n\n\nleft = 4.0\n"
    assert faults(file(tmp_path, solution=aside + PARTS["solution"])) == []
    hidden = PARTS["hidden"].replace("half(4.0)", "left / 2")
    (line, *_) = faults(file(tmp_path, solution=aside + PARTS["solution"], hidden=hidden))
    assert "NameError" in line


def test_a_test_stays_what_it_is(tmp_path):
    """Python 3.12 would write an f-string back in a form that 3.11 does not read."""
    hidden = "assert area(2.0) > 12, f\"too {'small' if area(2.0) < 12 else 'large'}\"  # of a circle\n"
    (one,) = exercises.read(file(tmp_path, hidden=hidden)).exercises
    assert exercises.function(one, "hidden") == f"def hidden(area):\n    {hidden}"
    helper = 'def help():\n    """Say\n    nothing."""\n\n\n'
    (one,) = exercises.read(file(tmp_path, hidden=helper + PARTS["hidden"])).exercises
    assert "nothing." in exercises.function(one, "hidden")
    (one,) = exercises.read(file(tmp_path, hidden='said = """a\nb"""\n' + PARTS["hidden"])).exercises
    with pytest.raises(ValueError, match="several lines"):
        exercises.function(one, "hidden")


def test_a_name_is_asked_for_once(tmp_path):
    text = file(tmp_path).read_text(encoding="utf-8")
    path = tmp_path / "recursion.py"
    assert exercises.clashes(exercises.read(path)) == []
    again = text.removeprefix(SETUP).replace("ex-re-row", "ex-re-linear")
    path.write_text(text + again, encoding="utf-8")
    assert exercises.clashes(exercises.read(path)) == ["area is asked for by ex-re-row and ex-re-linear"]
    path.write_text(text.replace("half", "area"), encoding="utf-8")
    assert exercises.clashes(exercises.read(path)) == [
        "area is asked for by ex-re-row, and the setup has it"
    ]


def test_a_file_has_the_exercises_of_its_chapter(tmp_path):
    chapter = exercises.read(ROOT / "exercises" / "recursion.py")
    assert exercises.differences(chapter) == ""
    less = chapter._replace(exercises=chapter.exercises[:-1])
    assert "ex-re-hold" in exercises.differences(less)
    assert exercises.differences(less._replace(left_out={"ex-re-hold": "why"})) == ""
    assert "has no ex-re-no" in exercises.differences(less._replace(left_out={"ex-re-no": "why"}))
    assert "has ex-re-hold" in exercises.differences(chapter._replace(exercises=chapter.exercises[::-1]))


def test_every_chapter_with_exercises_has_a_file():
    assert sorted(path.stem for path in FILES) == CHAPTERS


def student(chapter):
    """Return the notebook that students get, with prompts that say nothing."""
    prompts = ["### Exercise"] * len(exercises.labels(chapter.name))
    return handout.notebook(chapter, handout.Page("A title", "*A book*", "%pip install d2lutil", prompts))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_hidden_is_handed_out(path):
    chapter = exercises.read(path)
    notebook = student(chapter)
    assert handout.leaks(notebook, chapter) == []
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    for one in chapter.exercises:
        (stub,) = [cell for cell in notebook.cells if cell.source == one.stub]
        for source in (one.solution, one.hidden):
            stub.source = source
            assert handout.leaks(notebook, chapter), "a leak is not found"
        stub.source = one.stub


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_grader_has_what_students_have_and_the_hidden_tests(path):
    chapter = exercises.read(path)
    points = handout.points(chapter)
    written = student(chapter).cells[2]
    assert "otter_ignore" in written.metadata.tags, "the grader would run it"
    (shown,) = [node for node in ast.walk(ast.parse(written.source)) if isinstance(node, ast.Dict)]
    texts = ast.literal_eval(shown)
    assert list(texts) == list(points)
    for one in chapter.exercises:
        text = texts[one.label]
        assert text == handout.tests(chapter, one, points[one.label], ["visible"])
        both = handout.tests(chapter, one, points[one.label], ["visible", "hidden"])
        assert both.startswith(text.rstrip())
        cases = re.findall(r"@test_case\(name=\"(\w+)\", hidden=(\w+).*\)\ndef (\w+)", both)
        assert cases == [("form", "False", "visible"), ("truth", "True", "hidden")]
        assert f"points = {exercises.labels(chapter.name)[one.label]}\nall_or_nothing = True" in both


def test_answers_take_the_place_of_the_stubs():
    chapter = exercises.read(ROOT / "exercises" / "recursion.py")
    before, one = student(chapter), chapter.exercises[1]
    after = handout.answered(before, chapter, {one.label: one.solution})
    pairs = zip(before.cells, after.cells, strict=True)
    changed = [(old.source, new.source) for old, new in pairs if old != new]
    assert changed == [(one.stub, one.solution)]


def pins(name):
    """Return the exact versions of some requirements."""
    lines = (ROOT / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
    return {(pin.name, str(pin.specifier)) for pin in found}


def test_the_grader_is_pinned_and_runs_on_the_versions_of_the_book():
    ours, book = pins("requirements-exercises"), pins("requirements")
    assert all(version.startswith("==") for _, version in ours)
    needed = {Requirement(line).name for line in metadata.requires("d2lutil")}
    shared = {name for name, _ in ours} & {name for name, _ in book}
    assert needed <= shared
    assert {pin for pin in ours if pin[0] in shared} <= book
    assert handout.grader() in {f"{name}{version}" for name, version in ours}
    assert re.search(
        rf"^{re.escape(handout.grader())} ",
        (ROOT / "requirements-exercises.lock").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
