import pytest

import d2lutil  # noqa: F401  (before MXNet, whatever order the test modules import in)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give each test an empty cache of its own, and no directory with the text."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("D2LUTIL_DATA_DIR", raising=False)
    return tmp_path / "cache" / "d2lutil" / "timemachine.txt"
