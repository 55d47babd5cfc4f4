from __future__ import annotations

import pytest
import torch

from stability.gan.arithmetic.stable_sums import BLOCK, LANE, lane_aligned, row_sums


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 200])
def test_lane_aligned_only_appends_zeros(n) -> None:
    rows = normal(3, n)
    padded = lane_aligned(rows)
    assert padded.shape[1] % LANE == 0
    assert 0 <= padded.shape[1] - n < LANE
    assert torch.equal(padded[:, :n], rows)
    assert not padded[:, n:].any()


@pytest.mark.parametrize("function", [torch.sigmoid, torch.nn.functional.softplus])
def test_a_number_in_aligned_rows_does_not_depend_on_its_place(function) -> None:
    rows = normal(5, 50).float() * 4
    whole = function(lane_aligned(rows))
    for k in range(5):
        assert torch.equal(function(lane_aligned(rows[[k, k]]))[0], whole[k])


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, 5 * BLOCK + 3, 200_000])
def test_a_rows_sum_does_not_depend_on_how_many_rows_there_are(n) -> None:
    rows = normal(4, n).float()
    together = row_sums(rows)
    torch.testing.assert_close(together, rows.double().sum(1).float(), rtol=1e-5, atol=1e-3)
    for k in range(4):
        assert torch.equal(row_sums(rows[[k]])[0], together[k])
