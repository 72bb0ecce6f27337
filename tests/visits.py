"""Fixtures, for the ``pytest_plugins`` of a module: a browser, the site's address, and pages of it."""

import os

import pytest
from browser import Visit, serve, start
from chromium import program


@pytest.fixture(scope="module")
def browser():
    if program() is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("no Chromium on this machine: the figures were not tried in a browser")
    with start() as browser:
        yield browser


@pytest.fixture(scope="module")
def site():
    with serve() as address:
        yield address


@pytest.fixture
def visits(browser, site):
    opened = []

    def open_(name, **options):
        opened.append(Visit(browser, f"{site}/{name}", **options))
        return opened[-1].page

    yield open_
    assert [visit.errors for visit in opened] == [[] for _ in opened]
    for visit in opened:
        visit.__exit__()
