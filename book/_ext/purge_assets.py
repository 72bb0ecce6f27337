"""Lighten what every page loads: icons that are shown, rules that apply.

The theme brings 2,000 icons and the styles of every component it knows. The
book shows some twenty icons and a third of the components.
"""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SOLID = "fa-solid-900"
FONTS = "_static/vendor/fontawesome/webfonts"
# Files that no page asks for.
UNUSED = ["*.map", "scripts/fontawesome.js*", "sphinx-thebe.*"]
COMPOSED = ("bs-tooltip", "bs-popover")  # names that a script puts together
SHEETS = [
    "styles/pydata-sphinx-theme.css",
    "styles/sphinx-book-theme.css",
    "sphinx-design.min.css",
    "mystnb.*.css",
]
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
ICON = re.compile(r'([^{}]*\.fa-[^{}]*)\{content:"\\([0-9a-f]+)"\}')


def words(folder):
    """Return every word that a page or a script of the site contains."""
    found = set()
    for path in [*folder.rglob("*.html"), *folder.rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"[\w-]+", text))
    return found


def applies(selector, known):
    """Tell whether all classes of a selector occur somewhere in the site."""
    bare = re.sub(r":(not|is|where|has)\([^)]*\)", "", selector)
    names = re.findall(r"\.((?:\\.|[\w-])+)", bare)
    return all(
        name.replace("\\", "") in known or name.startswith(COMPOSED)
        for name in names
    )


def prune(css, known):
    """Return a minified style sheet without the rules that nothing meets."""

    def keep(rule):
        selectors, body = rule[1], rule[2]
        if selectors.lstrip().startswith("@") or re.match(
            r"\s*(from|to|[\d.]+%)", selectors
        ):
            return rule[0]
        kept = [
            part
            for part in re.split(r",(?![^(]*\))", selectors)
            if applies(part, known)
        ]
        return f"{','.join(kept)}{{{body}}}" if kept else ""

    css = RULE.sub(keep, css)
    return re.sub(r"@media[^{}]*\{\s*\}", "", css)


def icons(css, folder, known):
    """Replace the icon font by one with the icons that are shown.

    Returns
    -------
    str
        The style sheet, which names the small font.
    """
    source = folder / FONTS / f"{SOLID}.ttf"
    if not source.is_file() or SOLID not in css:
        return css
    codes = {
        int(code, 16)
        for selectors, code in ICON.findall(css)
        if known & set(re.findall(r"fa-[\w-]+", selectors))
    }
    # Icons that other style sheets name by their code.
    for path in folder.rglob("*.css"):
        other = path.read_text(encoding="utf-8")
        if "Font Awesome" in other and not ICON.search(other):
            codes |= {
                int(code, 16)
                for code in re.findall(r'content:\s*"\\(f[0-9a-f]{3})', other)
            }
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options(layout_features=[], hinting=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(folder / "_static" / "icons.woff")
    face = (
        r"@font-face{font-display:block;font-family:Font Awesome\\ 6 Free;"
        "font-style:normal;font-weight:900;"
        'src:url(../icons.woff) format("woff")}'
    )
    css = re.sub(r"@font-face\{[^}]*fa-solid-900[^}]*\}", face, css)
    return re.sub(
        r"@font-face\{[^}]*fa-(?:regular|brands|v4)[^}]*\}", "", css
    )


def lighten(app, exception):
    """Rewrite the theme's style sheets, delete what no page asks for."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    static = folder / "_static"
    for path in [path for name in UNUSED for path in static.rglob(name)]:
        path.unlink(missing_ok=True)
    known = words(folder)
    for path in [path for name in SHEETS for path in static.glob(name)]:
        css = path.read_text(encoding="utf-8")
        css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
        path.write_text(
            prune(icons(css, folder, known), known), encoding="utf-8"
        )
    if (static / "icons.woff").is_file():
        for path in (folder / FONTS).iterdir():
            path.unlink(missing_ok=True)


def setup(app):
    """Come last: only then is known what the pages use."""
    app.connect("build-finished", lighten, priority=950)
    return {"version": "1", "parallel_read_safe": True}
