"""The environments other than the book's own: other Pythons and NumPys, and Colab's."""

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import noxfile  # noqa: E402

# By its path: the book has an extension of that name.
spec = importlib.util.spec_from_file_location("colab_tool", ROOT / "tools" / "colab.py")
colab = importlib.util.module_from_spec(spec)
spec.loader.exec_module(colab)


def sessions():
    """Return what nox says of the sessions of the matrix."""
    command = [sys.executable, "-m", "nox", "--list", "-s", "matrix", "colab"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_nox_finds_a_session_for_each_combination():
    found = re.findall(r"^\* (\S+)", sessions(), flags=re.M)
    expected = [f"matrix({python}-numpy-{numpy})" for python, numpy in noxfile.MATRIX]
    assert found == expected + [f"colab({python}-numpy-{numpy})" for python, numpy in noxfile.RUNTIMES]


def test_nox_looks_among_all_versions_of_pyenv(tmp_path):
    """Pyenv's programs on PATH fail for a version that is not an active one."""
    for version in ("2.7.18", "3.10.13", "3.13.0"):
        (tmp_path / "versions" / version).mkdir(parents=True)
    code = "import noxfile, os; print(os.environ['PYENV_VERSION'])"
    environ = os.environ | {"PYENV_ROOT": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert run.stdout == "3.10.13:3.13.0\n"


def test_each_python_that_the_package_allows_is_in_the_matrix():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    first, stop = map(int, re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text).groups())
    tested = {python for python, _ in noxfile.MATRIX}
    assert {f"3.{minor}" for minor in range(first, stop)} <= tested


def test_the_matrix_has_the_pins_of_the_book():
    names = [Requirement(line).name for line in noxfile.pinned()]
    assert sorted(names) == sorted(noxfile.PACKAGES)


def test_the_matrix_installs_all_that_the_package_needs():
    needed = {Requirement(line).name for line in metadata.requires("d2lutil")}
    assert needed - {"mxnet", "numpy"} <= set(noxfile.PACKAGES)


def test_the_matrix_tests_what_it_can_import():
    foreign = ["playwright", "axe_playwright_python", "nbformat", "yaml", "bs4", "sphinx", "docutils"]
    names = ", ".join(Path(path).stem for path in ["conftest.py", *noxfile.TESTS])
    code = f"import sys; sys.modules.update(dict.fromkeys({foreign})); import {names}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tests", check=True)


def test_the_wheel_holds_the_package_and_leaves_no_trace():
    def tree():
        return {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} | {"_build"}

    before = tree()
    wheel = Path(noxfile.wheel())
    found = [*(ROOT / "d2lutil").rglob("*.py"), *(ROOT / "d2launcher").rglob("*.py")]
    modules = {path.relative_to(ROOT).as_posix() for path in found}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".py")} == modules
    assert tree() == before


@pytest.fixture
def notebooks(monkeypatch, tmp_path):
    """Let two notebooks be all that there is, already written."""
    folder = tmp_path / "colab"
    folder.mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.ipynb").touch()
    monkeypatch.setattr(colab, "NOTEBOOKS", folder)
    monkeypatch.setattr(colab, "write", lambda **variables: None)
    return folder


@pytest.mark.parametrize(("message", "code"), [("", None), ("it broke", "it broke")])
def test_a_run_on_colab_leaves_with_what_failed(message, code, notebooks, monkeypatch):
    monkeypatch.setattr(colab, "run", lambda programs, path: message if path.stem == "second" else "")
    with pytest.raises(SystemExit) as left:
        colab.test("d2lutil.whl", Path("bin"), [])
    assert left.value.code == code
    assert not notebooks.exists()
