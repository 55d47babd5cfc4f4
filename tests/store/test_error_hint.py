from __future__ import annotations

from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.store.error_hint import advised, plain


def raised(study: Path) -> StabilityError:
    with pytest.raises(StabilityError) as caught, advised(study):
        raise StabilityError(f"{study / 'plan.json'}: damaged") from OSError("why")
    return caught.value


def test_a_damaged_file_s_line_names_the_command_that_says_more(tmp_path: Path) -> None:
    study = tmp_path / "my results"
    study.mkdir()
    error = raised(study)
    assert str(error) == f"{study}/plan.json: damaged; `stability status '{study}' --check` says more"
    assert plain(error, study) == f"{study}/plan.json: damaged"
    assert isinstance(error.__cause__, OSError)


def test_of_a_folder_that_is_gone_nothing_says_more(tmp_path: Path) -> None:
    error = raised(tmp_path / "gone")
    assert str(error) == plain(error, tmp_path / "gone") == f"{tmp_path}/gone/plan.json: damaged"
