"""The container: it installs what README.md names, and calls targets that exist."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / ".devcontainer" / "Dockerfile").read_text(encoding="utf-8")
CONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))


def test_the_container_installs_what_readme_names():
    (named,) = re.findall(r"`apt-get install ([^`]+)`, on x86-64 also `([^`]+)`", README)
    installed = re.findall(r"--no-install-recommends ([^;\\]+)", DOCKERFILE)
    assert set(named[0].split()) <= set(installed[0].split())
    assert named[1] == installed[1].strip()


def test_the_container_calls_targets_that_exist():
    called = re.findall(r'"make", "([a-z-]+)"', DOCKERFILE)
    called += re.findall(r"make ([a-z-]+)", CONTAINER["onCreateCommand"])
    assert called
    assert set(called) <= TARGETS


def test_the_container_is_built_from_the_file_beside():
    assert CONTAINER["build"] == {"dockerfile": "Dockerfile"}
    assert not re.findall(r"^(COPY|ADD) ", DOCKERFILE, flags=re.M)  # README gives no other folder
    assert "docker build -t bptt .devcontainer" in README
