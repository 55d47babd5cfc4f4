from __future__ import annotations

from pathlib import Path

from stability.gan.arithmetic.processor import CPUINFO, processor_name, processor_vendor

FIRST = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU: 3\n"


def test_the_first_core_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"{FIRST}processor\t: 1\nvendor_id\t: Other\nmodel name\t: Other\n")
    assert processor_name(path) == "Some CPU: 3"
    assert processor_vendor(path) == "GenuineIntel"


def test_a_system_that_does_not_say_is_no_error(tmp_path: Path) -> None:
    assert isinstance(processor_name(tmp_path / "none"), str)
    assert processor_vendor(tmp_path / "none") == ""
    (tmp_path / "arm").write_text("processor\t: 0\nCPU implementer\t: 0x41\n")
    assert processor_vendor(tmp_path / "arm") == ""


def test_this_system_says_so_where_it_can() -> None:
    assert bool(processor_vendor()) == (CPUINFO.is_file() and "vendor_id" in CPUINFO.read_text())
