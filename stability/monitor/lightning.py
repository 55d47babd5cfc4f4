"""`MonitorCallback`: a `LightningModule` that trains a GAN under `Monitor`. Needs the extra `lightning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import Tensor

from stability.monitor.monitor import Monitor

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback


class MonitorCallback(Callback):  # type: ignore[misc]  # an extra
    """Watches what a trainer fits; every batch is a step.

    ```python
    draw = lambda gan, n: gan(torch.randn(n, 100, device=gan.device))
    Trainer(callbacks=[MonitorCallback("results/my-gan", sample=draw, real=train_images)]).fit(gan, loader)
    ```
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        sample: Callable[[Any, int], Tensor] | None = None,
        networks: tuple[str, str] = ("generator", "discriminator"),
        names: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Prepare; the monitor enters the folder when training begins.

        Args:
            folder: as `Monitor`'s.
            sample: `sample(module, n)` gives n generated examples.
            networks: the module's attributes that are its generator and its discriminator, dots allowed.
            names: what the module calls `loss_d`, `loss_g`, `penalty`, `real_logits` and `fake_logits`, as in
                `{"loss_d": "d_loss"}`: each is looked for in what `training_step` returns, if that is a
                dictionary, then in what it logs, then among the module's attributes.
            options: `Monitor`'s other ones; `config` is by default the module's `hparams`.

        """
        super().__init__()
        self._folder, self._sample, self._networks, self._options = folder, sample, networks, options
        self._names = {name: name for name in ("loss_d", "loss_g", "penalty", "real_logits", "fake_logits")}
        self._names |= names or {}
        self._entered = ExitStack()
        self.monitor: Monitor | None = None
        """Of the training that runs, or ran last; None before the first."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Enter the folder, once weights are on their device and other processes are known."""
        sample = self._sample
        generator, discriminator = map(pl_module.get_submodule, self._networks)
        options: dict[str, Any] = {"config": dict(pl_module.hparams), **self._options}
        monitor = Monitor(
            self._folder,
            generator=generator,
            discriminator=discriminator,
            sample=None if sample is None else lambda n: sample(pl_module, n),
            **options,
        )
        self.monitor = self._entered.enter_context(monitor)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell the step; stop where `stop_on` says so."""
        assert self.monitor is not None
        returned = outputs if isinstance(outputs, Mapping) else {}
        logged = trainer.callback_metrics
        told = {
            name: returned.get(own, logged.get(own, getattr(pl_module, own, None)))
            for name, own in self._names.items()
        }
        self.monitor.step(**told)
        if self._options.get("stop_on"):  # rank 0 alone knows, and all have to stop
            trainer.should_stop |= trainer.strategy.reduce_boolean_decision(
                self.monitor.should_stop, all=False
            )

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the run."""
        self._entered.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Keep the run as it is, if one was under way."""
        self._entered.__exit__(type(exception), exception, exception.__traceback__)
