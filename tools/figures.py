"""Figures to take away: each as SVG and PDF in ``book/figures``, with its words, licence and source.

``make run`` executes a chapter, whose outputs are committed, and writes its figures from the same run:
a figure that is handed out is the one that is shown, also where it shows measured seconds. ``make figures``
writes those that are missing or out of date, as long as they come out as they are shown.
"""

import base64
import hashlib
import html
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, create_string_object

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "book" / "figures"
FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf"}
# Of a kernel. matplotlib computes a layout anew for each format, and begins where the last one ended.
# IPython would begin with SVG, and some pictures would come out otherwise than without it: PNG goes first.
OPTIONS = [
    "--InlineBackend.figure_formats={'png', 'svg', 'pdf'}",
    "--IPKernelApp.exec_lines="
    "(lambda by_kind: by_kind.update({'image/svg+xml': by_kind.pop('image/svg+xml')}))"
    "(get_ipython().display_formatter.formatters)",
]
LICENSE = "https://creativecommons.org/licenses/by-sa/4.0/"
DRAWN = re.compile(r"```\{figure\} (\S+\.svg)\n:name: (\S+)\n:alt: (.*)\n\n((?:.+\n)+?)```")
ROLE = re.compile(r"\{term\}`([^`<]*?)(?:\s*<[^`]*>)?`|\[([^\]]*)\]\([^)]*\)|\*([^*]+)\*")
# Of a path or place in an SVG: digits too fine to be seen, and space beside letters.
SPARE = re.compile(r"([1-9]\d*\.\d\d)\d+|\s(?=[A-Z\n])|(?<=[A-Z]) ")
# "(Figure 3)", "of equation 2"
POINTER = re.compile(
    r"(?:\s(?:of|in|from))?\s*\(?(?:\{(?:eq|ref|numref|cite:?\w*)\}`[^`]*`|\[\]\([^)]*\))\)?"
)
METADATA = """\
<title>{title}</title>
 <desc>{words}</desc>
 <metadata>
  <rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#" \
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
   <cc:Work rdf:about="">
    <dc:title>{title}</dc:title>
    <dc:creator>{author}</dc:creator>
    <dc:rights>CC BY-SA 4.0</dc:rights>
    <cc:license rdf:resource="{license}"/>
    <dc:source>{citation}</dc:source>
    <dc:identifier>sha256:{digest}</dc:identifier>
   </cc:Work>
  </rdf:RDF>
 </metadata>"""


class About(NamedTuple):
    """What a file says of itself: name, caption, alt text, and the digest of what the page shows."""

    name: str
    title: str
    words: str
    digest: str


def digest(content):
    """Return the digest of what a page shows."""
    return hashlib.sha256(content).hexdigest()


def plain(caption):
    """Return the first sentence of a caption without roles, links and emphasis; formulas stay TeX."""
    text = POINTER.sub("", " ".join(caption.split()))
    text = ROLE.sub(lambda found: found[1] or found[2] or found[3], text)
    return re.split(r"(?<=[.?])\s", text, maxsplit=1)[0]


def citation(name):
    """Return the authors, and how to cite a figure: authors, book, version, year."""
    book = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["preferred-citation"]
    authors = ", ".join(author["name"] for author in book["authors"])
    edition = f"{book['title']}, version {book['version']}, {book['year']}"
    return authors, f'{authors}. {edition}. Figure "{name}".'


def figures(cells):
    """Yield the figures of a chapter as :class:`About`, each with the output that shows it."""
    for cell in cells:
        extras = cell.metadata.get("mystnb", {})
        name = extras.get("figure", {}).get("name")
        for output in cell.get("outputs", []) if name else []:
            png = base64.b64decode(output.get("data", {}).get("image/png", ""))
            if png:
                title, words = plain(extras["figure"]["caption"]), extras["image"]["alt"]
                yield About(name, title, words, digest(png)), output


def drawings(folder):
    """Yield the drawings that pages show from SVG as :class:`About`, each with its path."""
    for page in sorted(folder.glob("*.md")):
        for file, name, words, caption in DRAWN.findall(page.read_text(encoding="utf-8")):
            path = folder / file
            yield About(name, plain(caption), words, digest(path.read_bytes())), path


def stamp_svg(text, about):
    """Return an SVG that says what it is and whose, not when nor with what it was made; to 0.01 points."""
    author, source = citation(about.name)
    values = {"author": author, "citation": source, "license": LICENSE, **about._asdict()}
    lines = METADATA.format(**{key: html.escape(value, quote=False) for key, value in values.items()})
    text = re.sub(r"\s*<(metadata|title|desc)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'(?<=\s[dxy]=")[^"]+', lambda found: SPARE.sub(r"\1", found[0]), text)
    text = re.sub(r"\n +", "\n", text)
    return re.sub(r"(<svg\b[^>]*>)", lambda tag: f"{tag[1]}\n {lines}", text, count=1)


def stamp_pdf(content, about):
    """Return the bytes of a PDF that says the same."""
    author, source = citation(about.name)
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.metadata = {
        "/Title": about.title,
        "/Author": author,
        "/Subject": f"{source} CC BY-SA 4.0, {LICENSE}",
        "/Source": source,
        "/Rights": f"CC BY-SA 4.0, {LICENSE}",
        "/Digest": f"sha256:{about.digest}",
    }
    root = writer.root_object
    root[NameObject("/Lang")] = create_string_object("en")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def write(about, svg, pdf, folder=FOLDER):
    """Write both files of a figure."""
    folder.mkdir(exist_ok=True)
    (folder / f"{about.name}.svg").write_text(stamp_svg(svg, about), encoding="utf-8")
    (folder / f"{about.name}.pdf").write_bytes(stamp_pdf(pdf, about))


def take(notebook, folder=FOLDER, shown=None):
    """Write the figures of a chapter that was executed with ``OPTIONS``, and leave only PNG in its outputs.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Changed in place.
    folder : pathlib.Path
        Where the files go.
    shown : collection of str, optional
        Digests. Figures that come out otherwise are left alone. Default: all are written.

    Returns
    -------
    list of str
        Names of the figures that were left alone.
    """
    others = []
    for about, output in figures(notebook.cells):
        if shown is not None and about.digest not in shown:
            others.append(about.name)
        else:
            svg, pdf = (output["data"][kind] for kind in FORMATS.values())
            write(about, svg, base64.b64decode(pdf), folder)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in FORMATS.values() if "image/png" in output.get("data", {}) else ():
                output["data"].pop(kind, None)
                output["metadata"].pop(kind, None)
    return others


def stale(about, folder=FOLDER):
    """Tell whether a figure's files are missing, or made from another output than the one shown."""
    svg, pdf = (folder / f"{about.name}.{suffix}" for suffix in FORMATS)
    if not (svg.is_file() and pdf.is_file()):
        return True
    said = [svg.read_text(encoding="utf-8"), str(PdfReader(pdf).metadata.get("/Digest"))]
    return any(f"sha256:{about.digest}" not in text for text in said)


def renew(about, folder=FOLDER):
    """Have the files of a figure that is up to date say what the page says now."""
    svg, pdf = (folder / f"{about.name}.{suffix}" for suffix in FORMATS)
    text = svg.read_text(encoding="utf-8")
    if stamp_svg(text, about) != text:
        write(about, text, pdf.read_bytes(), folder)


def main(paths):
    """Write what is missing or out of date, of all chapters or of some."""
    import notebooks  # which takes figures itself

    for about, path in [] if paths else drawings(ROOT / "book"):
        if stale(about):
            if not shutil.which("rsvg-convert"):
                sys.exit("make figures: rsvg-convert is missing. On Debian: apt-get install librsvg2-bin")
            run = subprocess.run(["rsvg-convert", "-f", "pdf", str(path)], check=True, capture_output=True)
            write(about, path.read_text(encoding="utf-8"), run.stdout)
        renew(about)
    others = []
    os.environ.update(notebooks.ONE_THREAD)  # as `make run` draws
    for path in paths or notebooks.chapters():
        shown = [about for about, _ in figures(nbformat.read(path, as_version=4).cells)]
        if any(map(stale, shown)):
            others += take(notebooks.execute(path), shown={about.digest for about in shown})
            print(path.stem, flush=True)
        for about in [about for about in shown if not stale(about)]:
            renew(about)
    if others:
        sys.exit(
            f"make figures: {', '.join(others)} came out otherwise; `make run` writes chapter and figures"
        )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
