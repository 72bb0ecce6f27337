"""Grade the notebooks to hand in with otter-grader: ``make exercises``, and what a lecturer calls.

Runs where requirements-exercises.lock is installed. A submission is executed as it is, with the rights of
who grades.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import handout
import nbformat
from otter.generate import main as generate

import exercises

BUILT = exercises.ROOT / "_build" / "exercises"
GUIDE = exercises.ROOT / "exercises" / "README.md"
SECONDS = 600  # for one submission


def archive(chapter, path):
    """Write what grades a chapter: an archive of otter-grader's with visible and hidden tests."""
    points = handout.points(chapter)
    with tempfile.TemporaryDirectory() as folder:
        tests, config = Path(folder, "tests"), Path(folder, "otter_config.json")
        tests.mkdir()
        config.write_text(json.dumps({"assignment_name": chapter.name}), encoding="utf-8")
        for one in chapter.exercises:
            text = handout.tests(chapter, one, points[one.label], ["visible", "hidden"])
            (tests / f"{one.label}.py").write_text(text, encoding="utf-8")
        generate(
            tests_dir=str(tests),
            output_path=str(path),
            config=str(config),
            no_requirements=True,
            no_environment=True,
        )


def grade(archive, submission):
    """Grade a notebook by `otter run`.

    Returns
    -------
    dict
        Points and what the tests say, by exercise.

    Raises
    ------
    ValueError
        It could not be graded: it belongs to another chapter, is no notebook, or takes too long.
    """
    variables = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "otter", "run", "--no-logo", "-a", archive.resolve()]
    with tempfile.TemporaryDirectory() as folder:
        command += ["-o", folder, submission.resolve()]
        try:
            run = subprocess.run(
                command, cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"not done after {SECONDS} s") from None
        results = Path(folder, "results.json")
        if run.returncode or not results.is_file():
            raise ValueError((run.stderr or run.stdout).strip().splitlines()[-1])
        tests = json.loads(results.read_text(encoding="utf-8"))["tests"]
    return {test["name"]: (test["score"], test["output"]) for test in tests if "score" in test}


def submissions(chapter, student):
    """Return what `make exercises` hands in, by name, and the points that it must have, by exercise.

    Of the mistakes it is the first one in each exercise: `make test` runs all of them by the same tests.
    """
    points = handout.points(chapter)
    nothing = dict.fromkeys(points, 0)
    solutions = {one.label: one.solution for one in chapter.exercises}
    mistakes = {one.label: one.wrong[0][1] for one in chapter.exercises}
    return {
        "empty": (student, nothing),
        "book": (handout.answered(student, chapter, solutions), points),
        "wrong": (handout.answered(student, chapter, mistakes), nothing),
    }


def prove(path):
    """Grade the empty notebook of a chapter, the book's answers and all mistakes; return what is wrong."""
    chapter = exercises.read(path)
    student = nbformat.read(BUILT / "student" / handout.file_name(chapter.name), as_version=4)
    faults = handout.leaks(student, chapter)
    found, start = submissions(chapter, student), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for name, (notebook, wanted) in found.items():
            handed_in = Path(folder, f"{name}.ipynb")
            nbformat.write(notebook, handed_in)
            got = grade(BUILT / "grader" / f"{chapter.name}.zip", handed_in)
            if {label: score for label, (score, _) in got.items()} != wanted:
                faults.append(f"{name}: {got}; allowed: {wanted}")
    seconds, points = time.monotonic() - start, sum(handout.points(chapter).values())
    verdict = "FAULTY" if faults else "ok"
    print(
        f"{chapter.name:20s} {len(chapter.exercises)} exercises {points:3d} points {len(found)} notebooks "
        f"{seconds:5.0f} s  {verdict}",
        *faults,
        sep="\n    ",
        flush=True,
    )
    return faults


def build(names):
    """Write notebooks, archives and the guide, and prove them, two chapters at a time."""
    shutil.rmtree(BUILT, ignore_errors=True)
    shutil.copytree(handout.NOTEBOOKS, BUILT / "student")
    (BUILT / "grader").mkdir()
    shutil.copy(GUIDE, BUILT)
    paths = [path for path in exercises.files() if not names or path.stem in names]
    for path in paths:
        archive(exercises.read(path), BUILT / "grader" / f"{path.stem}.zip")
    with ThreadPoolExecutor(2) as pool:
        return sum(map(len, pool.map(prove, paths)))


def grade_all(archive, folder):
    """Grade the notebooks of a folder; write `grades.csv` and, beside each, what the tests say."""
    rows = []
    for submission in sorted(folder.glob("**/*.ipynb")):
        row = {"notebook": submission.relative_to(folder), "total": 0}
        try:
            found = grade(archive, submission)
            row |= {"total": sum(score for score, _ in found.values())}
            row |= {label: score for label, (score, _) in found.items()}
            said = "\n\n".join(output for _, output in found.values())
        except ValueError as error:
            row["error"] = said = str(error)
        rows.append(row)
        submission.with_suffix(".txt").write_text(said + "\n", encoding="utf-8")
        print(f"{row['notebook']}: {row['total']:g}", flush=True)
    names = dict.fromkeys(name for row in rows for name in row if name != "error")
    with (folder / "grades.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*names, "error"])
        table.writeheader()
        table.writerows(rows)
    return len(rows)


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("build", help="write what grades, and see right and wrong answers graded")
    one.add_argument("names", nargs="*", help="chapters (default: all)")
    one = actions.add_parser("grade", help="grade a folder of notebooks")
    one.add_argument("archive", type=Path)
    one.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.action == "build":
        sys.exit(min(1, build(options.names)))
    sys.exit(None if grade_all(options.archive, options.folder) else f"no notebook in {options.folder}")


if __name__ == "__main__":
    main()
