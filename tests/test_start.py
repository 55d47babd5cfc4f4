"""What the package sets before torch is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stability import SPIN_COUNT

SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "MKL_CBWR")


def printed(code: str, **variables: str) -> str:
    """What a new process prints that has these of the variables, and no others."""
    environment = {name: text for name, text in os.environ.items() if name not in SETTINGS} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [SPIN_COUNT, None, "AUTO,STRICT"]),
        ({"GOMP_SPINCOUNT": "7"}, ["7", None, "AUTO,STRICT"]),
        ({"OMP_WAIT_POLICY": "active"}, [None, "active", "AUTO,STRICT"]),
        ({"MKL_CBWR": "COMPATIBLE"}, [SPIN_COUNT, None, "COMPATIBLE"]),
    ],
)
def test_what_the_user_set_stays(given: dict[str, str], found: list[str | None]) -> None:
    code = f"import os, stability; print([os.environ.get(name) for name in {SETTINGS}])"
    assert printed(code, **given) == f"{found}\n"


def test_gnus_library_hears_of_it() -> None:
    said = printed("import stability.gan.arithmetic.products", OMP_DISPLAY_ENV="verbose")
    if "GOMP_SPINCOUNT" not in said:
        pytest.skip("torch has another OpenMP here")
    assert f"GOMP_SPINCOUNT = '{SPIN_COUNT}'" in said


def test_the_package_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stability", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
