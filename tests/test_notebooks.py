"""The form of the notebooks: executed in order, clean outputs, short cells, described figures."""

import ast
import inspect
import json
import re
from pathlib import Path

import nbformat
import pytest

from d2lutil import cells, gradient

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
FORMS = json.loads((ROOT / "book" / "form.json").read_text(encoding="utf-8"))
APPENDIX = FORMS["appendix"]
FORM = FORMS["core"] + FORMS["practice"] + APPENDIX


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def chapter(path):
    return nbformat.read(path, as_version=4)


def code(chapter):
    return [cell for cell in chapter.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def test_cells_were_executed_in_order(chapter):
    counts = [cell.execution_count for cell in code(chapter)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_error_and_nothing_on_stderr(chapter):
    outputs = [output for cell in code(chapter) for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_outputs_name_no_address_and_no_path(chapter):
    texts = [
        str(o.get("text", o.get("data", {}).get("text/plain", "")))
        for c in code(chapter)
        for o in c.outputs
    ]
    assert not [text for text in texts if re.search(r"\bat 0x[0-9a-f]+|/(home|root|tmp|Users|work)/", text)]


def test_metadata_holds_only_the_plain_kernel(chapter):
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert chapter.metadata == {"kernelspec": kernelspec, "language_info": {"name": "python"}}


def test_cells_are_short(chapter):
    lines = [len(cell.source.splitlines()) for cell in code(chapter)]
    assert max(lines) <= 25
    assert sorted(lines)[len(lines) // 2] <= 12


def test_one_output_a_cell(chapter):
    crowded = [
        c
        for c in code(chapter)
        if len([o for o in c.outputs if "scrapbook" not in o.get("metadata", {})]) > 1
    ]
    assert not crowded


def test_most_outputs_are_compared(chapter):
    ignored = [cell for cell in code(chapter) if "nbval-ignore-output" in tags(cell)]
    assert 4 * len(ignored) <= len(code(chapter))


def test_tags_are_the_known_ones(chapter):
    known = {
        "check",
        "novel",
        "hide-cell",
        "hide-input",
        "remove-cell",
        "nbval-ignore-output",
        "raises-exception",
    }
    assert not {tag for cell in code(chapter) for tag in tags(cell)} - known


def test_a_check_is_one_line_that_says_what_it_establishes(chapter):
    for cell in code(chapter):
        assert ("check" in tags(cell)) == ("mutation" in cell.metadata)
        if "check" in tags(cell):
            assert "hide-cell" in tags(cell)
            assert not {"hide-input", "remove-cell"} & set(tags(cell))
            shown, open_ = (cell.metadata["mystnb"][f"code_prompt_{word}"] for word in ("show", "hide"))
            assert re.match(r"✓ \w", shown)
            assert shown == open_
            assert "assert " in cell.source


def test_titles_of_checks_are_unique(chapter):
    titles = [c.metadata["mystnb"]["code_prompt_show"] for c in code(chapter) if "check" in tags(c)]
    assert len(titles) == len(set(titles))


def test_figures_are_described_and_quoted(chapter):
    shown = [c for c in code(chapter) if any("image/png" in o.get("data", {}) for o in c.outputs)]
    prose = "".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    for cell in shown:
        meta = cell.metadata["mystnb"]
        assert meta["figure"]["caption"].endswith(".")
        assert len(meta["image"]["alt"]) > 40
        assert f"{{numref}}`{meta['figure']['name']}`" in prose


def sizes(source):
    """Yield the sizes in points that a cell gives to letters."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in (
            "size",
            "fontsize",
            "labelsize",
            "title_fontsize",
        ):
            yield node.value.value if isinstance(node.value, ast.Constant) else None
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("set_fontsize", "set_size"):
            yield node.args[0].value if isinstance(node.args[0], ast.Constant) else None


def test_letters_of_plots_have_eight_points(chapter, path):
    """At 8 points a plot needs half of its width for 9 pixels: READABLE in book/_ext/postprocess.py."""
    if path.stem not in FORM:
        pytest.skip("a chapter of the first edition")
    drawn = [cell.source for cell in code(chapter) if "figure" in cell.metadata.get("mystnb", {})]
    assert [
        size for source in drawn for size in sizes(source) if not (isinstance(size, int) and size >= 8)
    ] == []


def test_no_curve_is_told_by_its_colour_alone(chapter):
    """Orange and red are one to a deuteranope: "Dashed red: …" says enough, "Red: …" does not."""
    captions = [
        cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "") for cell in code(chapter)
    ]
    colours = r"(?:^|[.;,] )(?:red|orange|blue|green|pink|purple|yellow)(?::| is\b)"
    assert [found for text in captions for found in re.findall(colours, text, re.IGNORECASE)] == []


def test_glued_names_are_unique(chapter):
    names = re.findall(r'glue\(\s*"([^"]+)"', "\n".join(cell.source for cell in code(chapter)))
    assert len(names) == len(set(names))


def test_template(chapter, path):
    prose = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^(#{1,2}) (.+)$", prose, flags=re.M)
    assert [level for level, _ in headings].count("#") == 1
    names = [name for _, name in headings]
    if path.stem in APPENDIX:
        return
    assert names[1] == "Overview"
    assert names[-2:] == ["Summary", "Exercises"]
    exercises = set(re.findall(r"\{exercise\}[^\n]*\n:label: (\S+)", prose))
    solved = set(re.findall(r"\{solution(?:-start)?\} (\S+)", prose))
    assert 4 <= len(exercises) <= 8
    assert solved == exercises


def test_prose_without_filler(chapter):
    prose = " ".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    prose = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", prose, flags=re.S)
    assert not re.findall(r"\b(?:simply|obviously|of course|clearly,)\b", prose)
    assert "!" not in re.sub(r"!\[", "", prose)


def test_every_chapter_is_in_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert [path.stem for path in CHAPTERS if f"book/{path.stem}\n" not in toc] == []


#: What a chapter defines and the package also holds.
SHARED = {
    "backward": [
        cells.tanh_forward,
        cells.tanh_backward,
        cells.parameter_gradients,
        gradient.cross_entropy,
        gradient.backward,
    ]
}


def definitions(source):
    """Return the functions of a source by name, in one layout, without docstrings and comments."""
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    for node in found:
        if ast.get_docstring(node) is not None:
            del node.body[0]
    return {node.name: ast.unparse(node) for node in found}


@pytest.mark.parametrize("stem", SHARED)
def test_what_chapter_and_package_both_define_is_the_same_code(stem):
    notebook = nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4)
    defined = definitions("\n".join(cell.source for cell in code(notebook)))
    for function in SHARED[stem]:
        packaged = definitions(inspect.getsource(function))
        assert packaged == {function.__name__: defined[function.__name__]}


def test_the_readable_backward_pass_is_short():
    lines = definitions(inspect.getsource(gradient.backward))["backward"].splitlines()
    assert len(lines) <= 25
