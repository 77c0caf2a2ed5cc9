"""Computes the figures of `tributary evaluate` a second time, with NumPy, SciPy, librosa and pyloudnorm.

Run it where these are installed (NumPy 2.4, SciPy 1.17, librosa 0.11, pyloudnorm 0.2 were used):

    python cli/tests/data/evaluate_vectors.py > cli/tests/data/evaluate_vectors.json

`cli/tests/evaluate_vectors.rs` makes the same two signals and holds the program to these numbers. Nothing here is shared with
the program: definitions are those of docs/evaluation.md, written down once more.
"""

from __future__ import annotations

import itertools
import json
import sys

import librosa
import numpy as np
import pyloudnorm
from scipy import optimize, signal

RATE = 44_100
FRAMES = 294_912


def noise(seed: int) -> np.ndarray:
    """Uniform noise of a 32-bit congruential generator."""
    state, out = seed, np.empty(FRAMES)
    for n in range(FRAMES):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        out[n] = state / 2**31 - 1.0
    return out


def stems() -> list[np.ndarray]:
    """Four stereo stems `(2, frames)`: a voice, a bass, noise bursts, a wide pad."""
    t = np.arange(FRAMES) / RATE
    tau = 2 * np.pi
    voice = sum(np.sin(tau * 311.0 * k * t + 0.3 * np.sin(tau * 5 * t)) / k for k in range(1, 9))
    voice = 0.12 * voice * (0.55 + 0.45 * np.sin(tau * 0.8 * t))
    bass = 0.3 * np.sin(tau * 61.0 * t + 0.5) * (0.6 + 0.4 * np.cos(tau * 0.45 * t)) + 0.1 * np.sin(tau * 122.0 * t)
    bursts = np.exp(-25.0 * np.mod(t, 0.31))
    drums = np.stack([0.3 * noise(1) * bursts, 0.3 * noise(1) * bursts * 0.9 + 0.02 * noise(2)])
    pad = np.stack(
        [
            0.08 * np.sin(tau * 440.0 * t) + 0.05 * np.sin(tau * 1320.5 * t) + 0.01 * noise(3),
            0.05 * np.sin(tau * 440.0 * t + 1.2) + 0.07 * np.sin(tau * 1990.0 * t) + 0.01 * noise(4),
        ]
    )
    return [np.stack([voice, 0.9 * voice]), np.stack([bass, bass]), drums, pad]


def mixes() -> tuple[np.ndarray, np.ndarray]:
    """The human mix and the mix to be judged, `(2, frames)`, as 32-bit floats like any file."""
    vocals, bass, drums, other = stems()
    human = 0.8 * vocals + 0.7 * bass + 0.6 * drums + 1.0 * other
    t = np.arange(FRAMES) / RATE
    moving = 1.0 + 0.4 * np.sin(2 * np.pi * 0.3 * t)
    judged = 0.5 * vocals + 0.9 * bass + 0.7 * moving * drums + 0.5 * other
    judged[1] *= 0.85
    return human.astype(np.float32).astype(float), judged.astype(np.float32).astype(float)


def loudness(x: np.ndarray) -> float:
    """BS.1770-4 integrated loudness with the standard's own filters."""
    return pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(x.T)


def spectra(x: np.ndarray, length: int, hop: int, root: bool) -> np.ndarray:
    """Frames wholly within the signal: `(bins, columns)` of `(frames,)`."""
    window = signal.get_window("hann", length)
    if root:
        window = np.sqrt(window)
    count = 1 + (x.size - length) // hop
    return np.stack([np.fft.rfft(window * x[n * hop : n * hop + length]) for n in range(count)], axis=1)


def stereo(x: np.ndarray, length: int, hop: int, root: bool) -> tuple[np.ndarray, np.ndarray]:
    return spectra(x[0], length, hop, root), spectra(x[1], length, hop, root)


def third_octaves(length: int) -> list[np.ndarray]:
    hz = np.fft.rfftfreq(length, 1 / RATE)
    with np.errstate(divide="ignore"):
        band = np.floor(10 * np.log10(hz / 1000) + 0.5)
    return [band == n for n in range(-13, 13)]


def tone(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Power of middle and side per third octave."""
    left, right = stereo(x, 16_384, 8_192, root=False)
    bands = third_octaves(16_384)
    mid, side = np.abs(left + right) ** 2 / 4, np.abs(left - right) ** 2 / 4
    return np.array([mid[b].sum() for b in bands]), np.array([side[b].sum() for b in bands])


def tone_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    (ym, ys), (xm, xs) = tone(y), tone(x)
    floor = ym.max() * 1e-6
    level = lambda p: 10 * np.log10(np.maximum(p, floor))
    width = lambda s, m: np.clip(10 * np.log10(s / m), -40, 20)
    octaves = np.log2(1000 * 10 ** (np.arange(-13, 13) / 10))
    tilt = lambda p: np.polyfit(octaves, level(p), 1)[0]
    return {
        "tone_db": np.abs(level(xm) - level(ym)).mean(),
        "side_db": np.abs(width(xs, xm) - width(ys, ym))[ym + ys > floor].mean(),
        "tilt_db_per_octave": abs(tilt(xm) - tilt(ym)),
    }


def image_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    def image(x: np.ndarray) -> list[float]:
        mid, side = x[0] + x[1], x[0] - x[1]
        left, right = stereo(x, 16_384, 8_192, root=False)
        low = np.fft.rfftfreq(16_384, 1 / RATE) < 120
        ratio = lambda s, m: float(np.clip(10 * np.log10(s / m), -40, 20))
        return [
            ratio((side**2).sum(), (mid**2).sum()),
            10 * np.log10((x[0] ** 2).sum() / (x[1] ** 2).sum()),
            (x[0] * x[1]).sum() / np.sqrt((x[0] ** 2).sum() * (x[1] ** 2).sum()),
            ratio((np.abs(left - right)[low] ** 2).sum(), (np.abs(left + right)[low] ** 2).sum()),
        ]

    keys = ["width_db", "imbalance_db", "correlation", "low_end_side_db"]
    return {key: abs(a - b) for key, a, b in zip(keys, image(y), image(x), strict=True)}


def running(series: np.ndarray) -> np.ndarray:
    return np.convolve(series, np.ones(40) / 40, mode="valid")


def mape(target: np.ndarray, output: np.ndarray, floor: float = 0.0) -> float:
    return float(np.mean(np.abs(target - output) / np.maximum(np.abs(target), floor)))


def panning(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = stereo(x, 2_048, 1_024, root=True)
    power = np.abs(left) ** 2 + np.abs(right) ** 2
    phi = 2 * np.abs(left) * np.abs(right) / power
    return (1 - phi) * np.where(np.abs(right) > np.abs(left), 1, -1), np.sqrt(power)


def panning_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    (target, weight), (output, _) = panning(y), panning(x)
    edge = lambda hz: int(hz * 2_048 / RATE)
    bands = [slice(0, 1_025), slice(0, edge(250)), slice(edge(250), edge(2_500)), slice(edge(2_500), 1_025)]
    rms = lambda p, band: np.sqrt((p[band] ** 2).mean(axis=0))
    errors = [mape(running(rms(target, b)), running(rms(output, b)), 0.01) for b in bands]
    names = ["total", "low", "middle", "high"]
    return {
        **{f"published_panning_{name}": error for name, error in zip(names, errors, strict=True)},
        "panning_error": float(np.mean(errors)),
        "placement_error": (weight * np.abs(output - target)).sum() / weight.sum(),
    }


def a_weighting() -> np.ndarray:
    """IEC 61672's poles, bilinear, as a least-squares FIR of 101 taps."""
    poles = 2 * np.pi * np.array([20.598997, 107.65265, 737.86223, 12_194.217])
    denominator = np.poly([-poles[0], -poles[0], -poles[1], -poles[2], -poles[3], -poles[3]])
    b, a = signal.bilinear([poles[3] ** 2 * 10 ** (1.9997 / 20), 0, 0, 0, 0], denominator, RATE)
    grid, response = signal.freqz(b, a, worN=512, fs=RATE)
    grid, response = np.append(grid, RATE / 2), np.append(np.abs(response), np.abs(response[-1]))
    return signal.firls(101, grid[:512], response[:512], fs=RATE)


def loss_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    taps = np.convolve(a_weighting(), [1, 0.85])
    la = lb = 0.0
    for sign in (1, -1):
        target, output = (
            np.abs(spectra(np.convolve(z[0] + sign * z[1], taps)[50 : 50 + FRAMES], 4_096, 1_024, root=True))[:, 30:-30]
            for z in (y, x)
        )
        log = np.abs(np.log(output + 1e-2) - np.log(target + 1e-2)).mean()
        la += np.linalg.norm(target - output) / np.linalg.norm(target) + log
        lb += ((target - output) ** 2).mean() + log
    return {"loss_a": la, "loss_b": lb}


def resolution_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    sums = np.zeros(4)
    for length in (1_024, 2_048, 8_192):
        floor = signal.get_window("hann", length).sum() / 2 * 10 ** (-80 / 20)
        (yl, yr), (xl, xr) = stereo(y, length, length // 2, False), stereo(x, length, length // 2, False)
        norm_mid = np.linalg.norm(np.abs(yl + yr) / 2)
        for column, sign in enumerate((1, -1)):
            target, output = np.abs(yl + sign * yr) / 2, np.abs(xl + sign * xr) / 2
            norm = max(np.linalg.norm(target), 0.0 if column == 0 else 0.01 * norm_mid)
            sums[column] += np.linalg.norm(output - target) / norm / 3
            sums[column + 2] += np.abs(20 * np.log10((output + floor) / (target + floor))).mean() / 3
    keys = ["stft_mid_error", "stft_side_error", "stft_mid_db", "stft_side_db"]
    return {"stft_error": sums[:2].mean(), **dict(zip(keys, sums, strict=True))}


def spectral_series(x: np.ndarray) -> list[np.ndarray]:
    channels = []
    for channel in x:
        s = np.abs(spectra(channel, 4_096, 1_024, root=True))
        common = {"S": s, "sr": RATE, "n_fft": 4_096}
        contrast = librosa.feature.spectral_contrast(**common, fmin=250, n_bands=4, quantile=0.02)
        flatness = librosa.feature.spectral_flatness(S=s, power=2.0, amin=1e-10)[0]
        channels.append(
            [
                librosa.feature.spectral_centroid(**common)[0] + 1,
                librosa.feature.spectral_bandwidth(**common, p=2)[0] + 1,
                contrast[0],
                contrast[1:4].mean(axis=0),
                contrast[4],
                librosa.feature.spectral_rolloff(**common, roll_percent=0.85)[0] + 1,
                flatness,
            ]
        )
    series = [(left + right) / 2 for left, right in zip(*channels, strict=True)]
    series[6] = 1 - 20 * np.log10(series[6] + 1e-30)
    return series


def dynamic_series(x: np.ndarray) -> list[np.ndarray]:
    db = lambda v: 20 * np.log10(v + 1e-5)
    frames = librosa.util.frame(x, frame_length=4_096, hop_length=1_024, axis=-1)
    rms = db(np.sqrt((frames**2).mean(axis=1)))
    spread = db(np.abs(frames)).mean(axis=1) - rms
    crest = db(np.abs(frames).max(axis=1)) - rms
    return [(1 - rms).mean(axis=0), (1 - spread).mean(axis=0), crest.mean(axis=0)]


def low_frequency(x: np.ndarray) -> np.ndarray:
    b, a = signal.butter(4, 1_000, fs=RATE)
    ratio = lambda c: (
        np.abs(spectra(signal.filtfilt(b, a, c), 4_096, 1_024, True)) / (np.abs(spectra(c, 4_096, 1_024, True)) + 1e-5)
    ).sum(axis=0)
    return (ratio(x[0]) + ratio(x[1])) / 2


def published_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    y, x = (z * 10 ** (-1 / 20) / np.abs(z).max() for z in (y, x))
    names = ["centroid", "bandwidth", "contrast_low", "contrast_middle", "contrast_high", "rolloff", "flatness"]
    errors = [mape(running(a), running(b)) for a, b in zip(spectral_series(y), spectral_series(x), strict=True)]
    figures = {f"published_{name}": error for name, error in zip(names, errors, strict=True)}
    figures["published_spectral"] = np.mean([errors[0], errors[1], np.mean(errors[2:5]), errors[5], errors[6]])
    dynamic = [mape(running(a), running(b)) for a, b in zip(dynamic_series(y), dynamic_series(x), strict=True)]
    figures |= dict(zip(["published_rms", "published_spread", "published_crest"], dynamic, strict=True))
    figures["published_dynamic"] = np.mean(dynamic)
    target, output = running(low_frequency(y)), running(low_frequency(x))
    figures["published_low_frequency"] = mape(target, output)
    figures["published_low_frequency_mse"] = ((target - output) ** 2).mean()
    figures["published_l1"], figures["published_l2"] = np.abs(y - x).mean(), ((y - x) ** 2).mean()
    return figures


def k_weighting(hz: np.ndarray) -> np.ndarray:
    """Power response of the K-weighting as pyloudnorm designs it by default."""
    power = np.ones_like(hz)
    for stage in pyloudnorm.Meter(RATE)._filters.values():
        power *= np.abs(signal.freqz(stage.b, stage.a, worN=hz, fs=RATE)[1]) ** 2
    return power


def drift_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    hz = np.fft.rfftfreq(4_096, 1 / RATE)
    weights, edges = k_weighting(hz), [0, 120, 500, 2_000, 6_000, 20_000]

    def course(x: np.ndarray) -> np.ndarray:
        left, right = stereo(x, 4_096, 2_048, root=False)
        mid, side = np.abs(left + right) ** 2 / 4, np.abs(left - right) ** 2 / 4
        rate = RATE / 2_048
        length = round(3 * rate)
        rows = []
        for n in range(1 + int((mid.shape[1] - length) / rate)):
            part = slice(int(n * rate), int(n * rate) + length)
            m, s = mid[:, part].sum(axis=1), side[:, part].sum(axis=1)
            bands = [(hz >= low) & (hz < high) for low, high in itertools.pairwise(edges)]
            mb, sb = np.array([m[b].sum() for b in bands]), np.array([s[b].sum() for b in bands])
            level = 10 * np.log10((weights * (m + s)).sum())
            tones = 10 * np.log10(np.maximum(mb / mb.sum(), 1e-5))
            rows.append([level, *tones, *np.clip(10 * np.log10(sb / mb), -40, 20)])
        return np.array(rows)

    target, output = course(y), course(x)
    wander = lambda rows: np.sqrt(rows.var(axis=0).mean())
    difference = output - target
    return {
        "style_drift_db": wander(difference),
        "level_drift_db": wander(difference[:, :1]),
        "tone_drift_db": wander(difference[:, 1:6]),
        "width_drift_db": wander(difference[:, 6:]),
        "wander_db": abs(wander(output) - wander(target)),
    }


def balance_figures(y: np.ndarray, x: np.ndarray) -> dict[str, float]:
    hz = np.fft.rfftfreq(4_096, 1 / RATE)
    weights, bands = k_weighting(hz), third_octaves(4_096)

    def cells(x: np.ndarray) -> np.ndarray:
        left, right = stereo(x, 4_096, 4_096, root=False)
        power = weights[:, None] * (np.abs(left) ** 2 + np.abs(right) ** 2)
        return np.array([power[b].sum(axis=0) for b in bands]).ravel()

    columns = np.stack([cells(stem.astype(np.float32).astype(float)) for stem in stems()], axis=1)

    def balance(x: np.ndarray) -> np.ndarray:
        mix = cells(x)
        weight = 1 / (mix + 0.05 * mix.mean())
        factors, _ = optimize.nnls(columns * weight[:, None], mix * weight)
        return np.maximum(10 * np.log10(factors * columns.sum(axis=0) / mix.sum()), -40)

    distances = np.abs(balance(x) - balance(y))
    names = ["vocals_lu", "bass_lu", "drums_lu", "other_lu"]
    return {"balance_lu": distances.mean(), **dict(zip(names, distances, strict=True))}


def main() -> None:
    human, judged = mixes()
    lufs = [loudness(x) for x in (human, judged)]
    human, judged = (x * 10 ** ((-23 - level) / 20) for x, level in zip((human, judged), lufs, strict=True))
    figures: dict[str, float] = {"integrated_lufs": abs(lufs[0] - lufs[1])}
    for part in (
        tone_figures,
        image_figures,
        panning_figures,
        loss_figures,
        resolution_figures,
        published_figures,
        drift_figures,
        balance_figures,
    ):
        figures |= part(human, judged)
    taps = [float(f"{tap:.12e}") for tap in a_weighting()[:51]]
    figures = {key: float(f"{value:.9g}") for key, value in figures.items()}
    json.dump({"frames": FRAMES, "figures": figures, "a_weighting": taps}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
