"""The workflows: pinned actions, declared permissions, targets that exist."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
PROGRAMS = Path(sys.executable).parent
WRITES = {"notebooks": {"contents"}, "pages": {"pages", "id-token"}}


def endless(jobs):
    """Return the jobs with steps of their own that may run for hours."""
    return [name for name, job in jobs.items() if "steps" in job and "timeout-minutes" not in job]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return request.param.read_text(encoding="utf-8")


FLAWS = {
    "unpinned-uses": (
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "actions/checkout@v7",
    ),
    "artipacked": ("persist-credentials: false", "fetch-depth: 1"),
    "excessive-permissions": ("permissions:\n  contents: read\n", ""),
    "template-injection": ("run: make links", "run: echo ${{ github.event.issue.title }}"),
}
zizmor = pytest.mark.skipif(shutil.which("zizmor", path=PROGRAMS) is None, reason="not for this Python")


def unsafe(folder):
    """Return what zizmor finds in the workflows of a folder."""
    command = [PROGRAMS / "zizmor", "--offline", "--quiet", "--format=json", "--no-exit-codes", folder]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return [finding["ident"] for finding in json.loads(run.stdout) if not finding["ignored"]]


@zizmor
def test_nothing_is_unsafe():
    assert unsafe(ROOT / ".github") == []


@zizmor
@pytest.mark.parametrize("flaw", FLAWS)
def test_what_is_unsafe_is_found(flaw, tmp_path):
    text = (ROOT / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8")
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "weekly.yml").write_text(text)
    assert unsafe(tmp_path) == []
    (folder / "weekly.yml").write_text(text.replace(*FLAWS[flaw], 1))
    assert set(unsafe(tmp_path)) == {flaw}


def test_pins_name_their_version(workflow):
    actions = re.findall(r"uses: (?!\./)(.*)", workflow)
    assert [action for action in actions if not re.search(r"@\w+ # v\d+\.\d+\.\d+$", action)] == []


def test_the_same_action_has_the_same_commit_everywhere():
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    names = [name for name, _ in pins]
    assert sorted(names) == sorted(set(names))


def test_permissions_are_the_least(workflow):
    loaded = yaml.safe_load(workflow)
    assert set(loaded["permissions"].values()) <= {"read"}
    for name, job in loaded["jobs"].items():
        declared = job.get("permissions", {})
        assert {key for key, value in declared.items() if value == "write"} == WRITES.get(name, set())


def test_jobs_end(workflow):
    assert endless(yaml.safe_load(workflow)["jobs"]) == []


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
    needed = {".ci/run", "make matrix", "make test-colab", "make exercises", "make test-lab", "make pdf"}
    assert needed <= run


def test_the_notebooks_are_there_when_the_pages_link_to_them():
    run = [step.get("run") for step in jobs("publish")["build"]["steps"]]
    assert run.index("make colab") < run.index("make book")


def test_links_and_outputs_are_checked_every_week():
    loaded = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8"))
    (time,) = loaded[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert time["cron"].endswith("* * 1")
    run = [step.get("run") for job in loaded["jobs"].values() for step in job["steps"]]
    assert {"make links", "make outputs"} <= set(run)


def test_what_runs_before_a_commit_is_locked():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    programs = {hook["entry"].split()[0] for hook in yaml.safe_load(text)["repos"][0]["hooks"]}
    assert programs == {f".venv/bin/{name}" for name in ("ruff", "codespell", "zizmor")}
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert all(re.search(rf"^{Path(program).name}==", locked, flags=re.M) for program in programs)
