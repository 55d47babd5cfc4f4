from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stability.cli.output import written_out

HELP = [sys.executable, "-m", "stability.cli", "--help"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_told_in_one_line(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            HELP,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert ended.stderr == "error: standard output: No space left on device\n"
    assert ended.returncode == 2


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(HELP, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full", "study.db"), OSError(errno.EAGAIN, "no more processes")]
)
def test_what_is_no_matter_of_the_output_is_left_to_others(error: OSError) -> None:
    with pytest.raises(OSError, match=str(error.strerror)) as caught, written_out():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["status", "nowhere"], 2)])
def test_an_output_that_is_closed_is_no_fault(arguments: list[str], code: int) -> None:
    command = [sys.executable, "-m", "stability.cli", *arguments]
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, check=False
    )
    assert ended.returncode == code
    assert ended.stderr.count("\n") == (code == 2)
