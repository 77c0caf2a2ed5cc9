"""Who plays: the instruments of every part by the names that `styles.py` uses, and how their sound is recorded.

With samples, the soundfonts play; without, and at times beside them, the synthesizers of `instruments.py` do. A guitar
has an amplifier, a doubled one a second take, strings swell, a pianist has a pedal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import effects as fx
from . import sources
from .effects import Audio
from .instruments import draw_bass, render_bass, render_guitar, render_keys, render_pad, render_plucks
from .player import EXPRESSION, SUSTAIN, Control, Part, play
from .score import Arrangement, Chords, Note

#: The synthesizers' ways to play a layer.
OWN: dict[str, Callable[[np.random.Generator, Chords, int], Audio]] = {
    "guitar": render_guitar,
    "keys": render_keys,
    "pad": render_pad,
    "plucks": lambda rng, chords, frames: render_plucks(rng, [note for chord in chords for note in chord], frames),
}
#: Layers inside `other`: loudness of the first one, LUFS, how far each further one lies below, what songs differ in.
LAYER_LUFS, LAYER_STEP_DB, LAYER_SPREAD_DB = -22.0, 2.0, 2.0
#: Two takes of one part differ: tuning in cents, and hands in ms, standard deviations.
TAKE_CENTS, TAKE_MS = 4.0, 9.0


@dataclass(frozen=True)
class Instrument:
    """One layer's sound: (bank, program) of the soundfonts, what plays without them, and how it is recorded.

    `place` is how far from the middle it may stand, 0…1; `doubled` the chance of two takes, left and right; `drive_db`
    what its amplifier is driven with, none where that is absent; `swells` whether held notes grow.
    """

    programs: tuple[tuple[int, int], ...]
    own: str
    own_share: float = 0.0
    place: tuple[float, float] = (0.0, 0.6)
    doubled: float = 0.0
    drive_db: tuple[float, float] | None = None
    strummed_ms: float = 0.0
    swells: bool = False
    pedal: bool = False


INSTRUMENTS = {
    "driven guitars": Instrument(
        ((0, 27), (0, 26), (8, 28), (0, 29), (0, 30)), "guitar", 0.1, (0.6, 1.0), 0.9, (16.0, 32.0), 4.0
    ),
    "clean guitar": Instrument(((0, 27), (0, 26), (8, 28)), "guitar", 0.1, (0.2, 0.9), 0.3, (0.0, 8.0), 14.0),
    "acoustic guitar": Instrument(((0, 25), (8, 25), (0, 24)), "guitar", 0.0, (0.2, 1.0), 0.6, None, 18.0),
    "nylon guitar": Instrument(((0, 24),), "guitar", 0.0, (0.1, 0.6), 0.2, None, 5.0),
    "jazz guitar": Instrument(((0, 26),), "guitar", 0.0, (0.1, 0.6), 0.0, (0.0, 6.0), 10.0),
    "funk guitar": Instrument(((8, 28), (0, 27), (0, 28)), "guitar", 0.0, (0.3, 0.9), 0.3, (0.0, 6.0), 5.0),
    "skank guitar": Instrument(((0, 27), (0, 28)), "guitar", 0.0, (0.1, 0.7), 0.2, (0.0, 4.0), 6.0),
    "mandolin": Instrument(((16, 25), (8, 24), (0, 105)), "guitar", 0.0, (0.2, 0.8), 0.2, None, 14.0),
    "lead guitar": Instrument(((0, 29), (0, 30), (0, 27)), "guitar", 0.0, (0.0, 0.3), 0.1, (10.0, 26.0)),
    "piano": Instrument(((0, 0), (0, 1), (0, 2), (8, 0)), "keys", 0.05, (0.0, 0.3), pedal=True),
    "electric piano": Instrument(((0, 4), (0, 5), (8, 4)), "keys", 0.15, (0.0, 0.4), drive_db=(0.0, 6.0), pedal=True),
    "synthesizer keys": Instrument(((0, 90), (0, 81), (0, 80)), "keys", 0.5, (0.0, 0.5)),
    "clavinet": Instrument(((0, 7),), "keys", 0.0, (0.1, 0.7), drive_db=(0.0, 10.0)),
    "organ": Instrument(((0, 16), (0, 17), (0, 18)), "pad", 0.0, (0.0, 0.5), drive_db=(0.0, 9.0), swells=True),
    "accordion": Instrument(((0, 21), (0, 23)), "pad", 0.0, (0.1, 0.6), swells=True),
    "strings": Instrument(((0, 48), (0, 49), (0, 50)), "pad", 0.05, (0.0, 0.2), 0.3, swells=True),
    "choir": Instrument(((0, 52), (0, 53), (0, 91)), "pad", 0.0, (0.0, 0.2), 0.3, swells=True),
    "pad": Instrument(((0, 89), (0, 90), (0, 94), (0, 95), (0, 51), (0, 88)), "pad", 0.4, (0.0, 0.2), swells=True),
    "pizzicato": Instrument(((0, 45),), "plucks", 0.0, (0.1, 0.5)),
    "plucks": Instrument(((0, 80), (0, 81), (0, 98), (0, 46), (0, 108)), "plucks", 0.5, (0.1, 0.8)),
    "mallets": Instrument(((0, 11), (0, 12), (0, 9), (0, 10)), "plucks", 0.0, (0.1, 0.8)),
    "harp": Instrument(((0, 46), (0, 15)), "plucks", 0.0, (0.1, 0.6)),
    "stabs": Instrument(((0, 55), (0, 90), (0, 62), (0, 63)), "keys", 0.3, (0.0, 0.4)),
    "horns": Instrument(((0, 61), (8, 61), (0, 56), (0, 66), (0, 57)), "pad", 0.0, (0.1, 0.6), 0.4, swells=True),
    "flute": Instrument(((0, 73), (0, 71), (0, 74)), "pad", 0.0, (0.1, 0.6)),
    "fiddle": Instrument(((0, 110), (0, 40)), "pad", 0.0, (0.1, 0.6), swells=True),
    "melodica": Instrument(((0, 22), (0, 20)), "pad", 0.0, (0.1, 0.6)),
    "synthesizer lead": Instrument(((0, 80), (0, 81), (0, 87)), "plucks", 0.2, (0.0, 0.3)),
}
#: Basses: programs, and what their amplifier is driven with, dB. None: the synthesizer.
BASSES: dict[str, tuple[tuple[tuple[int, int], ...], tuple[float, float]]] = {
    "fingered": (((0, 33),), (0.0, 8.0)),
    "picked": (((0, 34),), (2.0, 12.0)),
    "driven": (((0, 34), (0, 33)), (12.0, 24.0)),
    "fretless": (((0, 35),), (0.0, 5.0)),
    "slapped": (((0, 36),), (0.0, 6.0)),
    "pop": (((0, 37), (0, 36)), (0.0, 8.0)),
    "upright": (((0, 32),), (0.0, 3.0)),
    "synthesizer": (((0, 38), (0, 39), (8, 38), (8, 39)), (0.0, 10.0)),
}
#: How often a synthesized bass is our own where samples are there too.
OWN_BASS = 0.6


def play_bass(rng: np.random.Generator, name: str, notes: list[Note], frames: int, sampled: bool) -> Audio:
    """The bass line, mono `(frames,)`."""
    electronic = name == "synthesizer"
    if not sampled or (electronic and rng.random() < OWN_BASS):
        return render_bass(rng, draw_bass(rng, electronic), notes, frames)
    programs, drive_db = BASSES[name]
    bank, program = programs[int(rng.integers(len(programs)))]
    (track,) = play(draw_font(rng), [Part(program, notes, bank, float(rng.normal(0, 2)))], frames)
    return recorded_bass(rng, np.mean(track, axis=0), float(rng.uniform(*drive_db)))


def recorded_bass(rng: np.random.Generator, line: Audio, drive_db: float) -> Audio:
    """A line `(frames,)` with its amplifier: what is driven has lost its bottom, the line without it keeps that."""
    driven = fx.saturate(fx.high_pass(line, 60.0, order=1), drive_db)
    return fx.low_pass(line, 200.0) + fx.low_pass(driven, float(rng.uniform(2_500, 9_000)))


def play_layers(rng: np.random.Generator, arrangement: Arrangement, frames: int, sampled: bool) -> list[Audio]:
    """Every layer of `other`, stereo `(2, frames)`, at its place and at its level among the others."""
    sounds, position = [], float(rng.choice([-1.0, 1.0]))
    for index, (name, chords) in enumerate(arrangement.layers):
        instrument = INSTRUMENTS[name]
        if not sampled or rng.random() < instrument.own_share:
            sound = OWN[instrument.own](rng, chords, frames)
        else:
            sound = _play_layer(rng, instrument, arrangement, chords, position, frames)
        level = LAYER_LUFS - LAYER_STEP_DB * index + float(rng.normal(0, LAYER_SPREAD_DB))
        sounds.append(fx.set_loudness(sound, level))
        # Who comes next stands on the other side.
        position = -position
    return sounds


def _play_layer(
    rng: np.random.Generator, instrument: Instrument, arrangement: Arrangement, chords: Chords, side: float, frames: int
) -> Audio:
    takes = 2 if rng.random() < instrument.doubled else 1
    bank, program = instrument.programs[int(rng.integers(len(instrument.programs)))]
    controls = _controls(rng, instrument, arrangement, chords)
    parts = [
        Part(program, _take(rng, chords, instrument.strummed_ms), bank, float(rng.normal(0, TAKE_CENTS)), controls)
        for _ in range(takes)
    ]
    tracks = play(draw_font(rng), parts, frames)
    place = float(rng.uniform(*instrument.place))
    drive_db = None if instrument.drive_db is None else float(rng.uniform(*instrument.drive_db))
    tone_hz = float(rng.uniform(3_800, 6_500))
    out = np.zeros((2, frames))
    for index, track in enumerate(tracks):
        at = side * place * (1 if index == 0 else -1)
        if drive_db is not None:
            out += fx.pan(amplified(np.mean(track, axis=0), drive_db, tone_hz), at)
        elif takes == 2:
            out += fx.pan(np.mean(track, axis=0), at)
        else:
            # A stereo recording keeps its width and leans to its place.
            out += track * (np.sqrt(2.0) * fx.pan(np.ones(1), at))
    return out


def amplified(mono: Audio, drive_db: float, tone_hz: float) -> Audio:
    """An amplifier and its cabinet, `(frames,)`: tight below, driven, dark above `tone_hz`."""
    tight_hz = 70.0 + 2.0 * drive_db
    driven = fx.saturate(fx.high_pass(mono, tight_hz, order=1), drive_db)
    cabinet = fx.low_pass(driven, tone_hz, order=4)
    return cabinet + 0.6 * fx.band_pass(cabinet, 1_800.0, 3_600.0, order=1)


def draw_font(rng: np.random.Generator) -> Path:
    """One of the two soundfonts."""
    return sources.path_of(sources.FLUID if rng.random() < 0.5 else sources.GENERAL)


def _take(rng: np.random.Generator, chords: Chords, strummed_ms: float) -> list[Note]:
    """One performance of a part: hands come early or late, strike harder or softer, and strings follow each other."""
    notes, across_s = [], 1e-3 * strummed_ms * float(rng.uniform(0.6, 1.4))
    for chord in chords:
        late_s = 1e-3 * TAKE_MS * float(rng.standard_normal())
        hard = float(rng.uniform(0.9, 1.06))
        for order, note in enumerate(chord):
            start_s = max(0.0, note.start_s + late_s + order * across_s)
            velocity = float(np.clip(note.velocity * hard * rng.uniform(0.95, 1.05), 0.05, 1.0))
            notes.append(Note(start_s, note.duration_s, note.pitch, velocity))
    return notes


def _controls(
    rng: np.random.Generator, instrument: Instrument, arrangement: Arrangement, chords: Chords
) -> Sequence[Control]:
    """A pianist's pedal at every bar, or the swells of who can make a held note grow."""
    controls: list[Control] = []
    if instrument.pedal and rng.random() < 0.6:
        for bar in arrangement.bars:
            controls += [Control(bar.start_s, SUSTAIN, 0), Control(bar.start_s + 0.08, SUSTAIN, 127)]
    if instrument.swells:
        low, seconds = int(rng.integers(60, 110)), float(rng.uniform(0.2, 1.2))
        for chord in chords:
            for share in np.linspace(0.0, 1.0, 8):
                value = round(low + (127 - low) * float(share))
                controls.append(Control(chord[0].start_s + seconds * float(share), EXPRESSION, value))
    return controls
