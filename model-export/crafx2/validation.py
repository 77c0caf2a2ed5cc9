"""Held-out loss: on one crop per song, or on whole tracks made in overlapping windows as the published code does.

A window's outermost frames are spoiled by the network's zero padding, so windows overlap by two guards and only what
lies between the guards is kept; the loss is taken on the reassembled track.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .contract import SAMPLE_RATE_HZ
from .dataset import SongFiles, read_crop
from .front_end import FRAME_RATIO
from .losses import GUARD_FRAMES, band_levels_db, plain_sum
from .model import CRAFx2

Forward = Callable[[Tensor], Tensor]


def mean_loss(forward: Forward, loss: Callable[[Tensor, Tensor], Tensor], pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Sum of the loss over pairs of input and target, without gradients."""
    with torch.no_grad():
        return sum(float(loss(forward(stems).float(), target)) for stems, target in pairs)


def run_track(forward: Forward, stems: Tensor, window: int, guard: int = GUARD_FRAMES, batch: int = 4) -> Tensor:
    """Output of a whole track `(8, frames)`, made in windows of `window` frames with `guard` on both sides."""
    if window % FRAME_RATIO or window <= 2 * guard:
        raise ValueError(f"the window is {window}; it must be a multiple of {FRAME_RATIO} above {2 * guard}")
    frames, hop = stems.shape[-1], window - 2 * guard
    count = -(-frames // hop)
    padded = torch.nn.functional.pad(stems, (guard, guard + count * hop - frames))
    windows = padded.unfold(1, window, hop).transpose(0, 1)
    with torch.no_grad():
        made = torch.cat([forward(part.contiguous()).float() for part in windows.split(batch)])
    inner = made[:, :, guard : window - guard]
    return inner.transpose(0, 1).reshape(made.shape[1], -1)[:, :frames]


def held_against_sum_db(network: CRAFx2, stems: Tensor) -> float:
    """How far the mix `(1, 2, frames)` of masks that are held at their means is from the plain sum of the stems.

    The mean distance over third octaves of middle and side, dB, of `(1, 8, frames)`: what a network does that is no
    movement, and that a recipe could do.
    """
    with torch.no_grad():
        difference = band_levels_db(network(stems, still=True)) - band_levels_db(plain_sum(stems))
    return float(difference.abs().mean())


def read_track(song: SongFiles, limit_s: float) -> tuple[Tensor, Tensor]:
    """Stems `(8, frames)` and mixture `(2, frames)` from the start of a song."""
    frames = min(song.frames, int(limit_s * SAMPLE_RATE_HZ)) // FRAME_RATIO * FRAME_RATIO
    stems, mixture = read_crop(song, 0, frames)
    return torch.from_numpy(stems), torch.from_numpy(mixture)
