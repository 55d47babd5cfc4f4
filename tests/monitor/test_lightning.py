"""With the library itself, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, TensorDataset

import stability
from stability.monitor.monitor import Monitor
from stability.records import Outcome
from stability.store import Store

lightning = pytest.importorskip("lightning.pytorch")
pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:lightning.fabric.utilities.rank_zero.LightningDeprecationWarning"),
]
BATCHES, EVERY = 12, 2
REAL = torch.tanh(torch.randn(192, 64, generator=torch.Generator().manual_seed(0)))


class Gan(lightning.LightningModule):  # type: ignore[misc,name-defined]
    """As Lightning's own documentation has it: manual optimisation, two optimisers, losses logged by name."""

    def __init__(self, seed: int = 0, lr: float = 1e-3, latent_dim: int = 4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        torch.manual_seed(seed)
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 64))
        self.critic = nn.ModuleDict({"net": nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 1))})
        self.closures = False

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.generator(z))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        (real,), (opt_g, opt_d), judge = batch, self.optimizers(), self.critic["net"]
        fake = self(torch.randn(len(real), 4))
        logits = {"d_real": judge(real), "d_fake": judge(fake.detach())}
        loss_d = softplus(-logits["d_real"]).mean() + softplus(logits["d_fake"]).mean()
        self.update(opt_d, lambda: loss_d)
        self.log("d_loss", loss_d)
        loss_g = softplus(-judge(fake)).mean()
        self.update(opt_g, lambda: loss_g)
        self.log("g_loss", loss_g, on_step=True, on_epoch=True)
        return logits

    def update(self, optimizer: Any, loss: Any) -> None:
        def backward() -> None:
            optimizer.zero_grad()
            self.manual_backward(loss(), retain_graph=True)

        if self.closures:
            optimizer.step(backward)
        else:
            backward()
            optimizer.step()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam(network.parameters(), self.hparams.lr)
            for network in (self.generator, self.critic)
        ]


def callback(folder: Path, **options: Any) -> Any:
    from stability.monitor.lightning import MonitorCallback

    given = {
        "sample": lambda gan, n: gan(torch.randn(n, 4)),
        "networks": ("generator", "critic.net"),
        "names": {"loss_d": "d_loss", "loss_g": "g_loss", "real_logits": "d_real", "fake_logits": "d_fake"},
        "real": REAL,
    }
    return MonitorCallback(folder, **given | {"every": EVERY, "evaluate_every": 6, "samples": 16} | options)


def fit(gan: Gan, *callbacks: Any, epochs: int = 1) -> Any:
    torch.manual_seed(1)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        callbacks=list(callbacks),
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(gan, DataLoader(TensorDataset(REAL), batch_size=16, shuffle=True))
    return trainer


def told_by_hand(folder: Path) -> Monitor:
    """The same training in a plain loop."""
    gan = Gan()
    torch.manual_seed(1)
    loader = DataLoader(TensorDataset(REAL), batch_size=16, shuffle=True)
    optimizers = gan.configure_optimizers()
    gan.optimizers = lambda: optimizers
    gan.manual_backward = lambda loss, **kept: loss.backward(**kept)
    logged: dict[str, Any] = {}
    gan.log = lambda name, value, **how: logged.update({name: value})
    judge = gan.critic["net"]
    options = {"real": REAL, "sample": lambda n: gan(torch.randn(n, 4)), "every": EVERY, "samples": 16}
    with Monitor(
        folder, generator=gan.generator, discriminator=judge, evaluate_every=6, **options
    ) as monitor:
        for index, batch in enumerate(loader):
            told = gan.training_step(batch, index)
            logits = {"real_logits": told["d_real"], "fake_logits": told["d_fake"]}
            monitor.step(loss_d=logged["d_loss"], loss_g=logged["g_loss"], **logits)
    return monitor


@pytest.mark.parametrize("closures", [False, True])
def test_what_is_recorded_is_what_a_plain_loop_tells(tmp_path: Path, closures: bool) -> None:
    gan, watch = Gan(), callback(tmp_path / "r", run="it")
    gan.closures = closures
    fit(gan, watch)
    monitor, plain = watch.monitor, told_by_hand(tmp_path / "plain")
    assert [record.step for record in monitor.records] == list(range(EVERY, BATCHES + 1, EVERY))
    for found, expected in zip(monitor.records, plain.records, strict=True):
        for name in ("loss_d", "loss_g", "separation", "grad_norm_g", "grad_norm_d", "generator_update"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-5), name
        assert (found.signal or 0) > 0
    assert [visit.fid_excess for visit in monitor.evaluations] == pytest.approx(
        [visit.fid_excess for visit in plain.evaluations], rel=1e-4
    )
    runs = stability.load(tmp_path / "r").runs
    assert list(runs["run"]) == ["it"]
    assert list(runs["lr"]) == [1e-3], "of the module's own settings"
    assert list(runs["seed"]) == [0]


def test_a_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    alone, watched = Gan(), Gan()
    fit(alone)
    fit(watched, callback(tmp_path / "r", real=DataLoader(TensorDataset(REAL), batch_size=16, shuffle=True)))
    same = watched.state_dict()
    for name, value in alone.state_dict().items():
        assert torch.equal(value, same[name]), name


def test_it_stops_the_trainer_where_that_is_asked_for(tmp_path: Path) -> None:
    watch = callback(tmp_path / "r", stop_on=["diverged"], names={"loss_d": "missing", "loss_g": "ends"})
    gan = Gan()
    gan.ends = torch.tensor(torch.inf)
    trainer = fit(gan, watch, epochs=50)
    assert watch.monitor.result.outcome is Outcome.DIVERGED
    assert trainer.global_step < 2 * 50 * BATCHES


def test_what_ends_a_training_is_told_and_another_one_is_another_run(tmp_path: Path) -> None:
    class Cut(lightning.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, *told: Any) -> None:
            raise KeyError("out of patience")

    watch = callback(tmp_path / "r", run="it")
    with pytest.raises(KeyError):
        fit(Gan(), watch, Cut())
    trainer = fit(Gan(1), watch)
    with pytest.raises(Exception, match="test_step"):
        trainer.test(Gan(), [0], verbose=False)
    observed = Store.open(tmp_path / "r").environment["observed"]
    assert {name: about["state"] for name, about in observed.items()} == {
        "it": "ended by KeyError",
        "it-2": "ended",
    }


@pytest.mark.slow
def test_the_docs_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitor.md").read_text()
    (code,) = [
        block.removeprefix("python\n") for block in page.split("```") if "MonitorCallback" in block[:200]
    ]
    gan = Gan()
    gan.discriminator = gan.critic["net"]
    loader = DataLoader(TensorDataset(REAL), batch_size=16)
    monkeypatch.chdir(tmp_path)
    exec(code, {"gan": gan, "loader": loader, "train_images": REAL, "torch": torch})
    frames = stability.load("results/my-gan")
    assert frames.records["loss_d"].notna().all()
    assert frames.evaluations["separation"].notna().all()
