"""The CRAFx2 network: learned filter bank, mask from a temporal convolution net and a BLSTM, tied synthesis.

Plain form, as described for FxNorm-Automix (Martínez-Ramírez et al., ISMIR 2022, "Ours"): the whole signal goes
through at once. `export` rewrites it into streaming parts and proves that they compute the same.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from .contract import drive_gain
from .front_end import FRAME_RATIO, convolve, convolve_depthwise, filter_bank, middle_and_side

#: Output range of softplus ∘ tanh-bounded BLSTM: softplus(0) = ln 2 is the neutral mask.
NEUTRAL_MASK = math.log(2.0)


@dataclass(frozen=True)
class NetworkSize:
    """Constructor arguments of `CRAFx2`; the defaults are the published size (2,752,817 parameters)."""

    stems: int = 4
    channels: int = 2
    filters: int = 128
    taps: int = 64
    smoothing_taps: int = 128
    bottleneck: int = 256
    hidden: int = 128
    skip: int = 64
    repeats: int = 4
    blocks: int = 6
    lstm_layers: int = 3
    lstm_hidden: int = 64
    squeeze: int = 2_048
    dropout: float = 0.1
    #: How far down the mix is driven into the final tanh, with as much gain behind it; 0 as published.
    output_drive_db: float = 0.0

    def __post_init__(self) -> None:
        drive_gain(self.output_drive_db)

    def to_dict(self) -> dict[str, int | float]:
        """Plain numbers for checkpoints and contracts."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, int | float]) -> NetworkSize:
        """Read `to_dict`'s result; unknown names are an error."""
        known = {item.name for item in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"unknown network arguments: {', '.join(sorted(unknown))}")
        return cls(**values)


class SongNorm(nn.GroupNorm):
    """GroupNorm with one group: mean and variance over all channels and the whole signal `(batch, C, N)`.

    With `jitter` the mean is off by so many spreads, and the spread by this part, in training (standard deviations;
    drawn per item).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, eps=1e-8)
        self.jitter = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, C, N)` to the same shape."""
        if not (self.training and self.jitter):
            return super().forward(x)
        shift, spread = self.jitter * torch.randn(2, x.shape[0], 1, 1, device=x.device)
        normal = functional.group_norm(x, 1, eps=self.eps)
        return (normal + shift) * torch.exp(spread) * self.weight[:, None] + self.bias[:, None]


class TemporalBlock(nn.Module):
    """One dilated block of the temporal convolution net; input and residual `(batch, bottleneck, N)`."""

    def __init__(self, size: NetworkSize, dilation: int) -> None:
        super().__init__()
        self.expand = nn.Conv1d(size.bottleneck, size.hidden, 1)
        self.activation_1 = nn.PReLU()
        self.norm_1 = SongNorm(size.hidden)
        self.depthwise = nn.Conv1d(size.hidden, size.hidden, 3, padding=dilation, dilation=dilation, groups=size.hidden)
        self.activation_2 = nn.PReLU()
        self.norm_2 = SongNorm(size.hidden)
        self.residual = nn.Conv1d(size.hidden, size.bottleneck, 1)
        self.skip = nn.Conv1d(size.hidden, size.skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual `(batch, bottleneck, N)` and the skip `(batch, skip, N)`."""
        y = self.norm_1(self.activation_1(self.expand(x)))
        y = self.norm_2(self.activation_2(self.depthwise(y)))
        return self.residual(y), self.skip(y)


class TemporalNet(nn.Module):
    """ConvTasNet-style mixer of latents `(batch, filters, N)` to `(batch, filters, N)`, all positive."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.norm = SongNorm(size.filters)
        self.bottleneck = nn.Conv1d(size.filters, size.bottleneck, 1)
        self.blocks = nn.ModuleList(
            TemporalBlock(size, 2**block) for _ in range(size.repeats) for block in range(size.blocks)
        )
        self.activation = nn.PReLU()
        self.output = nn.Conv1d(size.skip, size.filters, 1)

    def forward(self, z: Tensor) -> Tensor:
        """`(batch, filters, N)` to `(batch, filters, N)`."""
        x = self.bottleneck(self.norm(z))
        total: Tensor | None = None
        for block in self.blocks:
            residual, skip = block(x)
            x = x + residual
            total = skip if total is None else total + skip
        assert total is not None
        return functional.softplus(self.output(self.activation(total)))


class CRAFx2(nn.Module):
    """Stems in, mix out: `(batch, stems · channels, frames)` to `(batch, channels, frames)`.

    `frames` must be a multiple of 64. Channel order: vocals L, R, bass L, R, drums L, R, other L, R.
    """

    def __init__(self, size: NetworkSize | None = None) -> None:
        super().__init__()
        self.size = size = size or NetworkSize()
        inputs = size.stems * size.channels
        self.conv_1 = nn.Conv1d(inputs, size.filters, size.taps, bias=False)
        self.conv_2 = nn.Conv1d(size.filters, size.filters, size.smoothing_taps, groups=size.filters, bias=False)
        self.temporal = TemporalNet(size)
        self.lstm = nn.LSTM(
            size.filters,
            size.lstm_hidden,
            size.lstm_layers,
            batch_first=True,
            bidirectional=True,
            dropout=size.dropout,
        )
        if 2 * size.lstm_hidden != size.filters:
            # The published size needs no projection (2 × 64 = 128); a smaller BLSTM is brought back to the filters.
            self.project: nn.Module = nn.Linear(2 * size.lstm_hidden, size.filters)
        else:
            self.project = nn.Identity()
        self.squeeze = nn.Linear(size.filters, size.squeeze)
        self.excite = nn.Linear(size.squeeze, size.filters)
        self.gate_jitter = 0.0
        self.chrono_initialize()

    def jitter(self, *, norms: float, gate: float) -> None:
        """Make averages wrong in training, because a stream knows a song's only roughly at first.

        `norms`: see `SongNorm`. `gate`: its average is another item's of this process's batch by up to this share (0…1,
        drawn per item; an item alone keeps its own), so that it minds less which stems had been playing.
        """
        self.gate_jitter = gate
        for module in self.modules():
            if isinstance(module, SongNorm):
                module.jitter = norms

    def chrono_initialize(self) -> None:
        """Forget bias ln U(1, 31), input bias its negative, others 0 – on both bias vectors, as published."""
        hidden = self.size.lstm_hidden
        for name, parameter in self.lstm.named_parameters():
            if not name.startswith("bias"):
                continue
            with torch.no_grad():
                forget = torch.log(torch.empty(hidden).uniform_(1.0, 31.0))
                parameter.zero_()
                parameter[:hidden] = -forget
                parameter[hidden : 2 * hidden] = forget

    def transparent_initialize(self) -> None:
        """Start as a transparent sum of the stems: filter bank in, constant mask and gate, compensated.

        Each stem gets `filters / (2 · stems)` bands of its middle and as many of its side. So masks set how wide a stem
        is, and left and right are equals by construction: swapped inputs make the swapped mix, whatever is learned
        while the bank stays as it is. The last BLSTM layer's cell rows and the last layer of the gate are zeroed, so
        mask = ln 2 and gate = ½ exactly; the analysis filters carry the square root of the inverse, because the tied
        synthesis applies them twice.
        """
        size = self.size
        bands = size.filters // (2 * size.stems)
        bank = torch.from_numpy(filter_bank(bands, size.taps))
        compensation = math.sqrt(1.0 / (NEUTRAL_MASK * 0.5))
        hidden, last = size.lstm_hidden, size.lstm_layers - 1
        with torch.no_grad():
            # Plain BLSTM biases: the doubled chrono biases nearly close the input gates, which suits sequences of
            # minutes, not windows of seconds.
            for name, parameter in self.lstm.named_parameters():
                if name.startswith("bias"):
                    parameter.uniform_(-(hidden**-0.5), hidden**-0.5)
            # |p| is about 0.01 in the middle and a quarter of it at the side: without these gains softplus would stay
            # on its flat foot and see nothing.
            window = torch.hann_window(size.smoothing_taps, periodic=False)
            window /= window.sum()
            self.conv_1.weight.copy_(middle_and_side(bank * compensation * math.sqrt(0.5), size.stems))
            gains = torch.tensor([40.0, 160.0]).repeat_interleave(bands).repeat(size.stems)
            self.conv_2.weight.copy_(gains[:, None, None] * window)
            if isinstance(self.project, nn.Linear):
                self.project.weight.zero_()
                self.project.bias.zero_()
            else:
                for name, parameter in self.lstm.named_parameters():
                    # Cell rows (gate g) of the last layer: with a zero candidate the cell, so the output, stays 0.
                    if f"_l{last}" in name:
                        parameter[2 * hidden : 3 * hidden] = 0.0
            self.excite.weight.zero_()
            self.excite.bias.zero_()

    def analyze(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Bands `(batch, filters, frames)` and latents `(batch, filters, frames / 64)` of `(batch, 8, frames)`."""
        size = self.size
        left = (size.taps - 1) // 2
        bands = convolve(functional.pad(x, (left, size.taps - 1 - left)), self.conv_1.weight)
        left = (size.smoothing_taps - 1) // 2
        padded = functional.pad(bands.abs(), (left, size.smoothing_taps - 1 - left))
        smooth = convolve_depthwise(padded, self.conv_2.weight)
        return bands, functional.max_pool1d(functional.softplus(smooth), FRAME_RATIO)

    def mask(self, latent: Tensor) -> Tensor:
        """Mask `(batch, filters, N)` of latents `(batch, filters, N)`, before the gate."""
        mixed = self.temporal(latent).transpose(1, 2)
        # In mixed precision too the BLSTM computes in its weights' precision, float32: autocast hands cuDNN float16
        # whatever it was asked for, in which gradients as small as these vanish without a scaler.
        with torch.autocast(mixed.device.type, enabled=False):
            remembered = self.lstm(mixed.to(self.lstm.weight_hh_l0.dtype))[0]
        return functional.softplus(self.project(remembered)).transpose(1, 2)

    def gate(self, mean_level: Tensor) -> Tensor:
        """Squeeze-and-excitation gate `(batch, filters)` from the mean of |mask · band| over time."""
        if self.training and self.gate_jitter:
            share = self.gate_jitter * torch.rand(mean_level.shape[0], 1, device=mean_level.device)
            mean_level = mean_level.lerp(mean_level.roll(1, dims=0), share)
        return torch.sigmoid(self.excite(functional.relu(self.squeeze(mean_level))))

    def synthesize(self, masked: Tensor) -> Tensor:
        """`(batch, filters, frames)` to the mix `(batch, channels, frames)`, tied weights, before tanh."""
        size = self.size
        left = (size.taps - 1) // 2
        right = size.taps - 1 - left
        weight = self.conv_1.weight.view(size.filters, size.stems, size.channels, size.taps).sum(dim=1)
        full = functional.conv_transpose1d(masked, weight)
        return full[:, :, left : full.shape[2] - right]

    def saturate(self, mix: Tensor) -> Tensor:
        """The final tanh, at its drive."""
        gain = drive_gain(self.size.output_drive_db)
        return torch.tanh(gain * mix) / gain

    def forward(self, x: Tensor, *, still: bool = False) -> Tensor:
        """`(batch, stems · channels, frames)` to `(batch, channels, frames)`.

        `still` holds every mask at its mean over time: a fixed filter, which is as good where nothing adapts.
        """
        bands, latent = self.analyze(x)
        mask = self.mask(latent)
        if still:
            mask = mask.mean(dim=2, keepdim=True).expand_as(mask)
        masked = functional.interpolate(mask, scale_factor=float(FRAME_RATIO)) * bands
        gate = self.gate(masked.abs().mean(dim=2))
        return self.saturate(self.synthesize(masked * gate[:, :, None]))


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in module.parameters())


def transparent_network(size: NetworkSize, seed: int) -> CRAFx2:
    """A seeded network that is the transparent sum of its stems."""
    torch.manual_seed(seed)
    network = CRAFx2(size)
    network.transparent_initialize()
    return network
