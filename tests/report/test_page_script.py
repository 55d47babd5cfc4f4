from __future__ import annotations

from stability.report.page_script import page_script


def test_no_script_of_the_page_makes_markup_or_code_out_of_text() -> None:
    script = page_script()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert word not in script
    assert "https://" not in script
    assert "</script" not in script
