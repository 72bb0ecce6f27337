"""What the search page quotes and counts: the prose of every page.

Sphinx's index knows on which pages a word stands, but neither how often nor
where. Its own excerpts come from the pages as they are, with their buttons,
the code, and every formula twice, and from a folder they do not come at all.
"""

import json
from pathlib import Path

import lxml.html

TEXTS = "texts.js"
BLOCKS = (
    "p",
    "li",
    "dt",
    "dd",
    "tr",
    "figcaption",
    *(f"h{n}" for n in range(1, 7)),
)
UNREAD = (
    "//*[contains(concat(' ', @class, ' '), ' headerlink ')]",
    # KaTeX draws what stands beside as MathML, with its TeX.
    "//span[@class='katex-html']",
    "//annotation",
    "//pre",
    "//script",
    "//*[contains(concat(' ', @class, ' '), ' moved ')]",
    "//*[contains(concat(' ', @class, ' '), ' takeaway ')]",
)


def words(element):
    """Return the words of an element, a space between them."""
    return " ".join(element.text_content().split())


def sections(html):
    """Return the prose of a page by section.

    Parameters
    ----------
    html : str
        A page as it is published.

    Returns
    -------
    list of list
        For each section, and each term of a glossary: the anchor, the
        heading, and a list of its paragraphs as plain text.
    """
    tree = lxml.html.fromstring(html)
    for element in [found for path in UNREAD for found in tree.xpath(path)]:
        element.drop_tree()
    found = []
    for element in tree.xpath("//article[contains(@class, 'bd-article')]//*"):
        if element.tag not in ("section", *BLOCKS):
            continue
        text = " · ".join(
            words(part) for part in element.xpath("td|th") or [element]
        )
        term = element.tag == "dt" and element.get("id")
        if element.tag == "section" or term:
            found.append([element.get("id"), text if term else "", []])
        elif (
            found and text and not element.xpath(f".//{'|.//'.join(BLOCKS)}")
        ):
            if element.tag[0] == "h" and not found[-1][1]:
                found[-1][1] = text
            else:
                found[-1][2].append(text)
    return found


def write_texts(app, exception):
    """Write the prose of all pages where the search page looks for it."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    texts = {
        name: sections((folder / f"{name}.html").read_text(encoding="utf-8"))
        for name in sorted(app.env.found_docs)
        if (folder / f"{name}.html").is_file()
    }
    text = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    path = folder / "_static" / TEXTS
    path.write_text(f"Search.texts = {text};\n", encoding="utf-8")


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the texts, and what ranks and quotes them, on the search page."""
    if pagename == "search":
        for name in (TEXTS, "search.js"):
            app.add_js_file(name, defer="defer")


def setup(app):
    """Read the pages when they are finished."""
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_texts, priority=920)
    return {"version": "1", "parallel_read_safe": True}
