"""A clone of the book runs, whatever git is told to do with the ends of lines."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a clone of what is here now, as made under ``core.autocrlf=true``."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    source, target = (tmp_path_factory.mktemp("clone") / name for name in ("source", "target"))
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    who = ["-c", "user.name=someone", "-c", "user.email=someone"]
    for arguments in (["init", "-q"], ["add", "--all"], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *arguments], cwd=source, check=True)
    command = ["git", "clone", "-q", "-c", "core.autocrlf=true", source.as_uri(), str(target)]
    subprocess.run(command, check=True)
    return target


def test_no_text_has_the_line_ends_of_another_system(clone):
    listed = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=clone, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    assert len(listed) > 100
    assert [line for line in listed if "w/crlf" in line or "w/mixed" in line] == []


@pytest.mark.parametrize("name", [".ci/run", "binder/postBuild"])
def test_scripts_are_read_by_the_shell(name, clone):
    subprocess.run(["bash", "-n", str(clone / name)], check=True)
