"""A singing voice: harmonics shaped by formants that glide from vowel to vowel, with vibrato, breath and consonants.

Additive synthesis at control rate: for each harmonic the level is the glottal slope times the formant response at its
momentary frequency, so vibrato moves timbre as in a real voice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrangement import Note
from .effects import SAMPLE_RATE_HZ, Audio, band_pass, high_pass, ramps
from .instruments import midi_to_hz

#: Formant centers in Hz for a tenor; the rows are a, e, i, o, u and two in-between vowels.
VOWELS_HZ = np.array(
    [
        [700, 1_150, 2_600, 3_300, 4_200],
        [480, 1_750, 2_500, 3_350, 4_300],
        [300, 2_100, 2_850, 3_500, 4_400],
        [430, 820, 2_650, 3_200, 4_100],
        [330, 720, 2_500, 3_150, 4_000],
        [600, 1_450, 2_550, 3_300, 4_200],
        [520, 1_000, 2_500, 3_250, 4_150],
    ],
    dtype=np.float64,
)
FORMANT_LEVELS_DB = np.array([0.0, -5.0, -13.0, -17.0, -24.0])
BANDWIDTHS_HZ = np.array([80.0, 95.0, 130.0, 180.0, 260.0])
CONTROL_FRAMES = 220
HARMONICS = 48


@dataclass(frozen=True)
class Singer:
    """One voice: size of the throat, vibrato, breathiness, slope of the glottal spectrum."""

    scale: float
    vibrato_hz: float
    vibrato_semitones: float
    breath: float
    tilt: float
    glide_s: float
    diction: float


def draw_singer(rng: np.random.Generator, pitch: float) -> Singer:
    """Higher lines get a smaller throat."""
    return Singer(
        scale=float(rng.uniform(0.95, 1.05) * (1.0 + 0.012 * (pitch - 57))),
        vibrato_hz=float(rng.uniform(4.6, 6.2)),
        vibrato_semitones=float(rng.uniform(0.1, 0.45)),
        breath=float(rng.uniform(0.01, 0.06)),
        tilt=float(rng.uniform(1.0, 1.6)),
        glide_s=float(rng.uniform(0.03, 0.09)),
        diction=float(rng.uniform(0.3, 1.0)),
    )


def render_vocals(rng: np.random.Generator, singer: Singer, notes: list[Note], frames: int) -> Audio:
    """Mono vocal line `(frames,)`; silent where nobody sings."""
    if not notes:
        return np.zeros(frames)
    controls = -(-frames // CONTROL_FRAMES) + 1
    time_s = np.arange(controls) * CONTROL_FRAMES / SAMPLE_RATE_HZ
    pitch, level, vowels = _contours(rng, singer, notes, time_s)
    hz = midi_to_hz(pitch)
    response = _formant_levels(singer, hz, vowels)
    phase = 2 * np.pi * np.cumsum(ramps(hz, CONTROL_FRAMES, frames)) / SAMPLE_RATE_HZ
    # sin(n + 1)x = 2 cos x sin nx − sin(n − 1)x: no sine of its own for each harmonic.
    twice, before, harmonic = 2.0 * np.cos(phase), np.zeros(frames), np.sin(phase)
    out = np.zeros(frames)
    for number in range(HARMONICS):
        amplitude = response[number] * level
        if np.max(amplitude) > 1e-5:
            out += ramps(amplitude, CONTROL_FRAMES, frames) * harmonic
        before, harmonic = harmonic, twice * harmonic - before
    noise = rng.standard_normal(frames)
    out += singer.breath * ramps(level, CONTROL_FRAMES, frames) * band_pass(noise, 1_500, 9_000)
    out += _consonants(rng, singer, notes, frames)
    return high_pass(out, 70.0)


def _contours(rng: np.random.Generator, singer: Singer, notes: list[Note], time_s: Audio) -> tuple[Audio, Audio, Audio]:
    """Pitch `(controls,)` in semitones, level `(controls,)` and formant centers `(controls, 5)`."""
    pitch = np.full(time_s.size, notes[0].pitch)
    level = np.zeros(time_s.size)
    vowels = np.tile(VOWELS_HZ[0], (time_s.size, 1))
    vibrato_phase = 2 * np.pi * singer.vibrato_hz * time_s
    previous = notes[0].pitch
    for note in notes:
        begin, end = np.searchsorted(time_s, (note.start_s, note.start_s + note.duration_s))
        if end <= begin:
            continue
        local = time_s[begin:end] - note.start_s
        glide = previous + (note.pitch - previous) * (1.0 - np.exp(-local / singer.glide_s))
        scoop = -float(rng.uniform(0, 0.8)) * np.exp(-local / 0.06)
        depth = singer.vibrato_semitones * np.clip((local - 0.25) / 0.3, 0, 1)
        pitch[begin:end] = glide + scoop + depth * np.sin(vibrato_phase[begin:end])
        pitch[end:] = note.pitch
        attack = np.clip(local / float(rng.uniform(0.02, 0.06)), 0, 1)
        release = np.clip((note.duration_s - local) / min(0.07, note.duration_s / 2), 0, 1)
        swell = 0.85 + 0.15 * np.sin(np.pi * np.clip(local / note.duration_s, 0, 1))
        level[begin:end] = np.maximum(level[begin:end], note.velocity * attack * release * swell)
        vowels[begin:] = VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))]
        previous = note.pitch
    drift = np.cumsum(rng.normal(0, 0.012, size=time_s.size))
    drift -= np.convolve(np.pad(drift, 40, mode="edge"), np.full(81, 1 / 81), mode="valid")
    # Formants and level move with the inertia of tongue and breath.
    inertia = np.hanning(17)
    inertia /= np.sum(inertia)
    for column in range(vowels.shape[1]):
        padded = np.pad(vowels[:, column], 8, mode="edge")
        vowels[:, column] = np.convolve(padded, inertia, mode="valid")
    level = np.convolve(level, np.full(3, 1 / 3), mode="same")
    return pitch + drift, level, vowels


def _formant_levels(singer: Singer, hz: Audio, vowels: Audio) -> Audio:
    """Level of each harmonic over time, `(HARMONICS, controls)`."""
    numbers = np.arange(1, HARMONICS + 1)[:, None]
    frequency = numbers * hz[None, :]
    gain = np.full(frequency.shape, 0.012)
    for formant in range(vowels.shape[1]):
        center = vowels[None, :, formant] * singer.scale
        width = BANDWIDTHS_HZ[formant]
        gain = gain + 10 ** (FORMANT_LEVELS_DB[formant] / 20) / (1.0 + ((frequency - center) / width) ** 2)
    gain = gain * numbers ** (-0.5 * singer.tilt)
    return np.where(frequency < 14_000, gain, 0.0)


def _consonants(rng: np.random.Generator, singer: Singer, notes: list[Note], frames: int) -> Audio:
    """Short noise before some syllables: s and sh (sustained), t and k (bursts)."""
    out = np.zeros(frames)
    for note in notes:
        if rng.random() > singer.diction * 0.7:
            continue
        sustained = rng.random() < 0.45
        seconds = float(rng.uniform(0.05, 0.11) if sustained else rng.uniform(0.012, 0.03))
        count = int(seconds * SAMPLE_RATE_HZ)
        start = int((note.start_s - seconds * 0.8) * SAMPLE_RATE_HZ)
        if start < 0 or start + count > frames:
            continue
        low = float(rng.choice([2_500, 4_500, 5_500]) if sustained else rng.choice([1_500, 3_000]))
        burst = band_pass(rng.standard_normal(count), low, low * 2.2)
        shape = np.hanning(count) if sustained else np.exp(-np.arange(count) / (0.25 * count))
        out[start : start + count] += 0.16 * note.velocity * shape * burst * (1.0 if sustained else 1.4)
    return out
