"""What other programs call our parameters, so that an unknown word can be answered with the one it means."""

from __future__ import annotations

SYNONYMS: dict[str, tuple[str, ...]] = {
    "lr": ("learning rate", "step size"),
    "lr_g": (
        "g lr",
        "lr gen",
        "gen lr",
        "lr generator",
        "generator lr",
        "learning rate g",
        "g learning rate",
    ),
    "lr_d": (
        "d lr",
        "lr dis",
        "lr disc",
        "dis lr",
        "disc lr",
        "lr critic",
        "critic lr",
        "lr discriminator",
        "discriminator lr",
        "learning rate d",
        "d learning rate",
    ),
    "lr_ratio": ("ttur", "lr d over g"),
    "beta1": ("b1", "adam beta1", "betas", "adam betas"),
    "beta2": ("b2", "adam beta2"),
    "batch_size": ("bs", "batch", "minibatch size", "mini batch size"),
    "latent_dim": ("z dim", "nz", "noise dim", "dim z", "latent size", "z size"),
    "n_dis": ("n critic", "critic iters", "d steps", "n d steps", "k"),
    "n_gen": ("g steps", "n g steps"),
    "weight_clip": ("clip", "clip value", "weight clipping", "clamp"),
    "penalty_weight": ("lambda", "lambda gp", "gp weight", "lambda r1", "r1 gamma", "gp lambda", "gamma"),
    "ema_decay": ("ema", "ema beta", "g ema"),
    "spectral_norm": ("sn", "spectral normalization", "spectral normalisation"),
    "architecture": ("model", "arch", "network", "networks"),
    "label_smoothing_fake": ("fake label smoothing", "two sided label smoothing", "fake smoothing"),
    "lr_schedule": ("schedule", "scheduler", "lr scheduler", "lr policy", "learning rate schedule"),
    "decay_steps": ("lr decay steps", "decay after", "decay every"),
    "lr_decay": ("lr gamma", "decay rate", "decay factor"),
    "warmup_steps": ("warmup", "warm up", "lr warmup"),
    "instance_noise_steps": ("noise decay", "noise steps", "noise anneal"),
    "alpha_d": ("d alpha", "alpha discriminator"),
    "alpha_g": ("g alpha", "alpha generator"),
    "label_noise": ("noisy labels", "noisy targets", "target noise"),
    "label_flip": ("flip labels", "flipped labels", "label flipping", "flip prob"),
    "replay": ("experience replay", "image pool", "history buffer"),
    "replay_batches": ("replay size", "pool size", "buffer size"),
    "minibatch_std": ("minibatch stddev", "mbstd", "minibatch discrimination"),
    "init": ("weight init", "initialization", "initialisation", "initializer"),
    "label_smoothing": ("smoothing", "one sided label smoothing", "soft labels"),
    "instance_noise": ("noise", "noise std", "input noise"),
    "packing": ("pack", "pac"),
    "width": ("hidden dim", "hidden size", "channels"),
    "optimizer": ("optimiser", "optim"),
    "batchnorm": ("norm", "normalization", "batch norm", "bn"),
    "norm_g": ("batchnorm g", "g norm"),
    "norm_d": ("batchnorm d", "d norm"),
    "optimizer_g": ("g optimizer", "optimizer generator", "optim g", "opt g"),
    "optimizer_d": ("d optimizer", "optimizer discriminator", "optim d", "opt d"),
    "weight_decay": ("wd", "l2"),
    "dropout": ("dropout d", "d dropout"),
    "dropout_g": ("g dropout",),
    "activation": ("activation d", "d activation"),
    "activation_g": ("g activation",),
    "width_g": ("ngf", "g width"),
    "width_d": ("ndf", "d width"),
}
"""By our name; written with spaces, for which anything or nothing may stand."""


def ours(word: str) -> str | None:
    """Our name for a parameter that is called `word` elsewhere, as in `g_lr`, `lrG` or `G-LR`; else None."""
    return _BY_LETTERS.get(_letters(word))


def _letters(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


_BY_LETTERS = {
    _letters(word): name for name, words in SYNONYMS.items() for word in (*words, name.replace("_", " "))
}
