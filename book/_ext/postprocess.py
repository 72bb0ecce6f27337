"""Finish the built pages: what the theme's templates get wrong or double.

Works on the text of a page, because parsing the thousands of boxes of its
mathematics would take longer than the whole build.
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote

from PIL import Image

DROPPED = [
    # 1.5 MB; the icons come from the theme's web font all the same.
    r'<script defer src="[^"]*scripts/fontawesome\.js[^"]*"></script>',
    r'<script src="[^"]*(fontawesome|all\.min)\.js[^"]*"></script>',
    # Live code is not offered; its script asks another host.
    r'<script type="text/x-thebe-config">.*?</script>',
    r"<script>kernelName = '.*?'</script>",
    r"<link [^>]*sphinx-thebe\.css[^>]*>",
    # An advertisement's place, and three viewports where one will do.
    r'<div id="ethical-ad-placement".*?</div>',
    r'(?<=/>)<meta name="viewport" content="width=device-width, '
    r'initial-scale=1" />',
    r'<meta name="viewport" content="width=device-width, '
    r'initial-scale=1"/>',
    r'<meta name="docsearch:\w+" content="[^"]*" */>',
]
# Loaded on every page by the theme, used on the search page alone.
SEARCH = (
    r'<script src="[^"]*(searchtools|language_data|searchindex)\.js[^"]*">'
    r"</script>"
)
# The width below which the smallest label of a picture, 8 points, falls below
# 9 pixels, as a share of the picture's own: plots have 160 dots an inch, and
# a drawing's smallest letters are 12 of its units.
READABLE = {".webp": 9 / (8 * 160 / 72), ".svg": 9 / 12}
FIGURE = re.compile(
    r"(<figure[^>]*>\s*)((?:<a [^>]*>\s*)?<img [^>]*>(?:\s*</a>)?)"
)
# Words that would be wrong where light and dark change places.
SHADES = re.compile(r"\b(dark|light|pale|white|black|shade)", re.IGNORECASE)
PREVIEW = re.compile(r"<template data-preview=.*?</template>\n", re.DOTALL)
MENDED = [
    # Blanks, names and brackets in code have the colour of code itself.
    (r'<span class="w">(\s*)</span>', r"\1"),
    (r'<span class="(?:n|nn|nx|p|pm)">([^<]*)</span>', r"\1"),
    # The source of a formula, which its MathML says already.
    (r"<annotation encoding=.application/x-tex.>[^<]*</annotation>", ""),
    # An index in the title of a check, which has no markup of its own.
    (
        r'(?<=admonition-title">)✓[^<]*',
        lambda title: re.sub(
            r"\b([A-Za-z])_([a-z0-9]{1,2})\b",
            r"<em>\1</em><sub>\2</sub>",
            title[0],
        ),
    ),
    # Roles that no rule allows any more; the list reads well without them.
    (r' role="doc-biblioentry"', ""),
    (r'(<div[^>]*citation-list[^>]*?) role="list"', r"\1"),
    (r' role="list"([^>]*citation-list)', r"\1"),
    # An empty corner of a table is no heading.
    (r'<th class="(head[^"]*)"[^>]*>(?:<p></p>|\s)*</th>', r"<td></td>"),
    # A name that is not what one reads cannot be spoken to a machine.
    (
        r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"',
        r"\1",
    ),
    (r'<summary aria-label="[^"]*"', "<summary"),
    # The contents beside the page are a part of it, the logo included.
    (
        r'<div id="pst-primary-sidebar"',
        '<div id="pst-primary-sidebar" role="complementary" '
        'aria-label="The book"',
    ),
]


def size(path):
    """Return the width and height of a picture in pixels, or None."""
    if path.suffix == ".svg" and path.is_file():
        head = path.read_text(encoding="utf-8")[:2000]
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
        return tuple(round(float(side)) for side in box.groups())
    if path.suffix in {".png", ".webp"} and path.is_file():
        with Image.open(path) as picture:
            return picture.size
    return None


def smaller(path):
    """Return a picture without loss in fewer bytes, or the picture itself."""
    if path.suffix != ".png":
        return path
    target = path.with_suffix(".webp")
    if not target.exists():
        with Image.open(path) as picture:
            picture.save(target, lossless=True, method=4)
    return target


def finish_image(tag, folder):
    """Give an ``img`` element its size, and load it when it comes near.

    Its ``--readable`` is the width in pixels at which its labels still read.
    """
    source = re.search(r' src="([^"]*)"', tag)[1]
    path = folder / unquote(source)
    if "://" in source or not path.is_file():
        return tag
    lighter = smaller(path)
    link = source[: -len(quote(path.name))] + quote(lighter.name)
    tag = tag.replace(f' src="{source}"', f' src="{link}"')
    measured = size(lighter)
    if measured and " width=" not in tag:
        width, height = measured
        added = f' width="{width}" height="{height}" loading="lazy"'
        tag = tag.replace("<img", "<img" + added, 1)
    if measured and "--readable" not in tag:
        least = f"--readable: {measured[0] * READABLE[lighter.suffix]:.0f}px"
        if ' style="' in tag:
            tag = tag.replace(' style="', f' style="{least}; ', 1)
        else:
            tag = tag.replace("<img", f'<img style="{least}"', 1)
    return tag


def frame(text):
    """Return a page whose figures scroll where the window is too narrow.

    A figure whose words speak of light and dark is marked as ``shaded``: it
    keeps its ground in the dark.
    """

    def box(found):
        stop = text.find("</figure>", found.end())
        shaded = (
            " shaded" if SHADES.search(text[found.start(2) : stop]) else ""
        )
        return (
            f'{found[1]}<div class="scrolls plot{shaded}" role="group" '
            f'aria-label="Plot">{found[2]}</div>'
        )

    return FIGURE.sub(box, text)


def finish(text, path):
    """Return the text of a page as it is published.

    Parameters
    ----------
    text : str
        HTML as the theme wrote it.
    path : pathlib.Path
        Where it lies; its pictures are beside it.
    """
    dropped = DROPPED if path.name == "search.html" else [*DROPPED, SEARCH]
    for pattern in dropped:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    for pattern, mended in MENDED:
        text = re.sub(pattern, mended, text)
    text = re.sub(
        r"<img [^>]*>", lambda tag: finish_image(tag[0], path.parent), text
    )
    text = frame(text)
    text = re.sub(
        r'(<a [^>]*)href="([^"]*_images/[^"]*)\.png"',
        r'\1href="\2.webp"',
        text,
    )
    # Lines of nothing but blanks are a tenth of a page; in code they stay.
    parts = re.split(r"(<pre.*?</pre>)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"\n\s*\n", "\n", part) for part in parts[::2]]
    return "".join(parts)


def element(text, name):
    """Return the element of an id from the text of a page, or None.

    Only what makes a preview is found: an equation, a figure, a source, or
    a term with its definition.
    """
    start = re.search(
        rf'<(?:(figure)|(div) class="(?:math|citation)|(dt))\b[^>]*'
        rf'\bid="{re.escape(name)}"[^>]*>',
        text,
    )
    if not start:
        return None
    if start[3]:
        return text[start.start() : text.index("</dd>", start.end()) + 5]
    depth = 0
    for tag in re.finditer(rf"<(/?){start[1] or start[2]}\b", text):
        if tag.start() >= start.start():
            depth += -1 if tag[1] else 1
            if depth == 0:
                return text[start.start() : text.index(">", tag.end()) + 1]
    return None


def store_previews(path, texts):
    """Return a page with what it links to on other pages, unseen."""
    # A page that Sphinx did not write again holds those of the last build.
    text, stored = PREVIEW.sub("", texts[path]), {}
    links = r'<a class="reference internal" href="([\w-]+\.html)#([^"]+)"'
    for page, name in re.findall(links, text[text.index("<main") :]):
        found = element(texts.get(path.parent / page, ""), unquote(name))
        if found:
            found = re.sub(r' id="[^"]*"', "", found)
            stored[f"{page}#{name}"] = found
    parts = [
        f'<template data-preview="{link}">{found}</template>\n'
        for link, found in stored.items()
    ]
    return text.replace("</body>", "".join(parts) + "</body>")


def finish_all(app, exception):
    """Finish every page of the site."""
    if exception or app.builder.format != "html":
        return
    texts = {
        path: finish(path.read_text(encoding="utf-8"), path)
        for path in sorted(Path(app.outdir).rglob("*.html"))
        if not {"_static", "slides"} & {*path.relative_to(app.outdir).parts}
    }
    for path in texts:
        path.write_text(
            store_previews(path, texts)
            if "<main" in texts[path]
            else texts[path],
            encoding="utf-8",
        )
    # Their copies in WebP are what the pages show.
    for path in Path(app.outdir, "_images").glob("*.png"):
        if path.with_suffix(".webp").exists():
            path.unlink()


def setup(app):
    """Come after everything that writes a page."""
    app.connect("build-finished", finish_all, priority=900)
    return {"version": "1", "parallel_read_safe": True}
