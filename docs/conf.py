"""How the documentation is built: `make docs`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext")]
import stability  # noqa: E402

project = "stability"
author = "the authors of stability"
release = version = stability.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["docstrings", "gallery", "studies", "study_file"]  # of _ext
autoclass_content = "both"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = "stability"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
exclude_patterns = ["_build", "_generated", "results"]
