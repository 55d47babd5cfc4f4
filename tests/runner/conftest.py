from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_studies import all_bytes, make_small, run_small, small_spec


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def _small_world(feature_cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, feature_cache)
        yield


@pytest.fixture(scope="session")
def finished(feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished small study; not to be written to."""
    folder = tmp_path_factory.mktemp("results") / "small"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, feature_cache)
        assert run_small(small_spec(), folder)
    before = all_bytes(folder)
    yield folder
    assert all_bytes(folder) == before
