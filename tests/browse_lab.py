"""`make lab` in a browser: every page opens as it should, and the shortest chapter runs.

Called by ``make test-lab``, not by ``make test``: it needs JupyterLab, which is an extra.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from browser import start
from chromium import program
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import lab  # noqa: E402  (what `make lab` calls)

PAGES = sorted(path.stem for path in ROOT.glob("book/*.*") if path.suffix in {".ipynb", ".md"})
CHAPTERS = sorted(ROOT.glob("book/*.ipynb"))
PATIENCE = 120_000  # milliseconds, on a busy machine
# All cells in the document at once, not those alone that are in view.
WHOLE = '{"windowingMode": "none"}'
SHOWN = ".jp-Notebook .jp-RenderedMarkdown"
IMAGES = f"{SHOWN} img, .jp-Notebook .jp-OutputArea-output img"
# The prose, without code and mathematics.
PROSE = """() => [...document.querySelectorAll(".jp-Notebook .jp-RenderedMarkdown")].map(cell => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("code, pre, mjx-container, .MathJax").forEach(node => node.remove());
    return copy.textContent; }).join("\\n")"""
EMPTY = """all => all.filter(link => !link.textContent.trim() && !link.querySelector("img"))
    .map(link => link.outerHTML)"""
LOADED = "all => Promise.all([...all].map(image => image.decode().catch(() => {})))"
# A folded cell shows no count; the last one is not folded.
COUNTED = """count => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].at(-1)
    .textContent === `[${count}]:`"""
BROKEN = "all => all.filter(image => !image.naturalWidth).map(image => image.outerHTML.slice(0, 300))"
RAW = re.compile(r"\{[a-z][a-z:-]*\}|^\s*:::|^\([a-z-]+\)=$|\[\]\(", re.M)


def need(what, there):
    """Skip where something is missing, but not in CI."""
    if not there:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"NOT TRIED: no {what} on this machine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder as a reader gets it."""
    need("Chromium", program())
    need("JupyterLab (make test-lab installs it)", Path(sys.executable).with_name("jupyter-lab").exists())
    folder = tmp_path_factory.mktemp("lab")
    lab.update(lab.build(), folder)
    settings = folder / ".jupyter" / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(WHOLE)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    """Start JupyterLab as `make lab` does, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    command = lab.command(folder, "127.0.0.1", *options)
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=lab.environment(folder), stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(PATIENCE // 500):
                assert process.poll() is None, (folder / "log.txt").read_text()
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def browser():
    with start() as browser:
        yield browser


@pytest.fixture
def open_(browser, server):
    """Return a function that opens a page of the book and waits until all of it is shown."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.set_default_timeout(PATIENCE)

    def open_(name, cells):
        page.goto(f"{server}/lab/tree/{name}.ipynb?reset")
        page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {cells}")
        page.wait_for_selector(f"{SHOWN} h1")
        page.wait_for_function(f"!document.querySelector('{SHOWN}:empty')")
        return page

    yield open_
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_it_says(name, open_, folder):
    cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
    page = open_(name, len(cells))
    source = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    if "$" in source:
        page.wait_for_selector(f"{SHOWN} mjx-container", state="attached")
    assert RAW.findall(page.evaluate(PROSE)) == []
    assert page.locator(f"{SHOWN} a[href]").evaluate_all(EMPTY) == []
    page.locator(IMAGES).evaluate_all(LOADED)
    assert page.locator(IMAGES).evaluate_all(BROKEN) == []
    assert page.locator(f"{SHOWN} mjx-merror").count() == 0
    assert page.locator(f"{SHOWN} mjx-labels mjx-label, {SHOWN} mjx-mlabeledtr").count() >= bool(
        re.search(r"\\tag", source)
    )


def test_a_link_opens_the_notebook_with_its_heading(open_, folder):
    """One whose name in the address differs from what one reads."""
    page = open_("errata", len(nbformat.read(folder / "errata.ipynb", as_version=4).cells))
    link = page.locator(f"{SHOWN} a", has_text="Chunks, or a window?").first
    name = unquote(link.get_attribute("href").partition("#")[2])
    link.click()
    page.locator(f'{SHOWN} [data-jupyter-id="{name}"]').wait_for(state="attached")
    assert page.url.endswith("/truncated.ipynb")


def test_the_shortest_chapter_runs_from_its_first_cell_to_its_last(open_, folder):
    lengths = {path: sum(map(len, code(path))) for path in CHAPTERS}
    path = folder / min(lengths, key=lengths.get).name
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell("import sys; print(sys.executable)", id="who"))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbformat.write(notebook, path)
    page = open_(path.stem, len(notebook.cells))
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(COUNTED, arg=len(code(path)), timeout=5 * PATIENCE)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    cells = nbformat.read(path, as_version=4).cells
    done = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in done] == list(range(1, len(done) + 1))
    outputs = [output for cell in done for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert outputs[-1].text.strip() == sys.executable


def code(path):
    """Return the code cells of a notebook."""
    return [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
