"""How far the generated set lies from the published averages, and the tone table that closes the gap.

Measures like the Fx-normalization reference (mean magnitude of a 65536-point sqrt-Hann STFT at −30 LUFS, and φ), but
only to steer the generator; the numbers that models are normalized with come from the Rust meters.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .generator import STEMS, generate_song
from .songs.calibration import GAINS_DB, POINTS_HZ
from .songs.effects import SAMPLE_RATE_HZ, Audio, set_loudness, to_stereo

FFT = 65_536
HOP = 16_384


def stem_features(audio: Audio, points_hz: Sequence[float], width: float) -> tuple[Audio, Audio] | None:
    """Mean level in dB and mean φ in bands around `points_hz` (`width` octaves wide); `None` for silence."""
    audio = to_stereo(audio)
    if np.max(np.abs(audio)) < 10 ** (-50 / 20):
        return None
    audio = np.pad(set_loudness(audio, -30.0), ((0, 0), (FFT, FFT)))
    window = np.sqrt(np.hanning(FFT + 1)[:-1])
    count = (audio.shape[1] - FFT) // HOP + 1
    level, similarity, sounding = np.zeros(FFT // 2 + 1), np.zeros(FFT // 2 + 1), 0
    for index in range(count):
        left, right = np.fft.rfft(audio[:, index * HOP : index * HOP + FFT] * window)
        level += (np.abs(left) + np.abs(right)) / (2 * count)
        power = np.abs(left) ** 2 + np.abs(right) ** 2
        # Silence counts as centered, as in the reference.
        similarity += np.where(power > 1e-12, 2 * np.abs(left * right.conj()) / np.maximum(power, 1e-12), 1.0)
        sounding += 1
    similarity /= max(sounding, 1)
    hz = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE_HZ)
    bands = [(hz > point * 2 ** (-width / 2)) & (hz <= point * 2 ** (width / 2)) for point in points_hz]
    levels = np.array([np.sqrt(np.mean(level[band] ** 2)) for band in bands])
    return levels, np.array([np.mean(similarity[band]) for band in bands])


def _song_features(seed: int, duration_s: float, variant: str) -> dict[str, tuple[Audio, Audio] | None]:
    song = generate_song(seed, duration_s, variant=variant)
    return {stem: stem_features(song.stems[stem], POINTS_HZ, 1.0) for stem in STEMS}


def measure_set(seeds: Sequence[int], duration_s: float, variant: str, workers: int) -> dict[str, Any]:
    """Average features of generated songs per stem: `level_db` and `phi` at `POINTS_HZ`."""
    measure = partial(_song_features, duration_s=duration_s, variant=variant)
    with ProcessPoolExecutor(workers) as pool:
        songs = list(pool.map(measure, seeds))
    result: dict[str, Any] = {}
    for stem in STEMS:
        found = [song[stem] for song in songs if song[stem] is not None]
        levels = np.mean([item[0] for item in found], axis=0)
        result[stem] = {
            "level_db": 20 * np.log10(levels + 1e-12),
            "phi": np.mean([item[1] for item in found], axis=0),
        }
    return result


def target_levels(targets: dict[str, Any], stem: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The targets' level in dB and φ at `POINTS_HZ`."""
    entry = targets["stems"][stem]
    spectrum, phi = np.array(entry["spectrum"]), np.array(entry["phi"])
    log_points = np.log(POINTS_HZ)
    return (
        np.interp(log_points, np.log(spectrum[:, 0]), spectrum[:, 1]),
        np.interp(log_points, np.log(phi[:, 0]), phi[:, 1]),
    )


def propose_gains(measured: dict[str, Any], targets: dict[str, Any], limit_db: float = 18.0) -> dict[str, list[float]]:
    """New values for `GAINS_DB`: the present ones plus the remaining error, bounded.

    The bound keeps noise floors from being raised into music where a synthetic stem has nothing to say.
    """
    proposal = {}
    for stem in STEMS:
        goal, _ = target_levels(targets, stem)
        error = goal - measured[stem]["level_db"]
        gains = np.clip(np.array(GAINS_DB[stem]) + error, -limit_db, limit_db)
        proposal[stem] = [round(float(gain), 1) for gain in gains]
    return proposal


#: How far a set's averages may lie from the published ones.
TOLERANCES = {"spectrum": 1.0, "phi": 0.03, "loudness_lufs": 0.5, "peak_db": 0.5}
THIRD_OCTAVES_HZ = tuple(1_000.0 * 2.0 ** (step / 3.0) for step in range(-12, 12))


def differences(measured: dict[str, Any], targets: dict[str, Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measured minus target per stem and feature, from two files as `tributary analyze` writes them.

    Curves are compared as means over third octaves from 63 Hz to 12.7 kHz, numbers as they are.
    """
    result: dict[str, dict[str, NDArray[np.float64]]] = {}
    for stem in STEMS:
        ours, theirs = measured["stems"][stem], targets["stems"][stem]
        result[stem] = {
            name: _thirds(ours[name]) - _thirds(theirs[name])
            if name in ("spectrum", "phi")
            else np.array([ours[name] - theirs[name]])
            for name in TOLERANCES
        }
    return result


def _thirds(points: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    hz, values = np.array(points).T
    around = np.linspace(-1 / 6, 1 / 6, 9)
    return np.array([np.mean(np.interp(np.log2(at) + around, np.log2(hz), values)) for at in THIRD_OCTAVES_HZ])


def report(found: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """A table: per stem and feature the largest difference, where it is, and whether it is within its tolerance."""
    lines = []
    for stem, features in found.items():
        for name, values in features.items():
            worst = int(np.argmax(np.abs(values)))
            inside = int(np.sum(np.abs(values) <= TOLERANCES[name]))
            where = f" at {THIRD_OCTAVES_HZ[worst]:.0f} Hz" if values.size > 1 else ""
            share = f"{inside} of {values.size} within {TOLERANCES[name]:g}"
            lines.append(f"{stem:7} {name:13} {values[worst]:+7.2f}{where:14} {share}")
    return "\n".join(lines)
