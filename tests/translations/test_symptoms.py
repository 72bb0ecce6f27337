"""Mistakes in a truncated loop: PyTorch and JAX still show what the clinic's table says."""

import csv

import pytest
import symptoms
import torch

with open(symptoms.TABLE, encoding="utf-8", newline="") as lines:
    TABLE = list(csv.DictReader(lines))


@pytest.mark.parametrize("framework", symptoms.FRAMEWORKS)
def test_every_symptom_is_seen_again(framework):
    expected = [row for row in TABLE if row["framework"] == framework]
    found = symptoms.observe(framework)
    for row, seen in zip(expected, found, strict=True):
        assert {key: seen[key] for key in ("case", "outcome", "message")}.items() <= row.items()
        assert (seen["off"] is None) == (row["off"] == "")
        if seen["off"] is not None:
            assert seen["off"] == pytest.approx(float(row["off"]), abs=1e-10)


def test_one_mistake_is_one_in_every_framework():
    named = [[row["case"] for row in TABLE if row["framework"] == name] for name in symptoms.FRAMEWORKS]
    assert named[0] == named[1]


def test_what_is_wrong_is_wrong_by_the_same_number():
    for case in {row["case"] for row in TABLE}:
        wrong = [float(row["off"]) for row in TABLE if row["case"] == case and row["outcome"] == "wrong"]
        assert wrong == pytest.approx(wrong[:1] * len(wrong), abs=1e-10)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize(
    ("kind", "half"), [("RNN", False), ("GRU", False), ("LSTM", False), ("LSTM", True)]
)
def test_a_retained_record_does_not_survive_an_update(kind, half, optimizer):
    X = torch.eye(5).repeat(1, 3, 1).reshape(5, 3, 5)

    def run(lr):
        layer, state = getattr(torch.nn, kind)(5, 6), None
        steps = getattr(torch.optim, optimizer)(layer.parameters(), lr=lr)
        for _ in range(2):
            state = (state[0].detach(), state[1]) if half and state else state
            H, state = layer(X, state)
            steps.zero_grad()
            (H**2).sum().backward(retain_graph=True)
            if lr:
                steps.step()

    run(lr=0)  # without an update it does
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        run(lr=0.01)


def test_a_mask_without_its_axis_cuts_a_column():
    h, rows = torch.ones(3, 3, requires_grad=True), torch.tensor([False, True, False])
    for mask, cut in ((rows[:, None], [[1, 1, 1], [0, 0, 0], [1, 1, 1]]), (rows, [[1, 0, 1]] * 3)):
        (gradient,) = torch.autograd.grad(torch.where(mask, h.detach(), h).sum(), h)
        assert gradient.tolist() == cut
