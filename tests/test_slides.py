"""The slides: quoted from the book, their clock and numbers, and every deck in a browser."""

import importlib.util
import itertools
import re
import sys
from pathlib import Path

import numpy
import pytest
from browser import DESK, SITE, Visit
from hands import centre, drag, pytestmark, state, swipe  # noqa: F401

import d2lutil
from d2lutil import example

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in (BOOK / "slides").glob("*.md")}
DECKS = sorted(SOURCES.keys() - {"index"})
LECTURE = SOURCES["lecture"]
HEAVIEST = 1_300_000  # bytes of a deck with everything it asks for, as of a page
LARGEST = 1_024, 576  # pixels of a slide
SCREEN = {"width": 1280, "height": 720}

sys.path.append(str(BOOK / "_ext"))
import excerpts  # noqa: E402  (the book's Sphinx extensions)

spec = importlib.util.spec_from_file_location("slides_tool", ROOT / "tools" / "slides.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

pytest_plugins = ["visits"]


# What is quoted.


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Return a function that builds a deck with the book's settings, and returns its page."""

    def build(text):
        folder = tmp_path_factory.mktemp("decks")
        (folder / "source" / "_templates").mkdir(parents=True)
        real = BOOK / "slides"
        settings = f"__file__ = {str(real / 'conf.py')!r}\nexec(open(__file__, encoding='utf-8').read())\n"
        settings += f"templates_path = [{str(real / '_templates')!r}]\nbook_folder = {str(BOOK)!r}\n"
        settings += f"html_favicon = ''\nrevealjs_static_path = [{str(BOOK / '_static')!r}]\n"
        (folder / "source" / "conf.py").write_text(settings, encoding="utf-8")
        (folder / "source" / "index.md").write_text("# Decks\n\n```{toctree}\ndeck\n```\n")
        (folder / "source" / "deck.md").write_text(text, encoding="utf-8")
        tool.build(folder / "source", folder / "target", folder / "cache")
        return (folder / "target" / "deck.html").read_text(encoding="utf-8")

    return build


GOOD = """\
# Title

## Slide

```{equation-of} eq-re-recursion
```

```{cell-of} recursion-recursion
:lines: 1, 4
```

```{cell-of} recursion-recursion
:output: only
```

```{figure-of} fig-re-triangle
A caption.
```

:::{revealjs-fragments}
| a | b |
| --- | --- |
| 1 | 2 |
| 3 | 4 |
:::

{result}`backward:paths` paths, {book}`re-sum`, {book}`row seven <ex-re-row>`

```{revealjs-notes}
0:00, 1 min.

Say 1 < 2.
```
"""


def test_a_deck_quotes_the_book(build):
    page = build(GOOD)
    code = re.sub("<[^>]*>", "", page)
    assert "def recursion(F, J):\n        dh_dw.append(F[t] + J[t] * dh_dw[t - 1])\n" in code
    assert code.count("def recursion") == 1
    assert "total: 0.32 0.64 0.504 1.3728 1.2262 0.597" in code
    assert "<semantics>" in page  # rendered at build time
    assert "<annotation" not in page  # nor said twice
    assert "500,500 paths" in code
    assert 'href="../html/book/recursion.html#re-sum">The triangle</a>' in page
    assert 'href="../html/book/recursion.html#ex-re-row">row seven</a>' in page
    (alt,) = re.findall(r'<img alt="([^"]*)" src="_images/fig-re-triangle.svg"', page)
    assert alt.startswith("A lower triangle of 21 numbered cells.")
    assert page.count('<tr class="fragment') == 2
    (notes,) = re.findall(r'<aside class="notes">(.*?)</aside>', page, re.DOTALL)
    assert "".join(notes.split()) == "<p>0:00,1min.</p><p>Say1&lt;2.</p>"


BAD = {
    "```{figure-of} fig-re-nothing\n```": "no figure 'fig-re-nothing'; near it: fig-re-loss, ",
    "```{figure-of} fig-re-triangle\n:live:\n```": "'fig-re-triangle' does not answer; those that do: ",
    "```{equation-of} eq-re-nothing\n```": "no equation 'eq-re-nothing'; near it: eq-re-both, ",
    "```{cell-of} recursion-nothing\n```": "no cell 'recursion-nothing'; near it: ",
    "```{cell-of} recursion-terms\n:output:\n```": "'recursion-terms' prints nothing",
    "```{cell-of} recursion-terms\n:lines: 8-99\n```": "lines 8-99 of 'recursion-terms', which has ",
    "{book}`re-nothing`": "no section, exercise or page 're-nothing' in the book",
    "{result}`recursion:nothing`": "no result 'nothing' in chapter 'recursion'; it has: ",
}


def test_what_the_book_does_not_have_is_an_error(build, capfd):
    text = "# Title\n\n" + "\n\n".join(f"## Slide\n\n{directive}" for directive in BAD)
    with pytest.raises(SystemExit):
        build(text)
    said = capfd.readouterr().err
    assert [message for message in BAD.values() if message not in said] == []


def test_a_formula_loses_the_mark_at_its_end_and_no_other():
    found = excerpts.formulas()
    assert found["eq-re-recursion"].endswith(r"\frac{\mathrm{d} h_0}{\mathrm{d} w} = 0")
    first, last = found["eq-rnn-elman"].split("\\\\")
    assert first.endswith("+ b_h)")
    assert last.split(r"\end")[0].endswith("+ b_q")
    assert "," in found["eq-re-recursion"]
    assert len(found) > 100


def test_a_figure_is_the_one_to_take_away_where_there_is_one():
    found = excerpts.pictures()
    for path in (BOOK / "figures").glob("*.svg"):
        assert found[path.stem][0] == str(path)
    assert all(len(alt) > 20 for _, alt in found.values())


# What the decks say.


def notes(text):
    """Return the notes of a deck's slides; empty where a slide has none."""
    slides = re.split(r"^#{1,3} ", text, flags=re.M)[1:]
    found = [re.search(r"\{revealjs-notes\}\n(.*?)^```", slide, re.M | re.S) for slide in slides]
    return [match[1].strip() if match else "" for match in found]


@pytest.mark.parametrize("deck", DECKS)
def test_every_slide_has_notes(deck):
    titles = re.findall(r"^#{1,3} (.*)", SOURCES[deck], re.M)
    assert len(titles) > 3
    assert [title for title, said in zip(titles, notes(SOURCES[deck]), strict=True) if len(said) < 40] == []


@pytest.mark.parametrize("deck", DECKS)
def test_the_list_leads_to_every_deck(deck):
    assert f"{{doc}}`{deck}`: " in SOURCES["index"]


def clock(text):
    """Return when each slide begins, and how long it takes, in minutes."""
    found = [re.match(r"(\d):(\d\d), (\d+) min\.\n", said) for said in notes(text)]
    return [(60 * int(at[1]) + int(at[2]), int(at[3])) for at in found]


def table(name):
    """Return the rows of the table of a section of the page for lecturers, without its head."""
    text = (BOOK / "teach.md").read_text(encoding="utf-8")
    lines = text.split(f"({name})=\n")[1].split("\n(te-")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"][2:]


def test_the_lecture_takes_ninety_minutes():
    now = 0
    for start, minutes in clock(LECTURE):
        assert start == now
        now += minutes
    assert now == 90


def test_the_lecture_follows_the_clock_of_the_page_for_lecturers():
    heads = re.findall(r"^(#{1,3}) ", LECTURE, re.M)
    starts = [start for head, (start, _) in zip(heads, clock(LECTURE), strict=True) if head == "##"]
    rows = table("te-lecture")
    expected = [60 * int(row[0][0]) + int(row[0][2:]) for row in rows]
    assert starts[0] == 1  # behind the title
    assert starts[1:] == expected[1:]
    ends = [*expected[1:], 90]
    asked = [
        start
        for slide, (start, _) in zip(slides(), clock(LECTURE), strict=True)
        if "{container} predict" in slide
    ]
    for row, begin, end in zip(rows, expected, ends, strict=True):
        assert sum(begin <= start < end for start in asked) == ("predicts" in row[-1]), row
    assert re.findall(r"\{ref\}`([^`]+)`", rows[-1][-1]) == re.findall(
        r"^- \{book\}`(ex-[^`]+)`", LECTURE, re.M
    )


def slides():
    return re.split(r"^#{1,3} ", LECTURE, flags=re.M)[1:]


def test_a_prediction_is_answered_on_the_next_slide_only():
    found = slides()
    for slide, following in itertools.pairwise(found):
        if "{container} predict" in slide:
            assert "Answer on the next slide" in slide
            assert "ommon wrong answer" in slide
            assert "{container} predict" not in following


def rows_of(title):
    """Return the rows of the tables of a slide, as numbers where they are some."""

    def number(cell):
        text = cell.strip().strip("*").replace("−", "-")
        text = text.partition(" (")[0].rpartition("= ")[2]
        try:
            return float(text)
        except ValueError:
            return cell.strip()

    (slide,) = (slide for slide in slides() if slide.startswith(f"{title}\n"))
    lines = [line.strip("|").split("|") for line in slide.splitlines() if line.startswith("|")]
    return [[number(cell) for cell in line] for line in lines if set("".join(line)) - set("- ")]


def close(found, expected):
    assert found == pytest.approx(list(expected), abs=6e-5)


F, J = example.step_derivatives()
e, h, terms = example.responses(), example.states(), example.terms()
total = example.state_terms().sum(axis=1)


def test_the_numbers_of_the_steps():
    rows = rows_of("Two numbers a step")
    for row, values in zip(rows[1:], (h[1:], F, J), strict=True):
        close(row[1:], values)
    for row, values in zip(rows_of("From the states to the loss")[1:], (F, J, e), strict=True):
        close(row[1:], values)
    for row, values in zip(rows_of("Now six steps")[1:3], (e, J), strict=True):
        close(row[1:], values)
    assert rows_of("A state is carried from step to step")[1][1:] == pytest.approx(example.x[:2], abs=6e-5)
    directly, later = rows_of("Nudge the weight by 0.001")[1:]
    close([directly[2], later[2], later[3]], [F[0], F[1], J[1] * F[0]])
    close([1000 * directly[4], 1000 * later[4]], total[:2])


def test_the_rows_of_the_recursion():
    before = rows_of("What it does now, plus what it has done so far")[1:]
    after = rows_of("No: the past outweighs it")[1:]
    for row in before + after:
        t = int(row[0]) - 1
        close(row[1:3], [F[t], J[t]])
        if row[4] != "":
            close([row[4]], [total[t]])
    assert [row[0] for row in after] == [3, 4, 5, 6]
    sums = example.state_terms()
    for t, row in enumerate(rows_of("What is the number made of?")[1:]):
        close([*row[1 : t + 2], row[-1]], [*sums[t, : t + 1], total[t]])


@pytest.mark.parametrize("title", ["The diagonal first, then two rows", "The triangle"])
def test_the_triangle(title):
    rows = rows_of(title)[1:]
    asked = 0
    for t, row in enumerate(rows[:6]):
        for i, cell in enumerate(row[1:7]):
            assert (cell == "") >= (i > t)
            asked += cell == "?"
            if isinstance(cell, float):
                close([cell], [terms[t, i]])
        if isinstance(row[7], float):
            close([row[7]], [terms[t].sum()])
    if title == "The triangle":
        assert all(
            isinstance(cell, float) for t, row in enumerate(rows[:6]) for cell in [*row[1 : t + 2], row[7]]
        )
        close([rows[6][7]], [terms.sum()])
    else:
        assert asked == 3


def test_the_columns():
    delta = [e[5]]
    for t in (4, 3, 2, 1, 0):
        delta.insert(0, e[t] + delta[0] * J[t + 1])
    rows = rows_of("By columns it is 1.4316 again")[1:]
    for row, values in zip(rows, (delta, F, terms.sum(axis=0)), strict=True):
        close(row[1:7], values)
    close([rows[2][7]], [terms.sum()])
    assert rows_of("Now six steps")[3][-1] == delta[5]
    three = LECTURE.split("## The same sum, from the right")[1].split("##")[0]
    short = [(1 - 0.1 * 0.8), -1 + 2 * 0.45, 2]
    close([float(x) for x in re.findall(r"mathbf\{(.*?)\}", three)], short[::-1])
    close([float(x) for x in re.findall(r"= ([-\d.]+)\$$", three, re.M)], (short * F[:3])[::-1])


def test_the_change_that_is_followed():
    carried = numpy.cumprod([1, *J[1:]])
    asked, answer = rows_of("Follow a change through six steps"), rows_of("Every lag is one more factor")
    for rows in (asked, answer):
        close(rows[1][2:], J[1:])
    close(answer[2][1:], carried)
    for row, c in zip(rows_of("Does clipping cure vanishing?")[1:], (1, 0.1, 10), strict=True):
        close([row[1] / c, row[2] / c], terms[5, [0, 5]])
        assert row[3] == pytest.approx(terms[5, 0] / terms[5, 5], abs=0.005)


def test_what_chunks_and_window_leave():
    chunks, window = example.terms(d2lutil.regular(6, 3)), numpy.triu(terms, -2)
    sums = numpy.array([chunks.sum(axis=1), window.sum(axis=1)])[:, 3:].T
    rows = rows_of("By where a loss stands")[1:]
    for row, values in zip(rows, [*sums, (chunks.sum(), window.sum())], strict=True):
        close(row[1:], values)
    asked = rows_of("What is left of rows 5 and 6?")[1:]
    close(asked[0][2:], sums[0])
    for t, row in zip((3, 4, 5), asked, strict=True):
        close(
            [float(x) for x in row[1].replace("−", "-").replace("- ", "-").replace("+ ", "").split()],
            terms[t, : t + 1],
        )


def test_the_coins():
    drawn = [1, 2, 0, 2, 2, 0]
    coins, *rows = rows_of("Toss a coin at every step")[1:]
    assert coins[1:] == drawn[1:]
    cells = [row for row in rows if str(row[0]).startswith("(")]
    left = 0
    for name, whole, _, weighted in cells:
        t, i = (int(digit) - 1 for digit in re.findall(r"\d", str(name)))
        close([whole, weighted], [terms[t, i], example.terms(drawn)[t, i]])
        left += weighted
    assert len(cells) == (numpy.tril(example.terms(drawn), -1) != 0).sum()
    close([left + terms.trace()], [example.terms(drawn).sum()])
    assert "this draw adds up to −1.4278" in LECTURE


def test_the_witnesses():
    parts = e / example.v * h[1:]
    entrance = sum(e[t] * J[: t + 1].prod() for t in (3, 4, 5))
    meant, kept, last, twice = rows_of("Two witnesses for your own loop")[1:]
    assert meant[1] == last[1] == 0
    close([kept[1]], [entrance])
    exits = [parts.sum(), parts.sum(), parts[3:].sum(), parts @ [2, 2, 2, 2, 1, 1]]
    close([row[2] for row in (meant, kept, last, twice)], exits)


def spoken():
    """Return, for slides of the lecture, what their notes have to say, with numbers from the example."""

    def shown(*values):
        return [f"{value:.4f}".rstrip("0").rstrip(".").replace("-", "−") for value in values]

    def chunks(tau, place):
        xi = numpy.ones(6)
        xi[place::tau] = 0
        return example.terms(xi)

    states, window = example.state_terms(), numpy.triu(terms, -2)
    delta = [e[5]]
    for t in (4, 3, 2, 1, 0):
        delta.insert(0, e[t] + delta[0] * J[t + 1])
    three = terms[:3, :3].sum(axis=0) / F[:3]
    seventh = shown(0.216 + 0.45 * total[5])[0]
    twice, once = shown(three @ total[:3], terms[:3].sum())
    rows = shown(*chunks(3, 0).sum(axis=1)[4:], *window.sum(axis=1)[4:])
    moved = shown(chunks(3, 1).sum(), chunks(3, 2).sum())
    pairs = [chunks(2, place).sum() for place in (0, 1)]
    draws = numpy.array(list(itertools.product([0, 1], repeat=5)))
    spread = []
    for pi in (0.99, 0.5):
        g = numpy.array([example.terms([1, *draw]).sum() for draw in draws / pi])
        chance = numpy.where(draws, pi, 1 - pi).prod(axis=1)
        spread.append(f"{numpy.sqrt(chance @ (g - chance @ g) ** 2):.3f}")
    parts, kept = e / example.v * h[1:], numpy.count_nonzero
    return {
        "What it does now, plus what it has done so far": [f"= {sum_}" for sum_ in shown(*total[2:4])],
        "From the states to the loss": [f"2 · (2 · 0.6 − {example.y[0]:.1f}) = {e[0]:.0f}"],
        "The diagonal first, then two rows": [
            "(2, 1) = −1 · 0.8 · 0.32 = {},".format(*shown(terms[1, 0])),
            "(3, 1) = 2 · 0.45 · 0.8 · 0.32 = {}, (3, 2) = 2 · 0.45 · 0.384 = {}.".format(
                *shown(*terms[2, :2])
            ),
            "The sums are {} and {}.".format(*shown(*terms.sum(axis=1)[1:3])),
            "row 2 of the states, {} and {}.".format(*shown(*states[1, :2])),
        ],
        "The triangle": [
            f"By rows the sum is {shown(terms.sum())[0]}:",
            "column 1, without the factor e_t: {}.".format(", ".join(shown(*states[:, 0]))),
        ],
        "Now six steps": [
            "δ₅ = −1 + 1 · 0.8 = {}, and δ₄ = 1 − 0.2 · 0.8 = {}; δ₃ = 2 + 0.84 · 1.2 = {}.".format(
                *shown(*delta[4:1:-1])
            ),
            f"1 − 0.2 · 1.2 = {shown(e[3] + delta[4] * J[3])[0]}.",
        ],
        "By columns it is 1.4316 again": [f"{twice} instead of {once} for three steps"],
        "How the loss responds to a state": [
            f"δ₃ = {shown(delta[2])[0]}, of which the loss of step 3 itself is 2"
        ],
        "Follow a change through six steps": [
            f"{value:.8f}".rstrip("0") for value in numpy.cumprod(J[1:]) / 1000
        ],
        "Two ways to stop after three steps": [
            f"Answer: {kept(chunks(3, 0))} in chunks, 2 · 6, and {kept(window)} in the window"
        ],
        "What is left of rows 5 and 6?": [
            f"row 5 is {rows[0]} in chunks and {rows[2]} in the window; row 6 is {rows[1]} in both"
        ],
        "Two triangles, or a band": ["the chunks leave {}, by another and they leave {}".format(*moved)],
        "At a price": ["{} for rare cuts, {} for the fair coin".format(*spread)],
        "Two witnesses for your own loop": [
            "The exit adds up {};".format(", ".join(shown(*parts))),
            f"the last chunk has {shown(parts[3:].sum())[0]}",
        ],
        "Homework, with a pencil": [
            f"row 7 adds up to {seventh}. The two totals give {twice}",
            "leave {} and {}, their mean is {}.".format(*shown(*pairs, numpy.mean(pairs))),
        ],
    }


@pytest.mark.parametrize("title", spoken())
def test_the_notes_say_the_numbers(title):
    (said,) = (notes(f"## {slide}")[0] for slide in slides() if slide.startswith(f"{title}\n"))
    assert [words for words in spoken()[title] if words not in said] == []


# In a browser, from the copy beside the site.

WALK = """async () => {
    const frame = () => new Promise(requestAnimationFrame), found = [];
    for (const slide of Reveal.getSlides()) {
        const {h, v} = Reveal.getIndices(slide);
        Reveal.slide(h, v, 99);
        await frame();
        await document.fonts.ready;  // what a slide is set in is asked for when it is shown
        for (let n = 0; n < 200 && slide.querySelector(".live:not([data-fitted=yes])"); n++) await frame();
        const boxes = [...slide.querySelectorAll("pre, .math, table")];
        const cut = boxes.some(box => box.scrollWidth > box.clientWidth + 1);
        const title = slide.querySelector("h1, h2, h3").innerText;
        const pictures = [...slide.querySelectorAll("img")].filter(image => image.checkVisibility());
        found.push({title, high: slide.scrollHeight, wide: slide.scrollWidth, cut,
            notes: !!slide.querySelector("aside.notes"),
            loaded: pictures.every(image => image.complete && image.naturalWidth > 0 && image.alt)});
    }
    return found; }"""
READY = "document.documentElement.classList.contains('flow') || window.Reveal?.isReady()"


@pytest.mark.parametrize("deck", DECKS)
def test_deck(deck, browser, site, subtests):
    """Everything that holds for each deck, on one visit."""
    with Visit(browser, f"{site}/slides/{deck}.html", viewport=SCREEN) as visit:
        visit.page.wait_for_function(READY)
        found = visit.page.evaluate(WALK)
        with subtests.test("fits its slides"):
            wide, high = LARGEST
            assert [one for one in found if one["high"] > high or one["wide"] > wide or one["cut"]] == []
        with subtests.test("has notes and pictures with words"):
            assert [one["title"] for one in found if not (one["notes"] and one["loaded"])] == []
        with subtests.test("asks nobody else, has no errors, is light"):
            assert visit.elsewhere(site) == []
            assert visit.errors == []
            assert visit.weight() <= HEAVIEST


@pytest.mark.parametrize("deck", [*DECKS, "index"])
def test_deck_is_accessible(deck, browser, site):
    """On the long page of a narrow window every slide is there at once."""
    window = {"width": 360, "height": 740}
    with Visit(browser, f"{site}/slides/{deck}.html", scheme="dark", viewport=window) as visit:
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert visit.overflow() <= 0
        for scheme in ("dark", "light"):
            visit.look(scheme, window)
            assert visit.violations() == []
        assert visit.errors == []


@pytest.fixture
def lecture(browser, site):
    """Open the lecture at one of its figures that answer; close it in the end without an error."""
    opened = []

    def open_(name, **options):
        visit = Visit(browser, f"{site}/slides/lecture.html", viewport=SCREEN, **options)
        opened.append(visit)
        visit.page.wait_for_function(READY)
        visit.page.evaluate(
            """name => {
            const {h, v} = Reveal.getIndices(document.getElementById(name).closest("section"));
            Reveal.slide(h, v); }""",
            name,
        )
        visit.page.wait_for_selector(f"#{name} .live[data-fitted=yes]")
        return visit.page

    yield open_
    assert [visit.errors for visit in opened] == [[] for _ in opened]
    for visit in opened:
        visit.__exit__()


def where(page):
    return page.evaluate("Reveal.getSlidePastCount()")


@pytest.mark.parametrize("how", [drag, swipe])
def test_a_hand_moves_what_it_touches(lecture, how):
    """A slide is enlarged by a factor, so what a pointer points at has to be computed back."""
    page = lecture("fig-re-loss", touch=how is swipe)
    before, at = where(page), state(page, "fig-re-loss")["x"]
    x, y = centre(page, "fig-re-loss", "x4")
    how(page, (x, y), (x - 90, y - 20))  # so far to the left would be the next slide
    after = state(page, "fig-re-loss")["x"]
    assert after[3] > at[3] + 0.5
    assert after[:3] + after[4:] == at[:3] + at[4:]
    landed = centre(page, "fig-re-loss", "x4")
    assert landed == pytest.approx((x, y - 20), abs=2)  # under the pointer
    assert where(page) == before


def test_a_figure_in_focus_keeps_its_keys(lecture):
    page = lecture("fig-re-loss")
    before = where(page)
    page.locator("#fig-re-loss [data-handle=x4]").focus()
    start = state(page, "fig-re-loss")["x"][3]
    page.keyboard.press("ArrowRight")
    assert state(page, "fig-re-loss")["x"][3] > start
    page.locator("#fig-re-loss [name=w]").focus()
    page.keyboard.press("ArrowRight")
    assert state(page, "fig-re-loss")["w"] > example.w
    page.locator("#fig-re-loss [name=scheme]").focus()
    page.keyboard.press("ArrowDown")
    assert where(page) == before
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert where(page) == before + 1
    assert not page.evaluate("Reveal.isOverview()")


def test_a_remote_turns_the_slide_from_a_figure(lecture):
    page = lecture("fig-re-loss")
    before, drawn = where(page), state(page, "fig-re-loss")
    page.locator("#fig-re-loss [data-handle=x4]").focus()
    page.keyboard.press("PageDown")
    assert where(page) == before + 1
    assert state(page, "fig-re-loss") == drawn


def test_the_speaker_sees_the_notes(lecture):
    page = lecture("fig-re-loss")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    speaker = popup.value
    speaker.wait_for_function(
        "document.querySelector('.speaker-controls-notes .value')?.innerText.length > 99"
    )
    paragraphs = speaker.locator(".speaker-controls-notes .value p").all_inner_texts()
    assert paragraphs[0] == "0:26, 2 min."
    assert len(paragraphs) > 2
    speaker.close()


def test_the_key_d_turns_light_into_dark(lecture):
    page = lecture("fig-bw-graph")
    seen = [page.evaluate("document.documentElement.dataset.theme")]
    for _ in range(2):
        page.keyboard.press("d")
        seen.append(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == ["light", "dark", "light"]


def test_a_deck_prints_a_page_a_slide(browser, site):
    with Visit(browser, f"{site}/slides/lecture.html?print-pdf", scheme="dark", viewport=SCREEN) as visit:
        visit.page.wait_for_selector(".pdf-page:nth-of-type(2)", state="attached")
        assert visit.page.locator(".live").count() == 0
        pdf = visit.page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(slides())


def test_a_deck_opens_from_a_folder(browser):
    with Visit(browser, (SITE / "slides" / "lecture.html").as_uri(), viewport=DESK) as visit:
        visit.page.wait_for_function(READY)
        assert visit.errors == []
        assert visit.elsewhere("file://") == []
        states = visit.page.evaluate(
            "document.fonts.ready.then(() => [...document.fonts].map(face => face.status))"
        )
        assert "loaded" in states
        assert "error" not in states


@pytest.mark.parametrize("deck", [*DECKS, "index"])
def test_links_lead_to_places_of_the_site(deck):
    text = (SITE / "slides" / f"{deck}.html").read_text(encoding="utf-8")
    for page, _, anchor in (
        link.partition("#") for link in re.findall(r'<a [^>]*href="(\.\./[^"]*)"', text)
    ):
        target = (SITE / "slides" / page).resolve()
        assert target.is_file(), page
        assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8")
    assert "../html/" not in text


def test_the_folder_holds_what_decks_load_and_no_more():
    names = {path.name for path in (SITE / "slides" / "_static").iterdir()}
    assert names == {
        "fonts",
        "katex",
        "live",
        "revealjs",
        "favicon.svg",
        "slides.css",
        "slides.js",
        "pygments.css",
    }
    engine = {path.name for path in (SITE / "slides" / "_static" / "revealjs").rglob("*") if path.is_file()}
    assert engine == {"LICENSE", "reveal.js", "reveal.css", "notes.js"}
