"""What leads from the pages to Colab, Binder and the PDF, and what Binder and the PDF need."""

import os
import re
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import buttons  # noqa: E402  (the book's Sphinx extension)
import pdf  # noqa: E402


def test_buttons_need_repository_and_branch():
    both = {"GITHUB_REPOSITORY": "owner/name", "NOTEBOOKS_BRANCH": "colab"}
    assert buttons.addresses(both, "rnn") == {
        "Colab": "https://colab.research.google.com/github/owner/name/blob/colab/rnn.ipynb",
        "Binder": "https://mybinder.org/v2/gh/owner/name/colab?urlpath=lab/tree/rnn.ipynb",
    }
    assert buttons.addresses({"GITHUB_REPOSITORY": "owner/name"}, "rnn") == {}
    assert buttons.addresses({"NOTEBOOKS_BRANCH": "colab"}, "rnn") == {}


def test_a_reader_is_led_to_forms_that_exist_and_know_the_page():
    assert buttons.answers({}, "book/rnn.html", True) == {}
    environ = {"GITHUB_REPOSITORY": "owner/name"}
    found = buttons.answers(environ, "book/rnn.html", True)
    issues = "https://github.com/owner/name/issues/new?template={}&page=book/rnn.html"
    assert found == {
        "Report an error": issues.format("text.yml"),
        "Report a failing cell": issues.format("chapter.yml"),
        "Ask a question": "https://github.com/owner/name/discussions",
    }
    forms = re.findall(r"template=([\w.]+)", " ".join(found.values()))
    assert {path.name for path in (ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()} == {*forms, "config.yml"}
    assert "Report a failing cell" not in buttons.answers(environ, "book/cost.html", False)
    elsewhere = environ | {"GITHUB_SERVER_URL": "https://git.example.org"}
    assert buttons.answers(elsewhere, "a", False)["Ask a question"].startswith(
        "https://git.example.org/owner"
    )


def header(monkeypatch, page, **variables):
    """Return the groups of buttons on a page, by their label: each the texts and addresses."""
    for name in ("GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "NOTEBOOKS_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    app = SimpleNamespace(srcdir=ROOT / "nowhere", env=SimpleNamespace(doc2path=lambda name: page))
    context = {"header_buttons": []}
    buttons.add_buttons(app, page.rpartition(".")[0], "page.html", context, object())
    return {
        group["label"]: {one["text"]: one["url"] for one in group["buttons"]}
        for group in context["header_buttons"]
    }


def test_the_pages_have_these_buttons_where_the_repository_is_known(monkeypatch):
    assert header(monkeypatch, "book/rnn.ipynb") == {}
    known = header(monkeypatch, "book/rnn.ipynb", GITHUB_REPOSITORY="owner/name")
    assert set(known) == {"answer-buttons"}
    assert known["answer-buttons"] == buttons.answers(os.environ, "book/rnn.html", True)
    prose = header(monkeypatch, "book/cost.md", GITHUB_REPOSITORY="owner/name")
    assert list(prose["answer-buttons"]) == ["Report an error", "Ask a question"]


PRINTED = ["book/a.md", "book/cost/a.md", "book/_latex/a.sty", "book/_ext/a.py", "book/_static/cover.svg"]
PRINTED += ["book/a.bib", "book/a.py", "d2lutil/fast/a.py", "_config.yml"]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("name", PRINTED)
def test_the_pdf_is_offered_while_it_is_new(name, tmp_path):
    (tmp_path / "_build" / "pdf").mkdir(parents=True)
    printed, source = tmp_path / "_build" / "pdf" / buttons.PDF, touch(tmp_path / name)
    assert buttons.printed(tmp_path) is None
    printed.touch()
    os.utime(source, (1, 1))
    assert buttons.printed(tmp_path) == printed
    touch(tmp_path / "book" / "_static" / "book.css")
    touch(tmp_path / "book" / "figures" / "fig-a.svg")
    touch(tmp_path / "book" / "_ext" / "__pycache__" / "a.pyc")
    os.utime(printed, (2, 2))
    assert buttons.printed(tmp_path) == printed
    os.utime(printed, (0, 0))
    assert buttons.printed(tmp_path) is None


def test_the_first_page_leads_to_the_other_forms_that_there_are(tmp_path, monkeypatch):
    for name in ("GITHUB_REPOSITORY", "NOTEBOOKS_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    env = SimpleNamespace(srcdir=tmp_path, docname="book/intro")
    forms = buttons.Forms()
    forms.text = "rnn"
    forms.inliner = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))

    def links():
        ((node,), _messages) = forms.run()
        assert node["format"] == "html"
        return re.findall('href="(.*?)"', node.astext())

    assert links() == []
    touch(tmp_path / "_build" / "pdf" / buttons.PDF)
    assert links() == [f"../{buttons.PDF}"]
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    monkeypatch.setenv("NOTEBOOKS_BRANCH", "colab")
    assert links() == [buttons.addresses(os.environ, "rnn")["Colab"], f"../{buttons.PDF}"]


def test_the_sheet_is_linked_and_copied_where_it_was_printed(tmp_path):
    app = SimpleNamespace(srcdir=tmp_path, outdir=tmp_path / "out", builder=SimpleNamespace(format="html"))
    app.outdir.mkdir()
    role = buttons.Printed()
    role.text = "One page & no more"
    env = SimpleNamespace(srcdir=tmp_path, docname="book/cheat-sheet")
    role.inliner = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    buttons.copy_pdf(app, None)
    assert role.run() == ([], [])
    touch(tmp_path / "_build" / "pdf" / buttons.SHEET)
    buttons.copy_pdf(app, None)
    assert [path.name for path in app.outdir.iterdir()] == [buttons.SHEET]
    ((node,), _messages) = role.run()
    assert node.astext() == f' <a href="../{buttons.SHEET}">One page &amp; no more</a>'


def test_binder_installs_the_versions_of_the_book():
    book = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = set(re.findall(r"^[\w-]+==[\w.]+", book, flags=re.M))
    binder = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8")
    installed = set(re.findall(r"^[^#\s]+", binder, flags=re.M))
    assert installed <= pins
    needed = {Requirement(line).name for line in metadata.requires("d2lutil")}
    assert {line.split("==")[0] for line in installed} == needed - {"mxnet"}
    assert "mxnet==1.9.1" in (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")


def test_missing_packages_are_named():
    assert pdf.missing(found=lambda name: True) == []
    assert pdf.missing(found=lambda name: name != "xelatex") == ["texlive-xetex"]
    assert set(pdf.missing(found=lambda name: False)) == set(pdf.PACKAGES)


def test_what_a_reader_would_see_is_a_fault():
    log = """\
This is XeTeX
Overfull \\hbox (4.2pt too wide) in paragraph at lines 10--10
Overfull \\hbox (80.0pt too wide) in paragraph at lines 20--21
Missing character: There is no ξ in font nullfont!
LaTeX Warning: Reference `eq-x' on page 3 undefined on input line 7.
! Undefined control sequence.
"""
    assert len(pdf.faults(log)) == 4
    assert pdf.faults("This is XeTeX\nOverfull \\vbox (3.0pt too high) detected at line 5\n") == []


def test_latexmk_that_dies_before_tex_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pdf, "LATEX", tmp_path / "latex")
    monkeypatch.setattr(pdf, "missing", list)
    ended = SimpleNamespace(returncode=12, stdout="Latexmk: cannot do that")
    monkeypatch.setattr(pdf.subprocess, "run", lambda *args, **kwargs: ended)
    monkeypatch.setattr(sys, "argv", ["pdf.py"])
    with pytest.raises(SystemExit, match=r"latexmk ended with 12 before TeX began.\nLatexmk: cannot"):
        pdf.main()


def test_the_pdf_has_one_name():
    assert pdf.PDF.name == buttons.PDF
    assert f"targetname: {pdf.PDF.stem}.tex" in (ROOT / "_config.yml").read_text(encoding="utf-8")
