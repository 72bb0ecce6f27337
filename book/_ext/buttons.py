"""Buttons and links to the other forms of the book, and to its makers.

Colab and Binder open the notebooks that ``make colab`` wrote and the workflow
``publish`` pushed: GITHUB_REPOSITORY names the repository, NOTEBOOKS_BRANCH
the branch. Without both, no button is shown. The forms for errors and the
discussions are in the repository; the forms know the page. The PDFs are
offered where ``make pdf`` and ``make sheet`` have printed what is there now.
"""

import os
import shutil
from html import escape
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from sphinx.util.docutils import ReferenceRole, SphinxRole

PDF, SHEET = "backpropagation-through-time.pdf", "cheat-sheet.pdf"
DECKS = "book/slides"
# not printed …
SKIPPED = {"_static", "figures", "slides"}
SKIPPED |= {"__pycache__", ".ipynb_checkpoints"}


def addresses(environ, chapter):
    """Return the addresses that open a chapter, by the service's name.

    Parameters
    ----------
    environ : mapping
        The environment variables.
    chapter : str
        Name of its notebook, without the suffix.

    Returns
    -------
    dict
        Empty where it is not known where the notebooks are.
    """
    names = ("GITHUB_REPOSITORY", "NOTEBOOKS_BRANCH")
    repository, branch = (quote(environ.get(name, "")) for name in names)
    if not (repository and branch):
        return {}
    colab = "https://colab.research.google.com/github"
    binder = "https://mybinder.org/v2/gh"
    path = f"{chapter}.ipynb"
    return {
        "Colab": f"{colab}/{repository}/blob/{branch}/{path}",
        "Binder": f"{binder}/{repository}/{branch}?urlpath=lab/tree/{path}",
    }


def answers(environ, page, runs):
    """Return the addresses at which a reader is answered, by what to do.

    Parameters
    ----------
    environ : mapping
        The environment variables.
    page : str
        Name of the page, which the form then shows.
    runs : bool
        Whether it is a chapter, whose cells may fail.

    Returns
    -------
    dict
        Empty where it is not known where the repository is.
    """
    repository = quote(environ.get("GITHUB_REPOSITORY", ""))
    if not repository:
        return {}
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    forms = {"Report an error": "text.yml"}
    forms |= {"Report a failing cell": "chapter.yml"} if runs else {}
    found = {
        text: f"{server}/{repository}/issues/new?template={form}&page={page}"
        for text, form in forms.items()
    }
    return found | {"Ask a question": f"{server}/{repository}/discussions"}


def printed(root, name=PDF):
    """Return the path of a PDF if it is no older than the book, or None."""
    root = Path(root)
    pdf = root / "_build" / "pdf" / name
    sources = [*root.glob("_*.yml"), *root.glob("d2lutil/**/*.py")]
    sources += root.glob("book/_static/*.svg")  # … but for the cover
    sources += [
        path
        for path in root.glob("book/**/*")
        if path.is_file() and not SKIPPED & {*path.relative_to(root).parts}
    ]
    newest = max((path.stat().st_mtime for path in sources), default=0)
    return pdf if pdf.is_file() and pdf.stat().st_mtime >= newest else None


class Forms(SphinxRole):
    """Go on with a sentence: links to a chapter on Colab and to the PDF.

    ``{forms}`chapter``` has those that there are, and nothing elsewhere than
    on the site.
    """

    def run(self):
        """Return the links as a piece of HTML."""
        colab = addresses(os.environ, self.text).get("Colab")
        links = [f'<a href="{colab}">open one on Colab</a>'] if colab else []
        if printed(self.env.srcdir):
            up = "../" * self.env.docname.count("/")
            links.append(f'<a href="{up}{PDF}">read the book as a PDF</a>')
        text = "".join(f", {link}" for link in links)
        return [nodes.raw("", text, format="html")], []


class Printed(SphinxRole):
    """Go on with a sentence: a link to the cheat sheet as a PDF.

    ``{printed}`words``` makes the words a link, and is nothing where the
    sheet has not been printed.
    """

    def run(self):
        """Return the link as a piece of HTML."""
        if not printed(self.env.srcdir, SHEET):
            return [], []
        up = "../" * self.env.docname.count("/")
        link = f' <a href="{up}{SHEET}">{escape(self.text)}</a>'
        return [nodes.raw("", link, format="html")], []


class Slides(ReferenceRole):
    """Go on with a sentence: a link to a deck of slides.

    ``{slides}`words <lecture>``` makes the words a link, and is nothing
    elsewhere than on the site.
    """

    def run(self):
        """Return the link as a piece of HTML."""
        if not Path(self.env.srcdir, DECKS, f"{self.target}.md").is_file():
            message = self.inliner.reporter.warning(
                f"no deck {self.target!r} in {DECKS}"
            )
            return [], [message]
        up = "../" * self.env.docname.count("/")
        address = f"{up}slides/{self.target}.html"
        link = f' <a href="{address}">{escape(self.title)}</a>'
        return [nodes.raw("", link, format="html")], []


def button(text, tooltip, icon, url):
    """Return a link as the theme's header wants it."""
    about = {"text": text, "tooltip": tooltip, "icon": icon, "url": url}
    return {"type": "link", **about}


def add_buttons(app, pagename, templatename, context, doctree):
    """Put the buttons into the header of a page."""
    header = context.get("header_buttons")
    if doctree is None or header is None:
        return
    runs = Path(app.env.doc2path(pagename)).suffix == ".ipynb"
    if runs:
        images = {"Colab": "logo_colab.png", "Binder": "logo_binder.svg"}
        found = addresses(os.environ, Path(pagename).name)
        links = [
            button(
                name,
                f"Run this chapter on {name}",
                f"_static/images/{images[name]}",
                address,
            )
            for name, address in found.items()
        ]
        group = {"type": "group", "icon": "fas fa-rocket", "buttons": links}
        group |= {"tooltip": "Run this chapter", "label": "launch-buttons"}
        header += [group] if links else []
    found = answers(os.environ, quote(f"{pagename}.html"), runs)
    about = {
        "Report an error": ("in the text of this page", "fas fa-pencil-alt"),
        "Report a failing cell": ("of this chapter", "fas fa-bug"),
        "Ask a question": ("in the discussions", "fas fa-comments"),
    }
    links = [
        button(text, f"{text} {about[text][0]}", about[text][1], address)
        for text, address in found.items()
    ]
    group = {"type": "group", "icon": "fas fa-comment-dots", "buttons": links}
    group |= {"tooltip": "Report or ask", "label": "answer-buttons"}
    header += [group] if links else []
    if printed(app.srcdir):
        url = context["pathto"](PDF, 1)
        link = button("Whole book", "The book as PDF", "fas fa-book", url)
        for group in header:
            if group.get("label") == "download-buttons":
                group["buttons"].append(link)


def copy_pdf(app, exception):
    """Put the PDFs beside the pages that link to them."""
    if exception is None and app.builder.format == "html":
        for pdf in filter(
            None, (printed(app.srcdir, name) for name in (PDF, SHEET))
        ):
            shutil.copy(pdf, app.outdir)


def setup(app):
    """Add the buttons after the theme has made its own."""
    app.add_role("forms", Forms())
    app.add_role("printed", Printed())
    app.add_role("slides", Slides())
    app.connect("html-page-context", add_buttons, priority=600)
    app.connect("build-finished", copy_pdf)
    return {"version": "1", "parallel_read_safe": True}
