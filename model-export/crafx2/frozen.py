"""The transparent filter bank held fixed: `CRAFx2` at about a fifth of the cost, for training on a CPU.

While the front end is not trained, every input channel still goes through the same 16 filters, and all bands through
the same smoothing. So one bank serves all channels, and masked bands of the stems are added before one short synthesis:
exactly the plain network. Only the latents are approximate (a per cent or so): the smoothing runs on averages of 8
samples, because its 128 taps vary little over 8. Validation and export always use the plain network.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .front_end import FRAME_RATIO
from .model import CRAFx2

#: Samples averaged before the smoothing.
DECIMATION = 8


class FrozenBank:
    """Analysis and synthesis of a network whose front end still is the shared bank; refuses any other."""

    def __init__(self, network: CRAFx2) -> None:
        size = network.size
        self.stems, self.channels = size.stems, size.channels
        inputs = size.stems * size.channels
        self.bands = size.filters // inputs
        weight = network.conv_1.weight.detach()
        self.bank = weight[: self.bands, :1].contiguous()
        shared = torch.zeros_like(weight)
        for channel in range(inputs):
            shared[channel * self.bands : (channel + 1) * self.bands, channel] = self.bank[:, 0]
        smoothing = network.conv_2.weight.detach()
        if not torch.equal(shared, weight) or not torch.equal(smoothing, smoothing[:1].expand_as(smoothing)):
            raise ValueError("the front end is no longer the shared filter bank; it cannot be held as one")
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
        flat = functional.pad(x.reshape(batch * inputs, 1, frames), (self.left, self.right))
        bands = functional.conv1d(flat, self.bank).reshape(batch, inputs * self.bands, frames)
        groups = bands.abs().reshape(batch, inputs * self.bands, -1, DECIMATION).mean(dim=3)
        outputs = self.smoothing.shape[1]
        padded = functional.pad(groups, (self.before, self.after))
        smooth = padded.unfold(2, self.smoothing.shape[0], outputs) @ self.smoothing
        level = groups.reshape(batch, inputs * self.bands, -1, outputs).mean(dim=3)
        return bands, functional.softplus(smooth.amax(dim=3)), level

    def forward(self, network: CRAFx2, x: Tensor) -> Tensor:
        """As `CRAFx2.forward`: `(batch, stems · channels, frames)` to `(batch, channels, frames)`."""
        bands, latent, level = self.analyze(x)
        batch, filters, frames = bands.shape
        blocks = bands.reshape(batch, filters, -1, FRAME_RATIO)
        mask = network.mask(latent)
        gate = network.gate((mask * level).mean(dim=2))
        masked = blocks * (mask * gate[:, :, None])[..., None]
        summed = masked.reshape(batch, self.stems, self.channels * self.bands, frames).sum(dim=1)
        summed = summed.reshape(batch * self.channels, self.bands, frames)
        full = functional.conv_transpose1d(summed, self.bank)
        mix = full[:, :, self.left : full.shape[2] - self.right]
        return torch.tanh(mix.reshape(batch, self.channels, frames))
