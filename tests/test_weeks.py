"""The slides of the four weeks: their clock, what they hand out, and where their numbers come from."""

import itertools
import json
import re
from pathlib import Path

import numpy
import pytest

import d2lutil
from d2lutil import example

BOOK = Path(__file__).resolve().parent.parent / "book"
WEEKS = 1, 2, 3, 4
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
ROLE = re.compile(r"\{(?:result|book|minutes|doc)\}`[^`]*`")
CLOCK = re.compile(r"\{revealjs-notes\}\n(\d):(\d\d), (\d+) min\.\n")


def slides(week):
    """Return the source of each slide of a deck by its heading."""
    text = (BOOK / "slides" / f"week-{week}.md").read_text("utf-8")
    parts = re.split(r"(?m)^(?=#{1,3} )", text)
    return {part.splitlines()[0].lstrip("# "): part for part in parts if part}


def slide(week, start):
    """Return the one slide whose heading begins so."""
    (found,) = (text for heading, text in slides(week).items() if heading.startswith(start))
    return found


def plan():
    """Return chapters, exercises and project of each week, from the page for lecturers."""
    found = {}
    for line in (BOOK / "teach.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].isdigit():
            chapters = re.findall(r"\[\]\(([\w-]+)\.ipynb\)", cells[2])
            exercises = [re.findall(r"\{ref\}`(ex-[\w-]+)`", cell) for cell in cells[4:]]
            found[int(cells[0])] = chapters, *exercises
    return found


PLAN = plan()


def numbers(text):
    """Return the numbers of a text that have a point or three digits, as they are written."""
    found = {token.rstrip(",") for token in NUMBER.findall(text)}
    return {token for token in found if "." in token or len(token.replace(",", "")) > 2}


def value(token):
    """Return a written number without its sign, which a formula may hold apart."""
    return float(token.replace(",", "").strip("−"))


def printed(chapter):
    """Return all numbers that a chapter says, prints or computes for its prose."""
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    for output in itertools.chain.from_iterable(cell.get("outputs", []) for cell in cells):
        texts.append("".join(output.get("text", "")))
        data = output.get("data", {}).items()
        texts += ["".join(text) for kind, text in data if kind.endswith("text/plain")]
    return {value(token) for text in texts for token in numbers(text)}


def written(values, digits):
    """Write numbers as a slide does, without a sign."""
    found = [f"{abs(v):.{digits}f}" for v in numpy.atleast_1d(values)]
    return [token.rstrip("0").rstrip(".") for token in found] if digits else found


F, J = example.step_derivatives()
e, h, terms = example.responses(), example.states(), example.terms()
totals = example.state_terms().sum(axis=1)
lags = [numpy.trace(terms, -k) for k in range(6)]


def two_steps():
    """Return cells, their sum, and δ times totals, of two steps, and by how much the two differ."""
    delta = numpy.array([e[0] + e[1] * J[1], e[1]])
    kept, twice = terms[:2, :2].sum(), delta @ totals[:2]
    assert twice - kept == pytest.approx(terms[1, 0])
    return [*written(terms[:2, :2][numpy.tri(2) > 0], 3), *written(kept, 2), *written(twice, 3)]


def back():
    """Return the six δ, the columns they make, and the third δ with the Jacobian of its own step."""
    columns = terms.sum(axis=0)
    delta = columns / F
    return [*written(delta, 5), *written(columns, 7), *written(e[2] + delta[3] * J[2], 3)]


def overwritten():
    """Return the gradient, and the one with h_2 in the place of h_3."""
    state = h.copy()
    state[3] = state[2]
    slope = 1 - state[1:] ** 2
    response = (example.v * state[1:] - example.y) * example.v
    delta, total = 0, 0
    for t in reversed(range(6)):
        delta = response[t] + delta
        total += delta * slope[t] * state[t]
        delta *= slope[t] * example.w
    return written([terms.sum(), total], 4)


def growing():
    """Return the lengths of a gradient that goes back through three equal Jacobians of a line."""
    line, row, found = 0.5 * numpy.eye(3) + numpy.eye(3, k=1), numpy.eye(3)[0], []
    for _ in range(3):
        row = row @ line
        found.append(numpy.linalg.norm(row))
    return written(found, 2)


def stopped():
    """Return what chunks and window keep of the rows 5 and 6."""
    masks = d2lutil.reach(d2lutil.regular(6, 3)), numpy.tri(6) - numpy.tri(6, k=-3)
    chunks, window = ((terms * mask).sum(axis=1) for mask in masks)
    assert chunks[5] == window[5]
    return written([chunks[4], window[4], chunks[5]], 4)


def coin():
    """Return the four cells of one draw, and its sum."""
    drawn = example.terms([1, 2, 0, 2, 2, 0])
    return written([drawn[1, 0], drawn[3, 2], drawn[4, 3], drawn[4, 2], drawn.sum()], 5)


def missed():
    """Return by how much chunks of three miss at worst, and how many of all draws miss by more."""
    found = [terms.sum() - example.terms(d2lutil.Regular(3, phase=k)(6)).sum() for k in range(3)]
    worst = max(map(abs, found))
    draws = [example.terms([1, *coins]).sum() for coins in itertools.product([0, 2], repeat=5)]
    return [*written(worst, 2), f"{sum(abs(draw - terms.sum()) > worst for draw in draws)}"]


def by_lag():
    """Return sizes and sums of the diagonals of the triangle."""
    sizes = [abs(numpy.diagonal(terms, -k) / F[: 6 - k]).sum() for k in range(6)]
    return [*written(sizes, 5), *written(lags, 7)]


def looking_back():
    """Return the look-back of the three lines of segments."""
    parts = [6, 6, 6, 6, 6, 2], [5, 3, 12, 8, 4], [32]
    steps = [sum(n * (n - 1) // 2 for n in part) for part in parts]
    return [*written(steps, 0), *written(numpy.array(steps) / 32, 1)]


def places():
    """Return deviations, bias, its square, variance and their sum of chunks at their three places."""
    found = numpy.array([example.terms(d2lutil.Regular(3, phase=k)(6)).sum() for k in range(3)])
    bias, variance = found.mean() - terms.sum(), found.var()
    apart = found - found.mean()
    return written([*apart, *apart**2, bias, bias**2, variance, bias**2 + variance], 3)


def clipped():
    """Return the mean squared errors of 0 or 2, clipped at 1, and of a constant 0.8 for a truth of 1."""
    estimates = numpy.minimum([0, 2], 1)
    return written([((estimates - 1) ** 2).mean(), (0.8 - 1) ** 2], 2)


def two_mistakes():
    """Return the parts of the exit, that of the last chunk alone, and that of passes which overlap."""
    parts = e / example.v * h[1:]
    counts = numpy.array([sum(end - 4 <= t < end for end in (2, 4, 6)) for t in range(6)])
    return written([*parts, parts[3:].sum(), counts @ parts], 1)


def stale():
    """Return the gradient of w · w · w with its old weights, with the new one throughout, and of MXNet."""
    old, new = 3, 5
    return written([old**2 + 2 * new * old, 3 * new**2, old**2 + new * old + new**2], 0)


def witnesses():
    """Return entrance and exit of the six steps."""
    entrance = sum(e[t] * J[: t + 1].prod() for t in (3, 4, 5))
    later = entrance / J[:3].prod()
    return [*written([J[:3].prod(), later, entrance], 4), *written(e / example.v @ h[1:], 1)]


ANSWERS = {  # what the class computes, on the slide or in its notes
    (1, "How surprised"): written(64**0.25, 2),
    (1, "A state of one"): [
        *written([1.25 * h[0] + example.x[0], 1.25 * h[0] + example.x[1]], 4),
        *written(numpy.tanh(1.25 * h[0] + example.x[1]), 2),
    ],
    (1, "One weight"): written(numpy.array([F[1], totals[1], F[0] + F[1]]) / 1000, 6),
    (1, "The next two"): [*written(totals[3:5], 5), *written(J[3] * (F[3] + totals[2]), 4)],
    (1, "The sign"): written([F[5], -F[5] / J[5]], 3),
    (1, "No: the past"): written(totals[5], 6),
    (1, "What is the number"): written(example.state_terms()[2:4, :4].ravel(), 4),
    (1, "From the state"): [", ".join(f"{v:.0f}" for v in e)],
    (1, "Which row"): written(totals, 4),
    (1, "Step 4 most"): written((e * totals)[2:5], 4),
    (2, "Three columns"): written(terms[:3, :3].sum(axis=0), 4),
    (2, "Each bracket"): [*written(terms[:3, :3].sum(axis=0), 4), *written(terms[:3, :3].sum(), 3)],
    (2, "Now all six"): back(),
    (2, '"Then δ'): two_steps(),
    (2, "Without"): written([*(terms.sum(axis=0) / F)[2:5], *J[2:5]], 3),
    (2, "It falls"): written([e[5] * J[3:].prod(), (terms[:5].sum(axis=0) / F)[2]], 3),
    (2, "Columns 5"): overwritten(),
    (2, "A change goes"): written(numpy.cumprod(J[1:]) / 1000, 8),
    (2, '"A recurrent'): [*written(3 * 0.83, 2), *written(numpy.tanh(3 * 0.83), 3)],
    (2, '"Eigenvalues'): growing(),
    (2, "A number that"): [
        *written(0.9 ** numpy.arange(2, 6), 5),
        *written(0.9**5 * 0.1, 6),
        *written([0.9**5, J[:5].prod()], 2),
    ],
    (2, "Hand in"): written([e[2] + J[3] * J[4] * (e[4] + e[5] * J[5]), 0.5**3], 3),
    (3, "What must be"): written(terms.sum(axis=0)[3] / F[3] * J[3], 3),
    (3, "Nine cells"): written([terms[3:, :3].sum(), terms.sum() - terms[3:, :3].sum()], 6),
    (3, "What is left"): stopped(),
    (3, '"A window'): [
        *written(sum((3 - k) * lags[k] for k in range(3)) / numpy.array([1, 3]), 4),
        *written(lags[:3], 4),
    ],
    (3, "The error is"): written([totals[5] - J[3:].prod() * totals[2], J[3:].prod() * totals[2]], 4),
    (3, "A coin"): coin(),
    (3, "1.4316"): missed(),
    (3, "What you pay"): written([0.9**2, 1 - 0.9**2, 1 - 0.8**2], 2),
    (4, "How far does a loss"): looking_back(),
    (4, "Bias and"): places(),
    (4, "Clip"): clipped(),
    (4, "Which length"): by_lag(),
    (4, "Two loops"): two_mistakes(),
    (4, "49, an"): stale()[-1:],
    (4, '"`retain_graph'): stale()[:-1],
    (4, "Hold both"): written([(15 / 16) ** 8, (7 / 8) ** 8], 2),
    (4, "The entrance"): witnesses(),
}


@pytest.mark.parametrize("week", WEEKS)
def test_clock(week):
    now = 0
    for heading, text in slides(week).items():
        hours, minutes, lasts = map(int, CLOCK.search(text).groups())
        assert 60 * hours + minutes == now, heading
        now += lasts
    assert now == 90
    assert 25 <= len(slides(week)) <= 35


@pytest.mark.parametrize("week", WEEKS)
def test_a_prediction_is_answered_on_the_next_slide(week):
    asks = ["container} predict" in text for text in slides(week).values()]
    assert sum(asks) >= 4
    assert not asks[-1]
    assert not any(map(all, itertools.pairwise(asks)))


@pytest.mark.parametrize("week", WEEKS)
def test_what_is_handed_in_and_read_is_the_plan(week):
    _, exercises, project = PLAN[week]
    handed_in = re.findall(r"\{book\}`(ex-[\w-]+)`", slide(week, "Hand in"))
    assert sorted(handed_in) == sorted(exercises + project)
    if week < 4:
        following = re.search(r"\{minutes\}`([^`]+)`", slide(week, "Next week"))[1].split()
        assert following == PLAN[week + 1][0] == re.findall(r"\{book\}`([\w-]+)`", slide(week, "Next week"))


@pytest.mark.parametrize(("week", "start"), ANSWERS, ids=lambda part: str(part))
def test_answers_are_right(week, start):
    answers, text = ANSWERS[week, start], slide(week, start)
    assert not [answer for answer in answers if answer not in text.replace("−", "-")]
    opened = re.search(r"\{revealjs-fragments\}\n(.*?)\n:::", text, re.DOTALL)
    shown = numbers(opened[1]) if opened else set()
    assert {value(token) for token in shown} <= {value(token) for token in answers if ", " not in token}


@pytest.mark.parametrize("week", WEEKS)
def test_numbers_come_from_the_chapters(week):
    """A number is printed in a chapter that the class has read, or is one of the answers."""
    chapters = [chapter for other in WEEKS[:week] for chapter in PLAN[other][0]]
    known = set().union(*map(printed, chapters))
    for heading, text in slides(week).items():
        found = [ANSWERS[key] for key in ANSWERS if key[0] == week and heading.startswith(key[1])]
        mine = {value(token) for token in itertools.chain(*found) if ", " not in token}
        told = ROLE.sub("", CLOCK.sub("", text))
        told = re.sub(r"(?m)^:lines:.*$|^```\{.*$", "", told)
        lost = {token for token in numbers(told) if value(token) not in known | mine}
        assert not lost, (heading, lost)
