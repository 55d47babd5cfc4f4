"""The engine: runs of one structure trained in lockstep as one stacked model.

The sum of the members' losses is differentiated once; each member gets exactly its own gradient, and a NaN in
one stays in it. Nothing here prints, reads or writes files, or looks at a value while a step runs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from stability.gan import diagnostics
from stability.gan.adam import AdamSettings, StackedOptimizer, stacked_adam
from stability.gan.diagnostics import Trace
from stability.gan.losses import MemberLosses
from stability.gan.networks import ARCHITECTURES, ImageShape, MaskDropout, has_batchnorm, initial_weights
from stability.gan.penalties import PENALTIES
from stability.gan.stacked import StackedNetwork
from stability.gan.streams import Purpose, Streams, evaluation_noise, picture_noise, stream
from stability.records import Divergence, Record
from stability.spec.config import Config, Run

CHECKED = ("penalty", "loss_d", "loss_g")
"""What is checked for finiteness at every step, in the order in which a step computes it."""


def structure_key(config: Config) -> tuple[Hashable, ...]:
    """What must be equal for runs to train in one cohort; everything else may differ per member."""
    return (
        config.architecture,
        config.width,
        config.latent_dim,
        config.batch_size,
        config.batchnorm,
        config.n_dis,
        config.penalty,
        config.dropout > 0,
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and in which precision a cohort trains."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    def fused(self, config: Config) -> bool:
        """Whether members run together: convolutions gain nothing from it on a CPU."""
        return self.device.type != "cpu" or not ARCHITECTURES[config.architecture].convolutional


class Cohort:
    """K members of one structure, their weights, optimisers, random streams and the step they are at.

    A lone member of a fused cohort is padded with a copy of itself, since a stack of one takes other
    kernels than a stack of several and would round differently; the copy is never reported.
    """

    def __init__(self, runs: Sequence[Run], images: UInt8[Tensor, "n c h w"], placement: Placement) -> None:
        """Start the runs at step 0.

        Args:
            runs: the members; all of one `structure_key`.
            images: the training images, resident on the device.
            placement: device and precision.

        """
        keys = {structure_key(run.config) for run in runs}
        if len(keys) != 1:
            raise ValueError(f"a cohort needs members of one structure, got {len(keys)}")
        self.images = images
        self.placement = placement
        self.step = 0
        self._adopt(tuple(runs))
        pair = ARCHITECTURES[self.config.architecture]
        shape = ImageShape(int(images.shape[1]), int(images.shape[2]))
        with torch.device("meta"):
            generator = pair.generator(self.config, shape)
            discriminator = pair.discriminator(self.config, shape)
        self.generator = self._stack(generator, "init-generator")
        self.discriminator = self._stack(discriminator, "init-discriminator")
        self._split_batches = has_batchnorm(discriminator)
        self._masks = {
            f"{path}.mask": part.shape
            for path, part in discriminator.named_modules()
            if isinstance(part, MaskDropout)
        }
        self._make_optimizers()
        self._first_bad = torch.full((len(CHECKED), len(self._members)), torch.inf, device=placement.device)
        self._fakes = self._real_logits = torch.empty(0)
        self._trace: Trace | None = None

    def _adopt(self, runs: tuple[Run, ...]) -> None:
        self.runs = runs
        self.config = runs[0].config
        fused = self.placement.fused(self.config)
        self._members = runs * 2 if fused and len(runs) == 1 else runs
        self._streams = [Streams(run.seed) for run in self._members]
        configs = [run.config for run in self._members]
        self._losses = MemberLosses([config.loss for config in configs], self.placement.device)
        self._lr_d = self._numbers([config.lr_d for config in configs])
        self._lr_g = self._numbers([config.lr_g for config in configs])
        self._penalty_weight = self._numbers([config.penalty_weight for config in configs])
        clips = [config.weight_clip for config in configs]
        self._clip = self._numbers([c or torch.inf for c in clips]) if any(clips) else None

    def _numbers(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.placement.dtype, device=self.placement.device)

    def _stack(self, template: torch.nn.Module, purpose: Purpose) -> StackedNetwork:
        weights = [
            initial_weights(template, generator=stream(run.seed, purpose), dtype=self.placement.dtype)
            for run in self._members
        ]
        fused = self.placement.fused(self.config)
        return StackedNetwork(template, weights, device=self.placement.device, fused=fused)

    def _make_optimizers(self) -> None:
        configs = [run.config for run in self._members]
        self._adam_g: StackedOptimizer = stacked_adam(
            self.generator.parameters, [AdamSettings(c.lr_g, c.beta1, c.beta2) for c in configs]
        )
        self._adam_d: StackedOptimizer = stacked_adam(
            self.discriminator.parameters, [AdamSettings(c.lr_d, c.beta1, c.beta2) for c in configs]
        )

    # --- training -----------------------------------------------------------------------------------

    def train(self, until: int, record_every: int) -> Iterator[list[Record]]:
        """Train to step `until`, yielding the members' records whenever `record_every` divides the step.

        Between two yields the caller may `select` members or take `state()`.
        """
        while self.step < until:
            due = (self.step + 1) % record_every == 0
            self._trace = self._new_trace() if due else None
            self.update_discriminators()
            self.update_generators()
            self.step += 1
            if due:
                yield self._record()

    def update_discriminators(self) -> None:
        """Take `n_dis` discriminator steps, each on fresh images and noise; the last fakes are kept."""
        for remaining in reversed(range(self.config.n_dis)):
            real = self._real_batch()
            last = remaining == 0
            with torch.set_grad_enabled(last):
                self._fakes = self.generator(self._noise())
            if last and self._trace is not None:
                self._trace.weights_d = _copies(self.discriminator.parameters)
            self._update_discriminator(real, self._fakes.detach())

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> None:
        real_logits, fake_logits = self._real_and_fake_logits(real, fake)
        loss = self._losses.discriminators(real_logits, fake_logits).mean(1)
        penalty = self._penalties(real, fake)
        total = loss if penalty is None else loss + self._penalty_weight * penalty
        grads = torch.autograd.grad(total.sum(), self.discriminator.parameters)
        self._adam_d.step(grads)
        self._clip_weights()
        self._check({"loss_d": loss} if penalty is None else {"penalty": penalty, "loss_d": loss})
        self._real_logits = real_logits.detach()
        if self._trace is not None:
            self._trace.real_logits, self._trace.fake_logits = self._real_logits, fake_logits.detach()
            self._trace.loss_d = loss.detach()
            self._trace.penalty = None if penalty is None else penalty.detach()
            self._trace.grads_d = dict(zip(self.discriminator.leaves, grads, strict=True))

    def update_generators(self) -> None:
        """Take one generator step on the fakes and real logits of the last discriminator step."""
        fakes = self._fakes
        fake_logits = self.discriminator(fakes, self._draw_masks(fakes.shape[1]))
        loss = self._losses.generators(self._real_logits, fake_logits).mean(1)
        fake_grad, logit_grad = torch.autograd.grad(loss.sum(), [fakes, fake_logits])
        grads = torch.autograd.grad(fakes, self.generator.parameters, fake_grad)
        self._adam_g.step(grads)
        self._check({"loss_g": loss})
        if self._trace is not None:
            self._trace.loss_g = loss.detach()
            self._trace.grads_g = dict(zip(self.generator.leaves, grads, strict=True))
            self._trace.fake_grad = fake_grad * fakes.shape[1]
            self._trace.logit_grad = logit_grad * fakes.shape[1]
        self._fakes = self._real_logits = torch.empty(0)

    def _real_batch(self) -> Tensor:
        batch, total = self.config.batch_size, len(self.images)
        rows = torch.stack([streams.indices(batch, total) for streams in self._streams])
        return self._to_unit(self.images[rows.to(self.images.device, non_blocking=True)])

    def _to_unit(self, images: Tensor) -> Tensor:
        return images.to(self.placement.dtype) / 127.5 - 1

    def _noise(self) -> Tensor:
        batch, latent_dim = self.config.batch_size, self.config.latent_dim
        return self._place(torch.stack([streams.z(batch, latent_dim) for streams in self._streams]))

    def _place(self, drawn: Tensor) -> Tensor:
        return drawn.to(self.placement.device, self.placement.dtype, non_blocking=True)

    def _draw_masks(self, rows: int) -> dict[str, Tensor]:
        return {
            name: self._place(
                torch.stack(
                    [
                        streams.mask((rows, *shape), run.config.dropout)
                        for streams, run in zip(self._streams, self._members, strict=True)
                    ]
                )
            )
            for name, shape in self._masks.items()
        }

    def _real_and_fake_logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Real and fake pass together, or apart where batchnorm would mix their statistics."""
        batch = real.shape[1]
        if self._split_batches:
            real_logits = self.discriminator(real, self._draw_masks(batch))
            return real_logits, self.discriminator(fake, self._draw_masks(batch))
        both = self.discriminator(torch.cat([real, fake], 1), self._draw_masks(2 * batch))
        return both[:, :batch], both[:, batch:]

    def _penalties(self, real: Tensor, fake: Tensor) -> Float[Tensor, " members"] | None:
        function = PENALTIES[self.config.penalty]
        if function is None:
            return None
        batch = real.shape[1]
        mix = self._place(torch.stack([streams.mix(batch) for streams in self._streams]))
        masks = self._draw_masks(batch)
        return function(lambda x: self.discriminator(x, masks), real, fake, mix).mean(1)

    def _clip_weights(self) -> None:
        if self._clip is None:
            return
        with torch.no_grad():
            for leaf in self.discriminator.parameters:
                bound = self._clip.reshape(-1, *(1 for _ in leaf.shape[1:]))
                leaf.clamp_(-bound, bound)

    # --- what it says ---------------------------------------------------------------------------------

    def _check(self, losses: Mapping[str, Tensor]) -> None:
        rows = [CHECKED.index(name) for name in losses]
        values = torch.stack([value.detach() for value in losses.values()])
        for row, value in zip(rows, values, strict=True):
            self._first_bad[row] = diagnostics.note_bad(self._first_bad[row], value, self.step + 1)

    def _new_trace(self) -> Trace:
        return Trace(weights_g=_copies(self.generator.parameters))

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

    @torch.no_grad()
    def samples(self, n: int) -> Float[Tensor, "members n c h w"]:
        """Generated images in [-1, 1] from each run's evaluation noise, made in training-sized batches."""
        batch, latent_dim = self.config.batch_size, self.config.latent_dim
        rounded = -(-n // batch) * batch
        noise = torch.stack([evaluation_noise(run.seed, rounded, latent_dim) for run in self._members])
        parts = [self.generator(self._place(part)) for part in torch.split(noise, batch, 1)]
        return torch.cat(parts, 1)[: len(self.runs), :n]

    @torch.no_grad()
    def pictures(self, n: int) -> UInt8[Tensor, "members n h w c"]:
        """The first n images of one training-sized batch of noise that every run shares."""
        noise = picture_noise(self.config.batch_size, self.config.latent_dim)
        images = self.generator(self._place(noise.expand(len(self._members), *noise.shape)))
        shades = ((images[: len(self.runs), :n] + 1) * 127.5).clamp(0, 255).round()
        black_where_unknown = shades.masked_fill(shades.isnan(), 0)  # a byte knows no NaN; the metrics tell
        return black_where_unknown.to(torch.uint8).permute(0, 1, 3, 4, 2)

    @torch.no_grad()
    def logits(self, images: Float[Tensor, "members n c h w"]) -> Float[Tensor, "members n"]:
        """The discriminators' logits without dropout, in training-sized batches.

        The last batch is filled up with the first images: batchnorm would notice a shorter one.
        """
        n, batch = images.shape[1], self.config.batch_size
        copies = len(self._members) // len(self.runs)
        rows = torch.arange(-(-n // batch) * batch, device=images.device) % n
        parts = [
            self.discriminator(torch.cat([images[:, part]] * copies)) for part in torch.split(rows, batch)
        ]
        return torch.cat(parts, 1)[: len(self.runs), :n]

    def real_logits(self, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "members n"]:
        """The discriminators' logits of the same real images for every member."""
        return self.logits(self._to_unit(images).expand(len(self.runs), *images.shape))

    # --- stopping and resuming ------------------------------------------------------------------------

    def select(self, keep: Sequence[int]) -> None:
        """Go on with these members only; what they do then is bit-equal to what they would have done."""
        if not keep:
            raise ValueError("a cohort cannot be empty")
        rows = [*keep, *keep] if self.placement.fused(self.config) and len(keep) == 1 else list(keep)
        state = {name: value if value.dim() == 0 else value[rows] for name, value in self.state().items()}
        self.generator.select(rows)
        self.discriminator.select(rows)
        self._adopt(tuple(self.runs[k] for k in keep))
        self._make_optimizers()
        self.load_state(state)

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on; tensors are `[K, ...]` or scalars, and copies."""
        parts = {
            "generator": self.generator.state(),
            "discriminator": self.discriminator.state(),
            "adam_g": self._adam_g.state(),
            "adam_d": self._adam_d.state(),
        }
        flat = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
        streams = [own.state() for own in self._streams]
        flat |= {f"stream/{name}": torch.stack([own[name] for own in streams]) for name in Streams.LIVE}
        return flat | {"first_bad": self._first_bad.t().clone(), "step": torch.tensor(self.step)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state()` of the same members."""
        targets: dict[str, StackedNetwork | StackedOptimizer] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "adam_g": self._adam_g,
            "adam_d": self._adam_d,
        }
        for part, target in targets.items():
            prefix = f"{part}/"
            target.load_state({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        for k, own in enumerate(self._streams):
            own.load_state({name: state[f"stream/{name}"][k] for name in Streams.LIVE})
        self._first_bad = state["first_bad"].t().clone().to(self.placement.device)
        self.step = int(state["step"])


def _copies(leaves: Sequence[Tensor]) -> list[Tensor]:
    return [leaf.detach().clone() for leaf in leaves]
