"""What the players inside `other` play: each layer's notes, by the way its instrument is played.

`LAYERS` names the way of every layer that `styles.py` may ask for; how they sound is told in `band.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .score import Arrangement, Bar, Chords, Note

Writer = Callable[[np.random.Generator, Arrangement], Chords]
#: Rhythms of chords, as sixteenths.
COMPING = ((0,), (0, 8), (0, 6, 12), (2, 6, 10, 14), (0, 4, 8, 12), (0, 3, 6, 10, 12), (0, 3, 8, 11))
STRUMS = ((0, 4, 6, 10, 12, 14), (0, 2, 4, 6, 8, 10, 12, 14), (0, 6, 8, 14), (0, 4, 7, 10, 12, 15))
STABS = ((0,), (0, 3), (14,), (6, 8), (0, 6, 12), (4, 7))
SKANKS = ((4, 12), (2, 6, 10, 14), (4, 6, 12))
#: Energy below which a layer keeps to one chord a bar.
CALM = 0.35


def _playing(arrangement: Arrangement, least_energy: float = 0.0) -> list[Bar]:
    return [bar for bar in arrangement.bars if "other" in bar.plays and bar.energy >= least_energy]


def _pick(rng: np.random.Generator, choices: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    return choices[int(rng.integers(len(choices)))]


def voiced(chord: tuple[int, ...], center: float) -> list[int]:
    """The chord's tones, each in the octave nearest to a MIDI pitch: chords that follow each other move little."""
    return sorted(round(tone % 12 + 12 * round((center - tone % 12) / 12)) for tone in chord)


def _struck(
    rng: np.random.Generator, song: Arrangement, bar: Bar, pitches: list[int], steps: tuple[int, ...], legato: float
) -> Chords:
    """The same pitches at some steps of a bar, each held for a part of the time to the next."""
    chords, ends = [], (*steps[1:], 16)
    for step, end in zip(steps, ends, strict=True):
        length_s = (end - step) * song.beat_s / 4 * legato
        accent = 1.0 if step % 8 == 0 else 0.92 if step % 4 == 0 else 0.85
        velocity = float(rng.uniform(0.85, 1.0)) * accent * (0.55 + 0.4 * bar.energy)
        chords.append([Note(song.at(bar, step), length_s, pitch, velocity) for pitch in pitches])
    return chords


def comping(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Chords in a rhythm of the song's; one a bar where it is calm; the left hand doubles the root at times."""
    rhythm, center, legato = _pick(rng, COMPING), float(rng.uniform(55, 66)), float(rng.uniform(0.5, 1.0))
    left = rng.random() < 0.5
    chords: Chords = []
    for bar in _playing(arrangement):
        pitches = voiced(bar.chord, center)
        if left:
            pitches = [36 + bar.chord[0] % 12, *pitches]
        chords += _struck(rng, arrangement, bar, pitches, rhythm if bar.energy > CALM else (0,), legato)
    return chords


def sustained(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """One chord a bar, held; the top is doubled an octave up where it is full."""
    center, least = float(rng.uniform(54, 68)), float(rng.choice([0.0, 0.0, 0.4]))
    chords: Chords = []
    for bar in _playing(arrangement, least):
        pitches = voiced(bar.chord, center)
        if bar.energy > 0.7:
            pitches.append(pitches[0] + 12)
        chords += _struck(rng, arrangement, bar, pitches, (0,), 1.0)
    return chords


def strummed(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Five or six strings in eighths, downstrokes low first, upstrokes high first and softer."""
    rhythm, chords = _pick(rng, STRUMS), []
    for bar in _playing(arrangement):
        triad = [tone % 12 for tone in bar.chord[:3]]
        low = 40 + (triad[0] - 4) % 12
        strings = [low, low + 7, low + 12, low + 12 + (triad[1] - triad[0]) % 12, low + 19, low + 24]
        for chord in _struck(rng, arrangement, bar, strings, rhythm if bar.energy > 0.25 else (0, 8), 1.0):
            step = round((chord[0].start_s - bar.start_s) / arrangement.beat_s * 4)
            up = step % 4 == 2
            chords.append([_softer(note, 0.8) for note in chord[:1:-1]] if up else chord)
    return chords


def _softer(note: Note, share: float) -> Note:
    return Note(note.start_s, note.duration_s, note.pitch, note.velocity * share)


def power(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Roots and fifths: chugged under verses, held in choruses, with the bass drum's accents."""
    chug = _pick(rng, ((0, 2, 4, 6, 8, 10, 12, 14), (0, 2, 3, 6, 8, 10, 11, 14), (0, 3, 6, 8, 11, 14)))
    held = _pick(rng, ((0,), (0, 8), (0, 6, 8), (0, 6, 12)))
    chords: Chords = []
    for bar in _playing(arrangement, 0.3):
        low = 40 + (bar.chord[0] % 12 - 4) % 12
        full = bar.energy > 0.7
        pitches = [low, low + 7, low + 12] if full else [low, low + 7]
        chords += _struck(rng, arrangement, bar, pitches, held if full else chug, 0.95 if full else 0.5)
    return chords


def skank(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Short chords off the beat."""
    rhythm, center = _pick(rng, SKANKS), float(rng.uniform(60, 68))
    chords: Chords = []
    for bar in _playing(arrangement):
        chords += _struck(rng, arrangement, bar, voiced(bar.chord, center), rhythm, 0.35)
    return chords


def scratched(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Sixteenths of a muting hand: few ring, most are clicks, a pattern that returns."""
    rings, center = rng.random(16) < 0.4, float(rng.uniform(62, 70))
    silent = rng.random(16) < 0.3
    chords: Chords = []
    for bar in _playing(arrangement):
        pitches = voiced(bar.chord, center)
        for step in np.flatnonzero(~silent | rings):
            length_s, loud = (0.14, 0.75) if rings[step] else (0.03, 0.4)
            velocity = loud * float(rng.uniform(0.85, 1.1)) * (0.7 + 0.3 * bar.energy)
            chords.append([Note(arrangement.at(bar, int(step)), length_s, pitch, velocity) for pitch in pitches])
    return chords


def arpeggio(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """The chord's tones one by one in an order that returns, where the song is not calm."""
    order, step, center = rng.permutation(8), int(rng.choice([1, 2, 2])), float(rng.uniform(62, 76))
    kept, least = float(rng.uniform(0.6, 1.0)), float(rng.choice([0.0, 0.4]))
    chords: Chords = []
    for bar in _playing(arrangement, least):
        tones = voiced(bar.chord, center)
        tones = [*tones, *(tone + 12 for tone in tones)]
        for index, place in enumerate(range(0, 16, step)):
            if rng.random() < kept:
                pitch = tones[int(order[index % len(order)]) % len(tones)]
                velocity = float(rng.uniform(0.5, 0.85)) * (0.6 + 0.4 * bar.energy)
                chords.append([Note(arrangement.at(bar, place), arrangement.beat_s * 0.45, pitch, velocity)])
    return chords


def stabs(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """Short hits of several voices in some bars, the same ones in every pair of bars; swells into a section's end."""
    first, second, center = _pick(rng, STABS), _pick(rng, STABS), float(rng.uniform(60, 70))
    chords: Chords = []
    for index, bar in enumerate(_playing(arrangement, 0.4)):
        rhythm = (first, second)[index % 2] if not bar.closes else (0,)
        legato = 0.3 if not bar.closes else 0.9
        chords += _struck(rng, arrangement, bar, voiced(bar.chord, center), rhythm, legato)
    return chords


def answers(rng: np.random.Generator, arrangement: Arrangement) -> Chords:
    """A line where no voice sings: fills at the ends of phrases, and all of a solo."""
    sung = [(note.start_s, note.start_s + note.duration_s) for note in arrangement.melody]
    degree, center, chords = 0, float(rng.uniform(64, 76)), []
    for bar in _playing(arrangement, 0.25):
        solo = "vocals" not in bar.plays and bar.energy > 0.5
        step = 0
        while step < 16:
            length = int(rng.choice([1, 2, 2, 2, 4, 4, 6]))
            start_s = arrangement.at(bar, step)
            end_s = start_s + length * arrangement.beat_s / 4
            free = not any(begin < end_s + 0.05 and end > start_s - 0.05 for begin, end in sung)
            if free and rng.random() < (0.85 if solo else 0.6):
                degree = int(np.clip(degree + rng.choice([-2, -1, -1, 1, 1, 2, 3, -3]), -5, 7))
                pitch = arrangement.degree(degree)
                pitch = float(pitch + 12 * round((center + degree - pitch) / 12))
                velocity = float(rng.uniform(0.7, 1.0)) * (0.6 + 0.4 * bar.energy)
                chords.append([Note(start_s, 0.92 * (end_s - start_s), pitch, velocity)])
            step += length
    return chords


#: How every layer is played.
LAYERS: dict[str, Writer] = {
    "driven guitars": power,
    "clean guitar": comping,
    "acoustic guitar": strummed,
    "nylon guitar": arpeggio,
    "jazz guitar": comping,
    "funk guitar": scratched,
    "skank guitar": skank,
    "mandolin": strummed,
    "lead guitar": answers,
    "piano": comping,
    "electric piano": comping,
    "synthesizer keys": comping,
    "clavinet": scratched,
    "organ": sustained,
    "accordion": sustained,
    "strings": sustained,
    "choir": sustained,
    "pad": sustained,
    "pizzicato": arpeggio,
    "plucks": arpeggio,
    "mallets": arpeggio,
    "harp": arpeggio,
    "stabs": stabs,
    "horns": stabs,
    "flute": answers,
    "fiddle": answers,
    "melodica": answers,
    "synthesizer lead": answers,
}


def write_layers(rng: np.random.Generator, arrangement: Arrangement, layers: tuple[tuple[str, ...], ...]) -> None:
    """Fill `arrangement.layers` with one of each layer's alternatives; all but the first may be left out."""
    for index, names in enumerate(layers):
        if index and rng.random() < 0.2:
            continue
        name = names[int(rng.integers(len(names)))]
        arrangement.layers.append((name, LAYERS[name](rng, arrangement)))
