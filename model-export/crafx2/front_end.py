"""Long stride-1 convolutions with a gradient that runs at matrix speed, and the filter bank of the transparent start.

Stock autograd spends most of a CPU training step in the weight gradient of the 64- and 128-tap convolutions. The same
sums written as unfold + matrix product take a quarter of the time; on a GPU the stock path is used. The product may
copy what is unfolded, taps times as much as the signal, so it is taken of a stretch at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor
from torch.nn import functional

# Named here too, because it is the front end's; what reads contracts or makes songs need not load PyTorch for it.
from .contract import FRAME_RATIO as FRAME_RATIO

#: Frames whose share of a weight gradient is taken at once: unfolded they take 64 MiB in the published size, however
#: long a crop is, and no other number of frames was faster.
STRETCH_FRAMES = 1_024
#: Upper edges of the 16 bands in Hz: with 64 taps at 44.1 kHz nothing narrower than about 700 Hz can be separated.
BAND_EDGES_HZ = (
    700, 1_400, 2_100, 2_800, 3_600, 4_500, 5_500, 6_600, 7_800, 9_100, 10_500, 12_000, 13_700, 15_600, 18_000,
)  # fmt: skip


def _stretches(x: Tensor, grad: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Of every item, piece by piece, what a valid convolution saw, unfolded, and the gradient of what it made.

    `x` (batch, in, frames + taps − 1) and `grad` (batch, out, frames) to views (in, taps, N) and (out, N).
    """
    taps = x.shape[2] - grad.shape[2] + 1
    for item, item_grad in zip(x, grad, strict=True):
        for start in range(0, grad.shape[2], STRETCH_FRAMES):
            stretch = item_grad[:, start : start + STRETCH_FRAMES]
            frames = stretch.shape[1]
            yield item[:, start : start + frames + taps - 1].unfold(1, frames, 1), stretch


class _UnfoldConv(torch.autograd.Function):
    """Valid convolution `(batch, in, frames)` with `(out, in, taps)`, no bias."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN001
        ctx.save_for_backward(x, weight)
        return functional.conv1d(x, weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN001
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = functional.conv_transpose1d(grad, weight)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.zeros_like(weight)
            for columns, stretch in _stretches(x, grad):
                grad_weight += torch.einsum("of,itf->oit", stretch, columns)
        return grad_x, grad_weight


class _UnfoldDepthwise(torch.autograd.Function):
    """Valid depthwise convolution `(batch, channels, frames)` with `(channels, 1, taps)`, no bias."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN001
        ctx.save_for_backward(x, weight)
        return functional.conv1d(x, weight, groups=weight.shape[0])

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN001
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = functional.conv_transpose1d(grad, weight, groups=weight.shape[0])
        if ctx.needs_input_grad[1]:
            grad_weight = torch.zeros_like(weight)
            for columns, stretch in _stretches(x, grad):
                grad_weight[:, 0] += torch.einsum("cf,ctf->ct", stretch, columns)
        return grad_x, grad_weight


def _stock(x: Tensor) -> bool:
    """Where the stock convolution is as good, or the only one: mixed precision casts inside it."""
    plain = not torch.is_grad_enabled() or torch.onnx.is_in_onnx_export()
    return x.is_cuda or plain or torch.is_autocast_enabled(x.device.type)


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """`conv1d` without padding; see the module text."""
    if _stock(x):
        return functional.conv1d(x, weight)
    return _UnfoldConv.apply(x, weight)


def convolve_depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """Depthwise `conv1d` without padding; see the module text."""
    if _stock(x):
        return functional.conv1d(x, weight, groups=weight.shape[0])
    return _UnfoldDepthwise.apply(x, weight)


@cache
def filter_bank(bands: int, taps: int, sample_rate_hz: int = 44_100) -> NDArray[np.float32]:
    """Filters `(bands, taps)` whose squared magnitudes add up to one.

    A convolution with them followed by the transposed convolution with the same filters is then the identity: each
    band passes twice through its filter, forward and time-reversed, so the sum is Σ|H|² = 1 at zero phase. They start
    as windowed-sinc band passes and are polished by a few steps of L-BFGS on the autocorrelation sum.
    """
    edges = [0.0, *np.interp(np.linspace(0, 1, bands + 1)[1:-1], np.linspace(0, 1, 17)[1:-1], BAND_EDGES_HZ)]
    edges = np.asarray([*edges, sample_rate_hz / 2])
    rows = []
    for low, high in itertools.pairwise(edges):
        time = np.arange(taps) - (taps - 1) / 2
        upper = 2 * high / sample_rate_hz * np.sinc(2 * high / sample_rate_hz * time)
        lower = 2 * low / sample_rate_hz * np.sinc(2 * low / sample_rate_hz * time)
        rows.append((upper - lower) * signal.get_window(("kaiser", 3.0), taps, fftbins=False))
    bank = torch.tensor(np.asarray(rows), dtype=torch.float64, requires_grad=True)
    start = bank.detach().clone()
    optimizer = torch.optim.LBFGS([bank], max_iter=400, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def closure() -> Tensor:
        optimizer.zero_grad()
        power = torch.fft.rfft(bank, n=4 * taps).abs().square().sum(dim=0)
        loss = (power - 1.0).square().mean() + 1e-9 * (bank - start).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return bank.detach().to(torch.float32).numpy()


def middle_and_side(bank: Tensor, stems: int) -> Tensor:
    """Filters `(2 · stems · bands, 2 · stems, taps)` that apply a bank `(bands, taps)` to the sum of left and right of
    every stem, then to their difference.
    """
    bands, taps = bank.shape
    weight = bank.new_zeros(stems, 2, bands, stems, 2, taps)
    for stem in range(stems):
        weight[stem, :, :, stem, 0] = bank
        weight[stem, 0, :, stem, 1] = bank
        weight[stem, 1, :, stem, 1] = -bank
    return weight.reshape(2 * stems * bands, 2 * stems, taps)


def shared_bank(weight: Tensor) -> Tensor | None:
    """The bank `(bands, taps)` of which `middle_and_side` makes exactly this weight; `None` if there is none."""
    filters, inputs, _ = weight.shape
    if inputs % 2 or filters % inputs:
        return None
    bank = weight[: filters // inputs, 0].contiguous()
    return bank if torch.equal(middle_and_side(bank, inputs // 2), weight) else None


def crossed(pairs: Tensor) -> Tensor:
    """Sum and difference of pairs `(batch, 2, frames)`: to middle and side, and – the bank knows the scale – back."""
    return torch.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), dim=1)
