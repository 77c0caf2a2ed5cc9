"""CRAFx2 rewritten for ONNX Runtime: the same numbers in a fraction of the time.

The ends are in `ends.py`. Between them the gate comes from frame-rate data, because mean|mask · band| =
mean(mask · mean64|band|), and the latent mixer sees the whole window; `incremental.py` has the one that does not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .contract import drive_gain
from .ends import Back, EndWeights, Front
from .front_end import FRAME_RATIO
from .model import CRAFx2


class GlobalNorm(nn.Module):
    """GroupNorm with one group written out, so that no runtime kernel with another epsilon path comes in between."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.epsilon = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """`(1, C, N)` to the same shape, statistics over C and N."""
        mean = x.mean(dim=(1, 2), keepdim=True)
        centered = x - mean
        variance = (centered * centered).mean(dim=(1, 2), keepdim=True)
        scale = self.weight[:, None] / torch.sqrt(variance + self.epsilon)
        return centered * scale + self.bias[:, None]


class Latent(nn.Module):
    """`latent` (1, K, N) and `level` (1, K, N) over the whole window to `mask` (1, K, N), gate included."""

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        self.network = network
        temporal = network.temporal
        self.norm = GlobalNorm(temporal.norm)
        self.norms = nn.ModuleList(
            nn.ModuleList((GlobalNorm(block.norm_1), GlobalNorm(block.norm_2))) for block in temporal.blocks
        )

    def _temporal(self, z: Tensor) -> Tensor:
        temporal = self.network.temporal
        x = temporal.bottleneck(self.norm(z))
        skips = []
        for block, (norm_1, norm_2) in zip(temporal.blocks, self.norms, strict=True):
            y = norm_1(block.activation_1(block.expand(x)))
            conv = block.depthwise
            weight, dilation = conv.weight.unsqueeze(2), conv.dilation[0]
            y = functional.conv2d(
                y.unsqueeze(2), weight, conv.bias, 1, (0, dilation), (1, dilation), groups=weight.shape[0]
            )
            y = norm_2(block.activation_2(y.squeeze(2)))
            x = x + block.residual(y)
            skips.append(block.skip(y))
        total = skips[0]
        for skip in skips[1:]:
            total = total + skip
        return functional.softplus(temporal.output(temporal.activation(total)))

    def forward(self, latent: Tensor, level: Tensor) -> Tensor:
        """Stateless function of the window."""
        network = self.network
        mixed = self._temporal(latent).transpose(1, 2)
        mask = functional.softplus(network.project(network.lstm(mixed)[0])).transpose(1, 2)
        gate = network.gate((mask * level).mean(dim=2))
        return mask * gate[:, :, None]


class Whole(nn.Module):
    """`stems` (1, 8, T) to `mix` (1, 2, T) in one graph, zero-padded at the ends exactly as the plain module."""

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        weights, taps = EndWeights.of(network), network.size.taps
        left = (taps - 1) // 2
        self.padding = (left, taps - 1 - left)
        self.front, self.latent, self.back = Front(weights), Latent(network), Back(weights)
        self.gain = drive_gain(network.size.output_drive_db)

    def forward(self, stems: Tensor) -> Tensor:
        """The rewritten parts on a whole signal."""
        bands = self.front.analysis(functional.pad(stems, self.padding))
        around = functional.pad(bands, (FRAME_RATIO, FRAME_RATIO))
        mask = self.latent(*self.front.pool(around))
        return self.back(around, self.gain * functional.pad(mask, (1, 1))) / self.gain
