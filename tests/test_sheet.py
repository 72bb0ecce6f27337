"""The cheat sheet: its rows are the chapters', its numbers those of the example, its PDF is one page."""

import importlib.util
import inspect
import json
import re
from pathlib import Path

import numpy
import pytest

import d2lutil
from d2lutil import example

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
PAGE = (BOOK / "cheat-sheet.md").read_text(encoding="utf-8")
SITE = ROOT / "_build" / "html"


def chapter(stem):
    """Return the prose of a chapter."""
    cells = json.loads((BOOK / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def code(stem):
    """Return the code of a chapter."""
    cells = json.loads((BOOK / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def rows(text):
    """Return the rows of a text's tables, heads included."""
    lines = [line.strip("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row in cells if set("".join(row)) != {"-"}]


def section(name, text=PAGE):
    """Return a section by its anchor, up to the next one."""
    return re.split(r"^\([\w-]+\)=$", text.split(f"({name})=\n")[1], flags=re.M)[0]


TRUNCATED, CLINIC, BOUNDARIES, RANDOMIZED = map(
    chapter, ("truncated", "detach-clinic", "boundaries", "randomized")
)


def test_the_schemes_are_those_of_the_first_page():
    first = [row for row in rows((BOOK / "intro.md").read_text(encoding="utf-8")) if len(row) == 3]
    plain = [[re.sub(r"\{term\}`(\w+).*?`", r"\1", cell) for cell in row] for row in first]
    ours = rows(section("cs-xi"))
    assert [row[:3] for row in ours[1:4]] == [row for row in plain if row[0] != "scheme"]
    assert r"c_r = \frac{\alpha - 1}{(\alpha - 2)\, L_0 + r}" in RANDOMIZED
    assert r"c_r = \frac{\alpha - 1}{(\alpha - 2)\, L_0 + r}" in ours[4][1]


def test_backward_and_forward_in_time_are_one_gradient():
    """As the two lines say it, each weight once."""
    text = section("cs-xi")
    assert r"\textstyle\sum_t \delta_t F_t" in text
    assert r"\delta_t = e_t + \xi_{t+1}\, \delta_{t+1} J_{t+1}" in text
    assert r"\textstyle\sum_t e_t\, z_t" in text
    assert r"z_t = F_t + \xi_t\, J_t z_{t-1}" in text
    (F, J), e = example.step_derivatives(), example.responses()
    xi, delta, z = numpy.random.default_rng(0).uniform(0, 2, 7), numpy.zeros(7), numpy.zeros(7)
    for t in range(6):
        z[t] = F[t] + xi[t] * J[t] * (z[t - 1] if t else 0)
    for t in reversed(range(6)):
        delta[t] = e[t] + (xi[t + 1] * delta[t + 1] * J[t + 1] if t < 5 else 0)
    assert delta[:6] @ F == pytest.approx(example.terms(xi[:6]).sum())
    assert e @ z[:6] == pytest.approx(example.terms(xi[:6]).sum())


def test_the_segments_are_as_long_as_the_sheet_says():
    said = r"Segments are $\tau$, in the mean $1/(1 - \pi)$ or, with $\alpha > 2$, $L_0$ steps long."
    assert said in section("cs-xi")
    rng, T = numpy.random.default_rng(1), 400_000
    for xi, mean in (
        (d2lutil.regular(T, 8), 8),
        (d2lutil.randomized(T, 1 - 1 / 8, rng=rng), 8),
        (d2lutil.length_dependent(T, 8, 6, rng=rng), 8),
    ):
        assert T / (numpy.asarray(xi) == 0).sum() == pytest.approx(mean, rel=0.03)
    with pytest.raises(ValueError, match="alpha"):
        d2lutil.length_dependent(T, 8, 2, rng=rng)


def test_the_calls_draw_the_weights_that_stand_beside_them():
    T, tau, pi, L_0, alpha = 60, 4, 0.8, 5, 4
    known = {name: getattr(d2lutil, name) for name in d2lutil.__all__ if name.islower()}
    found = []
    for row in rows(section("cs-xi"))[1:]:
        rng = numpy.random.default_rng(1)
        scope = {"T": T, "tau": tau, "pi": pi, "L_0": L_0, "alpha": alpha, "rng": rng}
        found.append(eval(row[3].strip("`"), {**known, **scope}))
    full, regular, randomized, dependent = found
    assert set(full) == {1}
    assert [t for t in range(T) if regular[t] == 0] == [*range(0, T, tau)]
    assert set(regular) == {0, 1}
    assert set(randomized[1:]) == {0, 1 / pi}
    r = 1
    for xi in dependent[1:]:
        c = (alpha - 1) / ((alpha - 2) * L_0 + r)
        assert xi == pytest.approx(1 / (1 - c)) or xi == 0
        r = 1 if xi == 0 else r + 1
    assert 0 < (dependent == 0).mean() < 1


def test_the_arrays_are_those_of_the_notation():
    notation = rows(section("notation-arrays", (BOOK / "notation.md").read_text(encoding="utf-8")))[1:]
    ours = rows(section("cs-arrays"))[1:]
    taken = inspect.signature(d2lutil.bptt).parameters
    assert [row[0] for row in ours] == [row[1] for row in notation]
    for (name, acts, *_, practice, _), (_, _, meaning, called) in zip(ours, notation, strict=True):
        assert name.strip("`") in taken
        assert meaning.startswith(" ".join(acts.split()[:2]))
        assert practice == called


def test_the_arrays_do_to_the_six_steps_what_stands_there():
    numbers = [re.search(r"[\d.]+$", row[-1])[0] for row in rows(section("cs-arrays"))[1:]]
    by_hand = section("bo-hand", BOUNDARIES)
    summary = BOUNDARIES.split("## Summary")[1]
    assert "{}, {} and {} instead of 1.4316".format(*numbers) in summary
    terms = example.terms()
    assert float(numbers[0]) == pytest.approx(example.terms(d2lutil.regular(6, 3)).sum(), abs=6e-5)
    assert float(numbers[2]) == pytest.approx(terms[2:].sum(), abs=6e-5)
    assert rows(section("cs-arrays"))[0][-1].endswith(f"({terms.sum():.4f})")
    for name, words in (("xi", "Cut before step 4"), ("begins", "Reset before step 4")):
        (row,) = (row for row in rows(section("cs-arrays")) if row[0] == f"`{name}`")
        assert row[-1].lower().startswith(words.lower())
        assert f"**{words}.**" in by_hand


def test_the_loop_is_the_one_that_is_run():
    shown = re.findall(r"literalinclude\} (\S+)\n:pyobject: (\w+)", PAGE)
    assert shown == [("translations/loop_mxnet.py", "train_chunks")]
    text = (BOOK / shown[0][0]).read_text(encoding="utf-8")
    assert f"\ndef {shown[0][1]}(" in text
    assert "L = L / (k * X.shape[1])" in text  # what the sheet says about the division
    assert "```python" not in PAGE
    torch = (BOOK / "translations" / "loop_torch.py").read_text(encoding="utf-8")
    before = torch.split("def train_chunks(")[1].split("backward()")[0]
    assert "optimizer.zero_grad()" in before
    assert "zero_grad" not in text.split("def train_chunks(")[1].split("\ndef ")[0]
    assert "so call `optimizer.zero_grad()` before each pass" in section("cs-loop")


def test_the_witnesses_have_the_numbers_of_the_clinic():
    (row,) = (row for row in rows(section("cs-witnesses")) if "six steps" in row[0])
    e, h, (_, J) = example.responses(), example.states()[1:], example.step_derivatives()
    open_border = sum(e[t] * J[: t + 1].prod() for t in (3, 4, 5))
    by_loss = e / example.v * h
    assert row[1] == f"0; open {open_border:.4f}"
    exits = [numpy.ones(6), numpy.array([0, 0, 0, 1, 1, 1]), numpy.array([2, 2, 2, 2, 1, 1])]
    said = re.findall(r"\d\.\d", row[2])
    assert [float(text) for text in said] == pytest.approx([count @ by_loss for count in exits])
    witnesses = section("dc-witnesses", CLINIC)
    assert f"{open_border:.4f}" in witnesses
    assert "chunks of three" in witnesses
    assert "every two steps back through four, from" in witnesses


def test_the_two_numbers_are_those_of_the_chapter():
    assert rows(section("cs-two")) == rows(section("tr-two", TRUNCATED))
    assert "$k_2 - k_1 + p + 1$" in section("cs-two")
    assert "r_t = k_2 - k_1 + p + 1" in TRUNCATED


def test_each_division_is_that_of_the_section_that_it_names():
    named = {
        "ra-divide": (RANDOMIZED, "Divide by the expected length"),
        "bo-padding": (BOUNDARIES, "divide by the expected number"),
    }
    table = rows(section("cs-divide"))[1:]
    links = [link for row in table for link in re.findall(r"\]\(([\w-]+)\)", row[0])]
    assert links == [*named, "ex-so-mean"]
    for name, (text, words) in named.items():
        assert words in section(name, text)
    (pi,) = re.findall(r"^pi = ([\d.]+)$", code("randomized"), re.M)
    assert 1 / (1 - float(pi)) == pytest.approx(10)
    assert "at mean length 10, lag 10" in section("cs-divide")
    solution = chapter("scaling-out").split("{solution-start} ex-so-mean")[1].split("{solution-end}")[0]
    assert "divide by the number of all predictions" in solution


def test_a_symptom_names_a_mistake_of_the_clinic_its_case_and_its_witness():
    table = {row[0]: row for row in rows(section("dc-table", CLINIC)) if len(row) == 6}
    messages = {row[0]: row for row in rows(section("dc-table", CLINIC)) if len(row) == 3}
    ours = rows(section("cs-symptoms"))[1:]
    assert len(ours) > 8
    for symptom, mistake, case, finds in ours:
        glued = re.match(r"\{result\}`detach-clinic:(message-[\w-]+)` \((\w+)\)", symptom)
        if glued:
            row = messages[f"{{result}}`{glued[1]}`"]
            assert row[1] == glued[2]
            assert case in row[2]
        found = [row for noticed, row in table.items() if noticed.startswith(mistake)]
        assert found, mistake
        assert case in {row[1] for row in found}
        assert finds in {row[5] for row in found if row[1] == case}


def test_what_a_symptom_shows_is_what_the_clinic_says_is_noticed():
    noticed = [row[0] for row in rows(section("dc-table", CLINIC)) if len(row) == 6]
    for symptom, mistake, *_ in rows(section("cs-symptoms"))[1:]:
        if any(text.startswith(f"{mistake};") for text in noticed):
            (text,) = (text for text in noticed if text.startswith(f"{mistake};"))
            ours = {"the first losses of each chunk are high", "updates too large"}
            assert symptom in text or symptom in ours


def test_the_length_is_the_default_of_the_chapter():
    default = re.search(r"\*\*Known distances: .*?\*\*", section("cs-length"))[0]
    assert default in section("ct-thumb", chapter("choosing-tau"))


def test_every_link_has_its_anchor():
    texts = [path.read_text(encoding="utf-8") for path in [*BOOK.glob("*.md"), *BOOK.glob("*.ipynb")]]
    anchors = {name for text in texts for name in re.findall(r'[\n"]\(([a-z]+-[a-z0-9-]+)\)=', text)}
    anchors |= {label for text in texts for label in re.findall(r":label: (ex-[a-z0-9-]+)", text)}
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if "." not in link]
    assert len(links) > 12
    assert set(links) - anchors == set()


# On paper.


def tool():
    pytest.importorskip("playwright")
    spec = importlib.util.spec_from_file_location("sheet", ROOT / "tools" / "sheet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.browser.program() is None:
        pytest.skip("no Chromium")
    return module


@pytest.mark.skipif(
    not (SITE / "book" / "cheat-sheet.html").is_file(), reason="no built site: run `make book`"
)
def test_the_sheet_is_one_page_and_not_shrunk():
    sheet = tool()
    pdf, wide = sheet.sheet(SITE)
    assert sheet.number_of_pages(pdf) == 1
    assert wide <= 0
    width, height = map(float, re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf).groups())
    assert (width, height) == pytest.approx((842, 595), abs=1)  # A4, across
    assert b"/StructTreeRoot" in pdf  # tagged: read aloud column by column
    assert b"127.0.0.1" not in pdf


@pytest.mark.parametrize("base", ["https://example.org/bptt/", None])
def test_links_of_the_sheet_lead_to_the_published_site_or_nowhere(base):
    sheet = tool()
    home = f'<link rel="canonical" href="{base}book/cheat-sheet.html">' if base else ""
    with sheet.browser.start() as chromium:
        page = chromium.new_page()
        page.set_content(f'{home}<a href="detach-clinic.html#dc-none">1</a>')
        page.evaluate(sheet.ABROAD)
        found = page.get_attribute("a", "href")
    assert found == (f"{base}book/detach-clinic.html#dc-none" if base else None)
