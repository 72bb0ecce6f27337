"""What a page says of itself: its description, and the way to its source.

Nothing here knows who publishes the book; the environment says it.

``SITE_URL``
    Where the site is served. Without it there is no canonical address, no
    social image, no sitemap, and the 404 page is one for the root of a host.
``GITHUB_REPOSITORY``, ``GITHUB_SERVER_URL``
    Where the source is, on the branch ``main``. Without the first there are
    no buttons to edit a page, rather than broken ones.
"""

import html
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes

SIGNS = {"tau": "τ", "pi": "π", "xi": "ξ", "lambda": "λ", "rho": "ρ"}
SIGNS |= {"odot": "⊙", "cdot": "·", "dots": "…", ",": ""}
LONGEST = 200  # characters that search engines show of a description
LOST = (
    "<h1>This page is not here</h1>"
    "<p>The address leads nowhere, or a chapter has moved. "
    '<a href="book/intro.html">The introduction</a> lists all chapters, and '
    '<a href="search.html">the search</a> knows every word.</p>'
)


def configure(app, config):
    """Set what depends on where the site is served and its source kept."""
    config.html_baseurl = os.environ.get("SITE_URL", "").rstrip("/")
    if config.html_baseurl:
        config.html_baseurl += "/"
    options = config.html_theme_options
    options["navbar_persistent"] = []  # the theme's second search box
    # Entries that unfolded while one scrolls would move the rest.
    options["show_toc_level"] = 2
    repository = os.environ.get("GITHUB_REPOSITORY")
    for name in ("repository", "edit_page"):
        options[f"use_{name}_button"] = bool(repository)
    if repository:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        options["repository_url"] = f"{server}/{repository}"
        options["repository_branch"] = "main"
        options["path_to_docs"] = ""


def describe(doctree):
    """Return the first sentences of a page as plain text.

    Parameters
    ----------
    doctree : docutils.nodes.document or None
        None for pages without a source, such as the search.

    Returns
    -------
    str
        At most 200 characters, the empty string if there is no prose.
    """
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = " ".join(paragraph.astext().split())
        text = re.sub(
            r"\\([A-Za-z]+|,)",
            lambda name: SIGNS.get(name[1], name[1]),
            text,
        )
        if len(text) > 40:
            if len(text) <= LONGEST:
                return text
            return text[:LONGEST].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"
    return ""


def meta_tags(pagename, context, base, image):
    """Return the meta elements of a page's description and social card."""
    title = re.sub("<[^>]+>", "", context.get("title", ""))
    project = context["docstitle"]
    described = context["description"] or f"{title} of {project}"
    pairs = [
        ("name", "description", described),
        ("property", "og:title", html.unescape(title)),
        ("property", "og:description", described),
        ("property", "og:type", "article"),
        ("property", "og:site_name", project),
    ]
    if base:
        pairs += [
            ("property", "og:url", f"{base}{pagename}.html"),
            ("property", "og:image", f"{base}_static/{image}"),
            ("property", "og:image:alt", f"The cover of {project}"),
            ("name", "twitter:card", "summary_large_image"),
        ]
    return "".join(
        f'\n<meta {kind}="{key}" content="{html.escape(value)}">'
        for kind, key, value in pairs
    )


def surround(app, pagename, templatename, context, doctree):
    """Add to a page what the theme leaves out, leave out what it doubles."""
    base = app.config.html_baseurl
    context["default_mode"] = "auto"
    context["description"] = describe(doctree)
    tags = meta_tags(pagename, context, base, "card.png")
    if pagename == "404" and base:
        # The address that was asked for may lie in any folder.
        tags = f'\n<base href="{urlsplit(base).path}">{tags}'
    context["metatags"] = context.get("metatags", "") + tags
    if pagename == app.config.root_doc:
        # The title stands once: not above the contents, not twice in the tab.
        app.add_css_file("landing.css")
        context["docstitle"] = ""
    if pagename == "book/cheat-sheet":
        # behind the rules for all pages
        app.add_css_file("sheet.css", priority=900)
    seen, scripts = set(), []
    for script in context["script_files"]:
        key = str(getattr(script, "filename", None)), str(script.attributes)
        if key not in seen and "thebe" not in str(key).lower():
            scripts.append(script)
        seen.add(key)
    context["script_files"] = scripts


def lead(app, exception):
    """Write the page at the address of the site: it leads to the first one.

    Programs that show a card of a link do not follow, so it says of itself
    what the first page does.
    """
    target = f"{app.config.root_doc}.html"
    if exception or app.builder.name != "html" or target == "index.html":
        return
    folder, base = Path(app.outdir), app.config.html_baseurl
    text = (folder / target).read_text(encoding="utf-8")
    title = re.search("<title>(.*?)</title>", text)[1]
    told = re.findall(
        r'<meta (?:name="(?:description|twitter:card)"|property="og:).*?>',
        text,
    )
    icon = re.findall(r'<link rel="icon"[^>]*>', text)
    up = "../" * target.count("/")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>",
        *told,
        *(link.replace(f'href="{up}', 'href="') for link in icon),
        *([f'<link rel="canonical" href="{base}{target}">'] if base else []),
        f'<meta http-equiv="refresh" content="0; url={target}">',
        f"</head><body><main><h1>{title}</h1>",
        f'<p><a href="{target}">Read the book</a></p></main></body></html>',
    ]
    (folder / "index.html").write_text("\n".join(lines), encoding="utf-8")


def lost(app):
    """Yield the page that a host shows for an unknown address."""
    yield "404", {"title": "Page not found", "body": LOST}, "page.html"


def ask_again(app, env, docnames):
    """Have git asked for the day of every page at every build.

    sphinx-last-updated-by-git keeps the answers, and a commit changes them
    without changing a file.
    """
    env.git_last_updated.update(dict.fromkeys(env.git_last_updated))


def setup(app):
    """Connect each part to its moment."""
    app.connect("config-inited", configure, priority=100)
    app.connect("html-page-context", surround, priority=900)
    app.connect("html-collect-pages", lost)
    app.connect("build-finished", lead)
    app.connect("env-before-read-docs", ask_again)
    return {"version": "1", "parallel_read_safe": True}
