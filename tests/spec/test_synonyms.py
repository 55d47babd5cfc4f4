"""Words of other programs lead to ours, and ours to nothing else."""

from __future__ import annotations

import pytest

from stability.spec import PARAMETERS
from stability.spec.synonyms import SYNONYMS, ours


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("learning_rate", "lr"),
        ("g_lr", "lr_g"),
        ("lrG", "lr_g"),
        ("d-lr", "lr_d"),
        ("Z_DIM", "latent_dim"),
        ("batchSize", "batch_size"),
        ("colour", None),
        ("", None),
    ],
)
def test_a_word_of_another_program_is_ours(word: str, name: str | None) -> None:
    assert ours(word) == name


def test_every_answer_is_a_parameter_and_no_word_has_two() -> None:
    assert set(SYNONYMS) <= set(PARAMETERS)
    words = [word for words in SYNONYMS.values() for word in words]
    assert len(words) == len(set(words))
    assert {ours(name) for name in PARAMETERS if ours(name)} == set(SYNONYMS)
    assert all(ours(name) in (None, name) for name in PARAMETERS)
