"""Figures to take away: the files are those shown and say whose they are, and captions lead to them."""

import base64
import copy
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib
import nbformat
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from pypdf import PdfReader

import d2lutil

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import figures  # noqa: E402  (what `make figures` calls)
import notebooks  # noqa: E402
import takeaway  # noqa: E402  (the book's Sphinx extension)

# Shown of a chapter, by figure; what a page draws from SVG comes behind.
CHAPTERS = {
    path.stem: [about for about, _ in figures.figures(nbformat.read(path, as_version=4).cells)]
    for path in notebooks.chapters()
}
SHOWN = {about.name: about for shown in CHAPTERS.values() for about in shown}
DRAWN = {about.name: about for about, _ in figures.drawings(ROOT / "book")}
DC, CC = "{http://purl.org/dc/elements/1.1/}", "{http://creativecommons.org/ns#}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def drawn(kind):
    """Return a plot as matplotlib writes it on its own, with today's date."""
    figure, written = Figure(), io.BytesIO()
    figure.add_subplot().plot([1, 2], label="τ = 7")
    figure.savefig(written, format=kind)
    return written.getvalue()


@pytest.fixture
def about():
    return figures.About("fig-a", "Cut & paste.", 'A line "rises".', "0" * 64)


@pytest.fixture
def notebook():
    """Return a chapter with a named figure, as executed with the formats to take away."""
    data = {kind: base64.b64encode(drawn(kind)).decode() for kind in ("png", "pdf")}
    data = {
        "text/plain": "<Figure>",
        "image/png": data["png"],
        "application/pdf": data["pdf"],
        "image/svg+xml": drawn("svg").decode(),
    }
    shown = new_output("display_data", data=data, metadata={"image/svg+xml": {"isolated": True}})
    extras = {"figure": {"name": "fig-a", "caption": "A *line*. It rises."}, "image": {"alt": "A line"}}
    cells = [new_code_cell("plot()", outputs=[shown], metadata={"mystnb": extras})]
    cells.append(new_code_cell("plot()", outputs=[copy.deepcopy(shown)]))  # without a name
    return new_notebook(cells=cells)


def test_every_figure_has_files_that_are_those_shown():
    stale = [about.name for about in [*SHOWN.values(), *DRAWN.values()] if figures.stale(about)]
    assert stale == [], "make figures, or make run of the chapter"


def test_no_file_is_without_its_figure():
    assert {path.stem for path in figures.FOLDER.iterdir()} == {*SHOWN, *DRAWN}
    assert len(DRAWN) == len(
        re.findall(r"\{figure\} \S+\.svg", " ".join(p.read_text() for p in ROOT.glob("book/*.md")))
    )


def test_the_files_are_light():
    sizes = {path.name: path.stat().st_size for path in figures.FOLDER.iterdir()}
    assert sum(sizes.values()) < 6e6
    assert {name for name, size in sizes.items() if size > 3e5} == set()


@pytest.mark.parametrize("path", sorted(figures.FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_both_files_say_what_they_are_and_whose(path):
    about = (SHOWN | DRAWN)[path.stem]
    root = ElementTree.parse(path).getroot()
    work = root.find(f".//{CC}Work")
    assert about.words == root.findtext("{http://www.w3.org/2000/svg}desc")
    assert about.title == work.findtext(f"{DC}title") == root.findtext("{http://www.w3.org/2000/svg}title")
    assert work.find(f"{CC}license").get(f"{RDF}resource") == figures.LICENSE == takeaway.LICENSE
    book = r"The contributors\. Backpropagation Through Time, version [\d.]+, \d{4}"
    cited = rf'{book}\. Figure "{path.stem}"\.'
    assert re.fullmatch(cited, work.findtext(f"{DC}source"))
    reader = PdfReader(path.with_suffix(".pdf"))
    assert len(reader.pages) == 1
    said = reader.metadata
    assert (said["/Title"], said["/Author"]) == (about.title, "The contributors")
    assert said["/Source"] == work.findtext(f"{DC}source")
    assert said["/Rights"] == f"CC BY-SA 4.0, {figures.LICENSE}"
    fonts = reader.pages[0]["/Resources"].get("/Font", {})
    assert "/Type3" not in [font.get_object()["/Subtype"] for font in fonts.values()]
    assert re.search(r'fill(=|:)"? ?#fff', path.read_text(encoding="utf-8"))  # a ground, for a dark page
    for text in (path.read_text(encoding="utf-8"), str(said)):
        assert not re.search(r"/(work|home|root|tmp)/|CreationDate|dc:date", text)
    assert not re.search(r"[{}`\[\]]", re.sub(r"\$.*?\$", "", about.title))


def test_a_file_is_the_same_on_another_day(about, monkeypatch):
    first = figures.stamp_svg(drawn("svg").decode(), about), figures.stamp_pdf(drawn("pdf"), about)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    days = drawn("svg").decode(), drawn("pdf")
    assert "1970-01-02" in days[0]
    assert figures.stamp_pdf(days[1], about) == first[1]
    assert "1970" not in figures.stamp_svg(days[0], about)
    ElementTree.fromstring(first[0])  # & and " of the caption
    assert figures.stamp_svg(first[0], about) == first[0]
    assert not re.search(r'\sd="[^"]*[1-9]\.\d{3}', first[0])


def test_to_take_leaves_only_what_the_page_shows(notebook, tmp_path):
    assert figures.take(notebook, tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {"fig-a.svg", "fig-a.pdf"}
    for cell in notebook.cells:
        assert set(cell.outputs[0].data) == {"text/plain", "image/png"}
        assert cell.outputs[0].metadata == {}
    assert "<title>A line.</title>" in (tmp_path / "fig-a.svg").read_text(encoding="utf-8")


def test_what_comes_out_otherwise_is_left_alone_and_named(notebook, tmp_path):
    assert figures.take(notebook, tmp_path, shown={"other"}) == ["fig-a"]
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_picture_is_found(notebook, tmp_path):
    ((about, output),) = figures.figures(notebook.cells)
    assert figures.stale(about, tmp_path)
    figures.take(notebook, tmp_path)
    assert not figures.stale(about, tmp_path)
    output.data["image/png"] = base64.b64encode(b"another").decode()
    ((changed, _),) = figures.figures(notebook.cells)
    assert figures.stale(changed, tmp_path)
    (tmp_path / "fig-a.pdf").unlink()
    assert figures.stale(about, tmp_path)


def test_a_new_caption_comes_into_the_files_without_a_run(notebook, tmp_path):
    figures.take(notebook, tmp_path)
    ((about, _),) = figures.figures(notebook.cells)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    figures.renew(about, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    figures.renew(about._replace(title="Another."), tmp_path)
    text = (tmp_path / "fig-a.svg").read_text(encoding="utf-8")
    assert text.count("<title>") == text.count("<metadata>") == text.count("<dc:title>Another.") == 1
    assert PdfReader(tmp_path / "fig-a.pdf").metadata["/Title"] == "Another."
    assert not figures.stale(about, tmp_path)


def test_the_picture_on_the_page_is_the_same_beside_other_formats(tmp_path, monkeypatch):
    code = """\
import d2lutil
from matplotlib import pyplot
d2lutil.use_style()
figure, ax = pyplot.subplots()
figure.colorbar(ax.imshow([[1, 2]]), ax=ax, label="moves when the layout is computed again");"""
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), tmp_path / "a.ipynb")
    (output,) = notebooks.execute(tmp_path / "a.ipynb").cells[0].outputs
    assert {"image/png", *figures.FORMATS.values()} <= set(output.data)
    assert b"/Type3" not in base64.b64decode(output.data["application/pdf"])
    monkeypatch.setattr(figures, "OPTIONS", [])
    (alone,) = notebooks.execute(tmp_path / "a.ipynb").cells[0].outputs
    assert alone.data["image/png"] == output.data["image/png"]


def test_a_caption_is_a_title_without_markup():
    caption = (
        "The {term}`window <a>` of\n*$\\tau$* steps ([](x.md)), {term}`bias`, [b](c.md) of {eq}`y`. More."
    )
    assert figures.plain(caption) == "The window of $\\tau$ steps, bias, b."


FIGURE = '<figure class="a" id="fig-{}">\n<img src="a.png"/>\n<figcaption><p>A</p></figcaption></figure>'


def test_a_caption_leads_to_files_that_are_there(tmp_path):
    body = FIGURE.format("a") + FIGURE.format("b")
    (tmp_path / "fig-b.svg").touch()
    assert takeaway.offer(body, tmp_path, "../") == body
    (tmp_path / "fig-b.pdf").touch()
    offered = takeaway.offer(body, tmp_path, "../")
    first, second = offered.split("</figure>")[:2]
    assert "takeaway" not in first
    assert re.findall('href="(.*?)"', second)[:2] == ["../figures/fig-b.svg", "../figures/fig-b.pdf"]
    assert second.endswith("</p></figcaption>")


def test_the_site_gets_the_files_and_none_of_yesterday(tmp_path):
    app = SimpleNamespace(
        srcdir=str(tmp_path), outdir=str(tmp_path / "out"), builder=SimpleNamespace(format="html")
    )
    source, target = tmp_path / "book" / "figures", tmp_path / "out" / "figures"
    for folder, name in ((source, "fig-a.svg"), (source, "fig-a.pdf"), (target, "fig-old.svg")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    takeaway.copy_files(app, None)
    assert sorted(path.name for path in target.iterdir()) == ["fig-a.pdf", "fig-a.svg"]


def test_a_page_already_built_follows_its_files(tmp_path):
    (tmp_path / "conf.py").write_text(
        f"import sys; sys.path.append({str(ROOT / 'book' / '_ext')!r}); extensions = ['takeaway']"
    )
    (tmp_path / "index.rst").write_text(
        "A page\n======\n\n.. figure:: a.svg\n   :name: fig-a\n\n   A line.\n"
    )
    (tmp_path / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    folder = tmp_path / "book" / "figures"
    folder.mkdir(parents=True)

    def is_offered():
        command = [sys.executable, "-m", "sphinx", "-W", "-q", ".", "_build"]
        subprocess.run(command, cwd=tmp_path, check=True)
        return "figures/fig-a.pdf" in (tmp_path / "_build" / "index.html").read_text()

    assert not is_offered()
    for suffix in takeaway.SUFFIXES:
        (folder / f"fig-a.{suffix}").touch()
    assert is_offered()
    (folder / "fig-a.svg").unlink()
    assert not is_offered()


@pytest.mark.skipif(not (SITE / "figures").is_dir(), reason="no built site: run `make book` first")
def test_every_caption_of_the_site_leads_to_its_files():
    led = set()
    for path in SITE.glob("book/*.html"):
        text = re.sub("<template.*?</template>", "", path.read_text(encoding="utf-8"), flags=re.S)
        led |= set(re.findall(r'class="takeaway">[^<]*<a href="\.\./figures/([\w-]+)\.svg" download', text))
    assert led == {path.stem for path in (SITE / "figures").glob("*.svg")}
    assert "To take away" not in (SITE / "_static" / "texts.js").read_text(encoding="utf-8")


def test_the_style_embeds_fonts_that_journals_take():
    with matplotlib.rc_context():
        d2lutil.use_style()
        assert matplotlib.rcParams["pdf.fonttype"] == 42
