"""How the book is cited, found and answered for: citation, Zenodo, who needs it, issue forms."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
SCHEMAS = {
    "citation-file-format": [ROOT / "CITATION.cff"],
    "github-issue-forms": [FORMS / "text.yml", FORMS / "chapter.yml"],
    "github-issue-config": [FORMS / "config.yml"],
}
# One change to each file after which it must be found invalid.
FLAWS = {
    "CITATION.cff": ("\n    - name: The contributors", " []"),
    "text.yml": ("type: textarea", "type: paragraph"),
    "chapter.yml": ("description: A cell raises", "about: A cell raises"),
    "config.yml": ("blank_issues_enabled: true", "blank_issues_enabled: perhaps"),
}
FILES = [(path, schema) for schema, paths in SCHEMAS.items() for path in paths]
# What Zenodo's deposits know, of the fields that this book has a use for.
ZENODO = {"title", "upload_type", "publication_type", "description", "creators", "access_right", "license"}
ZENODO |= {"notes", "keywords", "language"}

validator = pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None, reason="not for this Python"
)


def faults(path, schema):
    """Return what a schema, kept in the package, finds in a file."""
    command = [sys.executable, "-W", "ignore", "-m", "check_jsonschema", "-o", "json"]
    command += ["--builtin-schema", f"vendor.{schema}", str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout, run.stderr
    found = json.loads(run.stdout)
    return found.get("errors", []) + found.get("parse_errors", [])


def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


@validator
@pytest.mark.parametrize(("path", "schema"), FILES, ids=lambda value: getattr(value, "name", value))
def test_files_are_valid(path, schema, tmp_path):
    assert faults(path, schema) == []
    old, new = FLAWS[path.name]
    text = path.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / path.name).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert faults(tmp_path / path.name, schema)


def test_every_form_is_validated():
    assert set(FORMS.iterdir()) == {*SCHEMAS["github-issue-forms"], *SCHEMAS["github-issue-config"]}


def test_the_citation_says_all_that_a_citation_needs():
    cited = citation()
    for name in ("message", "abstract", "authors", "version", "date-released", "keywords", "license"):
        assert cited[name], name
    book = cited["preferred-citation"]
    assert (book["type"], cited["type"]) == ("book", "software")
    for name in ("title", "authors", "version"):
        assert book[name] == cited[name]
    assert cited["date-released"].startswith(f"{book['year']}-")
    # A list of licences would mean that one may choose.
    assert (cited["license"], book["license"]) == ("Apache-2.0", "CC-BY-SA-4.0")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    for name in ("the Apache License 2.0", "CC BY-SA 4.0"):
        assert name in licence


def test_zenodo_says_what_the_citation_says():
    record, cited = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8")), citation()
    assert set(record) == ZENODO
    assert (record["title"], record["keywords"]) == (cited["title"], cited["keywords"])
    assert re.sub("<.*?>", "", record["description"]) == cited["abstract"]
    assert record["creators"] == [{"name": author["name"]} for author in cited["authors"]]
    assert record["license"] == cited["preferred-citation"]["license"]
    assert (cited["preferred-citation"]["languages"], record["language"]) == (["en"], "eng")
    assert (record["upload_type"], record["publication_type"]) == ("publication", "book")
    assert cited["license"] in record["notes"]


def test_the_second_paragraph_of_the_readme_says_who_needs_the_book():
    paragraphs = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")
    assert paragraphs[0].startswith("# ")
    need = " ".join(paragraphs[2].split())
    assert need.startswith("**Why there is a need for it.**")
    for word in ("students", "lecturers", "review", "`detach`", "no error"):
        assert word in need
    assert 60 < len(need.split()) < 160


def test_a_form_asks_for_what_the_pages_fill_in():
    for path in SCHEMAS["github-issue-forms"]:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["body"][0]["id"] == "page"
        assert all(field["validations"]["required"] for field in form["body"])


def test_no_address_is_written_into_what_leads_to_the_repository():
    for path in (ROOT / "CITATION.cff", ROOT / ".zenodo.json", *FORMS.iterdir()):
        assert not re.search(r"https?:|github\.com|@", path.read_text(encoding="utf-8")), path.name
