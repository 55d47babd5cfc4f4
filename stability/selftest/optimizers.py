"""Stacked optimisers against torch's own, member by member."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stability.gan.training.optimizers import (
    MemberwiseAdam,
    MemberwiseAdamW,
    OptimizerSettings,
    StackedOptimizer,
    StackedRMSprop,
    StackedSGD,
    WholeStackAdam,
    WholeStackAdamW,
)
from stability.selftest.bench import Bench
from stability.selftest.check import Finding, Question, at_most

STEPS, WIDTH = 30, 40
SETTINGS = (
    OptimizerSettings(lr=1e-3, beta1=0.0, beta2=0.9, momentum=0.0),
    OptimizerSettings(lr=1e-2, beta1=0.5, beta2=0.999, momentum=0.5, weight_decay=0.1),
    OptimizerSettings(lr=3e-4, beta1=0.9, beta2=0.99, momentum=0.9),
)

Build = Callable[[Sequence[Tensor], Sequence[OptimizerSettings]], StackedOptimizer]
Torchs = Callable[[Tensor, OptimizerSettings], torch.optim.Optimizer]


def _adam(row: Tensor, own: OptimizerSettings) -> torch.optim.Optimizer:
    betas, decay = (own.beta1, own.beta2), own.weight_decay
    return torch.optim.Adam([row], lr=own.lr, betas=betas, weight_decay=decay, foreach=False)


def _adamw(row: Tensor, own: OptimizerSettings) -> torch.optim.Optimizer:
    betas, decay = (own.beta1, own.beta2), own.weight_decay
    return torch.optim.AdamW([row], lr=own.lr, betas=betas, weight_decay=decay, foreach=False)


def _rmsprop(row: Tensor, own: OptimizerSettings) -> torch.optim.Optimizer:
    momentum, decay = own.momentum, own.weight_decay
    return torch.optim.RMSprop([row], lr=own.lr, momentum=momentum, weight_decay=decay, foreach=False)


def _sgd(row: Tensor, own: OptimizerSettings) -> torch.optim.Optimizer:
    momentum, decay = own.momentum, own.weight_decay
    return torch.optim.SGD([row], lr=own.lr, momentum=momentum, weight_decay=decay, foreach=False)


def _compare(bench: Bench, builds: Sequence[Build], textbook: Torchs) -> Finding:
    """Train a few rows by all; some gradients are as small as epsilon."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(len(SETTINGS), WIDTH, generator=generator)
    leaves = [start.clone().to(bench.device) for _ in builds]
    stacked = [build([leaf], SETTINGS) for build, leaf in zip(builds, leaves, strict=True)]
    members = [row.clone() for row in start]
    own = [textbook(row, settings) for row, settings in zip(members, SETTINGS, strict=True)]
    for _ in range(STEPS):
        gradient = torch.randn(len(SETTINGS), WIDTH, generator=generator) * torch.logspace(-9, 0, WIDTH)
        for optimizer in stacked:
            optimizer.step([gradient.to(bench.device)])
        for alone, row, part in zip(own, members, gradient, strict=True):
            row.grad = part
            alone.step()
    worst = max(float((leaf.cpu() - torch.stack(members)).abs().max()) for leaf in leaves)
    return at_most(worst, 1e-5)


def both_adams(bench: Bench) -> Finding:
    """Both Adams."""
    return _compare(bench, [MemberwiseAdam, WholeStackAdam], _adam)


def both_adamws(bench: Bench) -> Finding:
    """Both AdamWs."""
    return _compare(bench, [MemberwiseAdamW, WholeStackAdamW], _adamw)


def rmsprop(bench: Bench) -> Finding:
    """RMSprop, with and without momentum."""
    return _compare(bench, [StackedRMSprop], _rmsprop)


def sgd(bench: Bench) -> Finding:
    """SGD, with and without momentum."""
    return _compare(bench, [StackedSGD], _sgd)


QUESTIONS = (
    Question("stacked Adams = torch.optim.Adam, 30 steps", both_adams),
    Question("stacked AdamWs = torch.optim.AdamW, 30 steps", both_adamws),
    Question("stacked RMSprop = torch.optim.RMSprop, 30 steps", rmsprop),
    Question("stacked SGD = torch.optim.SGD, 30 steps", sgd),
)
