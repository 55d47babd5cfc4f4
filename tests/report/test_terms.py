from __future__ import annotations

from stability.report.terms import TERMS, explained


def test_the_first_mention_of_a_term_is_explained() -> None:
    fid, points = f'<abbr title="{TERMS["FID"]}">FID</abbr>', f'<abbr title="{TERMS["point"]}">points</abbr>'
    assert explained("FID at 6 points: FID, points.") == f"{fid} at 6 {points}: FID, points."


def test_only_whole_words_are_terms() -> None:
    for text in ("pointless", "lr-decay", "no-loss", "FIDs-like", "a beta12"):
        assert "<abbr" not in explained(text), text
    assert "lr_ratio</abbr>" in explained("lr_ratio 0.05 to 20")
    assert "losses</abbr>" in explained("7 losses")


def test_what_is_explained_cannot_become_markup() -> None:
    assert explained('<b>"loss"</b>').startswith("&lt;b&gt;&#34;<abbr")


def test_meanings_need_no_escaping() -> None:
    assert all(not set('<>&"') & set(meaning) for meaning in TERMS.values())
