"""Whether the engine can train a pair that somebody brings: both networks are built and tried on little data.

The engine holds the weights of many members apart from the modules and runs the modules on them, on a CPU
under vmap unless the pair is convolutional. A module must therefore be a function of its input, its
parameters and the buffers that the engine fills, and of nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from stability.errors import StabilityError
from stability.gan.networks.architectures import find_pair
from stability.gan.networks.layers import NORMS, FeatureNorm, MaskDropout, has_batchnorm, mask_shapes
from stability.gan.networks.pair import Builder, ImageShape, Pair
from stability.gan.networks.unpool import Switches, Unpool
from stability.gan.networks.weights import INIT_STD, SCALING, initial_weights
from stability.spec.config import Config
from stability.vocabulary.own_code import errors_of_own_code

BATCH = 4
MEMBERS = 2
ROUNDING = 1e-5
_DROPOUT = nn.modules.dropout._DropoutNd
DEFAULT_STARTS = ("reset_parameters", "_reset_parameters")
"""The methods in which torch's own layers draw the weights that nobody asked for."""


class _Starts(TorchDispatchMode):
    """Notes what a builder does to the numbers of its weights, besides making torch's own layers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._done: dict[int, tuple[Any, ...]] = {}
        self._kept: list[Tensor] = []
        """Else a later tensor might get the address of an earlier one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        changes = func._schema.is_mutable
        if isinstance(out, Tensor) and not (changes and _by_default()):
            self._kept.append(out)
            name = func.overloadpacket.__name__
            if changes or _address(out) not in self._done:  # else it is a view
                self._done[_address(out)] = (name, *(args[1:] if changes else ()))
        return out

    def note(self, tensor: Tensor, name: str) -> None:
        """Note what should have been done to a tensor."""
        self._done[_address(tensor)] = (name,)

    def last(self, parameter: nn.Parameter) -> tuple[Any, ...]:
        """The operation that it has its numbers from, and with what."""
        return self._done.get(_address(parameter), ("unknown",))


class _Omissions(TorchFunctionMode):
    """Notes the functions of torch.nn.init, too, that do nothing to what has no memory."""

    def __init__(self, starts: _Starts) -> None:
        super().__init__()
        self._starts = starts

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        started = next(
            (name for where, name in _calls() if where == nn.init.__name__ and name[-1] == "_"), ""
        )
        if started and args and isinstance(args[0], Tensor) and not _by_default():
            self._starts.note(args[0], started)
        return func(*args, **(kwargs or {}))


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _by_default() -> bool:
    """Whether what happens now is a layer of torch being made, and not its weights being set afterwards."""
    return any(name in DEFAULT_STARTS and where.startswith("torch.nn.modules.") for where, name in _calls())


def _calls() -> Iterator[tuple[str, str]]:
    """Module and name of every function that runs now, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame.f_globals.get("__name__", ""), frame.f_code.co_name
        frame = frame.f_back


@dataclass(frozen=True, slots=True)
class _Network:
    """One of the two networks without memory of its own, as the engine holds it, and what it must map."""

    where: str
    """What its errors begin with, such as `own.nets:pair: generator`."""
    template: nn.Module
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    starts: _Starts
    """What its builder did to its weights."""

    def refuse(self, why: str) -> StabilityError:
        """The error to raise."""
        return StabilityError(f"{self.where}: {why}")


def check_pair(config: Config, image: ImageShape, *, fused: bool = False) -> None:
    """Build the configuration's two networks and try them on a few rows.

    Args:
        config: names the pair; its own parameters are those that the builders are given.
        image: the data's own shape, with its number of classes if it has labels.
        fused: whether convolutional networks, too, will run under vmap, as they do on a GPU.

    Raises:
        StabilityError: in one line, naming the pair and the network that the engine cannot train, and why.

    """
    pair = find_pair(config.architecture)
    if pair.conditional and image.classes == 0:
        raise StabilityError(f"{config.architecture}: is conditional, and the data have no classes")
    image = image if pair.conditional else image._replace(classes=0)
    generator, discriminator = _build_both(config, image, pair)
    _check_structure(generator, pair, (MaskDropout, Unpool) if pair.switches else (MaskDropout,))
    _check_structure(discriminator, pair, (MaskDropout,))
    switches = _switches(discriminator, generator.template) if pair.switches else {}
    fused = not pair.switches and (fused or not pair.convolutional)
    _check_passes(generator, switches | _masks(generator.template), fused=fused)
    _check_passes(discriminator, _masks(discriminator.template), fused=fused)
    _check_rows(discriminator)


def _build_both(config: Config, image: ImageShape, pair: Pair) -> tuple[_Network, _Network]:
    seen = image.seen(config.packing)
    images, inputs = (image.channels, image.size, image.size), (config.latent_dim + image.classes,)
    where = f"{config.architecture}: generator"
    template, starts = _built(where, pair.generator, config, image)
    generator = _Network(where, template, inputs, images, starts)
    where = f"{config.architecture}: discriminator"
    template, starts = _built(where, pair.discriminator, config, seen)
    return generator, _Network(where, template, (seen.channels, seen.size, seen.size), (), starts)


def _built(where: str, builder: Builder, config: Config, image: ImageShape) -> tuple[nn.Module, _Starts]:
    starts, meta = _Starts(), torch.device("meta")
    with (
        errors_of_own_code(f"{where}: cannot be built on torch's meta device"),
        meta,
        starts,
        _Omissions(starts),
    ):
        network = builder(config, image)
    if not isinstance(network, nn.Module):
        raise StabilityError(f"{where}: the builder gives a {type(network).__name__}, not an nn.Module")
    return network, starts


# --- what it is made of -------------------------------------------------------------------------------


def _check_structure(network: _Network, pair: Pair, filled: tuple[type[nn.Module], ...]) -> None:
    """Refuse layers that the engine cannot run; it fills the buffers of the `filled` ones."""
    parameters = dict(network.template.named_parameters())
    if not parameters:
        raise network.refuse("has no parameters to train")
    if len(parameters) < len(dict(network.template.named_parameters(remove_duplicate=False))):
        raise network.refuse("two of its layers share a parameter; each needs its own")
    for name, parameter in parameters.items():
        if not parameter.requires_grad:
            raise network.refuse(f"{name} does not require a gradient, but every parameter is trained")
    for path, layer in network.template.named_modules():
        named = f"{path or 'it'} ({type(layer).__name__})"
        for why in _refusals(layer, pair):
            raise network.refuse(f"{named} {why}")
        for name in _ignored_starts(layer, network.starts):
            raise network.refuse(
                f"{named} sets what {name} starts at, but every run draws its own weights; leave that to it "
                "(torch.empty makes a parameter without), or give the layer the attribute initial_value"
            )
        own_buffers = [] if isinstance(layer, filled) else list(layer.named_buffers(recurse=False))
        if own_buffers:
            raise network.refuse(f"{named} has the buffer {own_buffers[0][0]}, which nothing would fill")


def _refusals(layer: nn.Module, pair: Pair) -> Iterator[str]:
    if isinstance(layer, _DROPOUT):
        yield "draws from torch's global stream; use stability.gan.networks.MaskDropout"
    if getattr(layer, "track_running_stats", False):
        yield "keeps running statistics; give it track_running_stats=False"
    if isinstance(layer, NORMS) and not isinstance(layer, FeatureNorm) and not pair.convolutional:
        yield "rounds differently in every cohort; use stability.gan.networks.FeatureNorm"


def _ignored_starts(layer: nn.Module, starts: _Starts) -> Iterator[str]:
    """The parameters that a builder sets to other numbers than those that the engine starts them at."""
    if hasattr(layer, "initial_value") or isinstance(layer, FeatureNorm):
        return
    for name, parameter in layer.named_parameters(recurse=False):
        drawn = ("normal_", 1.0 if isinstance(layer, SCALING) else 0.0, INIT_STD)
        usual = [("zeros",), ("zero_",), ("fill_", 0.0)] if name == "bias" else [drawn]
        if starts.last(parameter) not in [("empty",), ("empty_like",), *usual]:
            yield name


# --- what it does -------------------------------------------------------------------------------------


def _masks(template: nn.Module) -> dict[str, Tensor]:
    """Masks that drop nothing, for `BATCH` rows."""
    return {name: torch.ones(BATCH, *shape) for name, shape in mask_shapes(template).items()}


def _rows(network: _Network, seed: int = 0) -> Tensor:
    return torch.randn(BATCH, *network.in_shape, generator=torch.Generator().manual_seed(seed))


def _weights(network: _Network) -> dict[str, Tensor]:
    drawn = initial_weights(network.template, generator=torch.Generator().manual_seed(0))
    return {name: weight.requires_grad_() for name, weight in drawn.items()}


def _switches(discriminator: _Network, generator: nn.Module) -> dict[str, Tensor]:
    where = f"{discriminator.where}: switches"
    with errors_of_own_code(where):
        prefixed = {f"discriminator.{name}": value for name, value in _weights(discriminator).items()}
        switches = functional_call(Switches(discriminator.template), prefixed, (_rows(discriminator),))
    found = {name: tuple(places.shape) for name, places in switches.items()}
    buffers = {name: buffer for name, buffer in generator.named_buffers() if name not in _masks(generator)}
    wanted = {name: (BATCH, *buffer.shape[1:]) for name, buffer in buffers.items()}
    if found != wanted:
        raise StabilityError(f"{where}: gives {found} for {BATCH} images; the generator's buffers: {wanted}")
    return dict(switches)


def _check_passes(network: _Network, buffers: dict[str, Tensor], *, fused: bool) -> None:
    """Run a few rows forwards and backwards: one member, and if it is to be fused a stack of members."""

    def call(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(network.template, (weights, buffers), (x,))

    state, x = (_weights(network), buffers), _rows(network)
    with errors_of_own_code(f"{network.where}: fails on an input of shape {list(x.shape)}"):
        out, again = call(*state, x), call(*state, x)
    _check_output(network, out, again)
    _check_gradients(network, state[0], out)
    if fused:
        with errors_of_own_code(
            f"{network.where}: fails under vmap, which pairs that are not convolutional run in"
        ):
            _run_stacked(call, state, x)


def _check_output(network: _Network, out: object, again: object) -> None:
    wanted = [BATCH, *network.out_shape]
    if not isinstance(out, Tensor) or not isinstance(again, Tensor):
        raise network.refuse(f"gives a {type(out).__name__}, not a tensor of shape {wanted}")
    if list(out.shape) != wanted:
        raise network.refuse(f"gives the shape {list(out.shape)} where {wanted} is wanted")
    if not torch.allclose(out, again, rtol=0, atol=0, equal_nan=True):
        raise network.refuse("gives different outputs on the same input; it may draw nothing at random")


def _check_gradients(network: _Network, weights: dict[str, Tensor], out: Tensor) -> None:
    with errors_of_own_code(f"{network.where}: its gradient fails"):
        gradients = torch.autograd.grad(out.sum(), list(weights.values()), allow_unused=True)
    for name, gradient in zip(weights, gradients, strict=True):
        if gradient is None:
            raise network.refuse(f"no gradient reaches {name}")


def _run_stacked(
    call: Callable[..., Any], state: tuple[dict[str, Tensor], dict[str, Tensor]], x: Tensor
) -> None:
    weights, buffers = (
        {name: value.detach().expand(MEMBERS, *value.shape).clone() for name, value in part.items()}
        for part in state
    )
    leaves = [leaf.requires_grad_() for leaf in weights.values()]
    out: Tensor = vmap(call)(weights, buffers, x.expand(MEMBERS, *x.shape))
    torch.autograd.grad(out.sum(), leaves)


def _check_rows(discriminator: _Network) -> None:
    """Refuse a discriminator that looks at the whole batch without saying so: real and fake would mix."""
    if has_batchnorm(discriminator.template):
        return
    state = _weights(discriminator) | _masks(discriminator.template)
    rows, others = _rows(discriminator), _rows(discriminator, seed=1)
    others[0] = rows[0]
    logit, beside_others = (functional_call(discriminator.template, state, (x,))[0] for x in (rows, others))
    if (logit - beside_others).abs() > ROUNDING * logit.abs():
        raise discriminator.refuse(
            "an image's logit depends on the rest of its batch: give the layer that looks there the "
            "attribute mixes_rows = True, so that real and generated images pass it separately"
        )
