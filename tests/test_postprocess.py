"""What finishes the built pages."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("postprocess", ROOT / "book" / "_ext" / "postprocess.py")
postprocess = importlib.util.module_from_spec(spec)
spec.loader.exec_module(postprocess)


def test_previews_are_stored_once():
    """Sphinx leaves a page alone that has not changed, and so with the previews of the last build."""
    here, there = Path("a.html"), Path("b.html")
    link = '<a class="reference internal" href="b.html#fig-b">B</a>'
    target = '<figure id="fig-b">B</figure>'
    texts = {here: f"<main>{link}</main></body>", there: f"<main>{target}</main></body>"}
    once = postprocess.store_previews(here, texts)
    assert '<template data-preview="b.html#fig-b"><figure>B</figure></template>' in once
    assert postprocess.store_previews(here, texts | {here: once}) == once
    changed = texts[there].replace(">B<", ">C<")
    assert "<figure>C</figure>" in postprocess.store_previews(here, {here: once, there: changed})
