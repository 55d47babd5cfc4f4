"""Networks' passes under `torch.compile`, where a study asks for it.

Off by default: compiled code rounds otherwise, and takes seconds to minutes to make. Only passes that a
gradient is taken through are compiled. May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

from stability.errors import StabilityError
from stability.spec.study import Compile

Arguments = ParamSpec("Arguments")

MODES: dict[Compile, str | None] = {"none": None, "kernels": None, "cuda-graphs": "reduce-overhead"}
"""How torch calls each kind."""
HARMLESS = (
    "The .grad attribute of a Tensor that is not a leaf",  # torch looks at every input's
    "TensorFloat32 tensor cores for float32 matrix multiplication available",  # asked for by training.tf32
)
"""What torch warns of while it compiles, by its beginning."""


def compiled(forward: Callable[Arguments, Tensor], kind: Compile) -> Callable[Arguments, Tensor]:
    """The function compiled at its first call for the shapes of that call; as it is for the kind `none`.

    torch keeps but a few versions of one function, so all that was compiled before is forgotten, and made
    anew should it be called again. The function raises StabilityError where it cannot be compiled.
    """
    if kind == "none":
        return forward
    torch.compiler.reset()
    fast = torch.compile(forward, fullgraph=True, dynamic=False, mode=MODES[kind])

    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        with warnings.catch_warnings():
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message=message)
            try:
                return fast(*args, **kwargs)
            except torch._dynamo.exc.TorchDynamoException as error:
                raise StabilityError(_in_a_line(kind, error)) from error

    return call


def check_compiler(kind: Compile, device: torch.device) -> None:
    """Compile a function of one line, so that what is missing is told before anything is trained.

    Raises StabilityError where this machine cannot compile for the device.
    """
    if kind == "cuda-graphs" and device.type != "cuda":
        raise StabilityError(f"training.compile: cuda-graphs needs a CUDA device, this study is on {device}")
    compiled(_one_line, kind)(torch.ones(64, device=device))


def _one_line(x: Tensor) -> Tensor:
    return x.sin() + 1


def _in_a_line(kind: Compile, error: Exception) -> str:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return (
        f"training.compile: {kind}: torch.compile fails ({reason}); it needs a C++ compiler, on a GPU "
        "Triton, and networks that it can take; leave it out to train without"
    )
