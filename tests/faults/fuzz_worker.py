"""Reads damaged files in a process of its own: a crash, a hang or a flood of memory ends it and nothing else.

    python fuzz_worker.py READER CASES [READER CASES ...]

prints a line per case: its number, and `read`, `refused` and why, or `RAISED` and what.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import random
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from made_study import STUDY, made_plan, make_cohort, make_strip, make_view, make_weights, with_weights

from stability.errors import StabilityError
from stability.spec import dump_study, parse_study
from stability.store import DamagedCheckpoint, Plan, Store, encode_history, read_filmstrip, read_latent_view
from stability.store.checkpoints import decode_checkpoint, decode_history, encode_checkpoint
from stability.store.columns import record_columns
from stability.store.folder import with_study_digest
from stability.store.repair.unsealed import unsealed_study

SECONDS_A_CASE = 10
EXTRA_MEMORY = 1 << 30
COHORT, OTHER = (cohort.id for cohort in made_plan().cohorts)
RUN = made_plan().cohorts[0].runs[1]
HERE = Path("cohorts", COHORT)


@dataclass(frozen=True)
class Reader:
    """What reads a file of a results folder, and which."""

    file: Path
    read: Callable[[Path], object]
    """Given the folder; returns None or what is damaged, or raises `StabilityError`."""
    prepare: Callable[[Path], object] = lambda folder: None


def make_folder(folder: Path) -> Store:
    """Two cohorts finished, one of them with weights and latent views kept."""
    store = Store.create(
        folder, study_yaml=STUDY, plan=made_plan(), environment={"threads": 2, "a": {"b": 1}}
    )
    for cohort in store.plan.cohorts:
        data = make_cohort(cohort.runs)
        store.write_cohort(cohort.id, with_weights(data) if cohort.id == COHORT else data)
    return store


def read_study(folder: Path) -> object:
    """Everything that a report reads, and what status and its check say."""
    from stability.reading import frames
    from stability.runner.repair import check_study
    from stability.store.progress import run_states, study_status

    problems = []
    for read in (frames.load, study_status, run_states, check_study):
        try:
            read(folder)
        except StabilityError as error:
            problems.append(str(error))
    if problems:
        raise StabilityError(problems[0])
    study = frames.load(folder)
    return study.records.size


def read_cohort(folder: Path) -> object:
    store = Store.open(folder)
    problems = []
    for read in (
        lambda: store.read_cohort(COHORT),
        lambda: store.read_results(COHORT),
        lambda: record_columns(store, COHORT, ["run", "step", "loss_d", "layer_grad_norms_g"]),
    ):
        try:
            read()
        except StabilityError as error:
            problems.append(str(error))
    if problems:
        raise StabilityError(problems[0])
    return None


def write_checkpoint(folder: Path) -> None:
    history = make_cohort(made_plan().cohorts[1].runs).histories[1]
    note = {"tracks": [{"history": encode_history(history)}]}
    content = encode_checkpoint(make_weights(), note)
    (folder / "checkpoints" / f"{OTHER}.safetensors").write_bytes(content)


def read_checkpoint(folder: Path) -> object:
    read = Store.open(folder).read_checkpoint(OTHER)
    if isinstance(read, DamagedCheckpoint):
        return read.reason
    assert read is not None
    decode_history(read[1]["tracks"][0]["history"])
    return None


def read_raw_checkpoint(folder: Path) -> object:
    read = decode_checkpoint((folder / "checkpoints" / f"{OTHER}.safetensors").read_bytes())
    return read.reason if isinstance(read, DamagedCheckpoint) else None


def write_unsealed(folder: Path) -> None:
    """Plan and environment without their seals, which are read for all that."""
    plan = json.loads((folder / "plan.json").read_bytes())
    plan.pop("sha256", None)
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "environment.json").write_text('{"threads": 2, "libraries": {"torch": "2.9"}}')


def read_environment(folder: Path) -> object:
    environment = Store.open(folder).environment
    assert isinstance(environment, dict)
    return None


def write_study_db(folder: Path) -> None:
    from stability.design.study_db import rebuild_study_db

    rebuild_study_db(folder)


def read_study_db(folder: Path) -> object:
    from stability.design.study_db import study_db_fault

    return study_db_fault(folder)


def write_classifier(folder: Path) -> None:
    from importlib import resources

    data = resources.files("stability") / "data"
    for ending in ("safetensors", "json"):
        (folder / f"c.{ending}").write_bytes((data / f"mnist_cnn.{ending}").read_bytes())


def read_classifier(folder: Path) -> object:
    """With the hash beside it made to fit, so that the damage reaches the reader of the weights."""
    sidecar = json.loads((folder / "c.json").read_text())
    sidecar["sha256"] = hashlib.sha256((folder / "c.safetensors").read_bytes()).hexdigest()
    (folder / "c.json").write_text(json.dumps(sidecar))
    return read_classifier_as_is(folder)


def read_classifier_as_is(folder: Path) -> object:
    import torch

    from stability.gan.data.datasets import load_dataset
    from stability.gan.metrics.classifier import load_classifier

    cpu = torch.device("cpu")
    load_classifier(load_dataset("mnist", device=cpu), device=cpu, path=folder / "c.safetensors")
    return None


def _plan(folder: Path) -> object:
    return Plan.from_json((folder / "plan.json").read_bytes(), "plan.json").horizon


def write_by_hand(folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY)
    store = Store.open(folder)
    store.replace_environment(with_study_digest(store.environment, dump_study(parse_study(STUDY))))


def read_by_hand(folder: Path) -> object:
    return None if unsealed_study(Store.open(folder)) is not None else "damaged"


def _study(folder: Path) -> object:
    return parse_study(Store.open(folder).study_yaml).name and None


def _weights(folder: Path) -> object:
    return len(Store.open(folder).weights(RUN)) and None


CHECKPOINT = Path("checkpoints", f"{OTHER}.safetensors")
READERS: dict[str, Reader] = {
    **{
        name: Reader(HERE / f"{name}.parquet", read_cohort)
        for name in ("runs", "records", "evaluations", "events")
    },
    "checkpoint": Reader(CHECKPOINT, read_checkpoint, write_checkpoint),
    "safetensors": Reader(CHECKPOINT, read_raw_checkpoint, write_checkpoint),
    "weights": Reader(HERE / "weights" / f"{RUN}.safetensors", _weights),
    "classifier": Reader(Path("c.safetensors"), read_classifier, write_classifier),
    "classifier's description": Reader(Path("c.json"), read_classifier_as_is, write_classifier),
    "filmstrip": Reader(Path("f.png"), lambda folder: read_filmstrip(folder / "f.png").steps and None),
    "latent view": Reader(Path("v.png"), lambda folder: read_latent_view(folder / "v.png").kind and None),
    "plan": Reader(Path("plan.json"), _plan),
    "plan without seal": Reader(Path("plan.json"), _plan, write_unsealed),
    "environment": Reader(Path("environment.json"), read_environment),
    "environment without seal": Reader(Path("environment.json"), read_environment, write_unsealed),
    "study": Reader(Path("study.yaml"), _study),
    "study without seal": Reader(Path("study.yaml"), read_by_hand, write_by_hand),
    "study.db": Reader(Path("study.db"), read_study_db, write_study_db),
}
WHOLE = ("runs", "records", "evaluations", "events", "plan without seal", "study", "environment", "study.db")
"""After these are damaged, report, status and check are tried on the whole folder, too."""
READERS |= {
    f"study with damaged {name}": Reader(READERS[name].file, read_study, READERS[name].prepare)
    for name in (*WHOLE, "environment without seal")
}
READERS["study with damaged digests"] = Reader(HERE / "digests.json", read_study)
READERS["study with a damaged film"] = Reader(HERE / "filmstrips" / f"{RUN}.png", read_study)


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Some of the ways in which a file goes bad; ends and beginnings, where lengths stand, more often."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        size = len(data)
        if not size:
            break
        place = chance.choice(
            (
                chance.randrange(size),
                chance.randrange(size),
                chance.randrange(min(size, 64)),
                max(0, size - 1 - chance.randrange(min(size, 1500))),
            )
        )
        width = chance.choice((1, 2, 4, 8))
        kind = chance.randrange(8)
        if kind <= 2:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 3:
            del data[place:]
        elif kind == 4:
            data[place : place + width] = chance.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * width
        elif kind == 5:
            data[place : place + width] = chance.randbytes(width)
        elif kind == 6:
            data[place:place] = chance.randbytes(width)
        else:
            del data[place : place + chance.choice((1, 16, 512))]
    return bytes(data)


def outcome(reader: Reader, folder: Path) -> str:
    """What became of one case, in a line."""
    try:
        damage = reader.read(folder)
    except StabilityError as error:
        message = str(error)
        return f"refused {message}" if message.isprintable() else f"RAISED no single line: {message!r}"
    except BaseException as error:  # also what is no Exception, such as a Rust panic
        return f"RAISED {type(error).__module__}.{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return f"refused {damage}" if isinstance(damage, str) and damage else "read"


@contextmanager
def little_memory() -> Iterator[None]:
    """Let this process have little more than it has now."""
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + EXTRA_MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def work(name: str, cases: range) -> None:
    """Damage the reader's file once a case, and read it."""
    warnings.simplefilter("error")
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "results"
        make_folder(folder)
        (folder / "f.png").write_bytes(FILM)
        (folder / "v.png").write_bytes(VIEW)
        reader.prepare(folder)
        pristine = (folder / reader.file).read_bytes()
        said = outcome(reader, folder)
        print(f"{name}: whole {said}", flush=True)
        with little_memory():
            for case in cases:
                content = mutate(pristine, random.Random(f"{name} {case}"))
                (folder / reader.file).write_bytes(content)
                print(f"{case} ", end="", flush=True)
                faulthandler.dump_traceback_later(SECONDS_A_CASE, exit=True)
                said = outcome(reader, folder)
                faulthandler.cancel_dump_traceback_later()
                print(said, flush=True)
                if content == pristine:
                    print(f"{case} unchanged", flush=True)


def _pictures() -> tuple[bytes, bytes]:
    from stability.store.filmstrips import encode_filmstrip
    from stability.store.latent_views import encode_latent_view

    return encode_filmstrip(make_strip()), encode_latent_view(make_view())


FILM, VIEW = _pictures()

if __name__ == "__main__":
    for name, cases in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        work(name, range(int(cases)))
