"""Whether a study's networks and sizes fit its data; and that nobody's code is imported unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_studies import small_mnist

from stability.errors import StabilityError
from stability.gan.networks import ARCHITECTURES, find_pair
from stability.runner import compatibility as fit
from stability.runner.compatibility import check_code_allowed, check_fit, own_code
from stability.spec import parse_study
from stability.vocabulary.own_code import source_digest

OWN = """\
from pathlib import Path
import torch
from torch import nn
from stability.gan.losses import LOSSES, Loss
from stability.gan.networks import ARCHITECTURES, Pair, Shaped
from stability.gan.training.penalties import FreeTerm, Term, at_fake, between
Path("imported").write_text("x")

def discriminator(config, image):
    return Shaped(nn.Sequential(nn.Flatten(), nn.Linear(image.pixels, 1)), ())

def sometimes(config, image):
    hidden = [nn.Dropout(config.dropout)] if config.dropout > 0 else []
    hidden += [nn.BatchNorm1d(image.pixels)] if config.batchnorm == "both" else []
    hidden += [nn.Linear(image.pixels if config.packing < 3 else 784, 1)]
    return Shaped(nn.Sequential(nn.Flatten(), *hidden), ())

pair = Pair(ARCHITECTURES["mlp"].generator, discriminator)
late = Pair(ARCHITECTURES["mlp"].generator, sometimes)
wrong = Pair(ARCHITECTURES["mlp"].generator, lambda config, image: nn.Dropout(0.5))
loss = Loss(lambda real, fake: (1 - real).exp() + (1 + fake).exp(), lambda real, fake: (-fake).exp())
mean = Loss(lambda real, fake: (fake - real).mean(), lambda real, fake: -fake)
mixing = Loss(lambda real, fake: fake - real, lambda real, fake: -fake + fake.mean())
unsaid = Loss(lambda real, fake: fake - real, lambda real, fake: real - fake)
numb = Loss(lambda real, fake: fake - real, lambda real, fake: -real)
penalty = Term(between, lambda squares: squares), FreeTerm(lambda score, real, fake, u: score(real).square())
total = FreeTerm(lambda score, real, fake, u: score(real).square().mean())
across = FreeTerm(lambda score, real, fake, u: score(real) * score(real).mean(0))
still = FreeTerm(lambda score, real, fake, u: real.flatten(2).sum(2))
drawn = FreeTerm(lambda score, real, fake, u: score(torch.rand_like(real)))
steep = Term(at_fake, lambda squares: squares / 0)
broken = FreeTerm(lambda score, real, fake: real)  # no u
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module that the package does not contain, in the current directory, under a name of its own."""
    monkeypatch.chdir(tmp_path)
    name = f"own_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(OWN, encoding="utf-8")
    return name


def study(text: str) -> object:
    return parse_study(f"name: s\n{text}")


def test_own_code_is_not_imported_unless_allowed(module: str) -> None:
    for text in (
        f"fixed: {{architecture: '{module}:pair'}}",
        f"space: {{architecture: [mlp, '{module}:pair']}}",
        f"fixed: {{loss: '{module}:pair'}}",
        f"variants: {{a: {{}}, b: {{loss: '{module}:pair'}}}}",
        f"space: {{penalty: [none, '{module}:pair']}}",
    ):
        spec = study(text)
        assert own_code(spec) == (f"{module}:pair",)
        with pytest.raises(StabilityError, match="--allow-code"):
            check_code_allowed(spec, allowed=False)
        check_code_allowed(spec, allowed=True)
    assert not Path("imported").exists()
    check_code_allowed(study("fixed: {architecture: dcgan}"), allowed=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mean", "discriminator: gives [] for logits of [2, 4]; one value for each is needed"),
        ("mixing", "generator: mixes members, whose logits are the rows"),
        ("unsaid", "generator: reads the real logits; say paired=True"),
        ("numb", "generator: gives the fake logits no gradient"),
        ("pair", "is a Pair, not a stability.gan.losses.Loss"),
        ("none", "has no none"),
    ],
)
def test_own_losses_are_tried(module: str, name: str, words: str) -> None:
    check_fit(study(f"fixed: {{loss: '{module}:loss'}}"), small_mnist())
    with pytest.raises(StabilityError) as told:
        check_fit(study(f"fixed: {{loss: '{module}:{name}'}}"), small_mnist())
    assert str(told.value).startswith(f"{module}:{name}: ")
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("total", "gives [] for images of [2, 4, 1, 3, 3]; one value for each is needed"),
        ("across", "mixes members, which are the first axis"),
        ("still", "gives the discriminator's weights no gradient"),
        ("drawn", "draws from torch's global stream"),
        ("steep", "is not finite, or its gradient is not"),
        ("broken", "TypeError: "),
        ("pair", "is a Pair, not a Term or FreeTerm of stability.gan.training.penalties"),
        ("none", "has no none"),
    ],
)
def test_own_penalties_are_tried(module: str, name: str, words: str) -> None:
    check_fit(study(f"fixed: {{penalty: '{module}:penalty'}}"), small_mnist())
    with pytest.raises(StabilityError) as told:
        check_fit(study(f"fixed: {{penalty: '{module}:{name}'}}"), small_mnist())
    assert str(told.value).startswith(f"{module}:{name}: ")
    assert words in str(told.value)


def test_own_networks_are_tried_on_the_data(module: str) -> None:
    check_fit(study(f"fixed: {{architecture: '{module}:pair'}}"), small_mnist())
    assert Path("imported").read_text() == "x"
    with pytest.raises(StabilityError, match=f"{module}:wrong: discriminator") as told:
        check_fit(study(f"space: {{architecture: [mlp, '{module}:wrong']}}"), small_mnist())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "sampled",
    [
        "dropout: [0.0, 0.3]",
        "dropout: {low: 0.0, high: 0.4}",
        "batchnorm: [none, both]",
        "packing: [1, 3]",
        "packing: {low: 1, high: 3}",
        "packing: [3, 2, 1]",
    ],
)
def test_every_structure_that_is_sampled_is_tried(module: str, sampled: str) -> None:
    check_fit(study(f"fixed: {{architecture: '{module}:late'}}"), small_mnist())
    with pytest.raises(StabilityError, match=f"{module}:late: discriminator"):
        check_fit(study(f"space: {{{sampled}}}\nfixed: {{architecture: '{module}:late'}}"), small_mnist())


def test_a_long_list_is_tried_at_its_ends(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, int]] = []
    monkeypatch.setattr(
        fit, "check_pair", lambda config, image, fused: tried.append((config.width, config.latent_dim))
    )
    lists = f"width: {list(range(8, 200))}, latent_dim: {list(range(202, 2, -1))}, batch_size: [4, 5, 6]"
    check_fit(study(f"space: {{{lists}}}\nfixed: {{architecture: '{module}:pair'}}"), small_mnist())
    assert sorted(tried) == [(8, 3), (8, 202), (199, 3), (199, 202)]


def test_packs_larger_than_all_that_is_held_out() -> None:
    data = small_mnist()
    few = replace(data, test=data.test[:6], test_labels=data.test_labels[:6])
    check_fit(study("fixed: {packing: 6}"), few)
    with pytest.raises(StabilityError, match="packing: 7: mnist has 6 held-out"):
        check_fit(study("space: {packing: {low: 2, high: 7}}"), few)


def test_the_digest_is_of_the_file(module: str) -> None:
    before = source_digest(f"{module}:pair")
    assert len(before) == 64
    assert find_pair(f"{module}:pair").generator is ARCHITECTURES["mlp"].generator
    Path(f"{module}.py").write_text(OWN + "\n", encoding="utf-8")
    assert source_digest(f"{module}:pair") != before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fixed: {train_size: 100000}", "100000"),
        ("space: {train_size: [10, 99999]}", "99999"),
        ("space: {train_size: {low: 10, high: 70000}}", "70000"),
    ],
)
def test_more_training_images_than_there_are(text: str, named: str) -> None:
    with pytest.raises(StabilityError, match=f"train_size: {named}: mnist has"):
        check_fit(study(text), small_mnist())
    check_fit(study("space: {train_size: [10, 20, ~]}"), small_mnist())


def test_own_code_that_a_variant_or_a_configuration_names_is_tried(module: str) -> None:
    own = f"{{architecture: '{module}:late', dropout: 0.5}}"
    for text in (f"variants: {{plain: {{}}, own: {own}}}", f"configs: {{plain: {{}}, own: {own}}}"):
        spec = study(text)
        assert own_code(spec) == (f"{module}:late",)
        with pytest.raises(StabilityError, match="Dropout"):
            check_fit(spec, small_mnist())
    check_fit(study(f"variants: {{plain: {{}}, own: {own.replace('0.5', '0.0')}}}"), small_mnist())
    with pytest.raises(StabilityError, match="train_size: 401"):
        check_fit(study("variants: {plain: {}, many: {train_size: 401}}"), small_mnist())
