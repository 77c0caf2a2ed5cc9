"""A singing voice: syllables of consonants and vowels, sung with glides, vibrato and breath.

A train of glottal pulses and a stream of noise pass a vocal tract whose resonances move: both are cut into overlapping
frames, whose spectra are multiplied by what tongue, lips and nose let through at that moment. So a consonant is what it
is in a mouth – a hiss, a burst behind a closure, a hum through the nose, a glide – and all of it belongs to one throat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from .effects import SAMPLE_RATE_HZ, Audio, high_pass, ramps
from .instruments import midi_to_hz
from .score import Note

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
#: What passes between the resonances, linear.
FLOOR = 0.012
#: Frames of the tract, and how often it moves: 23 and 6 ms.
FFT, CONTROL_FRAMES = 1_024, 256
#: The pulse's partials end here.
HIGHEST_HZ = 15_000.0
#: A pause before a note this long is used to breathe in, seconds.
BREATH_AFTER_S = 0.35


@dataclass(frozen=True)
class Consonant:
    """What precedes a vowel: a hiss or burst around `hz`, octaves wide; a closure before it; or a voiced glide.

    `hiss` is its level against the voice, `seconds` how long it takes, `closed_s` how long nothing sounds before it.
    `nasal` sounds through the nose, `glide_hz` begins the vowel with other resonances.
    """

    seconds: float
    hiss: float = 0.0
    hz: float = 3_000.0
    octaves: float = 0.4
    closed_s: float = 0.0
    nasal: bool = False
    glide_hz: tuple[float, ...] = ()


CONSONANTS = {
    "s": Consonant(0.09, 0.22, 6_800.0, 0.35),
    "sh": Consonant(0.09, 0.2, 3_300.0, 0.4),
    "f": Consonant(0.07, 0.07, 7_500.0, 1.0),
    "h": Consonant(0.06, 0.08, 1_600.0, 1.2),
    "t": Consonant(0.02, 0.3, 4_800.0, 0.6, closed_s=0.04),
    "k": Consonant(0.025, 0.25, 2_100.0, 0.5, closed_s=0.04),
    "p": Consonant(0.015, 0.18, 1_000.0, 1.0, closed_s=0.05),
    "d": Consonant(0.012, 0.12, 3_800.0, 0.7, closed_s=0.03),
    "b": Consonant(0.01, 0.1, 800.0, 1.0, closed_s=0.03),
    "m": Consonant(0.07, nasal=True, glide_hz=(300.0, 1_000.0, 2_200.0, 3_200.0, 4_100.0)),
    "n": Consonant(0.06, nasal=True, glide_hz=(300.0, 1_500.0, 2_400.0, 3_300.0, 4_200.0)),
    "l": Consonant(0.05, glide_hz=(360.0, 1_100.0, 2_700.0, 3_300.0, 4_200.0)),
    "r": Consonant(0.06, glide_hz=(400.0, 1_150.0, 1_650.0, 3_100.0, 4_100.0)),
    "w": Consonant(0.07, glide_hz=(310.0, 650.0, 2_300.0, 3_200.0, 4_000.0)),
}


@dataclass(frozen=True)
class Singer:
    """One voice: size of the throat, vibrato, breathiness, slope of the glottal spectrum, how clearly it speaks."""

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
        vibrato_semitones=float(rng.uniform(0.05, 0.45)),
        breath=float(rng.uniform(0.01, 0.09)),
        tilt=float(rng.uniform(0.7, 1.5)),
        glide_s=float(rng.uniform(0.03, 0.09)),
        diction=float(rng.uniform(0.5, 1.0)),
    )


class _Tract:
    """What the voice does over time, at control rate: `(controls,)` each, formants `(controls, 5)`."""

    def __init__(self, controls: int, first_pitch: float) -> None:
        self.time_s = np.arange(controls) * CONTROL_FRAMES / SAMPLE_RATE_HZ
        self.pitch = np.full(controls, first_pitch)
        self.level = np.zeros(controls)
        self.nasal = np.zeros(controls)
        self.breath = np.zeros(controls)
        self.hiss = np.zeros(controls)
        self.hiss_hz = np.full(controls, 3_000.0)
        self.hiss_octaves = np.full(controls, 0.5)
        self.formants_hz = np.tile(VOWELS_HZ[0], (controls, 1))

    def span(self, start_s: float, end_s: float) -> slice:
        """The controls from one time to another."""
        begin, end = np.searchsorted(self.time_s, (max(start_s, 0.0), max(end_s, 0.0)))
        return slice(int(begin), int(end))


def render_vocals(rng: np.random.Generator, singer: Singer, notes: list[Note], frames: int) -> Audio:
    """Mono vocal line `(frames,)`; silent where nobody sings."""
    if not notes:
        return np.zeros(frames)
    tract = _Tract(-(-frames // CONTROL_FRAMES) + 1, notes[0].pitch)
    previous, before_s = notes[0].pitch, -1.0
    for note in notes:
        _sing(rng, singer, tract, note, previous)
        _speak(rng, singer, tract, note, note.start_s - before_s)
        previous, before_s = note.pitch, note.start_s + note.duration_s
    _settle(rng, tract)
    pulses = _pulses(singer, midi_to_hz(tract.pitch), frames) * ramps(tract.level, CONTROL_FRAMES, frames)
    return high_pass(_through(singer, tract, pulses, rng.standard_normal(frames)), 70.0)


def _sing(rng: np.random.Generator, singer: Singer, tract: _Tract, note: Note, previous: float) -> None:
    """Pitch, level and vowel of a note: it is scooped into, swells, and its vowel may turn into another one."""
    span = tract.span(note.start_s, note.start_s + note.duration_s)
    local = tract.time_s[span] - note.start_s
    if local.size == 0:
        return
    glide = previous + (note.pitch - previous) * (1.0 - np.exp(-local / singer.glide_s))
    scoop = -float(rng.uniform(0, 0.8)) * np.exp(-local / 0.06)
    depth = singer.vibrato_semitones * np.clip((local - 0.25) / 0.3, 0, 1)
    vibrato = np.sin(2 * np.pi * singer.vibrato_hz * tract.time_s[span])
    tract.pitch[span] = glide + scoop + depth * vibrato
    tract.pitch[span.stop :] = note.pitch
    attack = np.clip(local / float(rng.uniform(0.02, 0.06)), 0, 1)
    release = np.clip((note.duration_s - local) / min(0.07, note.duration_s / 2), 0, 1)
    swell = 0.85 + 0.15 * np.sin(np.pi * np.clip(local / note.duration_s, 0, 1))
    tract.level[span] = np.maximum(tract.level[span], note.velocity * attack * release * swell)
    tract.breath[span] = np.maximum(tract.breath[span], singer.breath * note.velocity * release)
    vowel = VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))]
    tract.formants_hz[span.start :] = vowel
    if note.duration_s > 0.3 and rng.random() < 0.35:
        turn = span.start + int(0.6 * local.size)
        tract.formants_hz[turn:] = 0.4 * vowel + 0.6 * VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))]


def _speak(rng: np.random.Generator, singer: Singer, tract: _Tract, note: Note, pause_s: float) -> None:
    """The consonant before a note's vowel, where there is one, and the breath before a phrase."""
    if pause_s > BREATH_AFTER_S and rng.random() < 0.7:
        start_s = note.start_s - float(rng.uniform(0.25, min(0.6, pause_s)))
        span = tract.span(start_s, note.start_s - 0.08)
        intake = np.hanning(max(span.stop - span.start, 1))[: span.stop - span.start]
        tract.breath[span] = np.maximum(tract.breath[span], float(rng.uniform(0.03, 0.12)) * intake)
    if rng.random() > singer.diction:
        return
    consonant = list(CONSONANTS.values())[int(rng.integers(len(CONSONANTS)))]
    seconds = consonant.seconds * float(rng.uniform(0.7, 1.3))
    span = tract.span(note.start_s - seconds, note.start_s)
    if consonant.glide_hz:
        tract.formants_hz[span] = consonant.glide_hz
        tract.level[span] = np.maximum(tract.level[span], 0.6 * note.velocity)
        tract.pitch[span] = note.pitch - 0.3
        if consonant.nasal:
            tract.nasal[span] = 1.0
        return
    if consonant.closed_s:
        tract.level[tract.span(note.start_s - seconds - consonant.closed_s, note.start_s)] *= 0.05
    else:
        tract.level[span] *= 0.3
    tract.hiss[span] = consonant.hiss * note.velocity * float(rng.uniform(0.6, 1.3))
    tract.hiss_hz[span] = consonant.hz * float(rng.uniform(0.9, 1.1))
    tract.hiss_octaves[span] = consonant.octaves


def _settle(rng: np.random.Generator, tract: _Tract) -> None:
    """Pitch drifts, and tongue and lips have inertia."""
    drift = np.cumsum(rng.normal(0, 0.013, size=tract.time_s.size))
    drift -= np.convolve(np.pad(drift, 40, mode="edge"), np.full(81, 1 / 81), mode="valid")
    tract.pitch = tract.pitch + drift
    inertia = np.hanning(13)
    inertia /= np.sum(inertia)
    for column in range(tract.formants_hz.shape[1]):
        padded = np.pad(tract.formants_hz[:, column], 6, mode="edge")
        tract.formants_hz[:, column] = np.convolve(padded, inertia, mode="valid")
    for name in ("level", "nasal", "breath"):
        setattr(tract, name, np.convolve(getattr(tract, name), np.full(3, 1 / 3), mode="same"))


def _pulses(singer: Singer, hz: Audio, frames: int) -> Audio:
    """The glottis `(frames,)`: a cycle of partials that fall by `tilt` times 6 dB an octave, read at the pitch."""
    count = max(1, int(HIGHEST_HZ / np.max(hz)))
    numbers = np.arange(1, count + 1)
    size = 4_096
    spectrum = np.zeros(size // 2 + 1, dtype=np.complex128)
    # Partials in step make a click, out of step a buzz; a glottis closes faster than it opens.
    spectrum[1 : count + 1] = numbers ** (-0.5 * singer.tilt) * np.exp(1j * 0.4 * np.sqrt(numbers)) * size / 2
    cycle = np.fft.irfft(spectrum)
    position = (np.cumsum(ramps(hz, CONTROL_FRAMES, frames)) / SAMPLE_RATE_HZ) % 1.0 * size
    return np.interp(position, np.arange(size + 1), np.append(cycle, cycle[0]))


def _through(singer: Singer, tract: _Tract, pulses: Audio, noise: Audio) -> Audio:
    """Pulses and noise `(frames,)` through the tract as it moves."""
    hz = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE_HZ)[:, None]
    options = {"window": "hann", "nperseg": FFT, "noverlap": FFT - CONTROL_FRAMES}
    voiced, hissed = (signal.stft(part, **options)[2] for part in (pulses, noise))
    count = min(voiced.shape[1], tract.time_s.size)
    gain = np.full((hz.size, count), FLOOR)
    for formant, (level_db, width_hz) in enumerate(zip(FORMANT_LEVELS_DB, BANDWIDTHS_HZ, strict=True)):
        center = tract.formants_hz[None, :count, formant] * singer.scale
        gain += 10 ** (level_db / 20) / (1.0 + ((hz - center) / width_hz) ** 2)
    nose = 1.0 / (1.0 + (hz / 450.0) ** 2) + 0.15
    through_nose = tract.nasal[None, :count]
    octaves_away = np.log2(np.maximum(hz, 20.0) / tract.hiss_hz[None, :count])
    hiss = tract.hiss[None, :count] * np.exp(-0.5 * (octaves_away / tract.hiss_octaves[None, :count]) ** 2)
    airy = tract.breath[None, :count] * gain * np.clip(hz / 1_500.0, 0.0, 1.0)
    spectrum = voiced[:, :count] * gain * (1.0 - through_nose * (1.0 - nose)) + hissed[:, :count] * (hiss + 6.0 * airy)
    _, out = signal.istft(spectrum, **options)
    return np.pad(out, (0, max(0, pulses.size - out.size)))[: pulses.size]
