"""Brings generated stems around the published averages, with a spread of their own.

Real stems are normalized toward the MUSDB18 averages, so synthetic ones must lie around the same ones: in tone, in
left/right similarity φ and in how far their peaks stand out. Each song aims at the average plus a smooth curve that it
draws. What a synthetic stem lacks altogether – rumble, breath, air – becomes noise that follows its level. What is left
of the average's error is in `calibration.json`: a gentle correction per stem, which `crafx2 calibrate --refine` finds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import fft, signal

from ..third_octaves import CENTERS_HZ, bands
from .effects import (
    CONTROL_FRAMES,
    SAMPLE_RATE_HZ,
    Audio,
    control_to_audio,
    db_to_gain,
    envelope_db,
    mid_and_side,
    set_loudness,
)

TABLE = Path(__file__).with_name("calibration.json")
#: The meters' transform; tonal and noisy stems compare differently on a shorter one.
FFT = 65_536
HOP = 32_768
#: Length of the equalizing filters: 62 Hz must be told from 50.
TAPS = 16_384
#: Loudness that published spectra refer to, LUFS.
REFERENCE_LUFS = -30.0
#: How far a stem may be equalized before noise fills the rest, dB.
LARGEST_GAIN_DB, LARGEST_CUT_DB = 12.0, -30.0
#: Standard deviation of a song's own tone around the average, dB, and its period in octaves.
TONE_SPREAD_DB = 2.5
#: Time between accents in seconds and their share of the drawn level: notes, and phrases.
ACCENTS = ((0.4, 0.4), (2.2, 0.5))
#: The loudest moment's share.
OUTBURST = 0.8
#: Stretch of attacks, dB per dB, that a negative drive of 1 dB stands for.
SNAP_PER_DB = 0.1
#: Side over middle of a processed stem as it is heard, dB: with its bed what the default recipe makes of dry ones,
#: so that width, like levels, is the recipe's, and what a network has to learn is its movement.
SIDE_DB = {"vocals": -18.0, "bass": -28.0, "drums": -17.0, "other": -8.0}
#: What songs differ in, standard deviation in dB.
SIDE_SPREAD_DB = 2.0
#: Most side that a stem is given, (Hz, dB), the last one above too: the recipe's bounds
#: (`dsp/src/effects/width/meter.rs`).
MOST_SIDE = ((62.5, -30.0), (125.0, -24.0), (250.0, -9.0), (500.0, -6.0))
#: Range of the bed of rooms and hiss, dB against the stem in the same third octave.
BED_DB = (-60.0, -8.0)


@dataclass(frozen=True)
class Correction:
    """What all songs of a stem are corrected by.

    `tone_db` and `phi` at `CENTERS_HZ` are added to what songs aim at. `accents_db` is how much louder or softer
    moments are played, a standard deviation. `drive_db` clips softly what stands above the moment's level; negative, it
    lets attacks stand out more.
    """

    tone_db: Audio
    phi: Audio
    accents_db: float
    drive_db: float


@dataclass(frozen=True)
class Average:
    """Published spectrum (dB at −30 LUFS) and φ at `CENTERS_HZ`."""

    spectrum_db: Audio
    phi: Audio


@cache
def correction(stem: str) -> Correction:
    """The committed correction of a stem."""
    entry = json.loads(TABLE.read_text(encoding="utf-8"))["stems"][stem]
    return Correction(np.array(entry["tone_db"]), np.array(entry["phi"]), entry["accents_db"], entry["drive_db"])


@cache
def average(stem: str) -> Average:
    """The published average of a stem."""
    from ..contract import default_targets

    entry = default_targets()["stems"][stem]
    return Average(thirds(entry["spectrum"]), thirds(entry["phi"]))


def thirds(points: list[list[float]]) -> Audio:
    """Means over third octaves at `CENTERS_HZ` of a curve given as (Hz, value) pairs."""
    hz, values = np.array(points).T
    around = np.linspace(-1 / 6, 1 / 6, 9)
    return np.array([np.mean(np.interp(np.log2(at) + around, np.log2(hz), values)) for at in CENTERS_HZ])


def tone(rng: np.random.Generator, stem: str, audio: Audio) -> Audio:
    """A dry stem `(2, frames)` near the average's tone and dynamics; silence stays silent."""
    if np.max(np.abs(audio)) < 1e-6:
        return audio
    spread, fixed = smooth_curve(rng, TONE_SPREAD_DB), correction(stem)
    audio = set_loudness(_perform(rng, audio, fixed.accents_db, fixed.drive_db), REFERENCE_LUFS)
    goal_db = average(stem).spectrum_db + fixed.tone_db + spread
    measured_db = gain_db(_mean_magnitudes(audio))
    change_db = np.clip(goal_db - measured_db, LARGEST_CUT_DB, LARGEST_GAIN_DB)
    shaped = equalize(audio, change_db)
    missing = db_to_gain(2 * goal_db) - db_to_gain(2 * (measured_db + change_db))
    lacking = np.where(missing > 0.2 * db_to_gain(2 * goal_db), np.maximum(missing, 0.0), 0.0)
    return shaped + _breath(rng, shaped, np.sqrt(lacking))


def width(rng: np.random.Generator, stem: str, audio: Audio, played: Audio) -> Audio:
    """A processed stem as wide as stems are heard, on a bed that gives it the average's left/right similarity.

    Where the stem was wider as it was `played`, before any effect, it stays as wide. The published φ counts faint bins
    like loud ones: between the notes recordings have rooms, hiss and what a codec left, different on both sides. A side
    that met φ alone would be heard as far too wide.
    """
    if np.max(np.abs(audio)) < 1e-6:
        return audio
    most_db = np.interp(np.log(CENTERS_HZ), np.log([hz for hz, _ in MOST_SIDE]), [db for _, db in MOST_SIDE])
    given_db = np.minimum(SIDE_DB[stem] + rng.normal(0.0, SIDE_SPREAD_DB), most_db)
    wanted_db = np.maximum(given_db, _side_db(played))
    mid, side = mid_and_side(audio)
    noise = rng.standard_normal(2_048) * 10.0 ** (-3.0 * np.arange(2_048) / 2_048)
    diffuse = signal.oaconvolve(mid, noise)[: mid.size]
    wanted = _mean_magnitudes(mid[None]) * db_to_gain(wanted_db)
    own = np.maximum(_mean_magnitudes(side[None]), 1e-9)
    kept = np.minimum(1.0, wanted / own)
    added = np.sqrt(np.maximum(wanted**2 - (own * kept) ** 2, 0.0)) / np.maximum(_mean_magnitudes(diffuse[None]), 1e-9)
    side = equalize(side[None], gain_db(kept))[0] + equalize(diffuse[None], gain_db(added))[0]
    wide = np.stack([mid + side, mid - side])
    return wide + _bed(rng, wide, np.clip(average(stem).phi + correction(stem).phi, 0.5, 1.0))


def _side_db(audio: Audio) -> Audio:
    """Side over middle at `CENTERS_HZ`, dB."""
    mid, side = mid_and_side(audio)
    return gain_db(_mean_magnitudes(side[None]) / np.maximum(_mean_magnitudes(mid[None]), 1e-9))


def smooth_curve(rng: np.random.Generator, spread_db: float) -> Audio:
    """A random curve at `CENTERS_HZ`, in dB, that varies over about two octaves and has no mean."""
    knots = rng.normal(0.0, spread_db, 7)
    curve = np.interp(np.arange(CENTERS_HZ.size), np.linspace(0, CENTERS_HZ.size - 1, 7), knots)
    return curve - np.mean(curve)


def gain_db(gain: Audio) -> Audio:
    """Decibels of a gain, −120 at least."""
    return 20.0 * np.log10(np.maximum(gain, 1e-6))


def equalize(audio: Audio, change_db: Audio) -> Audio:
    """Gains at `CENTERS_HZ`, in dB, on `(channels, frames)`: minimum phase."""
    hz = np.fft.rfftfreq(2 * TAPS, 1 / SAMPLE_RATE_HZ)
    wanted_db = np.interp(np.log(np.maximum(hz, 16.0)), np.log(CENTERS_HZ), change_db)
    # The causal half of the cepstrum, doubled, is that of the minimum-phase filter (Oppenheim and Schafer).
    cepstrum = np.fft.irfft(wanted_db * np.log(10.0) / 20.0)
    cepstrum[1:TAPS] *= 2.0
    cepstrum[TAPS + 1 :] = 0.0
    taps = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:TAPS]
    return signal.oaconvolve(audio, taps[None, :], axes=-1)[:, : audio.shape[-1]]


def _perform(rng: np.random.Generator, audio: Audio, accents_db: float, drive_db: float) -> Audio:
    """Clip softly, or let attacks stand out; then play some moments louder than others."""
    frames = audio.shape[-1]
    change_db = np.zeros(frames)
    for seconds, share in ACCENTS:
        moments = np.arange(0.0, frames + seconds * SAMPLE_RATE_HZ, seconds * SAMPLE_RATE_HZ)
        drawn = share * accents_db * rng.standard_normal(moments.size)
        change_db += np.interp(np.arange(frames), moments, drawn)
    if drive_db < 0.0:
        attack = np.clip(envelope_db(audio, 1.0, 60.0) - envelope_db(audio, 30.0, 400.0), -12.0, 12.0)
        change_db -= control_to_audio(SNAP_PER_DB * drive_db * attack, frames)
    elif drive_db > 0.0:
        level = db_to_gain(control_to_audio(np.maximum(envelope_db(audio, 0.5, 60.0), -90.0), frames))
        drive = float(db_to_gain(drive_db))
        audio = np.tanh(audio / level * drive) / np.tanh(drive) * level
    audio = audio * db_to_gain(change_db)
    # One outburst per song, where it is loudest already: what most peaks of a recording stay below.
    at = CONTROL_FRAMES * int(np.argmax(envelope_db(audio, 1.0, 60.0)))
    away_s = np.abs(np.arange(frames) - at) / SAMPLE_RATE_HZ
    return audio * db_to_gain(OUTBURST * accents_db * np.maximum(0.0, 1.0 - away_s / 0.3))


def _breath(rng: np.random.Generator, audio: Audio, magnitudes: Audio) -> Audio:
    """Noise with mean magnitudes at `CENTERS_HZ` that follows the stem's level and is silent with it."""
    if not np.any(magnitudes > 0.0):
        return np.zeros_like(audio)
    level = envelope_db(audio, 5.0, 120.0)
    follow = control_to_audio(np.clip(level - np.max(level), -60.0, 0.0), audio.shape[-1])
    shape = np.where(follow > -59.0, db_to_gain(follow), 0.0)
    noise = rng.standard_normal(audio.shape)
    noise = (noise + 0.7 * noise[::-1]) * shape
    reached = _mean_magnitudes(noise)
    return equalize(noise, gain_db(magnitudes / np.maximum(reached, 1e-9)))


def _bed(rng: np.random.Generator, audio: Audio, phi: Audio) -> Audio:
    """Faint noise, another on each side, that lasts between the notes and brings φ at `CENTERS_HZ` down to `phi`."""
    level = envelope_db(audio, 5.0, 400.0)
    follow = control_to_audio(np.clip(level - np.max(level), -60.0, 0.0), audio.shape[-1])
    noise = rng.standard_normal(audio.shape) * np.where(follow > -59.0, db_to_gain(0.6 * follow), 0.0)
    spectra, bed = _frames(audio), _frames(noise, like=audio)
    reference = np.array([np.mean(np.abs(spectra[..., at])) / np.mean(np.abs(bed[..., at])) for at in _bands()])
    low, high = (np.full(CENTERS_HZ.size, bound) for bound in BED_DB)
    for _ in range(7):
        middle = (low + high) / 2.0
        gains = reference * db_to_gain(middle)
        found = [_similarity(spectra[..., at] + gain * bed[..., at]) for at, gain in zip(_bands(), gains, strict=True)]
        low, high = np.where(found > phi, middle, low), np.where(found > phi, high, middle)
    return equalize(noise, gain_db(reference * db_to_gain(low)))


def _cut(audio: Audio) -> Audio:
    """Frames `(channels, columns, FFT)`."""
    columns = max(1, -(-(audio.shape[1] - FFT) // HOP) + 1)
    padded = np.pad(audio, ((0, 0), (0, max(0, FFT + (columns - 1) * HOP - audio.shape[1]))))
    return np.lib.stride_tricks.sliding_window_view(padded, FFT, axis=1)[:, ::HOP]


def _frames(audio: Audio, like: Audio | None = None) -> Audio:
    """Spectra `(channels, columns, bins)` of frames in which it sounds, or `like` does."""
    frames = _cut(audio)
    power = np.mean((frames if like is None else _cut(like)) ** 2, axis=(0, 2))
    sounding = frames[:, power >= 1e-3 * np.max(power)].astype(np.float32)
    return fft.rfft(sounding * np.sqrt(np.hanning(FFT + 1)[:-1]).astype(np.float32), axis=2)


@cache
def _bands() -> list[slice]:
    return bands(np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE_HZ))


def _mean_magnitudes(audio: Audio) -> Audio:
    """Mean magnitude of both channels in third octaves, as the published spectra are measured."""
    mean = np.mean(np.abs(_frames(audio)), axis=(0, 1))
    return np.array([np.mean(mean[band]) for band in _bands()])


def _similarity(spectra: Audio) -> float:
    """Mean φ of the bins of two channels."""
    left, right = np.abs(spectra)
    return float(np.mean(2 * left * right / np.maximum(left**2 + right**2, 1e-20)))
