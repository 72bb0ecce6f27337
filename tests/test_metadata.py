"""What a page says of itself: buttons, description, date; and the sitemap, with and without an address."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "book" / "_ext" / "metadata.py"
BUTTONS = ("use_repository_button", "use_edit_page_button")


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


def test_no_button_without_a_repository(metadata, config):
    metadata.configure(None, config)
    assert [config.html_theme_options[name] for name in BUTTONS] == [False] * 2
    assert "repository_url" not in config.html_theme_options
    assert config.html_baseurl == ""


def test_buttons_lead_to_the_repository(metadata, config, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/book")
    metadata.configure(None, config)
    assert [config.html_theme_options[name] for name in BUTTONS] == [True] * 2
    assert config.html_theme_options["repository_url"] == "https://github.com/someone/book"
    assert config.html_theme_options["repository_branch"] == "main"


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
    formula = new_document("page")
    formula += nodes.paragraph("", "The state is c_t = f_t \\odot\\, c_{t-1} + \\dots, in one line.")
    assert metadata.describe(formula) == "The state is c_t = f_t ⊙ c_{t-1} + …, in one line."
    long = new_document("page")
    long += nodes.paragraph("", "word " * 100)
    assert len(metadata.describe(long)) <= 202
    assert metadata.describe(None) == ""


HEAD = """<html><head><title>The &amp; book</title>
<link rel="icon" href="../_static/favicon.svg"/>
<meta name="viewport" content="no">
<meta name="description" content="A question?">
<meta property="og:title" content="The &amp; book">
<meta name="twitter:card" content="summary_large_image"></head>"""


@pytest.mark.parametrize("base", ["https://example.org/", ""])
def test_the_address_of_the_site_says_what_the_first_page_says(metadata, tmp_path, base):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.html").write_text(HEAD)
    app = SimpleNamespace(
        config=SimpleNamespace(root_doc="book/intro", html_baseurl=base),
        builder=SimpleNamespace(name="html"),
        outdir=str(tmp_path),
    )
    metadata.lead(app, ValueError())
    assert not (tmp_path / "index.html").exists()
    metadata.lead(app, None)
    text = (tmp_path / "index.html").read_text()
    for line in HEAD.splitlines()[3:]:
        assert line.removesuffix("</head>") in text
    assert "<title>The &amp; book</title>" in text
    assert 'href="_static/favicon.svg"' in text
    assert 'content="0; url=book/intro.html"' in text
    assert '<a href="book/intro.html">' in text
    assert (f'<link rel="canonical" href="{base}book/intro.html">' in text) == bool(base)
    assert "no" not in re.findall('content="(.*?)"', text)


def test_a_first_page_at_the_address_itself_stays(metadata, tmp_path):
    app = SimpleNamespace(
        config=SimpleNamespace(root_doc="index", html_baseurl=""),
        builder=SimpleNamespace(name="html"),
        outdir=str(tmp_path),
    )
    (tmp_path / "index.html").write_text(HEAD)
    metadata.lead(app, None)
    assert (tmp_path / "index.html").read_text() == HEAD


def git(folder, *words, day="2020-01-02"):
    """Run git as nobody in particular, on a day."""
    about = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        about |= {
            f"GIT_{who}_{k}": v for k, v in {"NAME": "A", "EMAIL": "a@b", "DATE": f"{day}T12:00Z"}.items()
        }
    subprocess.run(
        ["git", *map(str, words)], cwd=folder, check=True, capture_output=True, env=os.environ | about
    )


def write(folder, day, **pages):
    """Write pages and commit them."""
    for name, text in pages.items():
        (folder / f"{name}.rst").write_text(f"{name}\n=====\n\n{text}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", day, day=day)


def built(folder, **address):
    """Build a book as the book is configured; return the date of each page, and its map."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("SITE_URL", "GITHUB_REPOSITORY")
    }
    command = [sys.executable, "-m", "sphinx", "-W", "-q", ".", "_build"]
    subprocess.run(command, cwd=folder, check=True, env=kept | address)
    texts = {
        name: (folder / "_build" / f"{name}.html").read_text() for name in ("index", "other", "search")
    }
    assert all("_sources/" in texts[name] for name in ("index", "other"))
    found = {
        name: re.findall(r"\d{4}-\d\d-\d\d", re.sub("<[^>]*>", "", text)) for name, text in texts.items()
    }
    path = folder / "_build" / "sitemap.xml"
    return found, path.read_text() if path.is_file() else None


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return a book of two pages in git; one has changed since the first commit."""
    folder = tmp_path_factory.mktemp("repository")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    settings = {k: v for k, v in settings.items() if re.match("git_|sitemap_|suppress_|html_last", k)}
    settings["extensions"] = ["metadata", "sphinx_last_updated_by_git", "sphinx_sitemap"]
    settings |= {
        "html_theme": "sphinx_book_theme",
        "exclude_patterns": ["_build"],
        "html_copy_source": True,
    }
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    text = "\n".join(["import sys", f"sys.path.append({str(PATH.parent)!r})", *lines])
    (folder / "conf.py").write_text(text)
    git(folder, "init", "-b", "main")
    write(folder, "2020-01-02", index=".. toctree::\n\n   other", other="First.")
    write(folder, "2021-03-04", other="Second.")
    return folder


def test_a_page_and_the_map_have_the_day_of_the_last_commit(repository, tmp_path):
    git(tmp_path, "clone", repository, "whole")
    found, sitemap = built(tmp_path / "whole", SITE_URL="https://example.org/bptt")
    assert found == {"index": ["2020-01-02"], "other": ["2021-03-04"], "search": []}
    entry = "<url><loc>https://example.org/bptt/{}.html</loc><lastmod>{}T12:00:00Z</lastmod></url>".format
    entries = [entry("index", "2020-01-02"), entry("other", "2021-03-04")]
    assert re.findall("<url>.*?</url>", sitemap) == entries
    git(tmp_path / "whole", "commit", "--amend", "-m", "later", "--reset-author", day="2022-05-06")
    (tmp_path / "whole" / "_build" / "other.html").unlink()  # to be written, not read, again
    assert built(tmp_path / "whole")[0]["other"] == ["2022-05-06"]


def test_a_clone_that_lost_the_earlier_commits_shows_no_day(repository, tmp_path):
    git(tmp_path, "clone", "--depth", "1", repository.as_uri(), "shallow")
    found, sitemap = built(tmp_path / "shallow", SITE_URL="https://example.org/bptt/")
    assert found == {"index": [], "other": [], "search": []}
    assert sitemap.count("<loc>https://example.org/bptt/") == 2
    assert "lastmod" not in sitemap


def test_without_git_and_without_an_address_is_neither_day_nor_map(repository, tmp_path):
    shutil.copytree(repository, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", "_build"))
    found, sitemap = built(tmp_path / "copy")
    assert found == {"index": [], "other": [], "search": []}
    assert sitemap is None
