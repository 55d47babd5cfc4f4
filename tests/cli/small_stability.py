"""The real command line as a process of its own, on a few hundred images."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "runner"))

import pytest
from small_studies import make_small

from stability.cli.app import main

if __name__ == "__main__":
    make_small(pytest.MonkeyPatch(), Path(os.environ["XDG_CACHE_HOME"]))
    main()
