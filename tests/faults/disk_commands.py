"""Carries out `stability` commands on a small disk of its own, which may be full, read-only or pulled away.

    unshare -m[r] python disk_commands.py DISK mounted

in a mount namespace of its own: DISK, an empty folder, becomes a tmpfs that nobody else sees and that ends
with this process; without the last word it stays a folder. Everything is imported once, so that a command
costs a fork. Each line of stdin is a request in JSON, each line of stdout its answer.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import importlib
import json
import os
import pkgutil
import resource
import shutil
import sys
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "runner"))

import pytest
from small_studies import make_small

import stability
from stability.cli import app
from stability.cli.display import Display
from stability.runner import job

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096
PR_CAPBSET_DROP = 24
CAPABILITIES = 64
CAPABILITY_VERSION_3 = 0x20080522
RAISED = 70
"""The exit code of a command that ended in a traceback."""
MOST_SAID = 1 << 20
RESULTS, ELSEWHERE = Path("results"), Path("elsewhere")
PLENTY = 1 << 28, 10_000
"""Bytes and inodes."""

Request = dict[str, Any]


# --- the disk ---------------------------------------------------------------------------------------------


def mount(source: str, place: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """The system's own call: the command adds options that an ordinary user's namespace does not know."""
    texts = (text.encode() or None for text in (source, place, kind))
    if LIBC.mount(*texts, ctypes.c_ulong(flags), options.encode() or None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {place} {options}")


def resize(request: Request) -> None:
    """Leave so many pages and inodes besides those in use; None leaves plenty."""
    disk, (size, most) = os.statvfs("."), PLENTY
    if request["pages"] is not None:
        size = max(1, disk.f_blocks - disk.f_bfree + request["pages"]) * disk.f_bsize
    if request["inodes"] is not None:
        most = disk.f_files - disk.f_ffree + request["inodes"]
    mount("none", ".", flags=MS_REMOUNT, options=f"size={size},nr_inodes={most}")


def cover() -> None:
    """Let the results be read-only to all who look them up from now on, whatever is open in them."""
    mount(str(RESULTS), str(RESULTS), flags=MS_BIND)
    mount("none", str(RESULTS), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def uncover() -> None:
    if LIBC.umount(str(RESULTS).encode()) != 0:
        raise OSError(ctypes.get_errno(), "umount")


# --- what goes wrong while a study runs -------------------------------------------------------------------


def be_ordinary() -> None:
    """Give up root's privileges, also for what is started from here: what is read-only stays so."""
    for capability in range(CAPABILITIES):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if LIBC.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def forbid() -> None:
    for folder in (RESULTS, *(path for path in RESULTS.rglob("*") if path.is_dir())):
        folder.chmod(0o500)


def replace() -> None:
    """As if it had been moved away, and another process had begun a study of the same name."""
    RESULTS.rename(ELSEWHERE)
    shutil.copytree(ELSEWHERE, RESULTS)
    (RESULTS / ".lock").write_text('{"pid": 1, "host": "another", "start": "2020-02-02T02:02:02+00:00"}')


ACTIONS: dict[str, Callable[[], object]] = {
    "remove": lambda: shutil.rmtree(RESULTS),
    "remove cohorts": lambda: shutil.rmtree(RESULTS / "cohorts"),
    "remove a cohort": lambda: shutil.rmtree(RESULTS / "cohorts" / "c0000"),
    "remove checkpoints": lambda: shutil.rmtree(RESULTS / "checkpoints"),
    "move": lambda: RESULTS.rename(ELSEWHERE),
    "replace": replace,
    "forbid": forbid,
    "cover": cover,
}


def when(method: str, count: int, action: Callable[[], object]) -> None:
    """At the count-th call of a method of the display, such as `trained`, do something first."""
    original, left = getattr(Display, method), [count]

    def watched(*arguments: Any) -> object:
        left[0] -= 1
        if left[0] == 0:
            action()
        return original(*arguments)

    setattr(Display, method, watched)


def fail_at(k: int) -> None:
    """Let the k-th flush or rename fail, as on a disk that notices late that it is full."""
    left = [k]

    def failing(original: Callable[..., object]) -> Callable[..., object]:
        def change(*arguments: Any, **options: Any) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **options)

        return change

    for name in ("fsync", "rename", "replace"):
        setattr(os, name, failing(getattr(os, name)))


# --- commands ---------------------------------------------------------------------------------------------


def carry_out(request: Request) -> dict[str, Any]:
    """One command in a process and a session of its own; how it ended, what it said, who outlived it."""
    outputs = [os.pipe(), os.pipe()]
    pid = os.fork()
    if not pid:
        _be_the_command(request, [written for _, written in outputs])
    for read, written in outputs:
        fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, MOST_SAID)  # it is read at the end
        os.close(written)
    _, status = os.waitpid(pid, 0)
    workers = _workers_of(pid)
    out, err = (_said(read) for read, _ in outputs)
    return {"code": os.waitstatus_to_exitcode(status), "out": out, "err": err, "workers": workers}


def _said(pipe: int) -> str:
    os.set_blocking(pipe, False)
    with open(pipe, "rb") as file:
        return (file.read() or b"").decode()


def _be_the_command(request: Request, outputs: list[int]) -> None:
    code = RAISED
    try:
        os.setsid()
        for descriptor, output in enumerate(outputs, start=1):
            os.dup2(output, descriptor)
        if "output" in request:
            os.dup2(os.open(request["output"], os.O_WRONLY), 1)
        _prepare(request)
        sys.argv = ["stability", *request["arguments"]]
        app.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _prepare(request: Request) -> None:
    """Whatever is to go wrong."""
    os.environ.update(request.get("environment", {}))
    if request.get("checkpoints"):
        job.CHECKPOINT_SECONDS = -1.0
    if "largest_file" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    if "fail_at" in request:
        fail_at(request["fail_at"])
    if "action" in request:
        when(*request["when"], ACTIONS[request["action"]])
    if request.get("ordinary"):
        be_ordinary()


def _workers_of(session: int) -> int:
    """How many processes that train are left of a session."""
    return sum(_is_worker(process, session) for process in Path("/proc").iterdir() if process.name.isdigit())


def _is_worker(process: Path, session: int) -> bool:
    try:
        state, _parent, _group, own = (process / "stat").read_text().rpartition(")")[2].split()[:4]
        line = (process / "cmdline").read_text()
    except (OSError, ValueError):  # it has just ended
        return False
    return int(own) == session and state != "Z" and "spawn_main" in line


def load_all() -> None:
    """Import once for all what a command imports when it needs it; Ray may not be there."""
    left = {"stability.monitor.lightning"}  # of no command
    left |= {"stability.runner.engines.ray"} if find_spec("ray") is None else set()
    for module in pkgutil.walk_packages(stability.__path__, "stability."):
        if not module.name.endswith("__main__") and module.name not in left:
            importlib.import_module(module.name)
    importlib.import_module("torch_fidelity")  # it wants a folder for temporary files, which may be gone then


def serve() -> None:
    doings: dict[str, Callable[[Request], Any]] = {
        "run": carry_out,
        "resize": resize,
        "cover": lambda request: cover(),
        "uncover": lambda request: uncover(),
    }
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(doings[request["do"]](request)), flush=True)


if __name__ == "__main__":
    make_small(pytest.MonkeyPatch(), Path(os.environ["XDG_CACHE_HOME"]))
    load_all()
    if sys.argv[2:] == ["mounted"]:
        mount("none", sys.argv[1], "tmpfs", options="mode=0755,size={},nr_inodes={}".format(*PLENTY))
    os.chdir(sys.argv[1])
    serve()
