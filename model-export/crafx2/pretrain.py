"""Pre-training of the front end: an auto-encoder of the four stems through the two front-end filters only.

As published: the mask is what max-pooling kept, put back where it was found and zero elsewhere; the temporal net, BLSTM
and gate do not take part. What it leaves in `conv_1` and `conv_2` is where the mixing network starts.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from .checkpoint import CheckpointError, network_from_checkpoint
from .front_end import FRAME_RATIO, convolve, convolve_depthwise
from .model import CRAFx2


def reconstruct(network: CRAFx2, x: Tensor) -> Tensor:
    """`(batch, stems · channels, frames)` to the same shape: the stems, through the front end and back."""
    size = network.size
    left = (size.taps - 1) // 2
    right = size.taps - 1 - left
    bands = convolve(functional.pad(x, (left, right)), network.conv_1.weight)
    before = (size.smoothing_taps - 1) // 2
    padded = functional.pad(bands.abs(), (before, size.smoothing_taps - 1 - before))
    level = functional.softplus(convolve_depthwise(padded, network.conv_2.weight))
    latent, places = functional.max_pool1d(level, FRAME_RATIO, return_indices=True)
    mask = functional.max_unpool1d(latent, places, FRAME_RATIO)
    full = functional.conv_transpose1d(mask * bands, network.conv_1.weight)
    return full[:, :, left : full.shape[2] - right]


def load_front_end(network: CRAFx2, checkpoint: Path) -> None:
    """Copy the two front-end filters of a pre-training run's checkpoint."""
    trained, _ = network_from_checkpoint(checkpoint)
    with torch.no_grad():
        for name in ("conv_1", "conv_2"):
            ours, theirs = getattr(network, name).weight, getattr(trained, name).weight
            if ours.shape != theirs.shape:
                raise CheckpointError(
                    f"{name} of {checkpoint} has shape {list(theirs.shape)}; expected {list(ours.shape)}"
                )
            ours.copy_(theirs)
