"""Names that installed packages give to code of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.spec import dump_study, make_config, parse_study
from stability.vocabulary.own_code import registered

GROUPS = {
    "stability.networks": {"small": "plug.nets:pair", "mlp": "plug.nets:other"},
    "stability.losses": {"exponential": "plug.losses:loss", "twice": "plug.losses:a"},
    "stability.penalties": {"drift": "plug:drift"},
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two packages as pip leaves them; neither can be imported."""
    for name, groups in (("plug", GROUPS), ("other", {"stability.losses": {"twice": "other:b"}})):
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
            for group, points in groups.items()
        ]
        (about / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    registered.cache_clear()
    yield
    registered.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_packages_name_stands_for_what_it_means() -> None:
    text = "name: s\nspace: {loss: [hinge, exponential], architecture: [mlp, small]}\nfixed: {penalty: drift}"
    spec = parse_study(text)
    assert spec.space["loss"].values == ("hinge", "plug.losses:loss")
    assert spec.space["architecture"].values == ("mlp", "plug.nets:pair"), "what is shipped keeps its name"
    assert make_config(spec.fixed).penalty == "plug:drift"
    registered.cache_clear()
    sys.path.pop(0)
    assert parse_study(dump_study(spec)) == spec, "results are read without the package"
    with pytest.raises(StabilityError, match="exponential"):
        parse_study(text)


@pytest.mark.usefixtures("installed")
def test_it_is_code_that_somebody_has_to_trust() -> None:
    with pytest.raises(StabilityError, match=r"study.yaml:2: fixed.penalty: plug:drift is code"):
        parse_study("name: s\nfixed: {penalty: drift}", allow_code=False)


@pytest.mark.usefixtures("installed")
def test_two_meanings_are_none() -> None:
    with pytest.raises(StabilityError, match="twice"):
        parse_study("name: s\nfixed: {loss: twice}")
