"""CRAFx2 rewritten for ONNX Runtime: the same numbers in a fraction of the time, and in parts that stream.

Exact rewrites: 1-D convolutions as 1×k 2-D ones; max-pool before softplus (softplus is monotone); the transposed
convolution to 8 channels and the sum over stems as one to 2 channels; the gate from frame-rate data, because
mean|mask · band| = mean(mask · mean64|band|). Front and back end are local, so they need new samples only; the latent
graph sees the whole window.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .contract import MARGIN_FRAMES
from .front_end import FRAME_RATIO
from .model import CRAFx2


def _depthwise_pool(bands: Tensor, weight: Tensor) -> Tensor:
    """Latents `(1, K, T / 64)` of rectified bands `(1, K, T + taps − 1)`."""
    smooth = functional.conv2d(bands.abs().unsqueeze(2), weight.unsqueeze(2), groups=weight.shape[0])
    return functional.softplus(functional.max_pool2d(smooth, (1, FRAME_RATIO)).squeeze(2))


class Front(nn.Module):
    """`stems` (1, 8, 128 + T + 128) to `latent` (1, K, T/64), `level` (1, K, T/64) and `bands` (1, K, T)."""

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        size = network.size
        self.weight_1, self.weight_2 = network.conv_1.weight, network.conv_2.weight
        left_1, left_2 = (size.taps - 1) // 2, (size.smoothing_taps - 1) // 2
        right_1, right_2 = size.taps - 1 - left_1, size.smoothing_taps - 1 - left_2
        if max(left_1 + left_2, right_1 + right_2) > MARGIN_FRAMES:
            raise ValueError("the filters reach further than the margin of the split form")
        self.cut = (MARGIN_FRAMES - left_1 - left_2, -(MARGIN_FRAMES - right_1 - right_2))
        self.inner = (left_2, -right_2)

    def forward(self, stems: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Valid convolutions only: no zero is ever padded."""
        x = stems[:, :, self.cut[0] : self.cut[1]].unsqueeze(2)
        around = functional.conv2d(x, self.weight_1.unsqueeze(2)).squeeze(2)
        bands = around[:, :, self.inner[0] : self.inner[1]]
        level = functional.avg_pool2d(bands.abs().unsqueeze(2), (1, FRAME_RATIO)).squeeze(2)
        return _depthwise_pool(around, self.weight_2), level, bands


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


class Back(nn.Module):
    """`bands` (1, K, T + 128) and `mask` (1, K, T/64 + 2) to `mix` (1, 2, T), tanh included."""

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        size = network.size
        weight = network.conv_1.weight.detach()
        self.weight = nn.Parameter(weight.view(size.filters, size.stems, size.channels, size.taps).sum(dim=1))
        self.taps = size.taps
        left = (size.taps - 1) // 2
        # Output sample n needs masked bands n − right … n + left.
        self.cut = (FRAME_RATIO - (size.taps - 1 - left), -(FRAME_RATIO - left))

    def forward(self, bands: Tensor, mask: Tensor) -> Tensor:
        """Each mask frame holds for 64 samples (nearest-neighbor up-sampling)."""
        filters = bands.shape[1]
        masked = (bands.reshape(1, filters, -1, FRAME_RATIO) * mask.unsqueeze(3)).reshape(1, filters, -1)
        masked = masked[:, :, self.cut[0] : self.cut[1]]
        return torch.tanh(functional.conv_transpose1d(masked, self.weight, padding=self.taps - 1))


class Whole(nn.Module):
    """`stems` (1, 8, T) to `mix` (1, 2, T) in one graph, zero-padded at the ends exactly as the plain module."""

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        self.size = network.size
        self.front, self.latent, self.back = Front(network), Latent(network), Back(network)

    def forward(self, stems: Tensor) -> Tensor:
        """The rewritten parts on a whole signal."""
        size = self.size
        left_1, left_2 = (size.taps - 1) // 2, (size.smoothing_taps - 1) // 2
        right_1, right_2 = size.taps - 1 - left_1, size.smoothing_taps - 1 - left_2
        x = functional.pad(stems, (left_1, right_1)).unsqueeze(2)
        bands = functional.conv2d(x, self.front.weight_1.unsqueeze(2)).squeeze(2)
        latent = _depthwise_pool(functional.pad(bands, (left_2, right_2)), self.front.weight_2)
        level = functional.avg_pool2d(bands.abs().unsqueeze(2), (1, FRAME_RATIO)).squeeze(2)
        mask = self.latent(latent, level)
        return self.back(functional.pad(bands, (FRAME_RATIO, FRAME_RATIO)), functional.pad(mask, (1, 1)))
