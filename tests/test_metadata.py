"""What surrounds a page: buttons, description and sitemap, with and without a known address."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document

PATH = Path(__file__).resolve().parent.parent / "book" / "_ext" / "metadata.py"
BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")


@pytest.fixture
def metadata(monkeypatch):
    for name in ("SITE_URL", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("metadata", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config():
    return SimpleNamespace(html_theme_options={}, html_baseurl=None)


def site(config, folder):
    env = SimpleNamespace(found_docs={"book/intro"}, doc2path=lambda name: str(folder / f"{name}.md"))
    return SimpleNamespace(config=config, outdir=folder, env=env, builder=SimpleNamespace(name="html"))


def test_no_button_without_a_repository(metadata, config):
    metadata.configure(None, config)
    assert [config.html_theme_options[name] for name in BUTTONS] == [False] * 3
    assert "repository_url" not in config.html_theme_options
    assert config.html_baseurl == ""


def test_buttons_lead_to_the_repository(metadata, config, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/book")
    metadata.configure(None, config)
    assert [config.html_theme_options[name] for name in BUTTONS] == [True] * 3
    assert config.html_theme_options["repository_url"] == "https://github.com/someone/book"
    assert config.html_theme_options["repository_branch"] == "main"


def test_sitemap_needs_an_address(metadata, config, monkeypatch, tmp_path):
    (tmp_path / "book").mkdir()
    metadata.configure(None, config)
    metadata.map_site(site(config, tmp_path), None)
    assert not (tmp_path / "sitemap.xml").exists()
    monkeypatch.setenv("SITE_URL", "https://example.org/bptt")
    metadata.configure(None, config)
    metadata.map_site(site(config, tmp_path), None)
    text = (tmp_path / "sitemap.xml").read_text(encoding="utf-8")
    assert "<loc>https://example.org/bptt/book/intro.html</loc>" in text


def test_social_image_needs_an_address(metadata):
    context = {"title": "A &amp; B", "docstitle": "Book", "description": 'He said "no"'}
    without = metadata.meta_tags("book/a", context, "", "card.png")
    assert 'content="He said &quot;no&quot;"' in without
    assert 'property="og:title" content="A &amp; B"' in without
    assert "og:image" not in without
    there = metadata.meta_tags("book/a", context, "https://example.org/", "card.png")
    assert 'content="https://example.org/_static/card.png"' in there


def test_description_is_the_first_prose(metadata):
    document = new_document("page")
    document += nodes.paragraph("", "Short.")
    document += nodes.paragraph("", "What is lost after \\tau steps, and what it costs to keep it all.")
    assert metadata.describe(document) == "What is lost after τ steps, and what it costs to keep it all."
    long = new_document("page")
    long += nodes.paragraph("", "word " * 100)
    assert len(metadata.describe(long)) <= 202
    assert metadata.describe(None) == ""
