"""The built site on a desk, on a phone, on paper, and under the keyboard."""

import re
from pathlib import Path

import pytest
from browser import PAGES, PHONE, SITE, Visit
from hands import pytestmark  # noqa: F401

pytest_plugins = ["visits"]

ROOT = Path(__file__).resolve().parent.parent
READ = [name for name in PAGES if name != "index.html"]  # that one leads to the introduction
CHAPTERS = [name for name in READ if "equation-eq-" in (SITE / name).read_text(encoding="utf-8")]

# Ratio of contrast of each text in the page's column against what is painted behind it.
CONTRASTS = """() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => {
        const [r, g, b] = colour.map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ground = part => {  // layers that let light through, on white paper
        if (!part) return [255, 255, 255];
        const [r, g, b, kept = 1] = parts(getComputedStyle(part).backgroundColor);
        const below = kept < 1 ? ground(part.parentElement) : [0, 0, 0];
        return [r, g, b].map((v, k) => kept * v + (1 - kept) * below[k]); };
    const found = new Map();
    document.querySelectorAll(".bd-article :is(p, li, h1, h2, td, th, pre, pre span, a, code, .katex-html)")
        .forEach(part => {
            if (!part.checkVisibility() || !part.textContent.trim()) return;
            const pair = [parts(getComputedStyle(part).color).slice(0, 3), ground(part)];
            if (found.has(pair.join())) return;
            const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
            found.set(pair.join(), [(light + 0.05) / (dark + 0.05), luminance(pair[1]),
                part.outerHTML.slice(0, 80)]);
        });
    return [...found.values()]; }"""

# How far the middle of a number lies from that of its equation, and how far it is from touching it;
# of those that are not in a closed fold.
NUMBERS = """() => [...document.querySelectorAll(".bd-article div.math > .eqno")]
    .filter(number => number.checkVisibility({visibilityProperty: true})).map(number => {
    const at = number.getBoundingClientRect(), box = number.parentElement.querySelector(".katex-display");
    const of = box.getBoundingClientRect();
    const apart = Math.abs(at.top + at.bottom - of.top - of.bottom) / 2;
    return [number.textContent, apart, at.left - of.right]; })"""

WORDS = """() => {  // words of the title that are on more than one line
    const title = document.querySelector(".bd-article h1");
    if (!title) return [];
    const walker = document.createTreeWalker(title, NodeFilter.SHOW_TEXT);
    const broken = [];
    for (let node; node = walker.nextNode();)
        for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) broken.push(word[0]); }
    return broken; }"""

# Boxes that hide something sideways; nothing that is hidden on purpose, such as MathML.
HIDING = """() => [...document.querySelectorAll(".bd-article *")].filter(box =>
        !box.closest(".katex-mathml, template") && box.clientWidth && box.scrollWidth > box.clientWidth + 1
        && getComputedStyle(box).overflowX !== "visible" && box.checkVisibility())
    .map(box => ({name: box.tagName + "." + box.className, overflow: getComputedStyle(box).overflowX,
        tab: box.tabIndex, more: box.dataset.more, mask: getComputedStyle(box).maskImage,
        unheard: !!box.closest("[aria-hidden]")}))"""

ALONE = """() => [...document.querySelectorAll(".bd-article p .joined")].filter(joined => {
    const boxes = [...joined.getClientRects()];
    const formula = joined.querySelector(".math").getBoundingClientRect();
    return boxes.some(box => box.top > formula.bottom || box.bottom < formula.top);
}).map(joined => joined.textContent)"""


@pytest.mark.parametrize("name", CHAPTERS)
def test_paper_is_light_and_every_equation_beside_its_number(name, browser, site):
    with Visit(browser, f"{site}/{name}", scheme="dark") as visit:
        page = visit.page
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.emulate_media(media="print", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'light'")
        page.wait_for_timeout(400)  # colours fade
        texts = page.evaluate(CONTRASTS)
        assert len(texts) > 5
        assert [text for text in texts if text[0] < 4.5 or text[1] < 0.8] == []
        numbers = page.evaluate(NUMBERS)
        assert numbers
        assert [number for number in numbers if number[1] > 6 or number[2] < 12] == []
        hidden = page.locator(".bd-article :is(input, button, form):visible")
        assert hidden.count() == 0
        page.emulate_media(media="screen", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        assert [number for number in page.evaluate(NUMBERS) if number[1] > 6 or number[2] < 12] == []


def test_a_printed_page_is_light_and_comes_back_dark(browser, site):
    with Visit(browser, f"{site}/book/comparison.html", scheme="dark") as visit:
        page = visit.page
        page.evaluate("""window.seen = []; addEventListener("beforeprint", () =>
            seen.push(document.documentElement.dataset.theme))""")
        assert page.pdf(format="A4")[:4] == b"%PDF"
        assert set(page.evaluate("seen")) == {"light"}
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("name", READ)
def test_a_phone_shows_where_there_is_more(name, browser, site):
    with Visit(browser, f"{site}/{name}", viewport=PHONE) as visit:
        page = visit.page
        page.evaluate("document.fonts.ready")
        assert page.evaluate(WORDS) == []
        assert page.evaluate(ALONE) == []
        for box in page.evaluate(HIDING):
            assert box["overflow"] == "auto", box
            assert box["tab"] == 0, box
            assert box["more"] == "right", box
            assert "gradient" in box["mask"], box
            assert not box["unheard"], box


def test_a_wide_equation_is_reached_and_scrolled_by_keyboard(browser, site):
    with Visit(browser, f"{site}/book/randomized.html", viewport=PHONE) as visit:
        page = visit.page
        box = page.locator(".katex-display[tabindex='0']").first
        box.evaluate("box => box.focus({focusVisible: true})")
        assert box.evaluate("box => getComputedStyle(box).outlineStyle") == "solid"
        for _ in range(60):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(50)
            if box.evaluate("box => box.dataset.more") == "left":
                break
        assert box.evaluate("box => box.dataset.more") == "left"
        assert box.evaluate("box => box.scrollLeft") > 0


FOCUSED = [
    *(".search-button-field, .search-button", ".primary-toggle", ".theme-switch-button"),
    *(
        ".dropdown-download-buttons button",
        ".btn-fullscreen-button",
        ".bd-article p a",
        ".bd-sidebar-primary a",
    ),
    *("details.hide > summary", ".copybtn", "#fig-partition input", "#fig-partition button"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_shows(scheme, browser, site):
    look = """part => { const {outlineStyle, outlineWidth, outlineColor} = getComputedStyle(part);
        return [outlineStyle, parseFloat(outlineWidth), outlineColor]; }"""
    with Visit(browser, f"{site}/book/comparison.html", scheme=scheme) as visit:
        for selector in FOCUSED:
            part = visit.page.locator(selector).locator("visible=true").first
            part.evaluate("part => part.blur()")
            before = part.evaluate(look)
            part.evaluate("part => part.focus({focusVisible: true})")
            style, width, _ = after = part.evaluate(look)
            assert after != before, selector
            assert style == "solid", selector
            assert width >= 2, selector


@pytest.mark.parametrize("width", [1300, 1900])
def test_prose_is_narrow_and_code_is_not(width, browser, site):
    measure = """() => Object.fromEntries(Object.entries({code: ".bd-article div.cell_input",
        prose: ".bd-article section > p, .bd-article section > ul"}).map(([name, selector]) => [name,
        Math.max(...[...document.querySelectorAll(selector)].map(part =>
            part.getBoundingClientRect().width))]))"""
    with Visit(browser, f"{site}/book/recursion.html", viewport={"width": width, "height": 900}) as visit:
        found = visit.page.evaluate(measure)
        rem = visit.page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
        assert 30 * rem < found["prose"] <= 42 * rem
        assert found["code"] > found["prose"] + rem
        size = "part => [parseFloat(getComputedStyle(part).fontSize), +getComputedStyle(part).fontWeight]"
        sizes = [
            visit.page.locator(f".bd-article {tag}").first.evaluate(size) for tag in ("h1", "h2", "h3")
        ]
        assert [size / rem for size, _ in sizes] == pytest.approx([2.4, 1.6, 1.25])
        assert sizes[0][1] > sizes[1][1] > sizes[2][1]
        formula = visit.page.locator(".bd-article p .katex").first
        ratio = formula.evaluate(
            "part => parseFloat(getComputedStyle(part).fontSize) / "
            "parseFloat(getComputedStyle(part.closest('p')).fontSize)"
        )
        assert ratio == pytest.approx(1.1)


def test_the_text_has_its_serif(browser, site):
    with Visit(browser, f"{site}/book/recursion.html") as visit:
        visit.page.reload()  # a font that comes late on a busy machine waits for the next page
        client = visit.context.new_cdp_session(visit.page)
        client.send("DOM.enable")
        client.send("CSS.enable")
        root = client.send("DOM.getDocument")["root"]["nodeId"]
        part = client.send("DOM.querySelector", {"nodeId": root, "selector": ".bd-article section > p"})
        fonts = client.send("CSS.getPlatformFontsForNode", part)["fonts"]
        assert {font["familyName"] for font in fonts} == {"Book Serif", "Book Serif Italic"}


def test_verdicts_are_badges_with_words(browser, site):
    with Visit(browser, f"{site}/book/claims.html") as visit:
        badges = visit.page.locator("td .verdict")
        rows = len(
            re.findall(r"^\| [A-H]\d+ \|", (ROOT / "book/claims.md").read_text(encoding="utf-8"), re.M)
        )
        assert badges.count() == rows
        assert all(badges.all_inner_texts())
        signs = badges.evaluate_all("all => all.map(badge => getComputedStyle(badge, '::before').content)")
        words = badges.all_inner_texts()
        assert len(set(zip(signs, words, strict=True))) == len(set(signs)) == len(set(words)) == 6


def test_outputs_hang_on_their_cells(browser, site):
    with Visit(browser, f"{site}/book/recursion.html") as visit:
        gaps = visit.page.evaluate("""() => [...document.querySelectorAll(
            "div.cell:not(.tag_check) > .cell_input + .cell_output .output:first-child pre"
            )].map(output => output.getBoundingClientRect().top
            - output.closest('.cell').querySelector('.cell_input').getBoundingClientRect().bottom)""")
        assert len(gaps) > 5
        assert max(gaps) <= 1
