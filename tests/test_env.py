import argparse
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

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


sys.path.insert(0, str(ROOT / "tools"))  # the tools import each other
env, installer, lock, notebooks, serve = map(load, ["env", "installer", "lock", "notebooks", "serve"])
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PERSONAL_PIP = """\
[global]
index-url = https://packages.invalid/simple
extra-index-url =
    https://one.invalid/
    https://two.invalid/
user = true
target = /nowhere
[install]
require-virtualenv = true
"""


def requirements():
    """Return the pins of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def locked(path=ROOT / "requirements.lock"):
    """Return the versions in a lock by the name of the package."""
    text = path.read_text(encoding="utf-8")
    versions = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13), (3, 14)])
@pytest.mark.parametrize("platform", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_no_problem_where_mxnet_has_a_wheel(version, platform):
    assert env.problem(version, *platform, has_venv=True) is None


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 15), (4, 0)])
def test_other_pythons_are_named_with_the_way_out(version):
    message = env.problem(version, *LINUX)
    assert "needs Python 3.10 to 3.14, this is {}.{}".format(*version) in message
    assert "make env PYTHON=python3.12" in message


@pytest.mark.parametrize(
    ("system", "machine", "ways_out"),
    [
        ("Darwin", "arm64", ["Rosetta", "container of .devcontainer"]),
        ("Windows", "AMD64", ["WSL", "container of .devcontainer"]),
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


def test_the_versions_are_those_of_the_package():
    (project,) = re.findall(r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text())
    oldest, beyond = (".".join(map(str, v)) for v in (env.OLDEST, (env.NEWEST[0], env.NEWEST[1] + 1)))
    assert project == f">={oldest},<{beyond}"
    named = [f"Python :: 3.{minor}" for minor in range(env.OLDEST[1], env.NEWEST[1] + 1)]
    classifiers = metadata.metadata("d2lutil").get_all("Classifier", [])
    assert [line.partition(" Language :: ")[2] for line in classifiers if "Language" in line] == named


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with what an environment is made from, where pip and venv are not called."""
    (tmp_path / "tools").mkdir()
    for name in env.SOURCES:
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(env, "ROOT", tmp_path)
    monkeypatch.setattr(env, "refusal", lambda python: "")
    monkeypatch.setattr(env.installer, "install", lambda python, *arguments: None)
    run = subprocess.run

    def venv(command, **options):
        if command[2:4] == ["-m", "venv"]:
            command = [*command, "--without-pip"]
        return run(command, **options)

    monkeypatch.setattr(env.subprocess, "run", venv)
    return tmp_path


def made(place):
    """Tell whether the environment is made (again)."""
    (place / ".venv" / "mark").touch() if (place / ".venv").exists() else None
    env.main([])
    return not (place / ".venv" / "mark").exists()


def test_main_leaves_with_the_message_and_creates_nothing(monkeypatch, place):
    monkeypatch.setattr(env, "has_venv", lambda: False)
    with pytest.raises(SystemExit, match=r"make env: this Python lacks"):
        env.main([])
    assert not (place / ".venv").exists()


def test_main_leaves_with_what_the_system_lacks_and_tries_again(monkeypatch, place):
    monkeypatch.setattr(env, "refusal", lambda python: "ImportError: apt-get install libgomp1")
    for _ in range(2):
        with pytest.raises(SystemExit, match="make env: ImportError: apt-get install libgomp1"):
            env.main([])


def test_an_environment_is_made_once(place):
    assert made(place)
    assert not made(place)


@pytest.mark.parametrize("name", env.SOURCES)
def test_another_source_makes_another_environment(name, place):
    made(place)
    (place / name).write_text("another")
    assert made(place)
    assert not made(place)


def test_a_copied_and_a_moved_folder_make_environments_of_their_own(place, tmp_path_factory, monkeypatch):
    made(place)
    copied, moved = (tmp_path_factory.mktemp("elsewhere") / name for name in ("copied", "moved"))
    shutil.copytree(place, copied, symlinks=True)
    monkeypatch.setattr(env, "ROOT", copied)
    assert made(copied)
    shutil.move(place, moved)
    monkeypatch.setattr(env, "ROOT", moved)
    assert made(moved)


def damage_link(target):
    for path in target.glob("bin/python*"):
        path.unlink()


def damage_stamp(target):
    (target / "ready").write_text("{")


def damage_packages(target):
    shutil.rmtree(next(target.glob("lib/python3*/site-packages/one-1.0.dist-info")))


def damage_version(target):
    about = json.loads((target / "ready").read_text())
    about["interpreter"][1] = "3.10.0"
    (target / "ready").write_text(json.dumps(about))


@pytest.mark.parametrize("damage", [damage_link, damage_stamp, damage_packages, damage_version])
def test_a_damaged_environment_is_made_again(damage, place, monkeypatch):
    def install(python, *arguments):
        (site,) = (place / ".venv").glob("lib/python3*/site-packages")
        (site / "one-1.0.dist-info").mkdir(exist_ok=True)

    monkeypatch.setattr(env.installer, "install", install)
    made(place)
    assert not made(place)
    damage(place / ".venv")
    assert made(place)
    assert not made(place)


def test_an_addition_leaves_the_environment(place):
    made(place)
    (site,) = (place / ".venv").glob("lib/python3*/site-packages")
    (site / "torch-2.0.dist-info").mkdir()
    assert not made(place)


def other_python():
    """Return the path of a Python of another version than this one's, or None."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    versions = (f"3.{minor}" for minor in range(env.OLDEST[1], env.NEWEST[1] + 1))
    found = (shutil.which(f"python{version}") for version in versions if version != own)
    return next((path for path in found if path and env.interpreter(path)), None)


def test_the_python_that_is_asked_for_is_noticed(place):
    made(place)
    record = json.loads((place / ".venv" / "ready").read_text())
    assert record["interpreter"] == env.interpreter(sys.executable)
    environment = env.Environment(place)
    assert environment.differs(env.interpreter(sys.executable)) == ""
    assert "its Python is" in environment.differs(["/usr/bin/python3.10", "3.10.4", "x86_64"])
    assert environment.differs(None) == ""


def test_the_python_that_was_asked_for_stays(place, monkeypatch):
    other = other_python()
    if other is None:
        pytest.skip("one Python only on this machine")
    made(place)
    stamp = place / ".venv" / "ready"
    about = json.loads(stamp.read_text()) | {"asked": other, "sources": "of an older lock"}
    stamp.write_text(json.dumps(about))
    monkeypatch.setattr(env.os, "execv", lambda path, command: sys.exit(" ".join(command)))
    with pytest.raises(SystemExit, match=f"{other} .*env.py --exact"):
        env.main([])
    env.main(["--exact"])
    assert json.loads(stamp.read_text())["asked"] == env.here()


def test_a_second_make_waits_for_the_first(place):
    """The first one holds the environment until its input ends."""
    code = "import env; env.ROOT = env.Path({!r})\nwith env.alone(): print('in', flush=True); input()"
    command = [sys.executable, "-c", code.format(str(place))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT / "tools"}
    with subprocess.Popen(command, **pipes) as first, subprocess.Popen(command, **pipes) as second:
        said = {first: first.stdout.readline(), second: second.stdout.readline()}
        waiting = next(process for process, line in said.items() if "waiting for it" in line)
        holding = first if waiting is second else second
        assert said[holding] == "in\n"
        holding.communicate("\n", timeout=60)
        assert waiting.communicate("\n", timeout=60)[0] == "in\n"
        assert (first.returncode, second.returncode) == (0, 0)


def test_an_extra_is_installed_once_and_again_after_its_lock_changed(place, monkeypatch):
    asked = []
    monkeypatch.setattr(env.installer, "install", lambda python, *arguments: asked.append(arguments[-1]))
    lock_file = place / "requirements-lab.lock"
    lock_file.write_text("one")
    env.main(["--extra", "lab"])
    env.main(["--extra", "lab"])
    assert asked.count(str(lock_file)) == 1
    lock_file.write_text("two")
    env.main(["--extra", "lab"])
    assert asked.count(str(lock_file)) == 2
    assert asked.count(str(place)) == 1


def test_pip_keeps_the_connection_and_nothing_personal(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text(PERSONAL_PIP)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("USER", "PREFIX", "ROOT", "REQUIRE_VIRTUALENV"):
        monkeypatch.setenv(f"PIP_{name}", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://nearer.invalid/simple")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    found = installer.environment(sys.executable)
    pip = {name: value for name, value in found.items() if name.startswith("PIP_")}
    assert pip["PIP_INDEX_URL"] == "https://nearer.invalid/simple"
    assert pip["PIP_EXTRA_INDEX_URL"] == "https://one.invalid/ https://two.invalid/"
    assert pip["PIP_CONFIG_FILE"] == os.devnull
    assert not {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV"} & pip.keys()
    assert "PYTHONPATH" not in found
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, env=found, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "user" not in told
    assert "nearer.invalid" in told


def test_a_package_that_loads_is_no_reason_and_a_silent_end_is():
    assert env.refusal(sys.executable) == ""
    assert env.refusal("/bin/false") == "`import d2lutil` ended with 1"


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_pins_are_exact_and_locked(requirement):
    (pin,) = requirement.specifier
    assert pin.operator == "=="
    assert pin.version in locked()[requirement.name]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_holds_hashes_and_no_address(path):
    text = path.read_text(encoding="utf-8")
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(packages) > 15
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


def test_an_extra_changes_no_version_of_the_book():
    base, extra = (locked(ROOT / f"{name}.lock") for name in ("requirements", "requirements-lab"))
    both = base.keys() & extra.keys()
    assert len(both) > 20
    assert {name: extra[name] for name in both} == {name: base[name] & extra[name] for name in both}


def fake_uv(folder, script):
    """Put a program named uv on a PATH, which writes a lock and says something."""
    program = folder / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nfor out; do :; done\necho new > "$out"\n{script}\n')
    program.chmod(0o755)
    return str(program.parent)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'warning: `numpy==2.4.0` is yanked (reason: a bug)' >&2", "`numpy==2.4.0` is yanked"),
        ("echo 'No solution found' >&2; exit 1", "No solution found"),
        ("", None),
    ],
)
def test_no_withdrawn_release_is_locked(script, message, tmp_path, monkeypatch):
    for name, *_ in lock.LOCKS:
        shutil.copy(ROOT / f"{name}.txt", tmp_path)
        (tmp_path / f"{name}.lock").write_text("old\n")
    path = fake_uv(tmp_path, script)
    monkeypatch.setenv("PATH", path + os.pathsep + os.environ["PATH"])
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    if message:
        with pytest.raises(SystemExit, match=re.escape(message)):
            lock.main()
    else:
        lock.main()
    written = {(tmp_path / f"{name}.lock").read_text() for name, *_ in lock.LOCKS}
    assert written == ({"old\n"} if message else {"new\n"})


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_one_numpy_for_each_python(python):
    environment = {"python_version": python}
    pins = [r for r in requirements() if r.name == "numpy" and r.marker.evaluate(environment)]
    assert len(pins) == 1
    major = int(str(pins[0].specifier).removeprefix("==").split(".")[0])
    assert (major < 2) == (python < "3.13")


def test_pip_can_resolve_numpy_for_mxnet_below_python_3_13():
    below = [r for r in requirements() if r.name == "numpy" and '< "3.13"' in str(r.marker)]
    assert [str(r.specifier) for r in below] == ["==1.26.4"]


def test_numpy_lines_override_the_range_of_mxnet():
    lines = lock.numpy_lines("requirements").splitlines()
    assert len(lines) == 2
    assert all(line.startswith("numpy==") for line in lines)


def test_a_comparison_that_was_killed_fails(monkeypatch):
    monkeypatch.setattr(notebooks, "has_novel", lambda: True)
    monkeypatch.setattr(notebooks, "compare", lambda paths, *options: -9 if paths else 0)
    assert notebooks.check() == 1
    monkeypatch.setattr(notebooks, "compare", lambda paths, *options: 0)
    assert notebooks.check() == 0


def test_what_was_not_compared_in_full_fails_where_all_is_asked_for(monkeypatch):
    monkeypatch.setattr(notebooks, "has_novel", lambda: False)
    monkeypatch.setattr(notebooks, "compare", lambda paths, *options: 0)
    assert notebooks.check() == 0
    assert notebooks.check(whole=True) == 1
    monkeypatch.setattr(notebooks, "has_novel", lambda: True)
    assert notebooks.check(whole=True) == 0


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "8000.0", ""])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"PORT={text}; allowed: a whole number"):
        serve.port(text)


def test_a_port_that_is_taken_is_refused_before_anything_is_built(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(serve, "FOLDER", tmp_path / "serve")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["serve.py", taken])
        with pytest.raises(SystemExit):
            serve.main()
    assert f"PORT={taken} cannot be used here" in capsys.readouterr().err
    assert not (tmp_path / "serve").exists()
    assert serve.port(taken) == taken


def test_a_free_port_is_handed_on(monkeypatch, tmp_path):
    monkeypatch.setattr(serve, "FOLDER", tmp_path)
    monkeypatch.setattr(serve, "configuration", lambda: "")
    monkeypatch.setattr(serve.os, "execv", lambda path, command: sys.exit(" ".join(command)))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = str(other.getsockname()[1])
    monkeypatch.setattr(sys, "argv", ["serve.py", free])
    with pytest.raises(SystemExit, match=f"sphinx-autobuild -q --port {free} "):
        serve.main()
