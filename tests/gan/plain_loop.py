"""One GAN trained the way a textbook writes it: plain modules, torch's own optimisers, one model, same draws.

Its formulas are written out here a second time, on purpose, so that the engine has something to be compared
with. Only the random streams and the initial weights are the engine's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from stability.gan.data.datasets import training_subset
from stability.gan.networks import ImageShape, find_pair, initial_weights
from stability.gan.training.streams import Streams, stream
from stability.spec.config import Run


class PlainLoop:
    """`train(steps)`, then look at `g`, `d` and `average`."""

    def __init__(self, run: Run, images: Tensor, labels: Tensor | None = None) -> None:
        self.config = config = run.config
        pair = find_pair(config.architecture)
        self.labels = labels if pair.conditional else None
        self.classes = int(labels.max()) + 1 if pair.conditional else 0
        shape = ImageShape(images.shape[1], images.shape[3], self.classes)
        seen = shape._replace(channels=(images.shape[1] + self.classes) * config.packing)
        self.g, self.d = pair.generator(config, shape).double(), pair.discriminator(config, seen).double()
        own = {"init": config.init}
        load(self.g, initial_weights(self.g, generator=stream(run.seed, "init-generator"), **own))
        load(self.d, initial_weights(self.d, generator=stream(run.seed, "init-discriminator"), **own))
        self.average = {name: p.detach().clone() for name, p in self.g.named_parameters()}
        self.has_switches = pair.switches
        self.opt_g = optimizer(config, "g", self.g, config.generator.lr)
        self.opt_d = optimizer(config, "d", self.d, config.discriminator.lr)
        self.streams = Streams(run.seed)
        self.images = images.double() / 127.5 - 1 if images.dtype == torch.uint8 else images.double()
        self.subset = training_subset(len(images), config.train_size) if config.train_size else None
        self.singular = self.first_singular_vectors(run.seed) if config.spectral_norm else {}
        self.skipped = 0
        self.left = {"noise": 1.0, "smoothing": 1.0}
        self.kept: list[Tensor] = []

    def train(self, steps: int) -> None:
        for step in range(steps):
            self.follow_schedules(step)
            for _ in range(self.config.n_dis):
                self.discriminator_step()
            for update in range(self.config.n_gen):
                if update > 0:
                    self.fake = self.generate()
                self.generator_step()

    def follow_schedules(self, step: int) -> None:
        config = self.config
        sides = [(self.opt_g, config.generator.lr, "g"), (self.opt_d, config.discriminator.lr, "d")]
        share = step / config.decay_steps if config.decay_steps else 0.0
        factors = {
            "constant": 1.0,
            "linear": max(1 - share, 0),
            "cosine": 0.5 + 0.5 * math.cos(math.pi * min(share, 1)),
            "step": config.lr_decay ** int(share),
        }
        warm = (step + 1) / config.warmup_steps if step < config.warmup_steps else 1.0
        for optimizer, lr, side in sides:
            kind = getattr(config, f"lr_schedule_{side}") or config.lr_schedule
            optimizer.param_groups[0]["lr"] = lr * warm * factors[kind]
        faded = {"noise": config.instance_noise_steps, "smoothing": config.label_smoothing_steps}
        self.left = {name: max(1 - step / n, 0) if n else 1.0 for name, n in faded.items()}

    def discriminator_step(self) -> None:
        config = self.config
        self.draw_real()
        self.fake = self.generate()
        real, fake = self.seen(self.real, real=True), self.seen(self.replayed(self.fake.detach()))
        self.iterate_singular_vectors(1)
        real_logits, fake_logits = self.both(real, fake)
        loss = self.labelled_loss(real_logits, fake_logits)
        loss = loss + config.penalty_weight * self.penalty(real, fake)
        self.opt_d.zero_grad()
        loss.backward()
        if config.accuracy_bar and accuracy(config.loss, real_logits, fake_logits) > config.accuracy_bar:
            self.skipped += 1
            return
        self.opt_d.step()
        if config.weight_clip:
            for parameter in self.d.parameters():
                parameter.data.clamp_(-config.weight_clip, config.weight_clip)

    def generator_step(self) -> None:
        config = self.config
        fake = self.seen(self.fake)
        if config.loss == "relativistic":
            real_logits, fake_logits = self.both(self.seen(self.real, real=True), fake)
        else:
            self.draw_masks(len(fake))
            real_logits, fake_logits = None, self.judge(fake)
        self.opt_g.zero_grad()
        self.generator_loss(real_logits, fake_logits).backward()
        self.opt_g.step()
        for name, parameter in self.g.named_parameters():
            decay = config.ema_decay
            self.average[name] = decay * self.average[name] + (1 - decay) * parameter.detach()

    # --- images -----------------------------------------------------------------------------------------

    def draw_real(self) -> None:
        n, total = self.config.batch_size * self.config.packing, self.config.train_size or len(self.images)
        rows = self.streams.indices(n, total)
        rows = rows if self.subset is None else self.subset[rows]
        self.real, self.asked = self.images[rows], None if self.labels is None else self.labels[rows]
        if self.has_switches:
            with torch.no_grad():
                found = self.d.switches(self.scaled(self.real, real=True))
            repeated = {k: v.repeat_interleave(self.config.packing, 0) for k, v in found.items()}
            self.switches = repeated

    def generate(self) -> Tensor:
        config = self.config
        z = self.streams.z(config.batch_size * config.packing, config.latent_dim, config.latent).double()
        if self.asked is not None:
            z = torch.cat([z, torch.eye(self.classes, dtype=z.dtype)[self.asked]], 1)
        for module in self.g.modules():
            if hasattr(module, "mask"):
                mask = self.streams.mask((len(z), *module.shape), config.dropout_g, "dropout-generator")
                module.mask = mask.double()
        return functional_call(self.g, self.switches, (z,)) if self.has_switches else self.g(z)

    def replayed(self, fakes: Tensor) -> Tensor:
        """Some fakes left in the store, what was in their place shown instead."""
        config, n = self.config, len(fakes)
        if not config.replay:
            return fakes
        if len(self.kept) < config.replay_batches:
            self.kept.append(fakes.clone())
            return fakes
        places = self.streams.indices(n, config.replay_batches, "replay").tolist()
        chances, shown = self.streams.uniform((n,), "replay").tolist(), fakes.clone()
        for row in range(n):
            if chances[row] < config.replay:
                shown[row] = self.kept[places[row]][row]
                self.kept[places[row]][row] = fakes[row]
        return shown

    def scaled(self, images: Tensor, real: bool = False) -> Tensor:
        """In the discriminator's range, `packing` neighbours joined as channels."""
        name = (
            self.config.input_range_real if real and self.config.input_range_real else self.config.input_range
        )
        factor, shift = {"symmetric": (1, 0), "unit": (0.5, 0.5), "bytes": (127.5, 127.5)}[name]
        scaled, packing = images * factor + shift, self.config.packing
        return torch.stack([torch.cat(list(scaled[i : i + packing])) for i in range(0, len(images), packing)])

    def seen(self, images: Tensor, real: bool = False) -> Tensor:
        scaled = self.scaled(images, real)
        if self.config.instance_noise:
            std = self.config.instance_noise * self.left["noise"]
            return scaled + std * self.streams.noise(scaled.shape).double()
        return scaled

    # --- labels ------------------------------------------------------------------------------------------

    def labelled_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        config, n = self.config, len(real)
        targets = torch.ones(2, n).double()
        targets[0] -= config.label_smoothing * self.left["smoothing"]
        targets[1] = config.label_smoothing_fake * self.left["smoothing"]
        if config.label_noise:
            targets += config.label_noise * (2 * self.streams.uniform((2, n), "label-noise").double() - 1)
        if config.label_flip:
            trades = self.streams.uniform((n,), "label-flip") < config.label_flip
            real, fake = torch.where(trades, fake, real), torch.where(trades, real, fake)
        if config.loss.startswith("alpha"):
            return alpha_loss(torch.sigmoid(real), config.alpha_d) + alpha_loss(
                1 - torch.sigmoid(fake), config.alpha_d
            )
        return discriminator_loss(config.loss, real, fake, *targets)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if self.config.loss == "alpha":
            return alpha_loss(torch.sigmoid(fake), self.config.alpha_g)
        if self.config.loss == "alpha-minimax":
            return -alpha_loss(1 - torch.sigmoid(fake), self.config.alpha_g)
        return generator_loss(self.config.loss, real, fake)

    # --- the discriminator ------------------------------------------------------------------------------

    def judge(self, inputs: Tensor) -> Tensor:
        if self.asked is not None:
            packing, repeats = self.config.packing, len(inputs) * self.config.packing // len(self.asked)
            codes = torch.eye(self.classes, dtype=inputs.dtype)[self.asked].repeat(repeats, 1)
            codes = codes.reshape(len(inputs), packing * self.classes, 1, 1)
            inputs = torch.cat([inputs, codes.expand(-1, -1, *inputs.shape[2:])], 1)
        return functional_call(self.d, self.normalised(), (inputs,))

    def both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        has_batchnorm = self.config.batchnorm in ("discriminator", "both")
        has_batchnorm = self.config.norm_d == "batch" or (self.config.norm_d is None and has_batchnorm)
        if has_batchnorm or self.config.minibatch_std:
            self.draw_masks(len(real))
            real_logits = self.judge(real)
            self.draw_masks(len(real))
            return real_logits, self.judge(fake)
        self.draw_masks(2 * len(real))
        return tuple(self.judge(torch.cat([real, fake])).chunk(2))

    def draw_masks(self, rows: int) -> None:
        for module in self.d.modules():
            if hasattr(module, "mask"):
                module.mask = self.streams.mask((rows, *module.shape), self.config.dropout).double()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        kind, n = self.config.penalty, len(real)
        if kind == "none":
            return torch.zeros((), dtype=torch.float64)
        if kind in ("gradient-penalty", "zero-centred-gradient-penalty"):
            mix = self.streams.uniform((n,)).double().reshape(n, *(1 for _ in real.shape[1:]))
            points = [mix * real + (1 - mix) * fake]
        elif kind == "dragan":
            points = [real + 0.5 * real.std() * self.streams.uniform(real.shape).double()]
        else:
            points = {"r1": [real], "r2": [fake], "r1-r2": [real, fake]}[kind]
        self.draw_masks(n)
        norms = [self.slopes(x).flatten(1).norm(dim=1) for x in points]
        if kind in ("gradient-penalty", "dragan"):
            return (norms[0] - 1).pow(2).mean()
        if kind == "zero-centred-gradient-penalty":
            return norms[0].pow(2).mean()
        return sum(norm.pow(2).mean() / 2 for norm in norms)

    def slopes(self, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.judge(x).sum(), x, create_graph=True)
        return slope

    # --- spectral norm ------------------------------------------------------------------------------------

    def matrices(self) -> dict[str, Tensor]:
        """Weights as `[in, out]`, kernels as `[out, in * height * width]`: u is as long as the rows."""
        return {
            name: w.t() if w.dim() == 2 else w.flatten(1)
            for name, w in self.d.named_parameters()
            if w.dim() > 1
        }

    def first_singular_vectors(self, seed: int) -> dict[str, Tensor]:
        generator = stream(seed, "spectral-norm")
        self.singular = {
            name: torch.randn(w.shape[0], generator=generator).double() for name, w in self.matrices().items()
        }
        self.iterate_singular_vectors(15)
        return self.singular

    def iterate_singular_vectors(self, times: int) -> None:
        for name, w in self.matrices().items() if self.config.spectral_norm else ():
            for _ in range(times):
                v = nn.functional.normalize(w.detach().t() @ self.singular[name], dim=0)
                self.singular[name] = nn.functional.normalize(w.detach() @ v, dim=0)

    def normalised(self) -> dict[str, Tensor]:
        weights = dict(self.d.named_parameters())
        for name, w in self.matrices().items() if self.config.spectral_norm else ():
            u = self.singular[name]
            v = nn.functional.normalize(w.detach().t() @ u, dim=0)
            weights[name] = weights[name] / (u @ w @ v)
        return weights


def load(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """The weights alone: buffers are filled by the loop."""
    module.load_state_dict(weights, strict=False)


class OptimisticAdam(torch.optim.Adam):
    """Adam's step, its step again, and the last one back: the weights at t - 1 are where its moments are."""

    def step(self) -> None:
        for group in self.param_groups:
            before = [parameter.detach().clone() for parameter in group["params"]]
            super().step()
            for parameter, old in zip(group["params"], before, strict=True):
                moved = parameter.detach() - old
                parameter.data += moved - self.state[parameter].get("moved", 0)
                self.state[parameter]["moved"] = moved


def optimizer(config: object, side: str, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    def own(name: str) -> object:
        value = getattr(config, f"{name}_{side}")
        return getattr(config, name) if value is None else value

    adams = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "optimistic-adam": OptimisticAdam}
    parameters, kind = list(network.parameters()), own("optimizer")
    settings = {"lr": lr, "weight_decay": own("weight_decay")}
    if kind in adams:
        return adams[kind](parameters, betas=(own("beta1"), own("beta2")), **settings)
    plain = {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}
    return plain[kind](parameters, momentum=own("momentum"), **settings)


def accuracy(loss: str, real: Tensor, fake: Tensor) -> float:
    if loss in ("wasserstein", "relativistic"):
        return (real > fake).double().mean().item()
    middle = {"least-squares": 0.5, "f-kl": 1.0}.get(loss, 0.0)
    return ((real > middle).double().mean() + (fake < middle).double().mean()).item() / 2


def discriminator_loss(name: str, real: Tensor, fake: Tensor, target: Tensor, fake_target: Tensor) -> Tensor:
    """The textbook's formulas, written with probabilities where it writes probabilities."""
    bce = nn.functional.binary_cross_entropy_with_logits
    if name in ("minimax", "non-saturating"):
        return bce(real, target) + bce(fake, fake_target)
    if name.startswith("f-"):
        of_real, of_fake = f_divergence(name, real, fake)
        return of_fake - of_real
    return {
        "least-squares": ((real - target) ** 2).mean() / 2 + ((fake - fake_target) ** 2).mean() / 2,
        "hinge": torch.relu(1 - real).mean() + torch.relu(1 + fake).mean(),
        "wasserstein": fake.mean() - real.mean(),
        "relativistic": -torch.log(torch.sigmoid(real - fake)).mean(),
    }[name]


def alpha_loss(probability: Tensor, alpha: float) -> Tensor:
    """alpha / (alpha - 1) (1 - p^((alpha - 1) / alpha)), -log p at alpha = 1."""
    if alpha == 1:
        return -torch.log(probability).mean()
    return alpha / (alpha - 1) * (1 - probability ** ((alpha - 1) / alpha)).mean()


def f_divergence(name: str, real: Tensor | None, fake: Tensor) -> tuple[Tensor, Tensor]:
    """E g(r) and E f*(g(f)), with g and f* as Nowozin's table 2 has them."""
    g, conjugate = {
        "f-kl": (lambda v: v, lambda t: torch.exp(t - 1)),
        "f-reverse-kl": (lambda v: -torch.exp(-v), lambda t: -1 - torch.log(-t)),
        "f-pearson": (lambda v: v, lambda t: t**2 / 4 + t),
        "f-hellinger": (lambda v: 1 - torch.exp(-v), lambda t: t / (1 - t)),
        "f-jensen-shannon": (
            lambda v: math.log(2) - torch.log(1 + torch.exp(-v)),
            lambda t: -torch.log(2 - torch.exp(t)),
        ),
    }[name]
    return torch.zeros(()) if real is None else g(real).mean(), conjugate(g(fake)).mean()


def generator_loss(name: str, real: Tensor | None, fake: Tensor) -> Tensor:
    if name == "relativistic":
        return -torch.log(torch.sigmoid(fake - real)).mean()
    if name.startswith("f-"):
        return -f_divergence(name, None, fake)[1]
    return {
        "minimax": torch.log1p(-torch.sigmoid(fake)).mean(),
        "non-saturating": -torch.log(torch.sigmoid(fake)).mean(),
        "least-squares": ((fake - 1) ** 2).mean() / 2,
        "hinge": -fake.mean(),
        "wasserstein": -fake.mean(),
    }[name]
