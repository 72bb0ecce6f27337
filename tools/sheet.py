"""Print the cheat sheet: ``_build/pdf/cheat-sheet.pdf``, one page, by Chromium.

Called by ``make sheet``, which has built the page. The PDF is that page under the rules for paper in
``book/_static/sheet.css``, so that there is one source of both.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402  (that of the tests, with its flags)

SITE = ROOT / "_build" / "html"
PAGE = "book/cheat-sheet.html"
PRINTABLE = {"width": 1062, "height": 740}  # pixels of A4 across, without the margins of the style sheet
PDF = ROOT / "_build" / "pdf" / "cheat-sheet.pdf"
# A sheet leaves the server that it is printed from: links lead to the published site, or nowhere.
ABROAD = """() => {
    const home = document.querySelector("link[rel=canonical]");
    document.querySelectorAll("a[href]").forEach(link => home
        ? link.href = new URL(link.getAttribute("href"), home.href)
        : link.removeAttribute("href")); }"""


def number_of_pages(pdf):
    """Return how many pages a PDF of Chromium has."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def sheet(site=SITE):
    """Return the sheet as a PDF, and by how many pixels it is too wide, from a folder with the site.

    A fourth column would not make a second page: Chromium shrinks the print until all columns fit.
    """
    with browser.serve(site) as address, browser.start() as chromium:
        page = chromium.new_page(viewport=PRINTABLE)
        page.goto(f"{address}/{PAGE}", wait_until="networkidle")
        page.emulate_media(media="print")
        wide = page.evaluate("document.documentElement.scrollWidth") - PRINTABLE["width"]
        page.evaluate(ABROAD)
        return page.pdf(prefer_css_page_size=True, tagged=True), wide


def main():
    """Write the PDF, or leave with what is wrong."""
    if browser.program() is None:
        sys.exit("make sheet: there is no Chromium. On Debian or Ubuntu:\n  apt-get install chromium")
    pdf, wide = sheet()
    pages = number_of_pages(pdf)
    if pages != 1 or wide > 0:
        sys.exit(
            f"make sheet: {pages} pages, {max(wide, 0)} pixels too wide; 1 and 0 are allowed. "
            f"Shorten book/cheat-sheet.md."
        )
    PDF.parent.mkdir(parents=True, exist_ok=True)
    PDF.write_bytes(pdf)
    print(f"printed: {PDF.relative_to(ROOT)}, {len(pdf) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
