import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LINUX = ("Linux", "x86_64", True)


def load(name):
    """Return a tool of the book as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


env, lock, notebooks = map(load, ["env", "lock", "notebooks"])


def requirements():
    """Return the pins of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def locked():
    """Return the versions in the lock by the name of the package."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize("platform", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_no_problem_where_mxnet_has_a_wheel(version, platform):
    assert env.problem(version, *platform, has_venv=True) is None


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 14), (4, 0)])
def test_other_pythons_are_named_with_the_way_out(version):
    message = env.problem(version, *LINUX)
    assert "needs Python 3.10 to 3.13, this is {}.{}".format(*version) in message
    assert "make env PYTHON=python3.12" in message


@pytest.mark.parametrize(
    ("system", "machine", "ways_out"),
    [
        ("Darwin", "arm64", ["Rosetta", "aarch64 Linux container"]),
        ("Windows", "AMD64", ["WSL"]),
        ("Windows", "ARM64", ["Linux on x86-64 or aarch64"]),
        ("Linux", "ppc64le", ["Linux on x86-64 or aarch64"]),
    ],
)
def test_platforms_without_a_wheel_are_named_with_the_way_out(system, machine, ways_out):
    message = env.problem((3, 12), system, machine, has_venv=True)
    assert f"MXNet 1.9.1 has no wheel for {system} on {machine}" in message
    assert all(way_out in message for way_out in ways_out)


def test_missing_venv_is_named_with_the_way_out():
    message = env.problem((3, 12), "Linux", "x86_64", has_venv=False)
    assert "lacks the venv module" in message
    assert "apt-get install python3-venv" in message


def test_main_leaves_with_the_message_and_creates_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(env, "ROOT", tmp_path)
    monkeypatch.setattr(env, "has_venv", lambda: False)
    with pytest.raises(SystemExit, match=r"make env: .*"):
        env.main()
    assert list(tmp_path.iterdir()) == []


def test_main_leaves_with_what_the_system_lacks(monkeypatch, tmp_path):
    monkeypatch.setattr(env, "ROOT", tmp_path)
    lacking = SimpleNamespace(returncode=1, stderr="Traceback:\nImportError: apt-get install libgomp1\n")
    loads = [".venv/bin/python", "-c", "import d2lutil"]
    monkeypatch.setattr(
        env.subprocess,
        "run",
        lambda command, **kwargs: lacking if command == [f"{tmp_path}/{loads[0]}", *loads[1:]] else None,
    )
    with pytest.raises(SystemExit, match="make env: ImportError: apt-get install libgomp1"):
        env.main()


def test_a_package_that_loads_is_no_reason_and_a_silent_end_is():
    assert env.refusal(sys.executable) == ""
    assert env.refusal("/bin/false") == "`import d2lutil` ended with 1"


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_pins_are_exact_and_locked(requirement):
    (pin,) = requirement.specifier
    assert pin.operator == "=="
    assert pin.version in locked()[requirement.name]


def test_lock_holds_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(packages) > 50
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_one_numpy_for_each_python(python):
    environment = {"python_version": python}
    pins = [r for r in requirements() if r.name == "numpy" and r.marker.evaluate(environment)]
    assert len(pins) == 1
    major = int(str(pins[0].specifier).removeprefix("==").split(".")[0])
    assert (major < 2) == (python != "3.13")


def test_pip_can_resolve_numpy_for_mxnet_below_python_3_13():
    below = [r for r in requirements() if r.name == "numpy" and '< "3.13"' in str(r.marker)]
    assert [str(r.specifier) for r in below] == ["==1.26.4"]


def test_numpy_lines_override_the_range_of_mxnet():
    lines = lock.numpy_lines().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("numpy==") for line in lines)


def test_a_comparison_that_was_killed_fails(monkeypatch):
    monkeypatch.setattr(notebooks, "has_novel", lambda: True)
    monkeypatch.setattr(notebooks, "compare", lambda paths, option: -9 if paths else 0)
    assert notebooks.check() == 1
    monkeypatch.setattr(notebooks, "compare", lambda paths, option: 0)
    assert notebooks.check() == 0


def test_what_was_not_compared_in_full_fails_where_all_is_asked_for(monkeypatch):
    monkeypatch.setattr(notebooks, "has_novel", lambda: False)
    monkeypatch.setattr(notebooks, "compare", lambda paths, option: 0)
    assert notebooks.check() == 0
    assert notebooks.check(whole=True) == 1
    monkeypatch.setattr(notebooks, "has_novel", lambda: True)
    assert notebooks.check(whole=True) == 0
