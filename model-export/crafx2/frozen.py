"""The transparent filter bank held fixed: `CRAFx2` at about a fifth of the cost, for training on a CPU.

While the front end is not trained, middle and side of every stem still go through the same filters, and all bands
through the same smoothing but for a gain. So one bank serves all, and masked bands of the stems are added before one
short synthesis: exactly the plain network. Only the latents are approximate (a per cent or so): the smoothing runs on
averages of 8 samples, because its 128 taps vary little over 8. Validation and export always use the plain network.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .front_end import FRAME_RATIO, crossed, shared_bank
from .model import CRAFx2

#: Samples averaged before the smoothing.
DECIMATION = 8


class FrozenBank:
    """Analysis and synthesis of a network whose front end still is the shared bank; refuses any other."""

    def __init__(self, network: CRAFx2) -> None:
        size = network.size
        self.stems = size.stems
        self.bands = size.filters // (2 * size.stems)
        bank = shared_bank(network.conv_1.weight.detach())
        smoothing = network.conv_2.weight.detach()
        self.gain = smoothing.sum(dim=2) / smoothing[0].sum()
        if bank is None or not torch.allclose(smoothing, self.gain[:, :, None] * smoothing[:1]):
            raise ValueError("the front end is no longer the shared filter bank; it cannot be held as one")
        self.bank = bank[:, None]
        self.left = (size.taps - 1) // 2
        self.right = size.taps - 1 - self.left
        # Sample 8 j + 7 of the smoothing covers exactly the groups j − 7 … j + 8: 8 such samples per latent frame.
        taps = smoothing[0, 0].reshape(-1, DECIMATION).sum(dim=1)
        outputs = FRAME_RATIO // DECIMATION
        self.before = (size.smoothing_taps - 1) // 2 // DECIMATION
        self.after = taps.numel() - 1 - self.before
        matrix = torch.zeros(outputs + taps.numel() - 1, outputs, device=taps.device)
        for column in range(outputs):
            matrix[column : column + taps.numel(), column] = taps
        self.smoothing = matrix

    @torch.no_grad()
    def analyze(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bands, latents and mean levels per latent frame, without gradients; see `CRAFx2.analyze`."""
        batch, inputs, frames = x.shape
        flat = functional.pad(crossed(x.reshape(-1, 2, frames)).reshape(-1, 1, frames), (self.left, self.right))
        bands = functional.conv1d(flat, self.bank).reshape(batch, inputs * self.bands, frames)
        groups = bands.abs().reshape(batch, inputs * self.bands, -1, DECIMATION).mean(dim=3)
        outputs = self.smoothing.shape[1]
        padded = functional.pad(groups, (self.before, self.after))
        smooth = padded.unfold(2, self.smoothing.shape[0], outputs) @ self.smoothing
        level = groups.reshape(batch, inputs * self.bands, -1, outputs).mean(dim=3)
        return bands, functional.softplus(self.gain * smooth.amax(dim=3)), level

    def forward(self, network: CRAFx2, x: Tensor) -> Tensor:
        """As `CRAFx2.forward`: `(batch, stems · channels, frames)` to `(batch, channels, frames)`."""
        bands, latent, level = self.analyze(x)
        batch, filters, frames = bands.shape
        blocks = bands.reshape(batch, filters, -1, FRAME_RATIO)
        mask = network.mask(latent)
        gate = network.gate((mask * level).mean(dim=2))
        masked = blocks * (mask * gate[:, :, None])[..., None]
        summed = masked.reshape(batch, self.stems, 2 * self.bands, frames).sum(dim=1)
        full = functional.conv_transpose1d(summed.reshape(batch * 2, self.bands, frames), self.bank)
        mix = full[:, :, self.left : full.shape[2] - self.right]
        return network.saturate(crossed(mix.reshape(batch, 2, frames)))
