"""Front and back end of CRAFx2 for ONNX Runtime, rewritten by what their weights say, wherever those come from.

Exact for any weights: 1-D convolutions as 1×k 2-D ones; max-pool before softplus (softplus is monotone); one transposed
convolution to 2 channels instead of one to 8 and the sum over stems. Both ends are local in time, so they need new
samples only.

More is known of a bank of middle and side that all stems share, which is what the transparent start makes and a frozen
front end keeps (`front_end.shared_bank` finds it by comparing weights). Analysis then is the few filters of the bank on
as many middles and sides, 8,192 products a sample instead of 65,536 in the default model. For the synthesis the masked
bands of all stems add up before one filter each: 2,528 products instead of 16,384, as convolutions that make
`_PHASES` neighboring samples at once and so keep vector units busy where a transposed one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from .contract import MARGIN_FRAMES
from .errors import UserError
from .front_end import FRAME_RATIO, crossed, middle_and_side, shared_bank
from .model import CRAFx2

#: Neighboring samples that the shared synthesis makes with one step of its convolution: measured, of 1 to 64.
_PHASES = 16
#: Bands that one convolution of the shared synthesis adds up. With 16 the float32 error is four times the transposed
#: convolution's; with 8 it is the same, for the same time.
_BANDS_AT_ONCE = 8


@dataclass(frozen=True)
class EndWeights:
    """All that front and back end hold: `analysis` (K, 2 · stems, taps) and `smoothing` (K, 1, smoothing taps)."""

    analysis: Tensor
    smoothing: Tensor

    def shared_bank(self) -> Tensor | None:
        """The bank (bands, taps) that all stems share, if there is one."""
        return shared_bank(self.analysis)

    @staticmethod
    def of(network: CRAFx2) -> EndWeights:
        """Those of a network."""
        return EndWeights(network.conv_1.weight.detach(), network.conv_2.weight.detach())

    @staticmethod
    def read(front: Path, inputs: int) -> EndWeights:
        """Those of an exported front end with so many input channels, rewritten or not."""
        graph = onnx.load(front).graph
        values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        found = [values[node.input[1]] for node in graph.node if node.op_type == "Conv" and node.input[1] in values]
        if len(found) != 2 or any(weight.ndim != 4 for weight in found):
            raise UserError(f"{front} is not a front end as `crafx2 export` writes it")
        analysis, smoothing = (torch.from_numpy(weight.copy()).squeeze(2) for weight in found)
        if analysis.shape[1] == 1:
            analysis = middle_and_side(analysis.squeeze(1), inputs // 2)
        return EndWeights(analysis, smoothing)


class DenseAnalysis(nn.Module):
    """`stems` (1, 2 · stems, F) to bands (1, K, F − taps + 1), every filter on every channel."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.unsqueeze(2))

    def forward(self, stems: Tensor) -> Tensor:
        """A valid convolution."""
        return functional.conv2d(stems.unsqueeze(2), self.weight).squeeze(2)


class SharedAnalysis(nn.Module):
    """The same for a shared bank (bands, taps): a batch of middles and sides through the same filters."""

    def __init__(self, bank: Tensor, stems: int) -> None:
        super().__init__()
        self.stems, self.filters = stems, 2 * stems * bank.shape[0]
        self.weight = nn.Parameter(bank[:, None, None].contiguous())

    def forward(self, stems: Tensor) -> Tensor:
        """A valid convolution."""
        pairs = crossed(stems.reshape(self.stems, 2, -1)).reshape(2 * self.stems, 1, 1, -1)
        return functional.conv2d(pairs, self.weight).reshape(1, self.filters, -1)


class Front(nn.Module):
    """`stems` (1, 8, 128 + T + 128) to `latent` (1, K, T/64), `level` (1, K, T/64) and `bands` (1, K, T).

    The bands are made with a latent frame more on either side, which is as far as the smoothing reaches.
    """

    def __init__(self, weights: EndWeights) -> None:
        super().__init__()
        bank, stems = weights.shared_bank(), weights.analysis.shape[1] // 2
        self.analysis = DenseAnalysis(weights.analysis) if bank is None else SharedAnalysis(bank, stems)
        before, after = _reach(weights.analysis)
        spare = MARGIN_FRAMES - FRAME_RATIO
        left, right = (FRAME_RATIO - reach for reach in _reach(weights.smoothing))
        if max(before, after) >= spare or min(left, right) < 0:
            raise ValueError("the filters reach further than the margin of the split form")
        self.cut = (spare - before, after - spare)
        # With zeros out to a whole latent frame on either side, so that the rectified bands are read as they lie.
        self.filters = weights.smoothing.shape[0]
        self.smoothing = nn.Parameter(functional.pad(weights.smoothing, (left, right)).unsqueeze(2))

    def forward(self, stems: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Valid convolutions only: no zero is ever padded."""
        around = self.analysis(stems[:, :, self.cut[0] : self.cut[1]])
        latent, level = self.pool(around)
        return latent, level, around[:, :, FRAME_RATIO:-FRAME_RATIO]

    def pool(self, around: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and mean levels, both (1, K, T/64), of bands (1, K, 64 + T + 64)."""
        rectified = around.abs().unsqueeze(2)
        smooth = functional.conv2d(rectified, self.smoothing, groups=self.filters)
        latent = functional.softplus(functional.max_pool2d(smooth, (1, FRAME_RATIO)).squeeze(2))
        level = functional.avg_pool2d(rectified, (1, FRAME_RATIO)).squeeze(2)
        return latent, level[:, :, 1:-1]


class DenseSynthesis(nn.Module):
    """`bands` (1, K, 64 · N) times `mask` (1, K, N), through weights (K, 2, taps): the mix before tanh."""

    def __init__(self, weight: Tensor, cut: tuple[int, int]) -> None:
        super().__init__()
        self.weight, self.cut = nn.Parameter(weight), cut
        self.filters, _, self.taps = weight.shape

    def forward(self, bands: Tensor, mask: Tensor) -> Tensor:
        """A transposed convolution of which only what is complete is kept."""
        blocks = bands.reshape(1, self.filters, -1, FRAME_RATIO)
        masked = (blocks * mask.unsqueeze(3)).reshape(1, self.filters, -1)
        masked = masked[:, :, self.cut[0] : self.cut[1]]
        return functional.conv_transpose1d(masked, self.weight, padding=self.taps - 1)


class SharedSynthesis(nn.Module):
    """The same for a shared bank (bands, taps): stems added band by band, one filter for each, then left and right."""

    def __init__(self, bank: Tensor, stems: int, cut: tuple[int, int]) -> None:
        super().__init__()
        self.bands, taps = bank.shape
        self.stems, self.cut = stems, cut
        phases = bank.new_zeros(_PHASES, self.bands, 1, taps + _PHASES - 1)
        for phase in range(_PHASES):
            phases[phase, :, 0, phase : phase + taps] = bank.flip(1)
        parts = phases.split(_BANDS_AT_ONCE, dim=1)
        self.weights = nn.ParameterList(part.contiguous() for part in parts)
        # Said one by one: the exporter would take a size for all to be that of a last, shorter part too.
        self.sizes = [part.shape[1] for part in parts]
        self.ones = nn.Parameter(bank.new_ones(1, stems))
        self.sides = nn.Parameter(bank.new_tensor([[1.0, 1.0], [1.0, -1.0]]))

    def forward(self, bands: Tensor, mask: Tensor) -> Tensor:
        """A convolution with the reversed filters, of which only what is complete is kept."""
        per_stem = 2 * self.bands
        masked = bands.reshape(self.stems, per_stem, -1, FRAME_RATIO) * mask.reshape(self.stems, per_stem, -1, 1)
        summed = (self.ones @ masked.reshape(self.stems, -1)).reshape(2, self.bands, 1, -1)
        parts = summed[:, :, :, self.cut[0] : self.cut[1]].split(self.sizes, dim=1)
        made = sum(
            functional.conv2d(part, weight, stride=(1, _PHASES))
            for part, weight in zip(parts, self.weights, strict=True)
        )
        pair = made.reshape(2, _PHASES, -1).transpose(1, 2).reshape(2, -1)
        return (self.sides @ pair).unsqueeze(0)


class Back(nn.Module):
    """`bands` (1, K, T + 128) and `mask` (1, K, T/64 + 2) to `mix` (1, 2, T), tanh included.

    Each mask frame holds for 64 samples (nearest-neighbor up-sampling). A lower drive of the tanh is no part of the
    graph: whoever runs it turns the mask down and the mix up.
    """

    def __init__(self, weights: EndWeights) -> None:
        super().__init__()
        filters, inputs, taps = weights.analysis.shape
        before, after = _reach(weights.analysis)
        # Output sample n needs masked bands n − after … n + before.
        cut = (FRAME_RATIO - after, before - FRAME_RATIO)
        bank = weights.shared_bank()
        if bank is None:
            summed = weights.analysis.view(filters, inputs // 2, 2, taps).sum(dim=1)
            self.synthesis: nn.Module = DenseSynthesis(summed, cut)
        else:
            self.synthesis = SharedSynthesis(bank, inputs // 2, cut)

    def forward(self, bands: Tensor, mask: Tensor) -> Tensor:
        """Valid convolutions only."""
        return torch.tanh(self.synthesis(bands, mask))


def _reach(weight: Tensor) -> tuple[int, int]:
    """How many samples before and after its place a filter (…, taps) sees."""
    before = (weight.shape[-1] - 1) // 2
    return before, weight.shape[-1] - 1 - before
