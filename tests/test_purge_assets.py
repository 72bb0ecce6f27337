"""What lightens the pages: rules that nothing meets and icons that nobody sees are left out."""

import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "book" / "_ext"))

import purge_assets

KNOWN = {"card", "wide", "on"}


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".card{a:b}", ".card{a:b}"),
        (".card.lost{a:b}", ""),
        (".card .wide>p{a:b}", ".card .wide>p{a:b}"),
        (".card,.lost,p{a:b}", ".card,p{a:b}"),
        (".card:not(.lost){a:b}", ".card:not(.lost){a:b}"),
        (".card:is(.lost,.on),.lost{a:b}", ".card:is(.lost,.on){a:b}"),
        (".bs-tooltip-top{a:b}", ".bs-tooltip-top{a:b}"),
        ("@font-face{a:b}", "@font-face{a:b}"),
        ("@keyframes x{from{a:b}50%{a:c}to{a:d}}", "@keyframes x{from{a:b}50%{a:c}to{a:d}}"),
        ("@media print{.lost{a:b}}p{a:b}", "p{a:b}"),
        ("@media print{.lost{a:b}.on{a:b}}", "@media print{.on{a:b}}"),
    ],
)
def test_a_rule_stays_if_all_its_classes_occur(css, kept):
    assert purge_assets.prune(css, KNOWN) == kept


@pytest.fixture
def site(tmp_path):
    """Return a site with the theme's own icons, of which a page and a style sheet show one each."""
    static, fonts = tmp_path / "_static", tmp_path / purge_assets.FONTS
    (static / "styles").mkdir(parents=True)
    fonts.mkdir(parents=True)
    (source,) = Path(pydata_sphinx_theme.__file__).parent.rglob(f"{purge_assets.SOLID}.ttf")
    shutil.copy(source, fonts)
    (fonts / "fa-brands-400.ttf").touch()
    (static / "styles" / "theme.css.map").touch()
    (tmp_path / "a.html").write_text('<i class="fa-solid fa-bars"></i>')
    (static / "a.js").write_text('element.classList.add("from-script")')
    (static / "book.css").write_text('.copy{font-family:"Font Awesome 6 Free";content: "\\f0c5"}')
    (static / "styles" / "pydata-sphinx-theme.css").write_text(
        "/* a comment */"
        "@font-face{font-family:x;src:url(fa-solid-900.woff2)}@font-face{src:url(fa-brands-400.woff2)}"
        '.fa-bars:before{content:"\\f0c9"}.fa-car:before{content:"\\f1b9"}.from-script{a:b}.lost{a:b}'
    )
    return tmp_path


def app(folder, kind="html"):
    return SimpleNamespace(outdir=str(folder), builder=SimpleNamespace(format=kind))


def test_icons_are_those_that_are_shown(site):
    purge_assets.lighten(app(site), None)
    font = TTFont(site / "_static" / "icons.woff")
    assert set(font.getBestCmap()) == {0xF0C9, 0xF0C5}
    assert list((site / purge_assets.FONTS).iterdir()) == []
    css = (site / "_static" / "styles" / "pydata-sphinx-theme.css").read_text()
    assert re.findall(r"url\(([^)]*)\)", css) == ["../icons.woff"]
    assert re.findall(r"\.[a-z-]+(?=[:{])", css) == [".fa-bars", ".from-script"]
    assert "comment" not in css
    assert not list(site.rglob("*.map"))


def test_a_build_that_failed_or_is_no_site_is_left_alone(site):
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    purge_assets.lighten(app(site), ValueError())
    purge_assets.lighten(app(site, "latex"), None)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before
