from __future__ import annotations

import json

import pytest

from stability.store.seals import (
    decode_digests,
    encode_digests,
    is_whole,
    json_lines,
    seal_json,
    seal_text,
    sha256,
    unsealed_text,
)

TEXT = "name: a\nspace: {}\n"
DIGESTS = {"runs.parquet": sha256(b"a"), "filmstrips/p0.png": sha256(b"b")}


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_digest_is_the_standards_own() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("sealed", [seal_text(TEXT), json_lines({"a": 1.5, "b": {"c": "ä"}})])
def test_no_flipped_bit_or_lost_end_leaves_a_whole_file(sealed: bytes) -> None:
    assert is_whole(sealed) is True
    assert {is_whole(flipped(sealed, bit)) for bit in range(8 * len(sealed))} == {False}
    assert not any(is_whole(sealed[:length]) for length in range(len(sealed)))


def test_a_sealed_study_file_gives_its_text_back() -> None:
    assert unsealed_text(seal_text(TEXT)) == TEXT.encode() == unsealed_text(TEXT.encode())
    assert seal_text(seal_text(TEXT).decode()) == seal_text(TEXT)
    assert is_whole(TEXT.encode()) is None


def test_sealed_json_is_json() -> None:
    fields = json.loads(json_lines({"b": 1, "a": None, "sha256": "an older seal"}))
    assert {name: fields[name] for name in ("a", "b")} == {"a": None, "b": 1}
    assert len(fields["sha256"]) == 64
    assert json_lines({}) == b"{}\n"
    for text in ("{}\n", "{\n}\n", '{"a": 1}', "[\n1\n]\n"):
        with pytest.raises(ValueError, match="JSON object"):
            seal_json(text)


def test_digests_read_back_or_are_refused() -> None:
    content = encode_digests(DIGESTS)
    assert decode_digests(content) == DIGESTS
    assert [decode_digests(flipped(content, bit)) for bit in range(8 * len(content))] == [None] * (
        8 * len(content)
    )
    assert decode_digests(json.dumps({"files": DIGESTS}).encode()) is None
    assert decode_digests(json_lines({"other": 1})) is None
