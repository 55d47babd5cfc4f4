from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stability
from stability.errors import StabilityError
from stability.monitor.monitor import Monitor
from stability.records import Divergence, Event, EventKind, Outcome
from stability.report.write import write
from stability.runner.repair import check_study
from stability.store import Store, read_filmstrip
from stability.store.progress import study_status

STEPS, EVERY, VISIT = 24, 2, 6


class Loop:
    """A small GAN for 8x8 images as anybody may have written it: batchnorm, dropout, global random states."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.g = nn.Sequential(
            nn.Linear(4, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Linear(16, 64),
            nn.Tanh(),
            nn.Unflatten(1, (1, 8, 8)),
        )
        self.d = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 1)
        )
        self.og, self.od = (torch.optim.Adam(network.parameters(), 1e-3) for network in (self.g, self.d))
        self.real = torch.tanh(torch.randn(200, 1, 8, 8))

    def sample(self, n: int) -> Tensor:
        self.g.eval()
        return self.g(torch.randn(n, 4))

    def step(self) -> dict[str, Tensor]:
        real = self.real[torch.randint(200, (16,))]
        fake = self.g(torch.randn(16, 4))
        d_real, d_fake = self.d(real), self.d(fake.detach())
        loss_d = F.softplus(-d_real).mean() + F.softplus(d_fake).mean()
        self.od.zero_grad()
        loss_d.backward()
        self.od.step()
        self.og.zero_grad()
        loss_g = F.softplus(-self.d(fake)).mean()
        loss_g.backward()
        self.og.step()
        return {"loss_d": loss_d, "loss_g": loss_g, "real_logits": d_real, "fake_logits": d_fake}

    def options(self, **more: Any) -> dict[str, Any]:
        given = {"generator": self.g, "discriminator": self.d, "real": self.real, "sample": self.sample}
        return given | {"every": EVERY, "evaluate_every": VISIT, "samples": 16} | more

    def train(self, folder: Path, steps: int = STEPS, **options: Any) -> Monitor:
        with Monitor(folder, **self.options(**options)) as monitor:
            for _ in range(steps):
                monitor.step(**self.step())
        return monitor


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, two of them seeds of one setting."""
    folder = tmp_path_factory.mktemp("observed") / "my-gan"
    for seed, lr in ((0, 1e-3), (1, 1e-3), (0, 1e-2)):
        Loop(seed).train(folder, run=f"lr{lr}-s{seed}", config={"lr_d": lr, "net": "tiny", "seed": seed})
    return folder


def test_the_folder_reads_as_any_study_does(study: Path) -> None:
    frames = stability.load(study)
    assert list(frames.runs["run"]) == ["lr0.001-s0", "lr0.001-s1", "lr0.01-s0"]
    assert list(frames.runs["point"]) == [0, 0, 1]
    assert list(frames.runs["replicate"]) == [0, 1, 0]
    assert list(frames.runs["seed"]) == [0, 1, 0]
    assert list(frames.runs["lr_d"]) == [1e-3, 1e-3, 1e-2]
    assert set(frames.runs["net"]) == {"tiny"}
    assert frames.runs["batch_size"].isna().all(), "nobody said how large batches were"
    assert sorted(set(frames.records["step"])) == list(range(EVERY, STEPS + 1, EVERY))
    assert sorted(set(frames.evaluations["step"])) == list(range(VISIT, STEPS + 1, VISIT))
    assert set(frames.evaluations["features"]) == {"components"}
    assert frames.evaluations["separation"].between(0, 1).all()
    told = ("separation", "grad_norm_d", "grad_norm_g", "generator_update", "discriminator_update", "signal")
    assert (frames.records[list(told)] > 0).all().all()


def test_its_files_are_whole_and_its_state_is_told(study: Path) -> None:
    assert check_study(study).faults == ()
    state = study_status(study)
    assert (state["complete"], state["runs_finished"], state["under_way"]) == (True, 3, [])
    strip = read_filmstrip(Store.open(study).picture("lr0.01-s0"))
    assert strip.steps == (6, 12, 18, 24)
    assert strip.images.shape == (4, 16, 8, 8, 1)


def test_the_page_counts_and_estimates_nothing_undeclared(study: Path, tmp_path: Path) -> None:
    page = write([study], "html", tmp_path / "page.html").read_text()
    assert "Of 3 observed runs" in page
    assert "observed runs: counts, no rates" in page
    assert "stability show" in page
    assert "stability replay" not in page
    assert "nobody said how the settings of these runs were chosen" in page
    found = json.loads(write([study], "json", tmp_path / "page.json").read_text())
    assert not [name for name in found if name.startswith("rates")]


def test_rates_are_told_where_it_is_said_how_settings_were_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    for seed in range(3):
        Loop(seed).train(folder, 6, config={"lr": 1e-3 * (1 + seed)}, drawn="random")
    page = write([folder], "html", tmp_path / "page.html").read_text()
    assert "random, as the runs&#39; owner says" in page
    assert "counts, no rates" not in page


def test_a_run_is_the_same_with_and_without(tmp_path: Path) -> None:
    """Weights, buffers and the random state: neither hooks nor visits leave anything behind."""
    alone, watched = Loop(3), Loop(3)
    torch.manual_seed(5)
    for _ in range(STEPS):
        alone.step()
    state = torch.get_rng_state()
    torch.manual_seed(5)
    watched.train(tmp_path / "r")
    for network, other in ((alone.g, watched.g), (alone.d, watched.d)):
        same = other.state_dict()
        for name, value in network.state_dict().items():
            assert torch.equal(value, same[name]), name
    assert torch.equal(torch.get_rng_state(), state)
    assert watched.g.training


def test_what_is_missing_is_named_once_and_the_rest_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Monitor(tmp_path / "r", run="bare", every=1) as monitor:
        for step in range(5):
            monitor.step(loss_g=0.5 + step)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(said) == sorted(set(said))
    assert len([words for words in said if "loss_d" in words]) == 1
    assert any("give sample and real" in words for words in said)
    runs = stability.load(tmp_path / "r")
    assert list(runs.records["loss_g"]) == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert runs.records["loss_d"].isna().all()
    assert runs.evaluations.empty
    about = Store.open(tmp_path / "r").environment["observed"]["bare"]
    assert about["state"] == "ended"
    assert "no loss_d: no loss_d was given" in about["missing"]
    assert write([tmp_path / "r"], "html", tmp_path / "page.html").is_file()


def test_metrics_of_ones_own_are_kept_and_those_that_fail_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def brightness(images: Tensor, real: Tensor) -> Tensor:
        return images.mean() + 0 * torch.rand(1)

    alone = Loop().train(tmp_path / "alone")
    metrics = {"brightness": brightness, "broken": lambda images: 1.0}
    Loop().train(tmp_path / "r", metrics=metrics, config={"own_size": 3})
    frames = stability.load(tmp_path / "r")
    assert frames.evaluations["own_brightness"].between(-1, 1).all()
    assert frames.evaluations["own_broken"].isna().all()
    assert list(frames.evaluations["fid_ratio"]) == [one.fid_ratio for one in alone.evaluations]
    assert list(frames.runs["config.own_size"]) == [3], "a setting is not taken for a metric"
    said = [record.getMessage() for record in caplog.records]
    assert len([words for words in said if "no broken: TypeError" in words]) == 1


def test_nothing_that_fails_ends_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(n: int) -> Tensor:
        raise RuntimeError("out of everything")

    loop = Loop()
    monitor = loop.train(tmp_path / "r", sample=broken, on_event=broken)
    assert len(monitor.records) == STEPS // EVERY
    said = [record.getMessage() for record in caplog.records]
    assert sum("could not visit" in words and "out of everything" in words for words in said) == 1


def test_nor_does_a_folder_that_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loop, folder = Loop(), tmp_path / "r"
    with Monitor(folder, **loop.options()) as monitor:
        for step in range(STEPS):
            if step == 3:
                (folder / "plan.json").unlink()
            monitor.step(**loop.step())
    assert any("could not write the results" in record.getMessage() for record in caplog.records)
    assert len(monitor.records) == STEPS // EVERY


def test_nor_samples_of_another_shape_nor_a_discriminator_of_two_inputs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop()
    loop.train(tmp_path / "a", sample=lambda n: torch.zeros(n, 1, 9, 9))
    monitor = Loop().train(tmp_path / "b", discriminator=nn.Bilinear(8, 8, 1))
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "sample(n) gives examples of (1, 9, 9), real examples are (1, 8, 8)" in said
    assert "no separation at visits: the discriminator cannot be asked" in said
    assert len(monitor.result.events) >= 0
    assert len(stability.load(tmp_path / "b").evaluations) == STEPS // VISIT


def test_nor_a_label_that_cannot_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise ValueError("no such rule")

    monkeypatch.setattr("stability.monitor.monitor.label", broken)
    assert len(Loop().train(tmp_path / "r").records) == STEPS // EVERY
    assert any("could not tell the outcome" in record.getMessage() for record in caplog.records)


def test_what_ends_the_loop_goes_on_its_way_and_is_kept(tmp_path: Path) -> None:
    loop = Loop()

    def pruned() -> None:
        with Monitor(tmp_path / "r", run="cut", **loop.options()) as monitor:
            for _ in range(9):
                monitor.step(**loop.step())
            raise KeyError("a trial is pruned")

    with pytest.raises(KeyError):
        pruned()
    store = Store.open(tmp_path / "r")
    assert store.environment["observed"]["cut"]["state"] == "ended by KeyError"
    assert store.read_results("cut")[0].step == 9


def test_a_divergence_is_told_at_once_and_stops_if_asked(tmp_path: Path) -> None:
    loop, heard = Loop(), []
    with Monitor(tmp_path / "r", stop_on=["diverged"], on_event=heard.append, **loop.options()) as monitor:
        for step in range(1, STEPS + 1):
            told = loop.step()
            monitor.step(**(told | {"loss_g": torch.tensor(torch.nan)} if step == 5 else told))
            if monitor.should_stop:
                break
    assert step == 6, "the next step that is recorded"
    assert heard == [Divergence(5, "loss_g")] == monitor.alarms
    assert monitor.result.outcome is Outcome.DIVERGED


def test_one_image_for_every_z_is_told_at_the_third_visit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop, heard = Loop(), []
    image = torch.tanh(torch.randn(1, 1, 8, 8))
    with Monitor(
        tmp_path / "r", on_event=heard.append, **loop.options(sample=lambda n: image.expand(n, -1, -1, -1))
    ) as monitor:
        for step in range(1, STEPS + 1):
            monitor.step(**loop.step())
            if step == 3 * VISIT - 1:
                assert heard == []
            if step == 3 * VISIT:
                assert EventKind.COLLAPSE in {event.kind for event in heard if isinstance(event, Event)}
    assert monitor.result.outcome is Outcome.COLLAPSED
    assert any(
        record.levelno == logging.WARNING and "collapse" in record.message for record in caplog.records
    )


def test_runs_that_share_a_name_get_numbers(tmp_path: Path) -> None:
    names = [Loop(seed).train(tmp_path / "r", 2, run="twice").run for seed in range(3)]
    assert names == ["twice", "twice-2", "twice-3"]


def test_other_ranks_leave_everything_to_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stability.monitor.monitor._rank", lambda: 1)
    Loop().train(tmp_path / "r", 6)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "every"),
        ({"samples": 3}, "samples"),
        ({"drawn": "lots"}, "drawn: 'lots'; allowed: random, sobol, grid, tpe"),
        ({"stop_on": ["late"]}, "stop_on: 'late'"),
        ({"outcomes": {"persists": 3}}, "outcomes.persists"),
        ({"steps": 0}, "steps: 0"),
        ({"metrics": {"two words": len}}, "metrics: 'two words'"),
        ({"metrics": {"number": 3}}, "metrics: 'number'"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_trained(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(StabilityError) as refused:
        Monitor(tmp_path, **options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StabilityError, match=r"thesis\.tex"), Monitor(tmp_path):
        pass


def points() -> Iterator[Tensor]:
    angles = torch.arange(400) * (2 * torch.pi / 8)
    yield torch.stack([angles.cos(), angles.sin()], 1)


def test_vectors_are_compared_by_their_coordinates_and_points_are_pictured(tmp_path: Path) -> None:
    (real,) = points()
    g = nn.Linear(2, 2)
    with Monitor(
        tmp_path / "r",
        run="ring",
        generator=g,
        real=real,
        sample=lambda n: g(torch.randn(n, 2)),
        samples=16,
        evaluate_every=2,
    ) as monitor:
        for _ in range(4):
            monitor.step(loss_g=torch.tensor(1.0))
    assert {evaluation.features for evaluation in monitor.evaluations} == {"coordinates"}
    assert read_filmstrip(Store.open(tmp_path / "r").picture("ring")).images.shape == (2, 1, 64, 64, 1)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_data_parallel_networks_are_monitored_by_rank_0(tmp_path: Path) -> None:
    loop = Loop()
    loop.g, loop.d = (nn.parallel.DistributedDataParallel(network) for network in (loop.g, loop.d))
    monitor = loop.train(tmp_path / "r", 6, sample=lambda n: loop.g.module(torch.randn(n, 4)))
    assert monitor.records[-1].layer_names_g == ("0", "1", "3")
    assert monitor.records[-1].signal > 0
    assert len(stability.load(tmp_path / "r").evaluations) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_compiled_networks_are_recorded_as_they_would_be_otherwise(tmp_path: Path) -> None:
    plain, compiled = Loop(), Loop()
    for loop in (plain, compiled):
        loop.d[3].eval()
    first = plain.train(tmp_path / "r", 6)
    compiled.g, compiled.d = (torch.compile(net, backend="aot_eager") for net in (compiled.g, compiled.d))
    torch.manual_seed(0)
    Loop()
    second = compiled.train(tmp_path / "r", 6)
    for a, b in zip(first.records, second.records, strict=True):
        for name in ("loss_d", "separation", "grad_norm_d", "grad_norm_g", "signal", "generator_update"):
            assert getattr(b, name) == pytest.approx(getattr(a, name), rel=1e-3), name
        assert a.layer_names_d == b.layer_names_d


def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitor.md").read_text()
    code = page.partition("```python")[2].partition("```")[0]
    loop = Loop()
    told = loop.step()
    names = {"loss_d": told["loss_d"], "loss_g": told["loss_g"]}
    names |= {"d_real": told["real_logits"], "d_fake": told["fake_logits"], "loader": range(12)}
    monkeypatch.chdir(tmp_path)
    exec(code, names | {"G": loop.g, "D": loop.d, "train_images": loop.real, "draw": loop.sample})
    frames = stability.load("results/my-gan")
    assert list(frames.runs["loss"]) == ["hinge"]
    assert list(frames.records["step"]) == [10]
    assert list(frames.evaluations["step"]) == [12], "a run that ended is visited as it was left"


def test_observed_runs_cannot_be_trained_here(study: Path) -> None:
    from typer.testing import CliRunner

    from stability.cli.app import app

    for command in (["run", str(study / "study.yaml")], ["validate", str(study / "study.yaml")]):
        refused = CliRunner().invoke(app, command)
        assert isinstance(refused.exception, StabilityError)
        assert "trained by a loop of their owner's" in str(refused.exception)
