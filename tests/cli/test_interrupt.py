from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_studies import SMALL

from stability.cli.interrupt import EXIT_CODES, Interrupt, leaving_at_once

LONG = SMALL.replace("steps: 40", "steps: 400").replace("evaluate_every: 20", "evaluate_every: 200")
"""A second or two of training, whereas a signal takes a few milliseconds."""
STARTING = """\
import os, sys
from stability.cli.interrupt import leaving_at_once
with leaving_at_once():
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
    except BaseException:
        print("raised")
print("went on")
"""
SCRIPT = Path(__file__).with_name("small_stability.py")


@pytest.mark.parametrize("number", list(EXIT_CODES))
def test_a_signal_is_noted_and_the_second_leaves_at_once(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert not interrupt()
        os.kill(os.getpid(), number)
        assert interrupt()
        assert interrupt.received is number
        assert interrupt.exit_code == 128 + number
        assert capfd.readouterr().err == "stopping after this step; Ctrl-C again leaves at once\n"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_without_a_signal_it_says_go_on() -> None:
    with Interrupt() as interrupt:
        assert not interrupt()
    assert interrupt.received is None
    assert interrupt.exit_code == 130


@pytest.mark.parametrize(("number", "code"), list(EXIT_CODES.items()))
def test_while_there_is_nothing_to_keep_a_signal_leaves_at_once(number: signal.Signals, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STARTING, str(int(number))], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr == "stopped at once; the same command begins or goes on\n"


def test_afterwards_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in EXIT_CODES]
    with leaving_at_once():
        assert all(signal.getsignal(number) not in before for number in EXIT_CODES)
    assert [signal.getsignal(number) for number in EXIT_CODES] == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_study_stops_cleanly_and_goes_on(
    tmp_path: Path, feature_cache: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "study.yaml").write_text(LONG.replace("seeds: 2", "seeds: 1"))
    process = started(tmp_path, feature_cache)
    assert process.stdout is not None
    while (line := process.stdout.readline()).startswith("computing features"):  # the first time
        pass
    assert line == "6 runs in 1 cohort, 400 steps each, on cpu\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == code
    assert err.splitlines() == [
        "stopping after this step; Ctrl-C again leaves at once",
        "stopped; the same command goes on where this left off (results/small)",
    ]
    assert "finished" not in out
    folder = tmp_path / "results" / "small"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["c0000.safetensors"]
    if number is signal.SIGTERM:
        return
    process = started(tmp_path, feature_cache)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    assert "going on with c0000 at step " in out
    assert out.endswith("finished results/small; next: stability report results/small\n")


def started(folder: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "run", "study.yaml"],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
