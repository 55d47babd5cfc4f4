"""Every loss under every penalty in every architecture: it trains, and as a plain loop would train it."""

from __future__ import annotations

import pytest
import torch
from cohorts import CPU, CPU64, make_run, some_images, some_labels, some_points, train
from plain_loop import PlainLoop
from torch import Tensor

from stability.gan.losses import LOSSES
from stability.gan.networks import ARCHITECTURES
from stability.gan.training.cohort import Cohort
from stability.gan.training.penalties import PENALTIES
from stability.spec.config import POINT_ARCHITECTURES, Run
from stability.vocabulary.structure import structure_key

BOUNDS: dict[str, dict[str, object]] = {
    **{name: {"penalty": name, "penalty_weight": 2.0} for name in PENALTIES},
    "weight-clip": {"weight_clip": 0.03},
    "spectral-norm": {"spectral_norm": True},
}
STEPS = 1


def runs_of(architecture: str, **parameters: object) -> list[Run]:
    own = {"latent_dim": 1, "batchnorm": "none"} if architecture == "dirac" else {}
    return [
        make_run(seed, architecture=architecture, loss=loss, lr=3e-4 * (seed + 1), **own, **parameters)
        for seed, loss in enumerate(losses_of(architecture))
    ]


def losses_of(architecture: str) -> list[str]:
    """All of them in mlp, the first six in the others: a loss sees logits alone."""
    return list(LOSSES) if architecture == "mlp" else list(LOSSES)[:6]


def data_of(architecture: str) -> Tensor:
    if architecture == "dirac":
        return torch.zeros(64, 1, 1, 1)
    return some_points() if architecture in POINT_ARCHITECTURES else some_images()


def cohorts_of(runs: list[Run], placement: object, images: Tensor) -> list[Cohort]:
    """The runs in as few cohorts as their structures allow."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault(structure_key(run.config), []).append(run)
    labels = some_labels(len(images))
    return [Cohort(group, images, placement, labels=labels) for group in groups.values()]


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor], bound: float) -> None:
    for name, value in theirs.items():
        scale = value.abs().max().clamp_min(1e-12)
        assert (ours[name] - value).abs().max() / scale < bound, name


def assert_as_a_plain_loop(cohort: Cohort, images: Tensor, steps: int, bound: float) -> list[PlainLoop]:
    train(cohort, steps)
    loops = []
    for k, run in enumerate(cohort.runs):
        loop = PlainLoop(run, images, some_labels(len(images)))
        loop.train(steps)
        assert_close(cohort.generator.member_weights(k), dict(loop.g.named_parameters()), bound)
        assert_close(cohort.discriminator.member_weights(k), dict(loop.d.named_parameters()), bound)
        loops.append(loop)
    return loops


def stands_still(run: Run, bound: str, network: str) -> bool:
    """What cannot move from the start of the one-parameter GAN, D(x) = -x, data at 0, generator at 1.

    Normalised, its one weight is -1 whatever it was; and the hinge is flat at fake logits of -1, as is a
    one-centred penalty at slopes of 1.
    """
    if run.config.architecture != "dirac" or network == "generator/":
        return False
    flat = bound in ("none", "gradient-penalty", "dragan")
    return bound == "spectral-norm" or (run.config.loss == "hinge" and flat)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_loss_trains_both_networks_and_as_a_plain_loop(architecture, bound) -> None:
    images, runs = data_of(architecture), runs_of(architecture, **BOUNDS[bound])
    seen = set()
    for cohort in cohorts_of(runs, CPU64, images):
        before = cohort.state()
        assert_as_a_plain_loop(cohort, images, STEPS, 1e-7)
        after = cohort.state()
        for k, run in enumerate(cohort.runs):
            for network in ("generator/", "discriminator/"):
                names = [name for name in before if name.startswith(network)]
                moved = any(not torch.equal(before[name][k], after[name][k]) for name in names)
                assert moved != stands_still(run, bound, network), run.run
            assert cohort.divergences()[k] is None
            seen.add(run.config.loss)
    assert seen == set(losses_of(architecture))


@pytest.mark.parametrize(
    ("architecture", "loss"),
    [(name, loss) for name in ARCHITECTURES if name != "dirac" for loss in losses_of(name)],
)
def test_every_loss_trains_in_float32(architecture, loss) -> None:
    images = data_of(architecture)
    run = make_run(3, architecture=architecture, loss=loss)
    (cohort,) = cohorts_of([run], CPU, images)
    before = cohort.state()
    ((record,),) = cohort.train(1, record_every=1)
    after = cohort.state()
    assert cohort.divergences() == [None]
    assert record.grad_norm_g > 0
    assert record.grad_norm_d > 0
    for network in ("generator/", "discriminator/"):
        assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith(network))


OWN: dict[str, object] = {
    "lr_g": 1e-3,
    "lr_d": 3e-3,
    "optimizer_g": "adamw",
    "optimizer_d": "optimistic-adam",
    "beta1_g": 0.3,
    "beta2_d": 0.9,
    "weight_decay_g": 0.01,
    "weight_decay_d": 0.02,
    "norm_g": "layer",
    "dropout_g": 0.2,
    "activation_g": "elu",
}
"""Every network its own."""
TOLD: dict[str, object] = {
    "label_smoothing_fake": 0.1,
    "label_noise": 0.1,
    "label_flip": 0.1,
    "minibatch_std": True,
    "init": "orthogonal",
    "latent": "sphere",
    "input_range_real": "unit",
    "lr_schedule": "cosine",
    "lr_schedule_d": "step",
    "decay_steps": 20,
    "warmup_steps": 2,
    "instance_noise_steps": 15,
    "label_smoothing_steps": 15,
}
REPLAY: dict[str, object] = {"replay": 0.5, "replay_batches": 2}
"""Not for conditional networks."""
EXTRAS: dict[str, dict[str, object]] = {
    "instance-noise": {"instance_noise": 0.3},
    "label-smoothing": {"label_smoothing": 0.1},
    "dropout": {"dropout": 0.2},
    "average": {"ema_decay": 0.9},
    "uniform": {"latent": "uniform"},
    "generator-steps": {"n_gen": 3},
    "discriminator-steps": {"n_dis": 3},
    "both-steps": {"n_dis": 2, "n_gen": 2},
    "accuracy-bar": {"accuracy_bar": 0.6, "lr": 5e-3},
    "tanh": {"activation": "tanh"},
    "gelu": {"activation": "gelu"},
    "elu": {"activation": "elu"},
    "relu": {"activation": "relu"},
    "own-rates": {"lr_g": 2e-4, "lr_d": 3e-3},
    "own-optimizers": {"optimizer_g": "rmsprop", "momentum_g": 0.4, "optimizer_d": "sgd", "momentum_d": 0.2},
    "own-betas": {"beta1_g": 0.3, "beta1_d": 0.0, "beta2_g": 0.9, "beta2_d": 0.99},
    "weight-decay": {"weight_decay": 0.1, "weight_decay_d": 0.0},
    "adamw": {"optimizer": "adamw", "weight_decay_g": 0.2, "weight_decay_d": 0.05},
    "decayed-sgd": {"optimizer_d": "sgd", "optimizer_g": "rmsprop", "weight_decay": 0.1},
    "optimistic": {"optimizer": "optimistic-adam"},
    "layer-norm": {"norm_g": "layer", "norm_d": "layer"},
    "instance-norm": {"norm_g": "instance", "norm_d": "instance"},
    "different-norms": {"norm_g": "layer", "norm_d": "batch"},
    "generator-dropout": {"dropout_g": 0.3},
    "own-widths": {"width_g": 16, "width_d": 12},
    "generator-tanh": {"activation_g": "tanh", "activation": "elu"},
    "two-sided-smoothing": {"label_smoothing": 0.1, "label_smoothing_fake": 0.2},
    "label-noise": {"label_noise": 0.3},
    "label-flip": {"label_flip": 0.4},
    "replay": {"replay": 0.5, "replay_batches": 2},
    "minibatch-std": {"minibatch_std": True},
    "default-init": {"init": "default"},
    "orthogonal-init": {"init": "orthogonal"},
    "xavier-init": {"init": "xavier"},
    "real-range": {"input_range_real": "bytes", "lr": 1e-5},
    "sphere": {"latent": "sphere"},
    "linear": {"lr_schedule": "linear", "decay_steps": 6},
    "cosine": {"lr_schedule": "cosine", "decay_steps": 6},
    "stepped": {"lr_schedule": "step", "decay_steps": 3, "lr_decay": 0.5},
    "warm-up": {"warmup_steps": 4},
    "own-schedules": {"lr_schedule_g": "linear", "decay_steps": 20, "warmup_steps": 2, "optimizer_d": "sgd"},
    "fading-noise": {"instance_noise": 0.3, "instance_noise_steps": 6},
    "fading-smoothing": {"label_smoothing": 0.2, "label_smoothing_fake": 0.1, "label_smoothing_steps": 6},
    "alpha": {"loss": "alpha", "alpha_d": 0.5, "alpha_g": 3.0},
    "alpha-minimax": {"loss": "alpha-minimax", "alpha_d": 2.0, "alpha_g": 0.5},
    "kl-accuracy": {"loss": "f-kl", "accuracy_bar": 0.6, "lr": 5e-3},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop-momentum": {"optimizer": "rmsprop", "momentum": 0.5},
    "sgd": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.3},
    "packing": {"packing": 2},
    "packing-penalty": {"packing": 3, "penalty": "dragan"},
    "unit": {"input_range": "unit"},
    "bytes": {"input_range": "bytes"},
    "train-size": {"train_size": 20},
    "r3gan": {"penalty": "r1-r2", "penalty_weight": 1.0, "batchnorm": "none"},
    "all": {
        "penalty": "r1-r2",
        "spectral_norm": True,
        "instance_noise": 0.1,
        "label_smoothing": 0.1,
        "dropout": 0.1,
        "ema_decay": 0.5,
        "packing": 2,
        "n_dis": 2,
        "n_gen": 2,
        "accuracy_bar": 0.7,
        "batchnorm": "both",
        "train_size": 30,
        **OWN,
        **TOLD,
    },
}


def everything(architecture: str, extra: str) -> dict[str, object]:
    """The parameters of an extra; old fakes are replayed with all the rest where there are no classes."""
    return EXTRAS[extra] | (REPLAY if extra == "all" and architecture != "conditional" else {})


FOR_FEATURES = [extra for extra in EXTRAS if extra != "instance-norm"]
CONVOLUTIONAL_CASES = [
    *(("dcgan", extra) for extra in ("layer-norm", "instance-norm", "own-widths", "generator-dropout")),
    *(("dcgan", extra) for extra in ("minibatch-std", "replay", "label-noise", "default-init", "real-range")),
    ("unpool", "minibatch-std"),
    ("unpool", "real-range"),
    ("unpool", "generator-dropout"),
    ("unpool", "instance-norm"),
    ("dcgan", "dropout"),
    ("dcgan", "packing-penalty"),
    ("dcgan", "all"),
    ("conditional", "generator-steps"),
    ("conditional", "packing-penalty"),
    ("conditional", "uniform"),
    ("conditional", "all"),
    ("unpool", "packing"),
    ("unpool", "unit"),
    ("unpool", "both-steps"),
]


@pytest.mark.parametrize(
    ("architecture", "extra"), [*(("mlp", extra) for extra in FOR_FEATURES), *CONVOLUTIONAL_CASES]
)
def test_everything_else_trains_as_a_plain_loop(architecture, extra) -> None:
    parameters = {"lr": 5e-4, "batchnorm": "generator"} | everything(architecture, extra)
    images = some_images()
    runs = [make_run(4, architecture=architecture, **parameters)]
    runs.append(make_run(5, architecture=architecture, **parameters | {"loss": "relativistic"}))
    steps = 10 if architecture == "mlp" else 3
    for cohort in cohorts_of(runs, CPU64, images):
        (loop,) = assert_as_a_plain_loop(cohort, images, steps, 1e-7)
        if cohort.average is not None:
            assert_close(cohort.average.member_weights(0), loop.average, 1e-7)


def test_the_accuracy_bar_holds_some_updates_back_and_not_all() -> None:
    images = some_images()
    runs = [make_run(k, lr=2e-3, batchnorm="none", accuracy_bar=0.75) for k in (1, 2)]
    cohort = Cohort(runs, images, CPU64)
    for loop in assert_as_a_plain_loop(cohort, images, 40, 1e-6):
        assert 5 < loop.skipped < 38


def test_members_of_different_orders_train_in_one_cohort() -> None:
    images, orders = some_images(), [(1.0, 1.0), (0.5, 2.0), (1e30, 0.7)]
    runs = [make_run(k, loss="alpha", alpha_d=d, alpha_g=g) for k, (d, g) in enumerate(orders)]
    (cohort,) = cohorts_of([*runs, make_run(9, loss="hinge")], CPU64, images)
    assert_as_a_plain_loop(cohort, images, 6, 1e-7)


def test_members_under_different_schedules_train_in_one_cohort() -> None:
    images = some_images()
    schedules = [{}, {"lr_schedule": "linear"}, {"warmup_steps": 3}, {"lr_schedule_d": "step"}]
    runs = [make_run(k, decay_steps=4, **own) for k, own in enumerate(schedules)]
    (cohort,) = cohorts_of(runs, CPU64, images)
    assert_as_a_plain_loop(cohort, images, 6, 1e-7)


def test_at_a_learning_rate_of_0_nothing_moves_and_an_update_is_0() -> None:
    run = make_run(1, lr_schedule="linear", decay_steps=2, optimizer="rmsprop")
    cohort = Cohort([run], some_images(), CPU)
    records = [record for batch in cohort.train(4, record_every=1) for record in batch]
    assert [record.generator_update > 0 for record in records] == [True, True, False, False]
    assert [record.discriminator_update for record in records[2:]] == [0, 0]


def test_a_skipped_update_is_recorded_as_no_update() -> None:
    run = make_run(1, lr=1e-2, batchnorm="none", accuracy_bar=0.5)
    records = [r for batch in Cohort([run], some_images(), CPU).train(30, record_every=1) for r in batch]
    still = [record for record in records if record.discriminator_update == 0]
    assert still
    assert all(record.generator_update > 0 for record in records)


@pytest.mark.parametrize(
    ("architecture", "extra"),
    [
        *(("mlp", extra) for extra in ("all", "r3gan", "rmsprop-momentum", "sgd")),
        *((name, "all") for name in ("dcgan", "conditional", "unpool", "fully-connected", "maxout")),
    ],
)
def test_a_member_trains_as_it_would_alone_bit_for_bit(architecture, extra) -> None:
    images, labels = data_of(architecture), some_labels()
    runs = [
        make_run(k, architecture=architecture, **everything(architecture, extra) | {"lr": 1e-3 * (k + 1)})
        for k in range(3)
    ]
    together = Cohort(runs, images, CPU, labels=labels)
    records = [record for batch in together.train(6, record_every=3) for record in batch]
    alone = Cohort(runs[1:2], images, CPU, labels=labels)
    own = [record for batch in alone.train(6, record_every=3) for record in batch]
    assert own == [record for record in records if record.run == runs[1].run]
    whole = together.state()
    for name, value in alone.state().items():
        assert torch.equal(value[0] if value.dim() else value, whole[name][1] if value.dim() else value)
    assert torch.equal(together.samples(40)[1], alone.samples(40)[0])
    assert torch.equal(together.pictures(8)[1], alone.pictures(8)[0])


@pytest.mark.parametrize("architecture", ["mlp", "conditional", "unpool"])
def test_going_on_from_a_state_is_bit_exact_with_everything_on(architecture) -> None:
    images, labels = some_images(), some_labels()
    runs = [make_run(k, architecture=architecture, **everything(architecture, "all")) for k in (1, 2, 3)]
    straight = train(Cohort(runs, images, CPU, labels=labels), 5)
    first = Cohort(runs, images, CPU, labels=labels)
    halfway = train(first, 3)
    resumed = Cohort(runs, images, CPU, labels=labels)
    resumed.load_state(halfway)
    for name, value in train(resumed, 5).items():
        assert torch.equal(value, straight[name]), name
    first.select([2])
    last = train(first, 5)
    for name, value in last.items():
        assert torch.equal(value[0] if value.dim() else value, straight[name][2] if value.dim() else value), (
            name
        )
