"""Is a bundle sane on songs it never saw? Streams it over normalized stems and reports what a listener would notice.

Loudness, lean, stem balance, clicks at hop borders, what becomes of a stem that plays alone, and – where there is a
mixture – the distance to it beside that of the plain sum and of the same network with its mask frozen to the mean: if
freezing costs nothing, nothing adapts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal

from .contract import SAMPLE_RATE_HZ, STEMS
from .dataset import find_stems, read_stereo
from .front_end import FRAME_RATIO
from .losses import band_levels_db, make_loss
from .songs.effects import loudness_lufs
from .streaming import Stream, open_stream
from .third_octaves import CENTERS_HZ, bands

Array = NDArray[np.float32]
#: Third octaves in which a stem that plays alone is compared with itself, 63 Hz to 16 kHz.
ALONE_HZ = CENTERS_HZ[3:]
#: How far below its loudest third octave they count, dB: what is fainter is a recording's floor.
ALONE_RANGE_DB = 60.0


@dataclass(frozen=True)
class SongCheck:
    """Numbers of one song; there are no losses without a mixture.

    `alone_db` is the largest deviation of a third octave from the mean gain of a stem that plays alone. `held_db` is
    the mean distance, over third octaves of middle and side, of the mix with masks at their means from the plain sum.
    """

    name: str
    mix_lufs: float
    sum_lufs: float
    lean_db: float
    side_db: float
    peak: float
    click_ratio: float
    stem_gain_db: dict[str, float]
    alone_db: float
    mask_variation_db: float
    held_db: float
    loss: dict[str, float]


def _level_db(audio: Array) -> float:
    return 10 * math.log10(float(np.mean(np.square(audio, dtype=np.float64))) + 1e-20)


def click_ratio(mix: Array, hop_frames: int) -> float:
    """Largest third difference near a hop border over the largest elsewhere; far above 1 means clicks."""
    steps = np.max(np.abs(np.diff(mix, n=3, axis=1)), axis=0)
    near = np.zeros(steps.size, dtype=bool)
    for border in range(hop_frames, steps.size, hop_frames):
        near[border - 8 : border + 8] = True
    elsewhere = float(np.max(steps[~near], initial=0.0))
    return float(np.max(steps[near], initial=0.0)) / elsewhere if elsewhere > 0 else 0.0


def check_song(stream: Stream, folder: Path, limit_s: float = 60.0) -> SongCheck:
    """Stream one folder of normalized stems (and, where present, its mixture)."""
    paths = find_stems(folder)
    tracks = {name: read_stereo(path, 0, int(limit_s * SAMPLE_RATE_HZ)) for name, path in paths.items()}
    frames = max(track.shape[1] for track in tracks.values()) // FRAME_RATIO * FRAME_RATIO
    stems = np.zeros((2 * len(STEMS), frames), dtype=np.float32)
    for index, stem in enumerate(STEMS):
        if stem in tracks:
            part = tracks[stem][:, :frames]
            stems[2 * index : 2 * index + 2, : part.shape[1]] = part
    result, frozen = stream.run(stems), stream.run(stems, freeze=True, parts=False).mix
    mix, plain = result.mix, stems.reshape(len(STEMS), 2, frames).sum(axis=0)
    gains = {}
    for index, stem in enumerate(STEMS):
        before = _level_db(stems[2 * index : 2 * index + 2])
        gains[stem] = _level_db(result.contributions[stem]) - before if before > -80 else math.nan
    return SongCheck(
        name=folder.name,
        mix_lufs=loudness_lufs(mix.astype(np.float64)),
        sum_lufs=loudness_lufs(plain.astype(np.float64)),
        lean_db=_level_db(mix[0]) - _level_db(mix[1]),
        side_db=_level_db((mix[0] - mix[1]) / 2) - _level_db((mix[0] + mix[1]) / 2),
        peak=float(np.max(np.abs(mix))),
        click_ratio=click_ratio(mix, stream.window.hop_frames),
        stem_gain_db=gains,
        alone_db=max(alone_db(stream, stems, index) for index in range(len(STEMS))),
        mask_variation_db=result.mask_variation_db,
        held_db=_held_db(stream.before_tanh(frozen), plain),
        loss=_losses(mix, plain, frozen, tracks.get("mixture")),
    )


def alone_db(stream: Stream, stems: Array, index: int) -> float:
    """How far the network bends the tone of one stem that plays alone: the largest deviation from its mean gain, dB.

    What a mixing engineer does to one instrument on an otherwise silent desk is a level. The final tanh, which makes
    harmonics, is undone. 0 for a silent stem.
    """
    alone = np.zeros_like(stems)
    alone[2 * index : 2 * index + 2] = stems[2 * index : 2 * index + 2]
    before = _third_octaves_db(alone[2 * index : 2 * index + 2])
    if np.max(before) < -100.0:
        return 0.0
    gain_db = _third_octaves_db(stream.before_tanh(stream.run(alone, parts=False).mix)) - before
    gain_db = gain_db[before > np.max(before) - ALONE_RANGE_DB]
    return float(np.max(np.abs(gain_db - np.mean(gain_db))))


def _third_octaves_db(audio: Array) -> NDArray[np.float64]:
    """Mean power of both channels at `ALONE_HZ`, dB."""
    hz, power = signal.welch(audio.astype(np.float64), SAMPLE_RATE_HZ, nperseg=16_384, scaling="spectrum")
    mean = power.mean(axis=0)
    return np.array([10.0 * math.log10(np.sum(mean[band]) + 1e-20) for band in bands(hz, ALONE_HZ)])


def _held_db(frozen: Array, plain: Array) -> float:
    frozen_db, plain_db = (band_levels_db(torch.from_numpy(audio)[None]) for audio in (frozen, plain))
    return float((frozen_db - plain_db).abs().mean())


def _losses(mix: Array, plain: Array, frozen: Array, mixture: Array | None) -> dict[str, float]:
    if mixture is None:
        return {}
    loss, frames = make_loss("mix"), mix.shape[1]
    goal = np.zeros_like(mix)
    goal[:, : min(frames, mixture.shape[1])] = mixture[:, :frames]
    target = torch.from_numpy(goal)[None]
    candidates = {"plain sum": plain, "model": mix, "frozen mask": frozen}
    with torch.no_grad():
        return {name: float(loss(torch.from_numpy(audio)[None], target)) for name, audio in candidates.items()}


def check_set(bundle: Path, root: Path) -> list[SongCheck]:
    """All songs of a folder."""
    stream = open_stream(bundle)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and find_stems(path))
    return [check_song(stream, folder) for folder in folders]


def table(checks: list[SongCheck]) -> str:
    """A Markdown table with means below."""
    lines = [
        "| song | mix LUFS | sum LUFS | L−R dB | side/mid dB | peak | clicks "
        "| gain v / b / d / o dB | alone ± dB | mask ± dB | held ± dB | loss |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for check in checks:
        gains = " / ".join("–" if math.isnan(gain) else f"{gain:+.1f}" for gain in check.stem_gain_db.values())
        loss = ", ".join(f"{name} {value:.3f}" for name, value in check.loss.items()) or "–"
        lines.append(
            f"| {check.name} | {check.mix_lufs:.1f} | {check.sum_lufs:.1f} | {check.lean_db:+.2f} "
            f"| {check.side_db:.1f} | {check.peak:.2f} | {check.click_ratio:.2f} "
            f"| {gains} | {check.alone_db:.1f} | {check.mask_variation_db:.2f} | {check.held_db:.2f} | {loss} |"
        )
    scored = [check.loss for check in checks if check.loss]
    if scored:
        means = {name: float(np.mean([item[name] for item in scored])) for name in scored[0]}
        lines.append("\nmean loss: " + ", ".join(f"{name} {value:.4f}" for name, value in means.items()))
    return "\n".join(lines)
