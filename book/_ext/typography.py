"""How a page sets what the sources write plainly.

Sources and docstrings say ``25 %``, ``2 · 10⁻⁶``, ``1e-12``, ``h_{t-1}`` and
``-0.3``, because they are also read in an editor, in Colab and in a terminal.
A page of the site sets them: no line breaks inside a number, a formula keeps
its punctuation, indices are lowered, and a verdict is a badge.
"""

import json
import re

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

FONTS = ["fonts/book-serif.woff2", "fonts/book-serif-italic.woff2"]
OF_FORMULAS = [
    f"katex/fonts/KaTeX_{name}.woff2"
    for name in ("Main-Regular", "Math-Italic")
]
VERDICTS = {
    "holds",
    "holds, corrected",
    "holds under conditions",
    "not resolved",
    "does not hold here",
    "not for a cell",
}
RAISED = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POWER = re.compile(r"(?<![\w.])(\d(?:\.\d+)?)e\+?([-−]?)0?(\d+)(?!\w)")
INDEX = re.compile(
    r"(?<!\w)(d?[A-Za-zĥĉδξ∏∑])_(\{[^{}]+\}|[a-z0-9]{1,2})(?!\w)"
    r"|\^(-\([^()]+\))"
)
CLOSING = re.compile(r"^(?:[,.;:!?)\]”…–]|’s?\b|-\w+|’$)+")
OPENING = re.compile(r"[(\[“]+$")
# What stands for itself, letter by letter.
LITERAL = (
    nodes.literal,
    nodes.math,
    nodes.math_block,
    nodes.FixedTextElement,
    nodes.raw,
    addnodes.desc_signature,
)


def power(found):
    """Return ``1e-12`` as 10⁻¹² and ``2e-6`` as 2 · 10⁻⁶."""
    raised = "10" + (found[2] + found[3]).translate(RAISED)
    return raised if found[1] == "1" else f"{found[1]}\xa0·\xa0{raised}"


def polish(text):
    """Return a text with its numbers set in the one style of the book."""
    text = POWER.sub(power, text)
    text = re.sub(r"(?<=\d)[  ]?%", "\u202f%", text)
    text = re.sub(
        r"(?<=\d)[  ]?[·×][  ]?(?=10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])", "\xa0·\xa0", text
    )
    return re.sub(r"(?<![\w)\]^.-])-(?=\d)", "−", text)


def lower(text):
    """Return a text as nodes, its indices lowered and letters slanted."""
    parts, end = [], 0
    for found in INDEX.finditer(text):
        parts.append(nodes.Text(text[end : found.start()]))
        if found[1]:
            parts.append(nodes.emphasis(text=found[1]))
            parts.append(nodes.subscript(text=found[2].strip("{}")))
        else:
            parts.append(nodes.superscript(text=found[3]))
        end = found.end()
    return [
        part for part in [*parts, nodes.Text(text[end:])] if part.astext()
    ]


def within(node, kinds):
    """Tell whether a node lies in one of some kinds."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def is_plain(node, docname):
    """Tell whether indices are written plainly around a text."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, (nodes.strong, addnodes.literal_strong)):
            return False  # the name of an argument
        if "checks" in node.get("classes", ()):
            return True
    return docname == "book/api"


class Typography(SphinxPostTransform):
    """Set numbers, indices, verdicts, and the punctuation of formulas."""

    default_priority = 700
    formats = ("html",)

    def run(self, **kwargs):
        """Change the texts of a page."""
        for node in list(self.document.findall(nodes.Text)):
            if not within(node, LITERAL):
                self.set_text(node)
        for node in list(self.document.findall(nodes.math)):
            join(node)
        for node in self.document.findall(HideCodeCellNode):
            for name in ("prompt_show", "prompt_hide"):
                node[name] = polish(node[name]).replace("'", "’")
        if self.env.docname == "book/claims":
            for entry in list(self.document.findall(nodes.entry)):
                judge(entry)

    def set_text(self, node):
        """Set one text."""
        text = polish(node.astext())
        parts = (
            lower(text)
            if is_plain(node, self.env.docname)
            else [nodes.Text(text)]
        )
        if len(parts) > 1 or text != node.astext():
            node.parent.replace(node, parts)


def join(formula):
    """Put a formula and the punctuation around it into one unbroken box."""
    parent = formula.parent
    place = parent.index(formula)
    before = parent[place - 1] if place else None
    after = parent[place + 1] if place + 1 < len(parent) else None
    box = nodes.inline(classes=["joined"])
    if isinstance(before, nodes.Text) and OPENING.search(before):
        cut = OPENING.search(before).start()
        parent[place - 1] = nodes.Text(before[:cut])
        box += nodes.Text(before[cut:])
    box += formula.deepcopy()
    if isinstance(after, nodes.Text) and CLOSING.match(after):
        cut = CLOSING.match(after).end()
        parent[place + 1] = nodes.Text(after[cut:])
        box += nodes.Text(after[:cut])
    if len(box) > 1:
        parent[place] = box


def judge(entry):
    """Make a badge of a table's entry that is a verdict and nothing else."""
    if entry.astext() in VERDICTS and isinstance(entry[0], nodes.paragraph):
        text = entry.astext()
        badge = nodes.inline(
            text=text, classes=["verdict", nodes.make_id(text)]
        )
        entry[0].children = [badge]
        badge.parent = entry[0]


def preload(app, pagename, templatename, context, doctree):
    """Have fonts fetched before the style sheets: no line moves later.

    A browser refuses that for pages opened from a folder, which need it
    least, and says so as an error; hence the script.
    """
    fonts = FONTS + OF_FORMULAS * ('class="katex"' in context.get("body", ""))
    addresses = [context["pathto"](f"_static/{font}", 1) for font in fonts]
    context["metatags"] = context.get("metatags", "") + (
        '\n<script>location.protocol === "file:" || '
        f"{json.dumps(addresses)}.forEach(href => document.head.append("
        'Object.assign(document.createElement("link"), {rel: "preload", '
        'as: "font", type: "font/woff2", crossOrigin: "", href})))</script>'
    )


def setup(app):
    """Register the transform and the font."""
    app.add_post_transform(Typography)
    app.connect("html-page-context", preload)
    return {"version": "1", "parallel_read_safe": True}
