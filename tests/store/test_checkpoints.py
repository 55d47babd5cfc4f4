from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from stability.store import DamagedCheckpoint
from stability.store.checkpoints import Arrays, decode_checkpoint, encode_checkpoint

ARRAYS: Arrays = {
    "g.weight": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "steps": np.array(7, dtype=np.int64),
    "stream": np.frombuffer(b"\x00\xff\x01", np.uint8),
    "alive": np.array([True, False]),
    "nothing": np.zeros((0, 3)),
    "odd": np.array([np.nan, -0.0, 5e-324, np.inf]),
}
NOTE = {"step": 7, "loss": [float("nan"), math.inf, 0.1, -0.0, 5e-324], "names": ["ü", "\0"], "none": None}


def test_arrays_and_note_read_back_exactly() -> None:
    read = decode_checkpoint(encode_checkpoint(ARRAYS, NOTE))
    assert not isinstance(read, DamagedCheckpoint)
    arrays, note = read
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()
    assert repr(note) == repr(NOTE)


def test_every_flipped_byte_and_every_truncation_is_told() -> None:
    content = encode_checkpoint(ARRAYS, NOTE)
    for position in range(len(content)):
        flipped = content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
        assert isinstance(decode_checkpoint(flipped), DamagedCheckpoint), position
        assert isinstance(decode_checkpoint(content[:position]), DamagedCheckpoint), position


def test_reserved_names_are_refused() -> None:
    with pytest.raises(ValueError, match="reserved"):
        encode_checkpoint({".note": np.zeros(1)}, {})


def test_a_note_that_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_checkpoint({}, {"image": np.zeros(1)})


SHORT = """
import resource, sys
import numpy as np
from stability.store.checkpoints import encode_checkpoint
arrays = {"x": np.ones(60_000_000, np.float32)}
with open("/proc/self/status") as status:
    data = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))
resource.setrlimit(resource.RLIMIT_DATA, (data + (300 << 20), -1))
try:
    encode_checkpoint(arrays, {})
except MemoryError as error:
    print(error)
"""
"""The array takes 240 MB, so there is room for its bytes once, and they are copied once."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what mapped memory takes")
def test_bytes_that_there_is_no_room_for_are_a_shortage_of_memory() -> None:
    done = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, check=True)
    assert done.stdout == "no room for the bytes of 1 arrays\n"
