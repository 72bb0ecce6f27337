"""What `make test` runs, and what it says of it."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import stages  # noqa: E402

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def stage(name, program, budget=60):
    return stages.Stage(name, [sys.executable, "-c", program], budget)


def test_a_line_for_each_stage_comes_last(capsys):
    assert stages.main([stage("first", "pass"), stage("second", "pass", budget=0)]) == 0
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"first +\d+\.\d s of   60, +\d+\.\d core-seconds  ok", first)
    assert re.fullmatch(r"second +\d+\.\d s of    0, +\d+\.\d core-seconds  OVER BUDGET", second)


def test_the_first_failure_ends_the_run_with_its_code(capsys, tmp_path):
    later = stage("later", f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert stages.main([stage("broken", "raise SystemExit(3)"), later]) == 3
    broken, skipped = capsys.readouterr().out.splitlines()[-2:]
    assert broken.endswith("FAILED")
    assert skipped == "not run: later"
    assert not (tmp_path / "ran").exists()


def test_core_seconds_are_those_of_a_stage_and_what_it_starts():
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
    assert stages.run(stage("both", f"{nested}\n{BUSY}")).core_seconds >= 0.6


def test_the_stages_exist_and_their_budgets_are_the_agreed_ones():
    found = {stage.name: stage for stage in stages.stages("make")}
    called = {stage.command[-1] for stage in found.values() if stage.command[0] == "make"}
    assert called == {"check", "book", "colab"} <= TARGETS
    assert (ROOT / found["notebooks"].command[1]).is_file()
    chapters = len(list((ROOT / "book").glob("*.ipynb")))
    budgets = {name: stage.budget for name, stage in found.items()}
    assert (budgets["pytest"], budgets["book"], budgets["notebooks"]) == (150, 60, 10 * chapters)
    assert budgets["check"] + budgets["colab"] <= 30
    assert list(found).index("colab") < list(found).index("book")  # which links to some of its notebooks
    assert (ROOT / found["exercises"].command[1]).is_file()
