"""What finishes the built pages: pictures, the theme's slips, previews of what links lead to."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import postprocess  # noqa: E402  (the book's Sphinx extension)


@pytest.fixture
def pictures(tmp_path):
    """Return a folder with a picture of each kind."""
    folder = tmp_path / "_images"
    folder.mkdir()
    picture = Image.effect_mandelbrot((40, 30), (-3, -2.5, 2, 2.5), 100)
    picture.save(folder / "a b.png")
    (folder / "cover.svg").write_text('<svg viewBox="0 0 120.4 60"></svg>')
    return folder


def test_a_picture_becomes_lighter_and_keeps_its_pixels(pictures):
    path = pictures / "a b.png"
    lighter = postprocess.smaller(path)
    assert lighter.suffix == ".webp"
    assert lighter.stat().st_size < path.stat().st_size
    with Image.open(path) as before, Image.open(lighter) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
    assert postprocess.smaller(pictures / "cover.svg") == pictures / "cover.svg"


@pytest.mark.parametrize(
    ("tag", "finished"),
    [
        (
            '<img alt="A" src="_images/a%20b.png">',
            '<img style="--readable: 20px" width="40" height="30" loading="lazy" alt="A" '
            'src="_images/a%20b.webp">',
        ),
        (
            '<img src="_images/cover.svg">',
            '<img style="--readable: 90px" width="120" height="60" loading="lazy" src="_images/cover.svg">',
        ),
        (
            '<img width="7" style="width: 7px" src="_images/cover.svg">',
            '<img width="7" style="--readable: 90px; width: 7px" src="_images/cover.svg">',
        ),
        ('<img src="_images/lost.png">', '<img src="_images/lost.png">'),
        ('<img src="https://example.org/a.png">', '<img src="https://example.org/a.png">'),
    ],
)
def test_a_picture_has_its_size_before_it_comes(tag, finished, pictures):
    assert postprocess.finish_image(tag, pictures.parent) == finished


def test_a_finished_picture_stays_as_it_is(pictures):
    once = postprocess.finish_image('<img src="_images/a%20b.png">', pictures.parent)
    assert postprocess.finish_image(once, pictures.parent) == once


PICTURE = '<img alt="{}" src="f.png">'
PLOT = '<figure id="f">\n<div class="scrolls plot{}" role="group" aria-label="Plot">{}</div>\n{}</figure>'


@pytest.mark.parametrize(
    ("picture", "caption", "kind"),
    [
        (PICTURE.format("Two lines fall."), "Norms.", ""),
        (PICTURE.format("The band is dark."), "Norms.", " shaded"),
        (PICTURE.format("Two bands."), "The darker, the larger.", " shaded"),
        (f'<a href="f.png">{PICTURE.format("Two lines.")}</a>', "A reader is enlightened.", ""),
    ],
)
def test_a_figure_can_scroll_and_keeps_its_shades(picture, caption, kind):
    text = f'<figure id="f">\n{picture}\n{caption}</figure><figure>no picture, white</figure>'
    framed = postprocess.frame(text)
    assert framed == PLOT.format(kind, picture, caption) + "<figure>no picture, white</figure>"
    assert postprocess.frame(framed) == framed


SLIPS = [
    ('<th class="head stub"><p></p></th>', "<td></td>"),
    ('<th class="head"><p>n</p></th>', '<th class="head"><p>n</p></th>'),
    ('<summary aria-label="Toggle">More</summary>', "<summary>More</summary>"),
    ('<div class="citation" role="doc-biblioentry">', '<div class="citation">'),
    ('<div class="citation-list" role="list">', '<div class="citation-list">'),
    ('<ul role="list">', '<ul role="list">'),
    ('<script>kernelName = "x"</script>', '<script>kernelName = "x"</script>'),
    ("<script>kernelName = 'python3'</script>", ""),
    ('<script type="text/x-thebe-config">\n{}\n</script>', ""),
    ('<div id="ethical-ad-placement"\n></div>', ""),
    ('<span class="w">    </span>', "    "),
    ("a\n \n\n b", "a\n b"),
    ("<pre>a\n\n\nb</pre>\n\n<p>", "<pre>a\n\n\nb</pre>\n<p>"),
    ('<a class="x" href="../_images/f.png">', '<a class="x" href="../_images/f.webp">'),
    ('<a class="x" href="../_static/f.png">', '<a class="x" href="../_static/f.png">'),
]


@pytest.mark.parametrize(("text", "finished"), SLIPS)
def test_slips_of_the_theme_are_mended_and_nothing_else(text, finished):
    assert postprocess.finish(text, Path("a.html")) == finished


@pytest.mark.parametrize(("name", "kept"), [("search.html", True), ("rnn.html", False)])
def test_the_search_page_alone_loads_the_search(name, kept):
    script = '<script src="../_static/searchtools.js?v=1"></script>'
    assert (postprocess.finish(script, Path(name)) == script) is kept


PAGE = """\
<main><p id="p">A</p>
<figure class="a" id="fig"><div><figure>inner</figure></div></figure>
<div class="math notranslate" id="eq"><div>x</div></div>
<dl><dt id="term-a.b">Word</dt><dd>Meaning</dd><dt id="other">Other</dt><dd>Else</dd></dl></main>
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fig", '<figure class="a" id="fig"><div><figure>inner</figure></div></figure>'),
        ("eq", '<div class="math notranslate" id="eq"><div>x</div></div>'),
        ("term-a.b", '<dt id="term-a.b">Word</dt><dd>Meaning</dd>'),
        ("p", None),
        ("nowhere", None),
    ],
)
def test_what_a_link_leads_to_is_found_whole(name, found):
    assert postprocess.element(PAGE, name) == found


def test_previews_are_stored_once():
    """Sphinx leaves a page alone that has not changed, and so with the previews of the last build."""
    here, there = Path("a.html"), Path("b.html")
    link = '<a class="reference internal" href="b.html#fig-b">B</a>'
    target = '<figure id="fig-b">B</figure>'
    texts = {here: f"<main>{link}</main></body>", there: f"<main>{target}</main></body>"}
    once = postprocess.store_previews(here, texts)
    assert '<template data-preview="b.html#fig-b"><figure>B</figure></template>' in once
    assert postprocess.store_previews(here, texts | {here: once}) == once
    changed = texts[there].replace(">B<", ">C<")
    assert "<figure>C</figure>" in postprocess.store_previews(here, {here: once, there: changed})


def test_a_site_is_finished(pictures):
    site = pictures.parent
    (site / "a.html").write_text('<main><img src="_images/a%20b.png"></main></body>')
    (site / "_static").mkdir()
    (site / "_static" / "template.html").write_text("a\n\n\nb")
    app = SimpleNamespace(outdir=str(site), builder=SimpleNamespace(format="html"))
    postprocess.finish_all(app, ValueError())
    postprocess.finish_all(SimpleNamespace(builder=SimpleNamespace(format="latex")), None)
    assert (pictures / "a b.png").exists()
    postprocess.finish_all(app, None)
    assert "a%20b.webp" in (site / "a.html").read_text()
    assert sorted(path.name for path in pictures.iterdir()) == ["a b.webp", "cover.svg"]
    assert (site / "_static" / "template.html").read_text() == "a\n\n\nb"
