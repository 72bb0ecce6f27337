"""The training script of the cluster, in a single process."""

import subprocess
import sys

import numpy
import pytest
from launches import SMALL, TRAIN, alone, environment, gap, train


def test_a_finished_run_started_again_saves_what_it_has(tmp_path):
    kept = ["--checkpoints", tmp_path / "c", "--every", "2", "--segments", "2"]
    first = dict(alone(tmp_path / "1.npz", *kept))
    again = dict(alone(tmp_path / "2.npz", *kept))
    assert sorted(again) == [f"value_{k}" for k in range(5)]
    assert gap(first, again, "value") == 0


def test_a_run_is_not_continued_with_another_rate(tmp_path):
    kept = ["--checkpoints", tmp_path / "c", "--every", "2", "--segments"]
    alone(tmp_path / "1.npz", *kept, "2")
    other = r"of another run: \{'learning_rate': 1\.0\}; allowed: \{'learning_rate': 0\.5\}"
    with pytest.raises(ValueError, match=other):
        train(*kept, "4", "--lr", "0.5")


def test_a_text_of_the_reader_is_trained_on(tmp_path):
    (tmp_path / "own.txt").write_text("Été, a text of my own. हिन्दी! " * 30, encoding="utf-8")
    (tmp_path / "results").mkdir()
    command = [sys.executable, TRAIN, *SMALL, "--corpus", "~/own.txt", "--segments", "2"]
    command += ["--save=~/results/net.npz"]
    env = environment() | {"HOME": str(tmp_path)}
    subprocess.run(command, env=env, check=True, cwd="/")
    vocab_size = len(set("été a text of my own हिन्दी")) + 1
    assert numpy.load(tmp_path / "results" / "net.npz")["value_0"].shape == (vocab_size, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--segments", "0"], "--segments=0; allowed: at least 1"),
        (["--tau", "0"], "--tau=0; allowed: at least 1"),
        (["--every", "0"], "--every=0; allowed: at least 1"),
        (["--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["--fail", "3"], "--fail=3; allowed: with two workers or more"),
        (["--corpus", "nowhere.txt"], "nowhere.txt' does not exist; allowed: a text file, or one of the"),
        (["--corpus", "moby_dick"], "name='moby_dick'; allowed: time_machine, noon_road, or the path"),
        (["--save", "nowhere/net.npz"], "nowhere/net.npz'; allowed: a file in a folder"),
    ],
)
def test_what_no_run_can_use_is_refused_before_it_begins(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        train(*arguments)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err
