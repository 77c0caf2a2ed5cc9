"""What is played: tempo, key, chords, sections and the notes of every stem. No sound is made here.

A song is a list of bars; each bar has a chord, an energy 0…1 and the set of stems that play. Parts are written as
`Note` lists in seconds so that the instruments need to know nothing about music.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
#: Common four-chord loops as scale degrees (0 = tonic), for major and minor keys.
MAJOR_LOOPS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (5, 3, 0, 4),
    (0, 3, 5, 4),
    (0, 2, 3, 4),
    (3, 4, 0, 5),
    (1, 4, 0, 0),
)
MINOR_LOOPS = (
    (0, 5, 2, 6),
    (0, 3, 5, 6),
    (0, 6, 5, 6),
    (5, 6, 0, 0),
    (0, 3, 6, 2),
    (0, 5, 3, 4),
    (0, 2, 5, 6),
)
STYLES = ("rock", "pop", "electronic", "ballad", "funk", "halftime")
#: Part of a song's sections in which a stem rests, in sparse ones rather than in full ones: with these, spectra that
#: count silence come out at the level of the published averages (`crafx2 calibrate`).
RESTS = {"vocals": 0.14, "bass": 0.2, "drums": 0.3, "other": 0.15}


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, MIDI pitch (may be fractional), velocity 0…1."""

    start_s: float
    duration_s: float
    pitch: float
    velocity: float


@dataclass(frozen=True)
class Bar:
    """One bar: its chord as MIDI pitch classes (root first), energy 0…1, and who plays."""

    start_s: float
    chord: tuple[int, ...]
    energy: float
    plays: frozenset[str]
    fill: bool = False


@dataclass
class Arrangement:
    """All that the instruments need: the grid, the bars and the notes."""

    style: str
    beat_s: float
    swing: float
    root: int
    scale: tuple[int, ...]
    bars: list[Bar]
    drums: dict[str, list[Note]] = field(default_factory=dict)
    bass: list[Note] = field(default_factory=list)
    chords: list[list[Note]] = field(default_factory=list)
    melody: list[Note] = field(default_factory=list)
    backing: list[list[Note]] = field(default_factory=list)
    arpeggio: list[Note] = field(default_factory=list)


def arrange(rng: np.random.Generator, style: str, duration_s: float, *, full: bool = False) -> Arrangement:
    """Write a song of about `duration_s` in one of `STYLES`.

    `full` keeps all stems playing apart from a short build (the demo).
    """
    low, high = {
        "rock": (96, 160),
        "pop": (84, 128),
        "electronic": (112, 140),
        "ballad": (60, 84),
        "funk": (92, 116),
        "halftime": (66, 90),
    }[style]
    beat_s = 60.0 / float(rng.uniform(low, high))
    minor = rng.random() < (0.7 if style in ("electronic", "halftime") else 0.45)
    loops = MINOR_LOOPS if minor else MAJOR_LOOPS
    loop = loops[int(rng.integers(len(loops)))]
    arrangement = Arrangement(
        style=style,
        beat_s=beat_s,
        swing=float(rng.choice([0.0, 0.0, 0.0, 0.12, 0.2])),
        root=int(rng.integers(0, 12)),
        scale=MINOR if minor else MAJOR,
        bars=[],
    )
    _write_bars(rng, arrangement, loop, duration_s, full)
    _write_drums(rng, arrangement)
    _write_bass(rng, arrangement)
    _write_chords(rng, arrangement)
    _write_melody(rng, arrangement)
    _write_backing(rng, arrangement)
    return arrangement


def _degree(arrangement: Arrangement, degree: int) -> int:
    octave, step = divmod(degree, 7)
    return arrangement.root + 12 * octave + arrangement.scale[step]


def _write_bars(
    rng: np.random.Generator, arrangement: Arrangement, loop: tuple[int, ...], duration_s: float, full: bool
) -> None:
    bar_s = 4 * arrangement.beat_s
    count = int(np.ceil(duration_s / bar_s)) + 1
    section = int(rng.choice([2, 4, 4]))
    energies = [float(rng.uniform(0.3, 0.8))]
    for _ in range(1, -(-count // section)):
        energies.append(float(np.clip(energies[-1] + rng.uniform(-0.35, 0.45), 0.15, 1.0)))
    players = draw_players(rng, np.array(energies), full)
    seventh = rng.random() < 0.35
    for index in range(count):
        degree = loop[index % len(loop)]
        steps = (0, 2, 4, 6) if seventh else (0, 2, 4)
        chord = tuple(_degree(arrangement, degree + step) for step in steps)
        fill = (index + 1) % section == 0 and rng.random() < 0.6
        at = index // section
        arrangement.bars.append(Bar(index * bar_s, chord, energies[at], players[at], fill))


def draw_players(rng: np.random.Generator, energies: NDArray[np.float64], full: bool) -> list[frozenset[str]]:
    """Who plays in every section. Rests are counted, not tossed for, so that sets of few songs have their share too."""
    playing = [set(RESTS) for _ in energies]
    if full:
        playing[0].discard("vocals")
        return [frozenset(stems) for stems in playing]
    sparse = (1.6 - energies) / np.sum(1.6 - energies)
    for stem, share in RESTS.items():
        number = int(share * len(playing) + rng.random())
        for at in rng.choice(len(playing), size=number, replace=False, p=sparse):
            playing[int(at)].discard(stem)
    return [frozenset(stems or ("drums", "other")) for stems in playing]


def _swing(arrangement: Arrangement, sixteenth: int) -> float:
    step_s = arrangement.beat_s / 4
    return sixteenth * step_s + (arrangement.swing * step_s if sixteenth % 2 else 0.0)


def _write_drums(rng: np.random.Generator, arrangement: Arrangement) -> None:
    kicks = {
        "rock": ((0, 8, 10), (0, 6, 8), (0, 7, 8, 10)),
        "pop": ((0, 8), (0, 6, 10), (0, 3, 8)),
        "electronic": ((0, 4, 8, 12),),
        "ballad": ((0, 8), (0, 10)),
        "funk": ((0, 3, 6, 10), (0, 2, 7, 10, 13)),
        "halftime": ((0, 6, 11), (0, 3, 10)),
    }[arrangement.style]
    kick = kicks[int(rng.integers(len(kicks)))]
    snare = (8,) if arrangement.style == "halftime" else (4, 12)
    hat_step = int(rng.choice([1, 2, 2, 4])) if arrangement.style != "ballad" else int(rng.choice([2, 4]))
    ghosts = arrangement.style == "funk" or rng.random() < 0.2
    lanes: dict[str, list[Note]] = {name: [] for name in ("kick", "snare", "hat", "open", "crash", "tom", "perc")}
    perc = rng.random() < 0.4

    def hit(lane: str, bar: Bar, step: int, velocity: float, pitch: float = 0.0) -> None:
        time_s = bar.start_s + _swing(arrangement, step) + float(rng.normal(0, 0.003))
        velocity = float(np.clip(velocity * rng.uniform(0.85, 1.08), 0.05, 1.0))
        lanes[lane].append(Note(max(time_s, 0.0), 0.2, pitch, velocity))

    previous_energy = 0.0
    for bar in arrangement.bars:
        if "drums" not in bar.plays:
            previous_energy = 0.0
            continue
        loud = 0.65 + 0.35 * bar.energy
        if bar.energy > previous_energy + 0.1:
            hit("crash", bar, 0, 0.8 * loud)
        previous_energy = bar.energy
        last = 12 if bar.fill else 16
        for step in kick:
            if step < last:
                hit("kick", bar, step, loud)
        for step in snare:
            if step < last:
                hit("snare", bar, step, loud)
        for step in range(0, last, hat_step):
            lane = "open" if step % 8 == 6 and bar.energy > 0.6 else "hat"
            hit(lane, bar, step, (0.75 if step % 4 == 0 else 0.5) * loud)
        if ghosts:
            for step in (3, 7, 9, 15):
                if step < last and rng.random() < 0.4:
                    hit("snare", bar, step, 0.25 * loud)
        if perc:
            for step in (2, 5, 10, 13):
                if step < last and rng.random() < 0.6:
                    hit("perc", bar, step, 0.5 * loud)
        if bar.fill:
            for index, step in enumerate(range(12, 16)):
                hit("tom" if rng.random() < 0.7 else "snare", bar, step, 0.8 * loud, pitch=4.0 - 2 * index)
    arrangement.drums = lanes


def _write_bass(rng: np.random.Generator, arrangement: Arrangement) -> None:
    patterns = {
        "rock": ((0, 2, 4, 6, 8, 10, 12, 14), (0, 6, 8, 14)),
        "pop": ((0, 6, 8, 14), (0, 8), (0, 3, 6, 8, 11, 14)),
        "electronic": ((2, 6, 10, 14), (0, 3, 6, 10, 13), (0, 2, 4, 6, 8, 10, 12, 14)),
        "ballad": ((0,), (0, 8), (0, 8, 14)),
        "funk": ((0, 3, 6, 7, 10, 13), (0, 2, 6, 10, 11, 14)),
        "halftime": ((0,), (0, 11), (0, 6, 10)),
    }[arrangement.style]
    pattern = patterns[int(rng.integers(len(patterns)))]
    legato = float(rng.uniform(0.55, 1.0))
    for index, bar in enumerate(arrangement.bars):
        if "bass" not in bar.plays:
            continue
        root = bar.chord[0] % 12
        base = 24 + root + (12 if root < 4 else 0)
        ends = (*pattern[1:], 16)
        for position, (step, end) in enumerate(zip(pattern, ends, strict=True)):
            pitch = base
            if position and rng.random() < 0.25:
                pitch = base + int(rng.choice([7, 12, -5])) if bar.energy > 0.3 else base + 7
            if position == len(pattern) - 1 and rng.random() < 0.4 and index + 1 < len(arrangement.bars):
                next_root = arrangement.bars[index + 1].chord[0] % 12
                pitch = 24 + next_root + (12 if next_root < 4 else 0) - int(rng.choice([1, 2]))
            start = bar.start_s + _swing(arrangement, step) + float(rng.normal(0, 0.004))
            length = (end - step) * arrangement.beat_s / 4 * legato
            velocity = float(rng.uniform(0.7, 1.0)) * (0.7 + 0.3 * bar.energy)
            arrangement.bass.append(Note(max(start, 0.0), length, pitch, velocity))


def _write_chords(rng: np.random.Generator, arrangement: Arrangement) -> None:
    bar_s = 4 * arrangement.beat_s
    rhythm = tuple(
        [(0,), (0,), (0, 8), (0, 6, 12), (2, 6, 10, 14), (0, 4, 8, 12), (0, 3, 6, 10, 12)][int(rng.integers(7))]
    )
    order = rng.permutation(8)
    arp_step = int(rng.choice([1, 2, 2]))
    octave = int(rng.choice([60, 60, 72]))
    for bar in arrangement.bars:
        if "other" not in bar.plays:
            continue
        pitches = sorted(48 + (pitch % 12) + (12 if pitch % 12 < 5 else 0) for pitch in bar.chord)
        hits = rhythm if bar.energy > 0.35 else (0,)
        ends = (*hits[1:], 16)
        for step, end in zip(hits, ends, strict=True):
            start = bar.start_s + _swing(arrangement, step)
            length = (end - step) / 16 * bar_s
            velocity = float(rng.uniform(0.75, 1.0)) * (0.6 + 0.4 * bar.energy)
            arrangement.chords.append([Note(start, length, pitch, velocity) for pitch in pitches])
        if bar.energy > 0.45:
            tones = [octave + pitch % 12 for pitch in bar.chord] * 3
            for index, step in enumerate(range(0, 16, arp_step)):
                if rng.random() < 0.85:
                    pitch = tones[int(order[index % len(order)]) % len(tones)]
                    start = bar.start_s + _swing(arrangement, step)
                    velocity = float(rng.uniform(0.5, 0.9)) * bar.energy
                    arrangement.arpeggio.append(Note(start, arrangement.beat_s * 0.5, pitch, velocity))


def _write_melody(rng: np.random.Generator, arrangement: Arrangement) -> None:
    """A sung line: motifs of two bars, repeated with changes, each phrase followed by a breath."""
    center = float(rng.uniform(52, 70))
    motifs = [_draw_motif(rng) for _ in range(3)]
    degree = 0
    for index in range(0, len(arrangement.bars), 2):
        bars = arrangement.bars[index : index + 2]
        if "vocals" not in bars[0].plays:
            continue
        motif = motifs[0 if rng.random() < 0.5 else int(rng.integers(len(motifs)))]
        for step, length, move in motif:
            bar = bars[min(step // 16, len(bars) - 1)]
            if "vocals" not in bar.plays or step // 16 >= len(bars):
                continue
            degree = int(np.clip(degree + move + (int(rng.integers(-1, 2)) if rng.random() < 0.2 else 0), -3, 6))
            pitch = float(_degree(arrangement, degree))
            if step % 8 == 0:
                pitch = float(min(bar.chord, key=lambda tone: abs((tone - pitch + 6) % 12 - 6)) % 12)
            pitch += 12 * round((center + degree - pitch) / 12)
            start = bar.start_s + _swing(arrangement, step % 16) + float(rng.normal(0.005, 0.012))
            velocity = float(rng.uniform(0.75, 1.0)) * (0.75 + 0.25 * bar.energy)
            duration_s = length * arrangement.beat_s / 4
            arrangement.melody.append(Note(max(start, 0.0), duration_s, pitch, velocity))


def _write_backing(rng: np.random.Generator, arrangement: Arrangement) -> None:
    """Up to two more takes of the line: doubled nearly everywhere, or a third or an octave away where it is full."""
    for _ in range(int(rng.choice([0, 1, 2, 2]))):
        away, threshold = ((0, 0.0), (0, 0.4), (2, 0.5), (-2, 0.5), (7, 0.5))[int(rng.integers(5))]
        line = []
        for note in arrangement.melody:
            bar = max(0, min(len(arrangement.bars) - 1, int(note.start_s / (4 * arrangement.beat_s))))
            if arrangement.bars[bar].energy >= threshold:
                start_s = max(0.0, note.start_s + float(rng.normal(0.0, 0.02)))
                pitch = _moved(arrangement, note.pitch, away) + float(rng.normal(0.0, 0.06))
                line.append(Note(start_s, note.duration_s * float(rng.uniform(0.9, 1.1)), pitch, note.velocity))
        if line:
            arrangement.backing.append(line)


def _moved(arrangement: Arrangement, pitch: float, degrees: int) -> float:
    """The pitch that many degrees of the scale away; chromatic notes count as the degree below them."""
    octave, above = divmod(round(pitch) - arrangement.root, 12)
    degree = max(index for index, step in enumerate(arrangement.scale) if step <= above)
    return float(_degree(arrangement, 7 * octave + degree + degrees))


def _draw_motif(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """`(step in two bars, length in steps, move in scale degrees)`; the last steps stay free for breath."""
    motif, step = [], int(rng.choice([0, 2, 2, 4]))
    while step < 26:
        length = int(rng.choice([1, 2, 2, 2, 3, 4, 4, 6]))
        if step + length > 29:
            break
        motif.append((step, length, int(rng.choice([-2, -1, -1, 0, 0, 1, 1, 2, 3]))))
        step += length + (int(rng.choice([0, 0, 0, 1, 2])) if rng.random() < 0.5 else 0)
    return motif
