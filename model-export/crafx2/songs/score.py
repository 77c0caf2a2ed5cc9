"""What is written before anything sounds: notes, bars, and the arrangement that holds all of a song's parts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, MIDI pitch (may be fractional), velocity 0…1."""

    start_s: float
    duration_s: float
    pitch: float
    velocity: float


@dataclass(frozen=True)
class Bar:
    """One bar: its chord as MIDI pitch classes (root first), energy 0…1, who plays, and the section it belongs to."""

    start_s: float
    chord: tuple[int, ...]
    energy: float
    plays: frozenset[str]
    fill: bool = False
    section: str = "verse"
    #: Whether it is a section's first or last.
    opens: bool = False
    closes: bool = False


#: Notes that are struck together, lowest first; a single one for lines.
Chords = list[list[Note]]


@dataclass
class Arrangement:
    """All that the instruments need: the grid, the bars and the notes. `layers` are named parts inside `other`."""

    style: str
    beat_s: float
    swing: float
    root: int
    scale: tuple[int, ...]
    bars: list[Bar]
    drums: dict[str, list[Note]] = field(default_factory=dict)
    bass: list[Note] = field(default_factory=list)
    melody: list[Note] = field(default_factory=list)
    backing: list[list[Note]] = field(default_factory=list)
    layers: list[tuple[str, Chords]] = field(default_factory=list)

    def at(self, bar: Bar, step: float) -> float:
        """The time of a sixteenth of a bar, in seconds; every other one comes late where the song swings."""
        step_s = self.beat_s / 4
        return bar.start_s + step * step_s + (self.swing * step_s if step % 2 else 0.0)

    @property
    def bar_s(self) -> float:
        """Seconds of a bar of four beats."""
        return 4 * self.beat_s

    def degree(self, degree: int) -> int:
        """The pitch of a degree of the scale, 0 the tonic above MIDI pitch 0; beyond 6 the octaves above."""
        octave, step = divmod(degree, 7)
        return self.root + 12 * octave + self.scale[step]

    def moved(self, pitch: float, degrees: int) -> float:
        """The pitch that many degrees of the scale away; chromatic notes count as the degree below them."""
        octave, above = divmod(round(pitch) - self.root, 12)
        degree = max(index for index, step in enumerate(self.scale) if step <= above)
        return float(self.degree(7 * octave + degree + degrees))
