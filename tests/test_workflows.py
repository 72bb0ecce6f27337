"""The workflows: pinned actions, declared permissions, targets that exist."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
WRITES = {"notebooks": {"contents"}, "pages": {"pages", "id-token"}}


def loose(text):
    """Return the lines that name an action by anything but a commit and a version in a comment."""
    lines = [line.strip() for line in text.splitlines() if re.match(r"\s*(?:- )?uses:", line)]
    pinned = r"(?:- )?uses: (?:\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)(?:\s.*)?"
    return [line for line in lines if not re.fullmatch(pinned, line)]


def endless(jobs):
    """Return the jobs with steps of their own that may run for hours."""
    return [name for name, job in jobs.items() if "steps" in job and "timeout-minutes" not in job]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return request.param.read_text(encoding="utf-8")


def test_loose_sees_a_tag_and_a_missing_version():
    commit = "0" * 40
    assert loose(f"      - uses: actions/checkout@{commit} # v7.0.1") == []
    assert loose("        uses: ./.github/workflows/test.yml  # the same commit") == []
    assert len(loose("      - uses: actions/checkout@v7")) == 1
    assert len(loose(f"      - uses: actions/checkout@{commit}")) == 1
    assert len(loose(f"        uses: actions/checkout@{commit[1:]} # v7.0.1")) == 1


def test_actions_are_pinned(workflow):
    assert loose(workflow) == []


def test_the_same_action_has_the_same_commit_everywhere():
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    names = [name for name, _ in pins]
    assert sorted(names) == sorted(set(names))


def test_permissions_are_declared_and_least(workflow):
    loaded = yaml.safe_load(workflow)
    assert "permissions" in loaded
    assert set(loaded["permissions"].values()) <= {"read"}
    for name, job in loaded["jobs"].items():
        declared = job.get("permissions", {})
        assert {key for key, value in declared.items() if value == "write"} == WRITES.get(name, set())


def test_jobs_end(workflow):
    assert endless(yaml.safe_load(workflow)["jobs"]) == []


def test_checkouts_leave_no_token(workflow):
    steps = [step for job in yaml.safe_load(workflow)["jobs"].values() for step in job.get("steps", [])]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_targets_exist(workflow):
    called = set(re.findall(r"run: make ([a-z-]+)", workflow))
    assert called <= TARGETS


def test_nothing_names_an_owner():
    files = [
        path
        for folder in ("book/_ext", "tools", "binder", ".github", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert ROOT / "binder" / "postBuild" in files
    for path in [*files, ROOT / "Makefile", ROOT / "_config.yml"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"github\.io|github\.com/(?!\$)[\w-]+/", text), path


def jobs(name):
    """Return the jobs of a workflow."""
    path = ROOT / ".github" / "workflows" / f"{name}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def before(name, found):
    """Return all jobs that end before one begins."""
    needs = found[name].get("needs", [])
    needs = [needs] if isinstance(needs, str) else needs
    return set(needs).union(*(before(need, found) for need in needs))


@pytest.mark.parametrize("name", WRITES)
def test_what_is_published_was_tested_and_is_of_main(name):
    published = jobs("publish")
    assert {"test", "build"} <= before(name, published)
    assert published[name]["if"] == "github.ref == 'refs/heads/main'"


def test_the_book_is_built_with_all_its_commits():
    """The date of a page is that of its last commit."""
    (checkout,) = [step for step in jobs("publish")["build"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0


def test_a_merge_meets_what_publishing_needs():
    run = {step.get("run") for job in jobs("test").values() for step in job["steps"]}
    assert {".ci/run", "make matrix", "make test-colab", "make pdf"} <= run
