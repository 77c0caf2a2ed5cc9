"""A checkpoint of the published FxNorm-Automix code as our network: names and shapes translated, nothing executed.

The published training script saves the state dictionary of its `Net` (`*.params`, a zip of tensors). It is read with
`weights_only` after its sizes have been bounded, and every name and shape must be accounted for on both sides. The
folder's `net_*.dump` is a pickled object – a program – and is never needed: the sizes follow from the shapes.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import CheckpointError
from .contract import Window, default_targets
from .export import BundleInfo
from .features import targets_from_features
from .model import CRAFx2, NetworkSize
from .recipe import Effect, Recipe

#: The published file has 11 MB; unpacked and packed size are both bounded.
SIZE_LIMIT_BYTES = 256 * 1024 * 1024
INPUT_CHANNELS = 8
#: Lengths of the two front-end filters; the split form's margin is made for them.
TAPS = (64, 128)

#: Published name → ours. A block `repeats.R.B` is number R · blocks + B here.
NAMES = {
    "conv_1": "conv_1",
    "conv_2.0": "conv_2",
    "layerNorm": "temporal.norm",
    "bottleneck_conv1x1": "temporal.bottleneck",
    "output.0": "temporal.activation",
    "output.1": "temporal.output",
    "se_block.net.0": "squeeze",
    "se_block.net.2": "excite",
}
BLOCK_NAMES = {
    "conv1x1": "expand",
    "nonlinearity1": "activation_1",
    "norm1": "norm_1",
    "depthwise_conv": "depthwise",
    "nonlinearity2": "activation_2",
    "norm2": "norm_2",
    "skip_out": "skip",
    "res_out": "residual",
}
_BLOCK = re.compile(r"repeats\.(\d{1,2})\.(\d{1,2})\.(\w+)\.(weight|bias)")

#: Hops of 0.5 s; the lookahead holds the 252 latent frames that the temporal net sees ahead, margin and joint. Run on
#: windows, the network sees 5 s of the whole songs that its norms, gate and BLSTM are used to.
WINDOW = Window(context_frames=181_184, hop_frames=22_016, lookahead_frames=17_280)
#: As the released code normalizes, slips included: what such a network was trained on.
RECIPE = Recipe(kind="published", equalization=Effect(), dynamics=Effect(), panning=Effect(), loudness=Effect())


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.params` file by their published names; contiguous, finite, floating."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes; at most {SIZE_LIMIT_BYTES} are read")
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is not a checkpoint of PyTorch 1.6 or later ({error})") from error
    if unpacked > SIZE_LIMIT_BYTES:
        raise CheckpointError(f"{path} unpacks to {unpacked} bytes; at most {SIZE_LIMIT_BYTES} are read")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} holds more than tensors, or is damaged: {reason}") from error
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path} is not a state dictionary")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path} is not a state dictionary: entry {str(name)[:60]!r} is no tensor")
        # A view with stride 0 could claim any size; a stored one has every value it claims.
        if not value.is_floating_point() or not value.is_contiguous() or value.numel() == 0:
            raise CheckpointError(f"{name} of {path} is not stored as plain floating-point values")
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{name} of {path} holds a value that is no finite number")
    return state


def _shape(state: dict[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in state:
        raise CheckpointError(f"the checkpoint has no {name}; it is not one of the published network")
    shape = tuple(state[name].shape)
    if len(shape) != dimensions:
        raise CheckpointError(f"{name} has shape {list(shape)}; expected {dimensions} dimensions")
    return shape


def size_of(state: dict[str, Tensor]) -> NetworkSize:
    """Constructor arguments from the shapes of a published state dictionary."""
    filters, inputs, taps = _shape(state, "conv_1.weight", 3)
    if inputs != INPUT_CHANNELS:
        raise CheckpointError(f"conv_1.weight takes {inputs} channels; expected {INPUT_CHANNELS} (four stereo stems)")
    places = [(int(match[1]), int(match[2])) for name in state if (match := _BLOCK.fullmatch(name))]
    if not places:
        raise CheckpointError("the checkpoint has no temporal blocks (repeats.*), so it is not a published one")
    repeats, blocks = 1 + max(place[0] for place in places), 1 + max(place[1] for place in places)
    if len(set(places)) != repeats * blocks:
        raise CheckpointError(
            f"the checkpoint has {len(set(places))} temporal blocks; {repeats} × {blocks} are expected"
        )
    layers = [int(match[1]) for name in state if (match := re.fullmatch(r"blstm\.weight_ih_l(\d)", name))]
    hidden, bottleneck, _ = _shape(state, "repeats.0.0.conv1x1.weight", 3)
    smoothing_taps = _shape(state, "conv_2.0.weight", 3)[2]
    if (taps, smoothing_taps) != TAPS:
        raise CheckpointError(f"the front end has {taps} and {smoothing_taps} taps; expected {TAPS[0]} and {TAPS[1]}")
    return NetworkSize(
        filters=filters,
        taps=taps,
        smoothing_taps=smoothing_taps,
        bottleneck=bottleneck,
        hidden=hidden,
        skip=_shape(state, "output.1.weight", 3)[1],
        repeats=repeats,
        blocks=blocks,
        lstm_layers=1 + max(layers, default=0),
        lstm_hidden=_shape(state, "blstm.weight_hh_l0", 2)[1],
        squeeze=_shape(state, "se_block.net.0.weight", 2)[0],
    )


def our_name(name: str, blocks: int) -> str | None:
    """Our name of a published tensor; `None` for one that the published network does not have."""
    if match := _BLOCK.fullmatch(name):
        inner = BLOCK_NAMES.get(match[3])
        return inner and f"temporal.blocks.{int(match[1]) * blocks + int(match[2])}.{inner}.{match[4]}"
    if name.startswith("blstm."):
        return "lstm." + name.removeprefix("blstm.")
    module, _, kind = name.rpartition(".")
    return f"{NAMES[module]}.{kind}" if module in NAMES else None


def network_from_published(state: dict[str, Tensor]) -> CRAFx2:
    """The network with the weights of a published state dictionary, in evaluation mode."""
    size = size_of(state)
    # Shapes first, without memory: a checkpoint may not decide how much is allocated.
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in CRAFx2(size).state_dict().items()}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        ours = our_name(name, size.blocks)
        if ours is None or ours not in expected:
            raise CheckpointError(f"the checkpoint has {name[:80]}, which the published network does not have")
        if tuple(value.shape) != expected[ours]:
            raise CheckpointError(f"{name} has shape {list(value.shape)}; expected {list(expected[ours])}")
        found[ours] = value.to(torch.float32)
    missing = sorted(set(expected) - set(found))
    if missing:
        raise CheckpointError(f"the checkpoint lacks {len(missing)} tensors, the first is our {missing[0]}")
    _refuse_pretrained(found)
    network = CRAFx2(size)
    network.load_state_dict(found)
    return network.eval()


def _refuse_pretrained(found: dict[str, Tensor]) -> None:
    """The pre-training checkpoint has the same names, but a latent mixer that was never trained."""
    scales = [value for name, value in found.items() if ".norm" in name and name.endswith("weight")]
    if all(bool((value == 1.0).all()) for value in scales):
        raise CheckpointError(
            "the norms of the temporal net still have their initial values: this is the pre-training checkpoint of the "
            "front end, which cannot mix"
        )


def import_published(path: Path, features: Path | None, name: str | None) -> tuple[CRAFx2, BundleInfo]:
    """Network and bundle description of a published checkpoint; the MUSDB18 averages unless a file is given."""
    network = network_from_published(read_published(path))
    targets = targets_from_features(features) if features else default_targets()
    name = name or f"FxNorm-Automix {path.parent.name or path.stem}"[:100]
    trained_on = "imported from a checkpoint of the published code; its data are not known here"
    parameters = sum(value.numel() for value in network.parameters())
    return network, BundleInfo(
        name=name,
        trained_on=trained_on,
        targets=targets,
        recipe=RECIPE,
        window=WINDOW,
        license="that of the checkpoint",
        card=_card(name, path.name, parameters, targets["name"]),
        notes={"imported_from": path.name},
    )


def _card(name: str, file: str, parameters: int, targets: str) -> str:
    return f"""# {name}

A network of the published FxNorm-Automix code, imported from `{file}`: {parameters:,} parameters, weights unchanged.

**Data.** Those of whoever trained the checkpoint. The public ones (`ours_S_*`) were trained on MUSDB18.

**Normalization.** Recipe `published`: what the released code does, slips included, since the network was trained on
it. Targets: {targets}. The released code also sends vocals and other to a reverb whose impulse responses are not
public; use the reverb send to come near it.

**Quality.** Not measured by this import. Live, norms and gate take running averages instead of the whole song's.

License: that of the checkpoint (the published ones: MIT, Copyright (c) Sony Group Corporation).
"""
