"""The engine: runs of one structure trained in lockstep as one stacked model.

The sum of the members' losses is differentiated once; each member gets exactly its own gradient, and a NaN in
one stays in it. Nothing here prints, reads or writes files, or looks at a value while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.data.datasets import to_unit
from stability.gan.data.inputs import with_labels
from stability.gan.data.points import picture_extent
from stability.gan.networks import ImageShape, find_pair, mask_shapes
from stability.gan.training import diagnostics
from stability.gan.training.critic import Critic, as_factor
from stability.gan.training.diagnostics import Trace
from stability.gan.training.draws import Draws, drawing_ahead
from stability.gan.training.member_losses import MemberLosses
from stability.gan.training.optimizers import OptimizerSettings, StackedOptimizer, stacked_optimizer
from stability.gan.training.penalties import find_penalty, penalty
from stability.gan.training.placement import Placement
from stability.gan.training.replay import Replay
from stability.gan.training.sampler import Sampler, Switches
from stability.gan.training.schedules import Schedules
from stability.gan.training.starts import started, started_norm
from stability.gan.training.targets import Labels
from stability.records import Divergence, Record
from stability.spec.config import Run
from stability.vocabulary.structure import structure_key

CHECKED = ("penalty", "loss_d", "loss_g")
"""What is checked for finiteness at every step, in the order in which a step computes it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Real images in -1..1 for every member, and what the generators are told of them."""

    images: Float[Tensor, "members n c h w"]
    labels: Int64[Tensor, "members n"] | None = None
    switches: Mapping[str, Tensor] = field(default_factory=dict)


NO_BATCH = Batch(torch.empty(0, 0, 0, 0, 0))


class Cohort:
    """K members of one structure, their weights, optimisers, random streams and the step they are at.

    A lone member of a fused cohort is padded with a copy of itself, since a stack of one takes other
    kernels than a stack of several and would round differently; the copy is never reported.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        images: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
        placement: Placement,
        *,
        labels: Int64[Tensor, " n"] | None = None,
    ) -> None:
        """Start the runs at step 0.

        Args:
            runs: the members; all of one `structure_key`.
            images: the training images, resident on the device; points are floats with a side of 1.
            placement: device and precision.
            labels: the images' classes; only conditional networks need them.

        Raises:
            StabilityError: a run asks for more training images than there are, for labels that are not
                there, or for networks that do not fit the images.

        """
        keys = {structure_key(run.config) for run in runs}
        if len(keys) != 1:
            raise ValueError(f"a cohort needs members of one structure, got {len(keys)}")
        self.images = images
        self.placement = placement
        self.step = 0
        self._adopt(tuple(runs))
        self._labels, self._classes = self._conditioning(labels)
        channels, size = int(images.shape[1]), int(images.shape[-1])
        shape = ImageShape(channels, size, self._classes)
        with torch.device("meta"):
            generator = self._pair.generator(self.config, shape)
            discriminator = self._pair.discriminator(self.config, shape.seen(self.config.packing))
        start = partial(started, members=self._members, placement=placement)
        self.generator = start(generator, "init-generator", compile=placement.compile)
        self.average = start(generator, "init-generator") if self.config.ema_decay else None
        compile = placement.compiles(self.config)
        self.discriminator = start(discriminator, "init-discriminator", compile=compile)
        if self.config.spectral_norm:
            self.discriminator.norm = started_norm(self.discriminator, self._members)
        self._prepare()
        self._first_bad = torch.full((len(CHECKED), len(self._members)), torch.inf, device=placement.device)
        self._extent = picture_extent(images) if size == 1 else 0.0
        self._fakes = self._real_logits = torch.empty(0)
        self._batch = NO_BATCH
        self._trace: Trace | None = None

    def _adopt(self, runs: tuple[Run, ...]) -> None:
        self.runs = runs
        self.config = runs[0].config
        self._pair = find_pair(self.config.architecture)
        fused = self.placement.fused(self.config)
        self._members = runs * 2 if fused and len(runs) == 1 else runs
        self._draws = Draws(self._members, self.placement, drawing_ahead(self.placement.device))
        configs = [run.config for run in self._members]
        self._told = Labels(
            self._draws,
            smoothing=self._used("label_smoothing"),
            smoothing_fake=self._used("label_smoothing_fake"),
            noise=self._used("label_noise"),
            flip=self._used("label_flip"),
        )
        self._schedules = Schedules(configs)
        numbers = self.placement.numbers
        self._losses = MemberLosses(
            [config.loss for config in configs],
            self.placement.device,
            orders=(
                numbers([1 - 1 / config.alpha_d for config in configs]),
                numbers([1 - 1 / config.alpha_g for config in configs]),
            ),
        )
        self._lr_d = numbers([config.discriminator.lr for config in configs])
        self._lr_g = numbers([config.generator.lr for config in configs])
        self._terms = find_penalty(self.config.penalty)
        self._penalty_weight = numbers([config.penalty_weight for config in configs])
        self._accuracy_bar, self._ema_decay = self._used("accuracy_bar"), self._used("ema_decay")
        clips = [config.weight_clip for config in configs]
        self._clip = numbers([c or torch.inf for c in clips]) if any(clips) else None

    def _used(self, name: str) -> Tensor | None:
        """A parameter of `PRESENT` per member, None where the cohort does without."""
        values = [getattr(run.config, name) for run in self._members]
        return self.placement.numbers(values) if values[0] else None

    def _conditioning(self, labels: Tensor | None) -> tuple[Tensor | None, int]:
        """The labels and the number of classes that the networks are told, if they are."""
        if not self._pair.conditional:
            return None, 0
        if labels is None:
            raise StabilityError(f"{self.config.architecture} needs a data set with classes")
        if self.config.replay:
            raise StabilityError(f"replay: {self.config.architecture} would be told new classes of old fakes")
        return labels, int(labels.max()) + 1

    def _prepare(self) -> None:
        """What belongs to the networks as they are stacked now."""
        self._critic = Critic(
            self.discriminator,
            self.config,
            self._draws,
            classes=self._classes,
            noise_std=self._used("instance_noise"),
        )
        self._masks = mask_shapes(self.generator.template)
        share = self._used("replay")
        self._replay = None if share is None else Replay(self.config, self.images, share, self._draws)
        self._sampler = Sampler(
            self.generator if self.average is None else self.average,
            self._members,
            self.placement,
            classes=self._classes,
            switches=self._switches_of_shown() if self._pair.switches else None,
        )
        configs = [run.config for run in self._members]
        self._optimizer_g: StackedOptimizer = stacked_optimizer(
            self.config.generator.optimizer,
            self.generator.parameters,
            [OptimizerSettings.of(config.generator) for config in configs],
        )
        self._optimizer_d: StackedOptimizer = stacked_optimizer(
            self.config.discriminator.optimizer,
            self.discriminator.parameters,
            [OptimizerSettings.of(config.discriminator) for config in configs],
        )

    # --- training -----------------------------------------------------------------------------------

    def train(self, until: int, record_every: int) -> Iterator[list[Record]]:
        """Train to step `until`, yielding the members' records whenever `record_every` divides the step.

        Between two yields the caller may `select` members or take `state()`.
        """
        while self.step < until:
            due = (self.step + 1) % record_every == 0
            self._trace = Trace() if due else None
            self.placement.begin_step()
            self.follow_schedules()
            self.update_discriminators()
            self.update_generators()
            self.step += 1
            if due:
                yield self._record()

    def follow_schedules(self) -> None:
        """Set what changes with the step: learning rates, instance noise, label smoothing."""
        due, step, numbers = self._schedules, self.step, self.placement.numbers
        if due.rates_change:
            rates_g, rates_d = due.rates_g(step), due.rates_d(step)
            self._optimizer_g.set_rates(rates_g)
            self._optimizer_d.set_rates(rates_d)
            self._lr_g, self._lr_d = numbers(rates_g), numbers(rates_d)
        if due.noise_fades:
            self._critic.set_noise(numbers(due.noise(step)))
        if due.smoothing_fades:
            real, fake = numbers(due.smoothing(step)), numbers(due.smoothing_fake(step))
            self._told = self._told.faded(real, fake)

    def update_discriminators(self) -> None:
        """Take `n_dis` discriminator updates, each on fresh images and noise; the last fakes are kept."""
        for remaining in reversed(range(self.config.n_dis)):
            last = remaining == 0
            self._batch = self._next_batch()
            with torch.set_grad_enabled(last):
                self._fakes = self._generate()
            if last and self._trace is not None:
                self._trace.weights_d = _copies(self.discriminator.parameters)
            real = self._critic.inputs(self._batch.images, real=True)
            self._update_discriminator(real, self._critic.inputs(self._shown(self._fakes.detach())))

    def _shown(self, fakes: Tensor) -> Tensor:
        """What the discriminators are shown of new fakes: some may be old ones."""
        return fakes if self._replay is None else self._replay.exchange(fakes)

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> None:
        if self.discriminator.norm is not None:
            self.discriminator.norm.iterate(self.discriminator.leaves)
        real_logits, fake_logits = self._critic.real_and_fake_logits(real, fake, self._batch.labels)
        targets = self._told.targets(real_logits.shape[1])
        loss = self._losses.discriminators(real_logits, fake_logits, targets).mean(1)
        cost = self._penalties(real, fake)
        total = loss if cost is None else loss + self._penalty_weight * cost
        grads = torch.autograd.grad(total.sum(), self.discriminator.parameters)
        self._real_logits = real_logits.detach()
        self._step_discriminators(grads, self._real_logits, fake_logits.detach())
        self._check({"loss_d": loss} if cost is None else {"penalty": cost, "loss_d": loss})
        if self._trace is not None:
            self._trace.real_logits, self._trace.fake_logits = self._real_logits, fake_logits.detach()
            self._trace.loss_d = loss.detach()
            self._trace.penalty = None if cost is None else cost.detach()
            self._trace.grads_d = dict(zip(self.discriminator.leaves, grads, strict=True))

    def _step_discriminators(self, grads: Sequence[Tensor], real_logits: Tensor, fake_logits: Tensor) -> None:
        """Apply the update, and take it back for members whose discriminator is too far ahead."""
        if self._accuracy_bar is None:
            self._optimizer_d.step(grads)
            self._clip_weights()
            return
        skipped = self._losses.accuracies(real_logits, fake_logits) > self._accuracy_bar
        weights, state = _copies(self.discriminator.parameters), self._optimizer_d.state()
        self._optimizer_d.step(grads)
        self._clip_weights()
        self._optimizer_d.put_back(state, skipped)
        with torch.no_grad():
            for leaf, old in zip(self.discriminator.parameters, weights, strict=True):
                leaf.copy_(torch.where(as_factor(skipped, leaf), old, leaf))

    def update_generators(self) -> None:
        """Take `n_gen` generator updates: on the last fakes that the discriminators saw, then on new ones."""
        for update in range(self.config.n_gen):
            if update > 0:
                self._fakes = self._generate()
            if self._trace is not None:
                self._trace.weights_g = _copies(self.generator.parameters)
            self._update_generator()
        self._fakes = self._real_logits = torch.empty(0)
        self._batch = NO_BATCH

    def _update_generator(self) -> None:
        real_logits, fake_logits = self._logits_for_generators()
        loss = self._losses.generators(real_logits, fake_logits).mean(1)
        fake_grad, logit_grad = torch.autograd.grad(loss.sum(), [self._fakes, fake_logits])
        grads = torch.autograd.grad(self._fakes, self.generator.parameters, fake_grad)
        self._optimizer_g.step(grads)
        self._follow_average()
        self._check({"loss_g": loss})
        if self._trace is not None:
            self._trace.loss_g = loss.detach()
            self._trace.grads_g = dict(zip(self.generator.leaves, grads, strict=True))
            self._trace.fake_grad = fake_grad * fake_logits.shape[1]
            self._trace.logit_grad = logit_grad * fake_logits.shape[1]

    def _logits_for_generators(self) -> tuple[Tensor, Tensor]:
        """A paired loss needs the real images' logits from the discriminator as it is now."""
        critic, labels = self._critic, self._batch.labels
        fake = critic.inputs(self._fakes)
        if self._losses.paired:
            return critic.real_and_fake_logits(critic.inputs(self._batch.images, real=True), fake, labels)
        return self._real_logits, critic.logits(fake, labels, critic.masks(fake.shape[1]))

    def _follow_average(self) -> None:
        if self.average is None or self._ema_decay is None:
            return
        with torch.no_grad():
            for mean, leaf in zip(self.average.parameters, self.generator.parameters, strict=True):
                decay = as_factor(self._ema_decay, leaf)
                mean.mul_(decay).add_((1 - decay) * leaf)

    def _next_batch(self) -> Batch:
        rows = self.config.batch_size * self.config.packing
        indices = self._draws.indices(rows, len(self.images))
        return self._batch_of(indices, None if self._labels is None else self._labels[indices])

    def _batch_of(self, indices: Int64[Tensor, "members n"], labels: Tensor | None) -> Batch:
        images = to_unit(self.images[indices], self.placement.dtype)
        return Batch(images, labels, self._critic.switches(images) if self._pair.switches else {})

    def _switches_of_shown(self) -> Switches:
        """The switches that samples are made with: of the first training images, the same at each visit."""
        critic, images, dtype = self._critic, self.images, self.placement.dtype
        first = self._draws.first_indices(len(images))

        def switches(rows: Int64[Tensor, " n"]) -> Mapping[str, Tensor]:
            indices = torch.stack([own[rows % len(own)] for own in first])
            return critic.switches(to_unit(images[indices.to(images.device)], dtype))

        return switches

    def _generate(self) -> Float[Tensor, "members n c h w"]:
        rows = self._batch.images.shape[1]
        z = with_labels(self._draws.z(rows), self._batch.labels, self._classes)
        return self.generator(z, {**self._batch.switches, **self._draws.generator_masks(self._masks, rows)})

    def _penalties(self, real: Tensor, fake: Tensor) -> Float[Tensor, " members"] | None:
        if not self._terms:
            return None
        uniform = [self._draws.uniform(term.uniform_shape(real.shape[1:])) for term in self._terms]
        critic, labels = self._critic, self._batch.labels
        masks = critic.masks(real.shape[1])
        return penalty(self._terms, lambda x: critic.logits(x, labels, masks), real, fake, uniform).mean(1)

    def _clip_weights(self) -> None:
        if self._clip is None:
            return
        with torch.no_grad():
            for leaf in self.discriminator.parameters:
                bound = as_factor(self._clip, leaf)
                leaf.clamp_(-bound, bound)

    # --- what it says ---------------------------------------------------------------------------------

    def _check(self, losses: Mapping[str, Tensor]) -> None:
        rows = [CHECKED.index(name) for name in losses]
        values = torch.stack([value.detach() for value in losses.values()])
        for row, value in zip(rows, values, strict=True):
            self._first_bad[row] = diagnostics.note_bad(self._first_bad[row], value, self.step + 1)

    def _record(self) -> list[Record]:
        trace = self._trace
        assert trace is not None
        updates = {
            "generator_update": diagnostics.relative_update(
                trace.weights_g, self.generator.parameters, self._lr_g
            ),
            "discriminator_update": diagnostics.relative_update(
                trace.weights_d, self.discriminator.parameters, self._lr_d
            ),
        }
        names = [run.run for run in self._members]
        records = diagnostics.make_records(
            trace, updates, runs=names, sigmoid=self._losses.sigmoid, step=self.step
        )
        self._trace = None
        return records[: len(self.runs)]

    def divergences(self) -> list[Divergence | None]:
        """Per member, the first step and tensor that was not finite, if any."""
        first = [diagnostics.first_bad_tensor(self._first_bad, CHECKED, k) for k in range(len(self.runs))]
        return [None if bad is None else Divergence(*bad) for bad in first]

    def asked_labels(self, n: int) -> Int64[Tensor, " n"] | None:
        """The classes that samples are asked for, in turn; None where networks are told none."""
        return self._sampler.labels(n)

    def samples(self, n: int) -> Float[Tensor, "members n c h w"]:
        """Generated images in -1..1 from each run's evaluation noise; of the averages where there are any."""
        return self._sampler.samples(n)[: len(self.runs)]

    def pictures(self, n: int) -> UInt8[Tensor, "members n2 h w c"]:
        """The first n images of latent points that every run shares; of points, one picture of them all."""
        if self._extent:
            return self._sampler.point_clouds(self._extent)[: len(self.runs)]
        return self._sampler.pictures(n)[: len(self.runs)]

    @torch.no_grad()
    def logits(
        self,
        images: Float[Tensor, "members n c h w"],
        labels: Int64[Tensor, " n"] | None = None,
        *,
        real: bool = False,
    ) -> Float[Tensor, "members packs"]:
        """The discriminators' logits without dropout and noise; `labels` are what conditional ones are told.

        Taken in training-sized batches, the last one filled up with the first images: batchnorm would notice
        a shorter one. Packs are of images that follow each other.
        """
        size, packing = self.config.batch_size, self.config.packing
        packs = images.shape[1] // packing
        rows = torch.arange(-(-packs // size) * size * packing, device=images.device) % (packs * packing)
        parts = []
        for part in torch.split(rows, size * packing):
            batch = torch.cat([images[:, part]] * (len(self._members) // len(self.runs)))
            own = labels[part].expand(len(batch), -1) if labels is not None and self._classes else None
            parts.append(self._critic.logits(self._critic.clean_inputs(batch, real=real), own))
        return torch.cat(parts, 1)[: len(self.runs), :packs]

    def real_logits(
        self,
        images: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
        labels: Int64[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "members packs"]:
        """The discriminators' logits of the same real images for every member."""
        unit = to_unit(images, self.placement.dtype)
        return self.logits(unit.expand(len(self.runs), *unit.shape), labels, real=True)

    def member_weights(self, k: int) -> dict[str, Tensor]:
        """One run's weights by network and parameter: `generator.*`, `discriminator.*`, `average.*`."""
        networks = {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}
        return {
            f"{part}.{name}": weight
            for part, network in networks.items()
            if network is not None
            for name, weight in network.member_weights(k).items()
        }

    # --- stopping and resuming ------------------------------------------------------------------------

    def select(self, keep: Sequence[int]) -> None:
        """Go on with these members only; what they do then is bit-equal to what they would have done."""
        if not keep:
            raise ValueError("a cohort cannot be empty")
        rows = [*keep, *keep] if self.placement.fused(self.config) and len(keep) == 1 else list(keep)
        state = {name: value if value.dim() == 0 else value[rows] for name, value in self.state().items()}
        for network in (self.generator, self.discriminator, self.average):
            if network is not None:
                network.select(rows)
        self._adopt(tuple(self.runs[k] for k in keep))
        self._prepare()
        self.load_state(state)

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on; tensors are `[K, ...]` or scalars, and copies."""
        flat = {
            f"{part}/{name}": value
            for part, held in self._parts().items()
            for name, value in held.state().items()
        }
        return flat | {"first_bad": self._first_bad.t().clone(), "step": torch.tensor(self.step)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state()` of the same members; of a lone one its own row is enough."""
        if len(self._members) > len(self.runs):
            state = {name: value if value.dim() == 0 else value[[0, 0]] for name, value in state.items()}
        for part, held in self._parts().items():
            prefix = f"{part}/"
            held.load_state({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        self._first_bad = state["first_bad"].t().clone().to(self.placement.device)
        self.step = int(state["step"])

    def _parts(self) -> dict[str, _Stateful]:
        """Whatever has a state that the next step depends on, by name."""
        parts: dict[str, _Stateful | None] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "spectral": self.discriminator.norm,
            "optimizer_g": self._optimizer_g,
            "optimizer_d": self._optimizer_d,
            "stream": self._draws,
            "replay": self._replay,
        }
        return {name: part for name, part in parts.items() if part is not None}


class _Stateful(Protocol):
    def state(self) -> dict[str, Tensor]: ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


def _copies(leaves: Sequence[Tensor]) -> list[Tensor]:
    return [leaf.detach().clone() for leaf in leaves]
