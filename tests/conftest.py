"""What holds for every test: one thread a process, and no property that depends on how fast a machine is."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Before torch is imported, here and in whatever a test starts: there are as many workers as cores."""

settings.register_profile(  # from hypothesis' own choice, which in CI is to try the same examples each time
    "unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.full)], ids=["small", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    """Whether a test is to be as large as it can be, which only `make test-all` asks for."""
    return bool(request.param)
