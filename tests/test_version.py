"""One version everywhere, and a changelog in the form of Keep a Changelog."""

import re
from pathlib import Path

import yaml

import d2lutil

ROOT = Path(__file__).resolve().parent.parent
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_last_version_is_that_of_the_package_and_of_the_citation():
    (version, day), *_ = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", CHANGES, flags=re.M)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["date-released"]) == (version, day)
    assert d2lutil.__version__ == version


def test_changes_are_sorted_by_kind_under_their_version():
    headings = re.findall(r"^## (.*)$", CHANGES, flags=re.M)
    assert headings[0] == "[Unreleased]"
    days = [heading.rpartition(" - ")[2] for heading in headings[1:]]
    assert days == sorted(days, reverse=True)
    assert set(re.findall(r"^### (.*)$", CHANGES, flags=re.M)) <= KINDS
