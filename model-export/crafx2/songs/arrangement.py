"""What is played: tempo, key, form, and the notes of drums, bass and voices. No sound is made here.

A song is a list of bars; each bar has a chord, an energy 0…1 and the set of stems that play. Parts are written as
`Note` lists in seconds so that the instruments need to know nothing about music.
"""

from __future__ import annotations

import numpy as np

from .form import write_bars
from .layers import write_layers
from .score import Arrangement, Bar, Note
from .styles import STYLES, Style

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
#: What a drummer hits, by lane.
LANES = ("kick", "snare", "rim", "clap", "hat", "open", "ride", "crash", "tom", "perc")
#: Lengths of fills in sixteenths, at the end of a bar.
FILLS = (2, 4, 4, 4, 8, 16)


def arrange(rng: np.random.Generator, style_name: str, duration_s: float, *, full: bool = False) -> Arrangement:
    """Write a song of about `duration_s` in one of `STYLES`.

    `full` keeps all stems playing apart from a short build (the demo).
    """
    style = STYLES[style_name]
    arrangement = Arrangement(
        style=style_name,
        beat_s=60.0 / float(rng.uniform(*style.tempo_bpm)),
        swing=float(rng.choice(style.swing)),
        root=int(rng.integers(0, 12)),
        scale=MINOR if rng.random() < style.minor else MAJOR,
        bars=[],
    )
    write_bars(rng, arrangement, style, duration_s, full)
    _Drummer(rng, arrangement, style).write()
    _write_bass(rng, arrangement, style)
    _write_melody(rng, arrangement, style)
    _write_backing(rng, arrangement)
    write_layers(rng, arrangement, style.layers)
    return arrangement


class _Drummer:
    """Writes `arrangement.drums`: a groove for verses and one for choruses, fills, rolls, and hands that are human."""

    def __init__(self, rng: np.random.Generator, arrangement: Arrangement, style: Style) -> None:
        self.rng, self.arrangement, self.style = rng, arrangement, style
        self.lanes: dict[str, list[Note]] = {name: [] for name in LANES}
        self.kicks = [style.kicks[int(rng.integers(len(style.kicks)))] for _ in range(2)]
        self.snare = style.snares[int(rng.integers(len(style.snares)))]
        self.hat_step = int(rng.choice(style.hats))
        self.ghosts = rng.random() < style.ghosts
        self.perc = rng.random() < 0.4
        self.backbeat = ("clap" if rng.random() < 0.5 else "snare") if style.looseness_ms < 5 else "snare"
        self.ride = rng.random() < 0.5 or arrangement.style == "jazz"

    def write(self) -> None:
        before = 0.0
        for bar in self.arrangement.bars:
            if "drums" not in bar.plays:
                before = 0.0
                continue
            loud = 0.6 + 0.4 * bar.energy
            if bar.energy > before + 0.1:
                self._hit("crash", bar, 0, 0.8 * loud)
            before = bar.energy
            if bar.section == "build" and bar.closes:
                self._roll(bar, loud)
                continue
            last = 16 - int(self.rng.choice(FILLS)) if bar.fill else 16
            self._groove(bar, loud, last)
            for index, step in enumerate(range(last, 16)):
                if self.rng.random() < 0.85:
                    lane = "tom" if self.rng.random() < 0.65 else "snare"
                    self._hit(lane, bar, step, (0.6 + 0.3 * index / 16) * loud, pitch=4.0 - 8.0 * index / (16 - last))
        self.arrangement.drums = self.lanes

    def _groove(self, bar: Bar, loud: float, last: int) -> None:
        full, bare = bar.energy > 0.65, bar.section == "breakdown"
        for step in self.kicks[int(full)]:
            if step < last and not bare:
                self._hit("kick", bar, step, loud * (1.0 if step % 8 == 0 else 0.9))
        beat = "rim" if bar.energy < 0.4 and self.style.looseness_ms > 5 else self.backbeat
        for step in self.snare:
            if step < last and not bare:
                self._hit(beat, bar, step, loud)
        for step in range(0, last, self.hat_step):
            lane = "open" if step % 8 == 6 and full else "ride" if full and self.ride else "hat"
            accent = 0.75 if step % 4 == 0 else 0.58 if step % 2 == 0 else 0.42
            self._hit(lane, bar, step, accent * loud)
        if self.ghosts and not bare:
            for step in (3, 7, 9, 15):
                if step < last and self.rng.random() < 0.4:
                    self._hit("snare", bar, step, 0.22 * loud)
        if self.perc:
            for step in (2, 5, 10, 13):
                if step < last and self.rng.random() < 0.6:
                    self._hit("perc", bar, step, 0.5 * loud)

    def _roll(self, bar: Bar, loud: float) -> None:
        """A snare that grows and doubles into the next section."""
        for step in (*range(0, 8, 2), *range(8, 16)):
            self._hit(self.backbeat, bar, step, loud * (0.35 + 0.6 * step / 16))

    def _hit(self, lane: str, bar: Bar, step: int, velocity: float, pitch: float = 0.0) -> None:
        time_s = self.arrangement.at(bar, step) + float(self.rng.normal(0, 0.5e-3 * self.style.looseness_ms))
        velocity = float(np.clip(velocity * self.rng.uniform(0.85, 1.08), 0.05, 1.0))
        self.lanes[lane].append(Note(max(time_s, 0.0), 0.2, pitch, velocity))


def _write_bass(rng: np.random.Generator, arrangement: Arrangement, style: Style) -> None:
    patterns = [style.basses[int(rng.integers(len(style.basses)))] for _ in range(2)]
    legato, late_s = float(rng.uniform(0.55, 1.0)), 1e-3 * float(rng.normal(0, 0.7 * style.looseness_ms))
    for index, bar in enumerate(arrangement.bars):
        if "bass" not in bar.plays:
            continue
        pattern = patterns[int(bar.energy > 0.65)]
        root = bar.chord[0] % 12
        base = 24 + root + (12 if root < 4 else 0)
        for position, (step, end) in enumerate(zip(pattern, (*pattern[1:], 16), strict=True)):
            pitch = base
            if arrangement.style == "jazz" and position:
                pitch = base + int(rng.choice([3, 4, 7, 5, 9, 10]))
            elif position and rng.random() < 0.25:
                pitch = base + int(rng.choice([7, 12, -5])) if bar.energy > 0.3 else base + 7
            if position == len(pattern) - 1 and rng.random() < 0.4 and index + 1 < len(arrangement.bars):
                next_root = arrangement.bars[index + 1].chord[0] % 12
                pitch = 24 + next_root + (12 if next_root < 4 else 0) - int(rng.choice([1, 2]))
            jitter_s = 0.6e-3 * style.looseness_ms * float(rng.standard_normal())
            start_s = arrangement.at(bar, step) + late_s + jitter_s
            length_s = (end - step) * arrangement.beat_s / 4 * legato
            velocity = float(rng.uniform(0.7, 1.0)) * (0.7 + 0.3 * bar.energy)
            arrangement.bass.append(Note(max(start_s, 0.0), length_s, pitch, velocity))


def _write_melody(rng: np.random.Generator, arrangement: Arrangement, style: Style) -> None:
    """A sung line: motifs of two bars, repeated with changes, each phrase followed by a breath; choruses lie higher."""
    center, lift = float(rng.uniform(52, 70)), float(rng.uniform(0, 5))
    motifs = [_draw_motif(rng) for _ in range(3)]
    degree = 0
    for index in range(0, len(arrangement.bars), 2):
        bars = arrangement.bars[index : index + 2]
        if "vocals" not in bars[0].plays:
            continue
        full = bars[0].energy > 0.65
        motif = motifs[int(full) if rng.random() < 0.6 else int(rng.integers(len(motifs)))]
        for step, length, move in motif:
            bar = bars[min(step // 16, len(bars) - 1)]
            if "vocals" not in bar.plays or step // 16 >= len(bars):
                continue
            degree = int(np.clip(degree + move + (int(rng.integers(-1, 2)) if rng.random() < 0.2 else 0), -3, 6))
            pitch = float(arrangement.degree(degree))
            if step % 8 == 0:
                pitch = float(min(bar.chord, key=lambda tone: abs((tone - pitch + 6) % 12 - 6)) % 12)
            pitch += 12 * round((center + lift * full + degree - pitch) / 12)
            start_s = arrangement.at(bar, step % 16) + float(rng.normal(0.005, 0.002 * style.looseness_ms))
            velocity = float(rng.uniform(0.75, 1.0)) * (0.7 + 0.3 * bar.energy)
            duration_s = length * arrangement.beat_s / 4
            arrangement.melody.append(Note(max(start_s, 0.0), duration_s, pitch, velocity))


def _write_backing(rng: np.random.Generator, arrangement: Arrangement) -> None:
    """Up to two more takes of the line: doubled nearly everywhere, or a third or an octave away where it is full."""
    for _ in range(int(rng.choice([0, 1, 2, 2]))):
        away, threshold = ((0, 0.0), (0, 0.4), (2, 0.5), (-2, 0.5), (7, 0.5))[int(rng.integers(5))]
        line = []
        for note in arrangement.melody:
            bar = max(0, min(len(arrangement.bars) - 1, int(note.start_s / arrangement.bar_s)))
            if arrangement.bars[bar].energy >= threshold:
                start_s = max(0.0, note.start_s + float(rng.normal(0.0, 0.02)))
                pitch = arrangement.moved(note.pitch, away) + float(rng.normal(0.0, 0.06))
                line.append(Note(start_s, note.duration_s * float(rng.uniform(0.9, 1.1)), pitch, note.velocity))
        if line:
            arrangement.backing.append(line)


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
