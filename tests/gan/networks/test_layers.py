from __future__ import annotations

import pytest
import torch
from small_networks import normal
from torch import nn

from stability.gan.networks import (
    FeatureNorm,
    ImageShape,
    MaskDropout,
    MinibatchStd,
    RowNorm,
    Shaped,
    has_batchnorm,
)


def test_what_an_image_holds_and_what_the_discriminator_sees_of_it() -> None:
    assert ImageShape(3, 28).pixels == 2352
    assert ImageShape(2, 1).pixels == 2
    assert ImageShape(3, 28).seen(1) == (3, 28, 0)
    assert ImageShape(3, 28).seen(4) == (12, 28, 0)
    assert ImageShape(1, 28, classes=10).seen(2) == (22, 28, 10)


def reference_norm(features: int, module: FeatureNorm) -> nn.BatchNorm1d:
    reference = nn.BatchNorm1d(features, track_running_stats=False).double()
    reference.load_state_dict(module.state_dict())
    return reference


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_feature_norm_equals_batchnorm_with_its_gradients(scale) -> None:
    ours = FeatureNorm(6).double()
    ours.load_state_dict(
        {
            "weight": normal(6, seed=1, dtype=torch.float64),
            "bias": normal(6, seed=2, dtype=torch.float64),
        }
    )
    x = (scale * normal(9, 6, dtype=torch.float64) + 3).requires_grad_()
    target = normal(9, 6, seed=3, dtype=torch.float64)
    outcomes = []
    for module in (ours, reference_norm(6, ours)):
        out = module(x)
        gradients = torch.autograd.grad((out * target).sum(), [x, module.weight, module.bias])
        outcomes.append((out.detach(), *gradients))
    for mine, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


def test_row_norm_equals_layer_norm_with_its_gradients() -> None:
    ours, theirs = RowNorm(6).double(), nn.LayerNorm(6).double()
    weight, bias = (normal(6, seed=seed, dtype=torch.float64) for seed in (1, 2))
    x = (3 * normal(9, 6, dtype=torch.float64) + 3).requires_grad_()
    target, outcomes = normal(9, 6, seed=3, dtype=torch.float64), []
    for module in (ours, theirs):
        module.load_state_dict({"weight": weight, "bias": bias})
        out = module(x)
        outcomes.append((out, *torch.autograd.grad((out * target).sum(), [x, module.weight, module.bias])))
    for mine, wanted in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-9, atol=1e-9)


def test_minibatch_std_is_karras_last_feature_over_the_whole_batch() -> None:
    x = normal(7, 5, 3, 3, dtype=torch.float64)
    spread = ((x - x.mean(0)) ** 2).mean(0).add(1e-8).sqrt().mean()
    out = MinibatchStd(maps=True)(x)
    assert torch.equal(out[:, :5], x)
    torch.testing.assert_close(out[:, 5], spread.expand(7, 3, 3))
    stack = torch.stack([x[..., 0, 0], 2 * x[..., 0, 0]])
    rows = MinibatchStd(maps=False)(stack)
    assert rows.shape == (2, 7, 6)
    torch.testing.assert_close(rows[1, :, 5], 2 * rows[0, :, 5], rtol=1e-6, atol=0)
    assert has_batchnorm(MinibatchStd(maps=False))


def test_a_mask_multiplies_its_own_rows() -> None:
    layer = MaskDropout(3)
    x = normal(2, 3)
    assert torch.equal(layer(x), x)
    layer.mask = torch.tensor([[0.0, 2.0, 0.0], [2.0, 0.0, 2.0]])
    assert torch.equal(layer(x), torch.stack([x[0] * layer.mask[0], x[1] * layer.mask[1]]))


class MinibatchStatistic(nn.Module):
    mixes_rows = True


def test_real_and_fake_are_split_where_rows_are_mixed() -> None:
    linear = nn.Linear(4, 4)
    assert not has_batchnorm(nn.Sequential(linear, MaskDropout(4)))
    norms = (FeatureNorm(4), nn.BatchNorm1d(4), nn.BatchNorm2d(4), nn.BatchNorm3d(4))
    for layer in (*norms, MinibatchStatistic()):
        assert has_batchnorm(Shaped(nn.Sequential(linear, layer), (4,)))
