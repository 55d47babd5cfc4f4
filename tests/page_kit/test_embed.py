from __future__ import annotations

import base64
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.embed import content_policy, csv_file, json_text


def test_json_cannot_end_its_script_element_and_reads_back() -> None:
    content = {"a": ["</script><!--", "\u2028", "plain", 1.5, None]}
    text = json_text(content)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == content


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_word_for_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text([value])


def test_the_policy_names_the_script_and_lets_none_build_code() -> None:
    policy = content_policy("one()")
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_a_csv_file_reads_back_and_a_long_one_is_compressed() -> None:
    short = pd.DataFrame({"run": ["a", 'b "quoted", c'], "x": [1 / 3, float("nan")]})
    long = pd.DataFrame({"x": np.random.default_rng(0).random(50_000)})
    for frame, suffix in ((short, "csv"), (long, "csv.gz")):
        made = csv_file(frame)
        content = base64.b64decode(made.address.partition(",")[2])
        assert made.suffix == suffix
        back = pd.read_csv(io.BytesIO(content), compression="gzip" if suffix == "csv.gz" else None)
        pd.testing.assert_frame_equal(back, frame, rtol=1e-8)
