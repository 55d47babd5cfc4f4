from __future__ import annotations

import pytest
import torch
from cohorts import CPU, CPU64, make_run, some_images, some_labels, some_points, train
from plain_loop import PlainLoop

from stability.errors import StabilityError
from stability.gan.data.datasets import training_subset
from stability.gan.losses import LOSSES
from stability.gan.training.cohort import Cohort
from stability.vocabulary.structure import structure_key

LOSS_NAMES = [name for name, loss in LOSSES.items() if not loss.paired]
"""These may share a cohort."""


def mixed_runs(**common: object) -> list:
    return [
        make_run(
            k,
            loss=LOSS_NAMES[k % 5],
            lr=2e-4 * (k + 1),
            lr_ratio=0.3 + k / 2,
            beta1=k / 10,
            beta2=0.9 + k / 100,
            weight_clip=0.1 if k == 4 else None,
            **common,
        )
        for k in range(8)
    ]


def assert_member_equal(state: dict, k: int, alone: dict) -> None:
    for name, value in state.items():
        if value.dim():
            assert torch.equal(value[k], alone[name][0]), name
        else:
            assert torch.equal(value, alone[name]), name


@pytest.mark.parametrize(
    "common",
    [
        {"batchnorm": "generator"},
        {"batchnorm": "both", "batch_size": 50, "width": 9, "latent_dim": 3},
        {"batchnorm": "none", "penalty": "gradient-penalty", "n_dis": 2, "dropout": 0.2},
        {"batchnorm": "generator", "width": 64, "batch_size": 64, "latent_dim": 100},
        {"architecture": "dcgan", "batchnorm": "both"},
        {"architecture": "dcgan", "width": 16, "latent_dim": 64, "batch_size": 32},
        {"architecture": "dcgan", "batchnorm": "none", "penalty": "gradient-penalty", "dropout": 0.1},
    ],
    ids=lambda common: "-".join(f"{v}" for v in common.values()),
)
def test_member_of_mixed_cohort_equals_the_run_alone_bit_for_bit(common, full):
    runs, images, steps = mixed_runs(**common), some_images(), 25 if full else 8
    together = Cohort(runs, images, CPU)
    records = [record for batch in together.train(steps, record_every=4) for record in batch]
    for k in (0, 3, 7):
        alone = Cohort([runs[k]], images, CPU)
        own = [record for batch in alone.train(steps, record_every=4) for record in batch]
        assert own == [record for record in records if record.run == runs[k].run]
        assert_member_equal(together.state(), k, alone.state())
        assert torch.equal(together.samples(40)[k], alone.samples(40)[0])
        assert torch.equal(together.pictures(8)[k], alone.pictures(8)[0])
        assert torch.equal(together.real_logits(images)[k], alone.real_logits(images)[0])


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
@pytest.mark.parametrize("n", [5, 16, 40])
def test_a_short_last_batch_of_logits_is_filled_up_with_the_first_images(architecture, n):
    runs = [make_run(k, architecture=architecture, batchnorm="both", batch_size=16) for k in (1, 2)]
    cohort, images = Cohort(runs, some_images(), CPU), some_images()[:n]
    train(cohort, 3)
    got = cohort.real_logits(images)
    whole = torch.cat([images] * 16)[: -(-n // 16) * 16]
    expected = [cohort.real_logits(part) for part in torch.split(whole, 16)]
    assert torch.equal(got, torch.cat(expected, 1)[:, :n])
    assert got.shape == (2, n)
    alone = Cohort(runs[:1], some_images(), CPU)
    train(alone, 3)
    assert torch.equal(alone.real_logits(images)[0], got[0])


def relative_difference(ours: dict, theirs: dict) -> float:
    worst = 0.0
    for name, value in theirs.items():
        if "mask" not in name:
            scale = value.abs().max().clamp_min(1e-12)
            worst = max(worst, float((ours[name] - value).abs().max() / scale))
    return worst


def beside(loss: str) -> str:
    """A loss that may share a cohort with this one."""
    return "relativistic" if LOSSES[loss].paired else "hinge"


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "extra",
    [
        {"batchnorm": "generator"},
        {"batchnorm": "both", "n_dis": 2, "dropout": 0.1, "weight_clip": 0.05},
        {"batchnorm": "none", "penalty": "gradient-penalty"},
    ],
    ids=["plain", "both-clip-dropout", "penalty"],
)
def test_engine_equals_a_plain_loop_in_float64(architecture, loss, extra, full):
    images, steps = some_images(), 50 if full else {"mlp": 20, "dcgan": 8}[architecture]
    runs = [
        make_run(1, architecture=architecture, loss=loss, lr=3e-4, lr_ratio=2.0, beta1=0.4, **extra),
        make_run(2, architecture=architecture, loss=beside(loss), lr=1e-3, **extra),
    ]
    cohort = Cohort(runs, images, CPU64)
    train(cohort, steps)
    plain = PlainLoop(runs[0], images)
    before = {name: value.clone() for name, value in plain.g.state_dict().items()}
    plain.train(steps)
    assert relative_difference(cohort.generator.member_weights(0), plain.g.state_dict()) < 1e-7
    assert relative_difference(cohort.discriminator.member_weights(0), plain.d.state_dict()) < 1e-7
    assert relative_difference(before, plain.g.state_dict()) > 1e-2  # it did train


def test_dropping_members_changes_nothing_for_the_rest():
    runs, images = mixed_runs(), some_images()
    whole = Cohort(runs, images, CPU)
    train(whole, 20)
    compacted = Cohort(runs, images, CPU)
    train(compacted, 10)
    compacted.select([1, 6])
    train(compacted, 15)
    compacted.select([1])
    state = train(compacted, 20)
    assert [run.run for run in compacted.runs] == [runs[6].run]
    assert_member_equal(whole.state(), 6, state)


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
def test_going_on_from_a_state_is_bit_exact(architecture):
    runs = mixed_runs(architecture=architecture, dropout=0.1, penalty="gradient-penalty")[:3]
    images = some_images()
    straight = train(Cohort(runs, images, CPU), 12)
    first = Cohort(runs, images, CPU)
    halfway = train(first, 7)
    resumed = Cohort(runs, images, CPU)
    resumed.load_state(halfway)
    assert resumed.step == 7
    for name, value in train(resumed, 12).items():
        assert torch.equal(value, straight[name]), name


def test_what_is_not_finite_stays_in_its_member_and_is_named():
    images = some_images()
    healthy = make_run(1, lr=1e-4)
    broken = make_run(2, lr=1e30, loss="wasserstein", batchnorm="generator")
    cohort = Cohort([healthy, broken, healthy], images, CPU)
    train(cohort, 10)
    first, second, _ = cohort.divergences()
    assert first is None
    assert second is not None
    assert second.tensor in ("loss_d", "loss_g")
    assert 1 <= second.step <= 10
    alone = Cohort([healthy], images, CPU)
    assert_member_equal(cohort.state(), 0, train(alone, 10))


def test_divergence_names_the_first_step_and_tensor():
    images = some_images()
    cohort = Cohort([make_run(1), make_run(2)], images, CPU)
    train(cohort, 4)
    with torch.no_grad():
        cohort.discriminator.parameters[0][1] = torch.nan
    train(cohort, 9)
    assert cohort.divergences()[0] is None
    second = cohort.divergences()[1]
    assert (second.step, second.tensor) == (5, "loss_d")


def test_one_structure_per_cohort():
    runs = [make_run(1), make_run(2, batchnorm="none")]
    assert structure_key(runs[0].config) != structure_key(runs[1].config)
    with pytest.raises(ValueError, match="one structure"):
        Cohort(runs, some_images(), CPU)


def test_same_seed_means_same_start_under_every_loss():
    images = some_images()
    cohort = Cohort([make_run(3, loss="hinge"), make_run(3, loss="minimax"), make_run(4)], images, CPU)
    weights = cohort.generator.state()["body.0.weight"]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_fixed_pictures_share_their_noise_and_are_bytes():
    cohort = Cohort([make_run(3), make_run(3, loss="hinge")], some_images(), CPU)
    pictures = cohort.pictures(6)
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (2, 6, 28, 28, 1)
    assert torch.equal(pictures[0], pictures[1])  # nothing has been trained yet


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (64, 1)])
@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
def test_other_image_shapes_train(architecture, size, channels):
    images = some_images(32, size, channels)
    cohort = Cohort(
        [make_run(1, architecture=architecture), make_run(2, architecture=architecture)], images, CPU
    )
    before = cohort.state()
    after = train(cohort, 2)
    assert cohort.samples(5).shape == (2, 5, channels, size, size)
    assert cohort.divergences() == [None, None]
    for net in ("generator", "discriminator"):
        names = [name for name in before if name.startswith(net)]
        assert names
        assert all(not torch.equal(before[name], after[name]) for name in names)


# --- what conditional networks are told ---------------------------------------------------------------


def test_a_conditional_generator_draws_what_it_is_asked_for_in_turn():
    run = make_run(1, architecture="conditional", batchnorm="none")
    cohort = Cohort([run], some_images(), CPU, labels=some_labels(classes=4))
    assert cohort.asked_labels(6).tolist() == [0, 1, 2, 3, 0, 1]
    with torch.no_grad():
        weight = cohort.generator.leaves["body.0.weight"]  # [members, inputs, outputs]
        weight[:, :-4] = 0  # it looks at the class alone
    images = cohort.samples(8)[0]
    assert torch.equal(images[:4], images[4:])
    assert not torch.equal(images[0], images[1])


def test_a_conditional_discriminator_reads_the_class():
    run = make_run(1, architecture="conditional", batchnorm="none")
    cohort = Cohort([run], some_images(), CPU, labels=some_labels())
    images = some_images(16)
    one, other = (cohort.real_logits(images, torch.full((16,), label)) for label in (1, 2))
    assert not torch.equal(one, other)
    mixed = cohort.real_logits(images, some_labels(16, 2) + 1)
    torch.testing.assert_close(mixed[0, ::2], one[0, ::2])
    torch.testing.assert_close(mixed[0, 1::2], other[0, 1::2])


def test_a_conditional_pair_needs_classes():
    with pytest.raises(StabilityError, match="conditional needs a data set with classes"):
        Cohort([make_run(1, architecture="conditional")], some_images(), CPU)


# --- packs, subsets, averages -------------------------------------------------------------------------


def test_packs_are_judged_together():
    cohort = Cohort([make_run(1, packing=2, batchnorm="none")], some_images(), CPU)
    images = some_images(7)
    logits = cohort.real_logits(images)
    assert logits.shape == (1, 3)  # the seventh has nobody beside it
    swapped = images[[2, 1, 0, 3, 4, 5, 6]]
    changed = cohort.real_logits(swapped)[0] != logits[0]
    assert changed.tolist() == [True, True, False]


def test_training_sees_only_the_subset():
    run = make_run(1, train_size=5)
    images = some_images()
    kept = set(training_subset(len(images), 5).tolist())
    masked = images.clone()
    masked[[k for k in range(len(images)) if k not in kept]] = 0
    assert_member_equal(train(Cohort([run], images, CPU), 5), 0, train(Cohort([run], masked, CPU), 5))
    masked[min(kept)] = 0
    other = train(Cohort([run], masked, CPU), 5)
    assert not torch.equal(
        other["generator/body.0.weight"], train(Cohort([run], images, CPU), 5)["generator/body.0.weight"]
    )


def test_more_images_to_train_on_than_there_are():
    with pytest.raises(StabilityError, match="65"):
        train(Cohort([make_run(1, train_size=65)], some_images(), CPU), 1)


def test_averages_are_what_is_sampled():
    run = make_run(1, ema_decay=0.5)
    cohort = Cohort([run], some_images(), CPU)
    plain = Cohort([make_run(1)], some_images(), CPU)
    train(cohort, 5), train(plain, 5)
    assert torch.equal(cohort.generator.leaves["body.0.weight"], plain.generator.leaves["body.0.weight"])
    assert not torch.equal(cohort.samples(4), plain.samples(4))
    with torch.no_grad():
        for leaf, mean in zip(plain.generator.parameters, cohort.average.parameters, strict=True):
            leaf.copy_(mean)
    assert torch.equal(cohort.samples(4), plain.samples(4))
    assert {name.partition(".")[0] for name in cohort.member_weights(0)} == {
        "generator",
        "discriminator",
        "average",
    }


# --- points -------------------------------------------------------------------------------------------


def test_pictures_of_points_are_one_cloud_for_each_member():
    runs = [make_run(k, architecture="maxout", latent_dim=2) for k in (1, 2)]
    cohort = Cohort(runs, some_points(), CPU)
    pictures = cohort.pictures(16)
    assert pictures.shape == (2, 1, 64, 64, 1)
    assert cohort.samples(50).shape == (2, 50, 2, 1, 1)


def test_the_discriminators_range_is_reached_by_both():
    """In 0..255, at equal weights, logits are those of the stretched images."""
    symmetric, stretched = (
        Cohort([make_run(1, input_range=r, batchnorm="none")], some_images(), CPU64)
        for r in ("symmetric", "bytes")
    )
    images = some_images(16)
    as_bytes = (images.double() / 127.5 - 1).add(1).mul(127.5)
    expected = symmetric.discriminator(as_bytes.expand(2, *as_bytes.shape))[:1]
    torch.testing.assert_close(stretched.real_logits(images), expected)
