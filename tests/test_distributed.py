"""The training script of the cluster, in a single process."""

import subprocess
import sys

from launches import SMALL, TRAIN, alone, environment, gap


def test_a_finished_run_started_again_saves_what_it_has(tmp_path):
    kept = ["--checkpoints", tmp_path / "c", "--every", "2", "--segments", "2"]
    first = dict(alone(tmp_path / "1.npz", *kept))
    again = dict(alone(tmp_path / "2.npz", *kept))
    assert sorted(again) == [f"value_{k}" for k in range(5)]
    assert gap(first, again, "value") == 0


def test_a_run_is_not_continued_with_another_rate(tmp_path):
    kept = ["--checkpoints", tmp_path / "c", "--every", "2", "--segments"]
    alone(tmp_path / "1.npz", *kept, "2")
    command = [sys.executable, TRAIN, *SMALL, *kept, "4", "--lr", "0.5"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert run.returncode == 1
    assert "of another run: {'learning_rate': 1.0}; allowed: {'learning_rate': 0.5}" in run.stderr


def test_a_run_of_no_segment_is_refused():
    command = [sys.executable, TRAIN, "--segments", "0"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert run.returncode == 2
    assert "--segments=0; allowed: at least 1" in run.stderr
