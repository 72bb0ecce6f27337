"""The page of readers' questions: every thread is there, and every answer leads to a place of the book."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
PAGE = (BOOK / "questions.md").read_text(encoding="utf-8")
QUESTION = re.compile(r"^\*\*(.+?)\*\* \((.+)\)\\\n(.+)$", flags=re.M)
THREADS = {
    "d2l-ai/d2l-en": {
        *(430, 431, 674, 675, 780, 920, 1324, 1333, 1364, 1401, 1402, 1408, 1409, 1410),
        *(1658, 1678, 1878, 2067, 2474, 2616, 2638),
    },
    "d2l-ai/d2l-en-colab": {3},
    "d2l-ai/d2l-zh": {1301, 1302, 1337},
    "pandalabme/d2l": {1},
    "woowacampers/d2l-pytorch": {5, 7},
    "ShusenTang/Dive-into-DL-PyTorch": {146},
    "pytorch/pytorch": {2198, 7890},
    "apache/mxnet": {9712, 17925},
    "yikangshen/Ordered-Neurons": {13},
    "yhs968/pyGRU4REC": {8},
    "keras-team/keras": {2750, 3669, 8945, 11175},
    "google-research/seed_rl": {13},
    "Metta-AI/metta": {2233},
    "ray-project/ray": {26833, 49680},
    "Stable-Baselines-Team/stable-baselines3-contrib": {53, 110},
    "uzh-rpg/RVT": {27},
    "zihangdai/mos": {5},
    "salesforce/awd-lstm-lm": {33, 83},
    "Lightning-AI/pytorch-lightning": {293, 8145, 17848, 19985, 20517},
    "jaxleyverse/jaxley": {762},
    "state-spaces/mamba": {101, 1013},
    "RWKV/RWKV-infctx-trainer": {102},
    "alxndrTL/mamba.py": {80},
    "NX-AI/xlstm": {51, 96},
}
FORUMS = {
    "https://discuss.d2l.ai/t/334",
    "https://discuss.pytorch.org/t/6795",
    "https://discuss.pytorch.org/t/15500",
}


def anchors():
    """Return the names that a page or a chapter can be linked by."""
    texts = [path.read_text(encoding="utf-8") for path in [*BOOK.glob("*.md"), *BOOK.glob("*.ipynb")]]
    return {name for text in texts for name in re.findall(r'[\n"]\(([a-z]+-[a-z0-9-]+)\)=', text)} | {
        label for text in texts for label in re.findall(r":label: ([a-z0-9-]+)", text)
    }


def test_every_thread_is_linked():
    found = re.findall(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)", PAGE)
    assert {(name, int(number)) for name, number in found} == {
        (name, number) for name, numbers in THREADS.items() for number in numbers
    }
    assert set(re.findall(r"https://discuss[\w./]+", PAGE)) == FORUMS


def test_every_paragraph_in_bold_is_a_question_with_its_thread_and_its_answer():
    bold = [line for line in PAGE.splitlines() if line.startswith("**")]
    assert len(bold) == len(QUESTION.findall(PAGE)) > 25


@pytest.mark.parametrize(("question", "threads", "answer"), QUESTION.findall(PAGE))
def test_an_answer_is_short_and_leads_to_the_book(question, threads, answer):
    assert "https://" in threads or threads == "the same thread"
    links = [a or b for a, b in re.findall(r"\[\]\(([a-z]+-[a-z0-9-]+)\)|\{ref\}`([a-z0-9-]+)`", answer)]
    assert links
    assert not set(links) - anchors()
    sentences = re.findall(r"[.:?](?= |$)", re.sub(r"\[.*?\]\(.*?\)", "", answer))
    assert 1 <= len(sentences) <= 5, sentences


def test_what_a_reset_costs_is_asserted_where_the_answer_leads():
    (answer,) = [answer for _, threads, answer in QUESTION.findall(PAGE) if "metta" in threads]
    assert "more than three times as long" in answer
    assert "{ref}`ex-bo-cost`" in answer
    assert 'assert ratio[\\"block\\"][0] > 3\\n' in (BOOK / "boundaries.ipynb").read_text(encoding="utf-8")
