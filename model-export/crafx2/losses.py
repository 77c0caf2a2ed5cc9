"""Losses between mix and mixture: the published stereo-invariant La and Lb, and the default model's own.

Published (FxNorm-Automix): both signals pass an A-weighting and a low-pass FIR, then sum L + R and difference L − R
are compared as magnitudes of a 4096-point STFT. Swapping left and right changes nothing, which leaves the network free
to choose sides – and blind to a lean: the default loss adds a balance term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional

from .third_octaves import CENTERS_HZ, bands

FFT = 4_096
HOP = 1_024
#: What the network's padding spoils at both ends, in frames of audio and in columns of the STFT.
GUARD_FRAMES = 32_446
GUARD_COLUMNS = 30
#: Two guards and a column between them, in frames of audio: enough for La, Lb, l1 and windows over whole tracks.
LEAST_GUARDED_FRAMES = FFT + 2 * GUARD_COLUMNS * HOP
#: Third octaves of the default loss, 63 Hz to 16 kHz: none is narrower than a bin of `FFT`.
LOSS_BANDS_HZ = CENTERS_HZ[3:]
#: Lowest third octave in which the default loss compares sides. The lowest band of the masks reaches 0.7 kHz: turned
#: down for the sake of a bass that mixes keep in the middle, it would take the side of all that is wide above. How wide
#: the low end is, is the recipe's.
WIDTH_FROM_HZ = 250.0
#: Published epsilon: a silent target bin counts as −600 dB.
PUBLISHED_EPSILON = 1e-30
WEIGHTING_TAPS = 101
#: Samples by which the published pre-emphasis is late.
PUBLISHED_DELAY = 49


def a_weighting_fir(sample_rate_hz: int) -> np.ndarray:
    """A-weighting (IEC 61672 analog poles, bilinear) as a least-squares FIR with 101 taps, linear phase."""
    poles = 2 * np.pi * np.array([20.598997, 107.65265, 737.86223, 12_194.217])
    gain = poles[3] ** 2 * 10 ** (1.9997 / 20)
    numerator = [gain, 0.0, 0.0, 0.0, 0.0]
    denominator = np.polymul([1, 2 * poles[3], poles[3] ** 2], [1, 2 * poles[0], poles[0] ** 2])
    denominator = np.polymul(np.polymul(denominator, [1, poles[2]]), [1, poles[1]])
    b, a = signal.bilinear(numerator, denominator, sample_rate_hz)
    grid, response = signal.freqz(b, a, worN=512, fs=sample_rate_hz)
    return signal.firls(WEIGHTING_TAPS, grid, np.abs(response), fs=sample_rate_hz)


class PreEmphasis(nn.Module):
    """A-weighting, then 0.85 + z⁻¹: `(batch, channels, frames)` to the same shape.

    The published code pads the second filter, of three taps, as if it had 101: its output is 49 samples late. In both
    signals alike, so all it does is to shift the frames of the STFT; `delay` is there to repeat it exactly.
    """

    def __init__(self, sample_rate_hz: int = 44_100, delay: int = 0) -> None:
        super().__init__()
        self.start = WEIGHTING_TAPS // 2 - delay
        weighting = np.convolve(a_weighting_fir(sample_rate_hz), [0.85, 1.0])
        # Both filters are FIR and are applied to both signals, so one convolution with their product is the same.
        self.register_buffer("taps", torch.tensor(weighting[::-1].copy(), dtype=torch.float32)[None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Zero padded at both ends."""
        flat = x.reshape(-1, 1, x.shape[-1])
        length = 1 << (flat.shape[-1] + WEIGHTING_TAPS).bit_length()
        spectrum = torch.fft.rfft(flat, n=length) * torch.fft.rfft(self.taps.flip(2), n=length)
        full = torch.fft.irfft(spectrum, n=length)
        return full[..., self.start : self.start + x.shape[-1]].reshape(x.shape)


def magnitudes(x: Tensor, fft: int = FFT, hop: int = HOP, guard: int = 0, smooth: float = 1e-16) -> Tensor:
    """STFT magnitudes `(batch, bins, columns)` of `(batch, frames)`; sqrt-Hann, not centered, guards dropped.

    `smooth` under the root gives |·| a gradient at zero (a silent difference signal); 0 is the plain magnitude.
    """
    window = torch.sqrt(torch.hann_window(fft, device=x.device, dtype=x.dtype))
    spectrum = torch.stft(x, fft, hop, window=window, center=False, return_complex=True)
    magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + smooth) if smooth else spectrum.abs()
    return magnitude[:, :, guard : magnitude.shape[2] - guard] if guard else magnitude


def sum_and_difference(x: Tensor) -> tuple[Tensor, Tensor]:
    """`(batch, 2, frames)` to L + R and L − R, each `(batch, frames)`."""
    return x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]


class StereoLoss(nn.Module):
    """La or Lb as published.

    `La`: spectral convergence ‖Y − X‖ / ‖Y‖ plus the mean |ln Y − ln X|; `Lb`: the mean square of Y − X instead of the
    convergence. Both for sum and difference, all weights 1; norms and means run over the whole batch.
    """

    def __init__(self, kind: str, sample_rate_hz: int = 44_100, guard: int = GUARD_COLUMNS) -> None:
        super().__init__()
        if kind not in ("La", "Lb"):
            raise ValueError(f"unknown loss {kind!r}; known are La and Lb")
        self.kind, self.guard = kind, guard
        self.emphasis = PreEmphasis(sample_rate_hz, PUBLISHED_DELAY)

    def forward(self, mix: Tensor, mixture: Tensor) -> Tensor:
        """Scalar; both `(batch, 2, frames)`, long enough to leave something between the guards."""
        columns = 1 + (mix.shape[-1] - FFT) // HOP
        if columns <= 2 * self.guard:
            raise ValueError(
                f"{mix.shape[-1]} frames make {columns} STFT columns; more than {2 * self.guard} are needed"
            )
        total = mix.new_zeros(())
        pairs = zip(sum_and_difference(self.emphasis(mix)), sum_and_difference(self.emphasis(mixture)), strict=True)
        for output, target in pairs:
            x, y = (magnitudes(signal, guard=self.guard, smooth=0.0) for signal in (output, target))
            if self.kind == "La":
                total = total + torch.linalg.vector_norm(y - x) / torch.linalg.vector_norm(y)
            else:
                total = total + (y - x).square().mean()
            total = total + (torch.log(x + PUBLISHED_EPSILON) - torch.log(y + PUBLISHED_EPSILON)).abs().mean()
        return total


class GuardedL1(nn.Module):
    """Mean |output − stems| between guards, for pre-training the front end."""

    def __init__(self, guard_frames: int = GUARD_FRAMES) -> None:
        super().__init__()
        self.guard_frames = guard_frames

    def forward(self, output: Tensor, stems: Tensor) -> Tensor:
        """Scalar; both `(batch, 8, frames)`."""
        guard = self.guard_frames
        if output.shape[-1] <= 2 * guard:
            raise ValueError(f"{output.shape[-1]} frames leave nothing between guards of {guard}")
        inner = slice(guard, output.shape[-1] - guard)
        return (output[..., inner] - stems[..., inner]).abs().mean()


@dataclass(frozen=True)
class MixLossWeights:
    """Weights of the default loss's terms."""

    sum: float = 1.0
    #: Most of a side is noise, whose level can be met and whose fine structure cannot.
    difference: float = 0.5
    tone: float = 1.0
    width: float = 0.3
    balance: float = 1.0
    #: Part of the target's mean magnitude below which logarithms stop caring.
    floor: float = 0.05


class MixLoss(nn.Module):
    """The default model's loss: short-time magnitudes, long-term tone, width and left/right balance.

    Logarithms are taken above a floor relative to the target's mean magnitude (of the *sum*, also for the difference:
    a mono passage has no difference to be relative to). Only the sum has a convergence term: a side made of noise
    cannot be met bin by bin, and least squares would turn it down by 2 dB (π/4 of two Rayleigh magnitudes), while
    logarithms are nearest at its own level. Tone, width and balance compare averages over the crop in bands, so that
    what a mix engineer would call too bright, too narrow or leaning is not lost among thousands of bins; a side of less
    than −40 dB counts as none, and the low end's does not count (`WIDTH_FROM_HZ`).
    """

    RESOLUTIONS = ((4_096, 1_024), (1_024, 512))

    def __init__(self, weights: MixLossWeights | None = None, sample_rate_hz: int = 44_100) -> None:
        super().__init__()
        self.weights = weights or MixLossWeights()
        self.emphasis = PreEmphasis(sample_rate_hz)
        self.wide = int(np.searchsorted(LOSS_BANDS_HZ, WIDTH_FROM_HZ))
        self.register_buffer("bands", torch.tensor(_band_matrix(FFT, sample_rate_hz), dtype=torch.float32))

    def terms(self, mix: Tensor, mixture: Tensor) -> dict[str, Tensor]:
        """Unweighted terms, each a scalar; both inputs `(batch, 2, frames)`."""
        emphasized, goal = self.emphasis(mix), self.emphasis(mixture)
        found: dict[str, Tensor] = {"sum": mix.new_zeros(()), "difference": mix.new_zeros(())}
        for fft, hop in self.RESOLUTIONS:
            pairs = zip(sum_and_difference(emphasized), sum_and_difference(goal), strict=True)
            sums, differences = ((magnitudes(x, fft, hop), magnitudes(y, fft, hop)) for x, y in pairs)
            x, y = sums
            floor = self.weights.floor * y.mean(dim=(1, 2), keepdim=True) + 1e-5
            norm = torch.linalg.vector_norm(y, dim=(1, 2)) + 1e-3
            convergence = (torch.linalg.vector_norm(y - x, dim=(1, 2)) / norm).mean()
            found["sum"] = found["sum"] + (_log_distance(*sums, floor) + convergence) / len(self.RESOLUTIONS)
            found["difference"] = found["difference"] + _log_distance(*differences, floor) / len(self.RESOLUTIONS)
        left, right = (self._band_levels(mix[:, channel]) for channel in (0, 1))
        goal_left, goal_right = (self._band_levels(mixture[:, channel]) for channel in (0, 1))
        found["tone"] = (self._level(left + right) - self._level(goal_left + goal_right)).abs().mean()
        heard = 1e-4 * (goal_left + goal_right) + 1e-9
        side, goal_side = (self._band_levels(pair[:, 0] - pair[:, 1]) for pair in (mix, mixture))
        apart = 0.5 * (torch.log(side + heard) - torch.log(goal_side + heard)).abs()
        found["width"] = apart[:, self.wide :].mean()
        lean = self._level(left) - self._level(right)
        goal_lean = self._level(goal_left) - self._level(goal_right)
        found["balance"] = (lean - goal_lean).abs().mean()
        return found

    def forward(self, mix: Tensor, mixture: Tensor) -> Tensor:
        """Weighted scalar."""
        found = self.terms(mix, mixture)
        weights = self.weights
        return (
            weights.sum * found["sum"]
            + weights.difference * found["difference"]
            + weights.tone * found["tone"]
            + weights.width * found["width"]
            + weights.balance * found["balance"]
        )

    def _band_levels(self, x: Tensor) -> Tensor:
        """Mean power `(batch, bands)` of `(batch, frames)`."""
        return magnitudes(x).square().mean(dim=2) @ self.bands

    @staticmethod
    def _level(power: Tensor) -> Tensor:
        """Natural logarithm of amplitude, above −70 dB of the loudest band."""
        return 0.5 * torch.log(power + 1e-7 * power.detach().amax(dim=1, keepdim=True) + 1e-9)


def band_levels_db(audio: Tensor) -> Tensor:
    """Level of middle and side `(batch, 2, bands)` in `LOSS_BANDS_HZ`, dB, of `(batch, 2, frames)`.

    What lies 60 dB below the loudest band of both counts as that.
    """
    matrix = torch.tensor(_band_matrix(FFT, 44_100), dtype=audio.dtype, device=audio.device)
    power = torch.stack([magnitudes(part).square().mean(dim=2) @ matrix for part in sum_and_difference(audio)], dim=1)
    return 10 * torch.log10(power + 1e-6 * power.amax(dim=(1, 2), keepdim=True) + 1e-12)


def _log_distance(x: Tensor, y: Tensor, floor: Tensor) -> Tensor:
    """Mean distance of logarithms above a floor, a scalar."""
    return (torch.log(x + floor) - torch.log(y + floor)).abs().mean()


def _band_matrix(fft: int, sample_rate_hz: int) -> np.ndarray:
    """Averages over `LOSS_BANDS_HZ` as a matrix `(bins, bands)`."""
    hz = np.fft.rfftfreq(fft, 1 / sample_rate_hz)
    found = bands(hz, LOSS_BANDS_HZ)
    matrix = np.zeros((hz.size, len(found)))
    for column, band in enumerate(found):
        matrix[band, column] = 1.0 / (band.stop - band.start)
    return matrix


def make_loss(name: str, sample_rate_hz: int = 44_100) -> nn.Module:
    """`La`, `Lb`, `mix` or `l1` (pre-training)."""
    if name == "l1":
        return GuardedL1()
    if name in ("La", "Lb"):
        return StereoLoss(name, sample_rate_hz)
    if name == "mix":
        return MixLoss(sample_rate_hz=sample_rate_hz)
    raise ValueError(f"unknown loss {name!r}; known are La, Lb, mix and l1")


def plain_sum(stems: Tensor) -> Tensor:
    """`(batch, 8, frames)` to the sum of the stems `(batch, 2, frames)`."""
    return stems.reshape(stems.shape[0], -1, 2, stems.shape[-1]).sum(dim=1)


def loudness_offset_db(mix: Tensor, mixture: Tensor) -> Tensor:
    """Difference of mean-square levels in dB, `(batch,)`; a quick check, not a loudness meter."""
    return 10 * torch.log10(functional.relu(mix.square().mean(dim=(1, 2))) / mixture.square().mean(dim=(1, 2)))
