"""A passage of music that somebody wrote, played by our band: which voice goes to which stem, and what plays it.

Drums and bass are told by channel and program. The voice that leads – alone, in a singer's range, neither throughout
nor hardly ever – is sung, or keeps its instrument and stands where a voice would. All others make `other`, each at
the volume and the place that its composer gave it. Key, tempo, hands and some instruments differ from song to song.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .band import amplified, draw_font, recorded_bass
from .effects import Audio
from .midi import Piece, Voice
from .pieces import names, piece
from .player import Bend, Control, Part, play
from .score import Note

#: Programs of basses; where no voice has one, of what a bass part may be written for instead.
BASSES, LOW_STRINGS = range(32, 40), (42, 43, 57, 58, 87)
#: A bass's mean pitch lies below, MIDI.
BASS_BELOW = 50.0
#: Programs of guitars that need an amplifier; the soundfonts' own distortion counts as some already.
AMPLIFIED = {26: 4.0, 27: 12.0, 28: 14.0, 29: 8.0, 30: 10.0, 31: 8.0}
#: A leading voice: its share of time, how often it is alone, and its mean pitch.
LEAD_SHARE, LEAD_ALONE, LEAD_PITCH = (0.12, 1.1), 0.75, (50.0, 86.0)
#: Where none leads, a voice may sing along with the top of what is played highest: how often, and no shorter notes than
#: so many seconds.
SUNG_ALONG, SHORTEST_SUNG_S = 0.6, 0.15
#: The middle of a singer's range, MIDI, which a line is moved to by octaves.
SUNG = 58.0
#: Programs that lead by nature, and what that is worth against the other measures.
LEADING, LEADING_WORTH = (*range(52, 55), *range(56, 58), *range(64, 80), 80, 81, 85, 29, 30), 0.5
#: How often a leading voice is sung by a singer, by a choir of the soundfonts, or left to its instrument.
SUNG_SHARES = (0.65, 0.12, 0.23)
#: How often a voice plays another instrument of its family.
RECAST = 0.35
#: A band plays where drums, bass and all others have so many notes a second, at least.
LEAST_PER_S = (1.0, 0.5, 0.7)
#: A passage that is none is drawn again, so many times at most, but for this share, which may be sparse.
TRIES, SPARSE = 12, 0.05


@dataclass(frozen=True)
class Passage:
    """Some seconds of a piece by stem: `lead` may be absent, and each of the others empty."""

    name: str
    beat_s: float
    drums: list[Note]
    bass: Voice | None
    lead: Voice | None
    others: list[Voice]


def choose(rng: np.random.Generator, duration_s: float) -> Passage:
    """Draw a passage, nearly always one in which a band plays; in another key, at another tempo, by other hands."""
    passage = _draw(rng, duration_s)
    for _ in range(TRIES):
        if is_lively(passage, duration_s) or rng.random() < SPARSE:
            break
        passage = _draw(rng, duration_s)
    return passage


def is_lively(passage: Passage, duration_s: float) -> bool:
    """Whether drums, bass and all others have enough to play."""
    others = sum(len(voice.notes) for voice in passage.others)
    played = (len(passage.drums), 0 if passage.bass is None else len(passage.bass.notes), others)
    return all(count >= least * duration_s for count, least in zip(played, LEAST_PER_S, strict=True))


def _draw(rng: np.random.Generator, duration_s: float) -> Passage:
    name = str(rng.choice(names()))
    whole = piece(name)
    tempo, semitones = float(rng.uniform(0.9, 1.12)), int(rng.integers(-4, 5))
    bar_s = 4 * whole.beat_s
    at_s = bar_s * int(rng.uniform(0.0, max(0.0, whole.length_s - duration_s * tempo)) / bar_s)
    voices = [_excerpt(rng, voice, at_s, duration_s, tempo, semitones) for voice in whole.voices]
    return _cast(name, whole, [voice for voice in voices if voice.notes], duration_s, tempo)


def _excerpt(
    rng: np.random.Generator, voice: Voice, at_s: float, duration_s: float, tempo: float, semitones: int
) -> Voice:
    """A voice from a time on; what its composer had moved before counts from the beginning."""
    late_s = 1e-3 * float(rng.normal(0.0, 4.0))

    def time(seconds: float) -> float:
        return max(0.0, (seconds - at_s) / tempo)

    notes = []
    for note in voice.notes:
        if at_s - 0.01 <= note.start_s < at_s + duration_s * tempo:
            start_s = max(0.0, time(note.start_s) + late_s + 1e-3 * float(rng.normal(0.0, 5.0)))
            velocity = float(np.clip(note.velocity * rng.uniform(0.88, 1.08), 0.05, 1.0))
            pitch = note.pitch + (0 if voice.drums else semitones)
            notes.append(Note(start_s, note.duration_s / tempo, pitch, velocity))
    last: dict[int, Control] = {}
    later: list[Control] = []
    for control in voice.controls:
        if control.start_s <= at_s:
            last[control.number] = replace(control, start_s=0.0)
        else:
            later.append(replace(control, start_s=time(control.start_s)))
    bends = [Bend(time(bend.start_s), bend.semitones) for bend in voice.bends if bend.start_s >= at_s]
    return Voice(voice.channel, voice.program, notes, [*last.values(), *later], bends)


def _cast(name: str, whole: Piece, voices: list[Voice], duration_s: float, tempo: float) -> Passage:
    drums = [note for voice in voices if voice.drums for note in voice.notes]
    tuned = [voice for voice in voices if not voice.drums]
    low = [voice for voice in tuned if voice.program in BASSES] or [
        voice for voice in tuned if voice.program in LOW_STRINGS and _mean_pitch(voice) < BASS_BELOW
    ]
    bass = max(low, key=lambda voice: len(voice.notes), default=None)
    rest = [voice for voice in tuned if voice is not bass]
    lead = max(rest, key=lambda voice: _leads(voice, duration_s), default=None)
    if lead is not None and _leads(lead, duration_s) <= 0.0:
        lead = None
    others = [voice for voice in rest if voice is not lead]
    if not others and lead is not None:
        lead, others = None, [lead]
    return Passage(name, whole.beat_s / tempo, drums, bass, lead, others)


def _mean_pitch(voice: Voice) -> float:
    return float(np.mean([note.pitch for note in voice.notes]))


def _leads(voice: Voice, duration_s: float) -> float:
    """How much a voice is one that leads; 0 where it cannot."""
    pitch, sounding_s = _mean_pitch(voice), sum(note.duration_s for note in voice.notes)
    starts = np.array([note.start_s for note in voice.notes])
    alone = float(np.mean(np.diff(np.sort(starts)) > 0.04)) if starts.size > 1 else 1.0
    share = sounding_s / duration_s
    if not (
        LEAD_SHARE[0] <= share <= LEAD_SHARE[1] and LEAD_PITCH[0] <= pitch <= LEAD_PITCH[1] and alone >= LEAD_ALONE
    ):
        return 0.0
    return share + alone + LEADING_WORTH * (voice.program in LEADING)


def sung(rng: np.random.Generator, passage: Passage) -> tuple[list[Note], Part | None]:
    """The leading line for a singer, or the part of what plays it instead; nothing where nobody leads."""
    lead = passage.lead
    if lead is None:
        return (_top(passage.others) if rng.random() < SUNG_ALONG else []), None
    match int(rng.choice(3, p=SUNG_SHARES)):
        case 0:
            return in_reach(_one_by_one(lead.notes)), None
        case 1:
            return [], _part(lead, int(rng.choice((52, 53, 54, 85))))
        case _:
            return [], _part(lead, lead.program)


def _one_by_one(notes: list[Note]) -> list[Note]:
    """A line of one voice: a note ends where the next begins, and of a chord the highest stays."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: note.start_s):
        if line and note.start_s - line[-1].start_s < 0.04:
            line[-1] = replace(line[-1], pitch=max(line[-1].pitch, note.pitch))
            continue
        if line:
            room_s = note.start_s - line[-1].start_s
            line[-1] = replace(line[-1], duration_s=min(line[-1].duration_s, room_s))
        line.append(note)
    return line


def _top(voices: list[Voice]) -> list[Note]:
    """The highest notes of the voice that lies highest in a singer's reach, for one who sings along."""
    reachable = [voice for voice in voices if LEAD_PITCH[0] <= _mean_pitch(voice) <= LEAD_PITCH[1]]
    if not reachable:
        return []
    highest = max(reachable, key=_mean_pitch)
    return in_reach([note for note in _one_by_one(highest.notes) if note.duration_s >= SHORTEST_SUNG_S])


def in_reach(line: list[Note], center: float = SUNG) -> list[Note]:
    """A line moved by octaves until its mean pitch is near a singer's middle, or another one's."""
    if not line:
        return line
    mean = float(np.mean([note.pitch for note in line]))
    return [replace(note, pitch=note.pitch + 12 * round((center - mean) / 12)) for note in line]


def _part(voice: Voice, program: int) -> Part:
    return Part(program, voice.notes, controls=voice.controls, bends=voice.bends)


def _recast(rng: np.random.Generator, program: int) -> int:
    """The program, or at times another one of General MIDI's families of eight; effects and drums stay."""
    if program >= 112 or rng.random() >= RECAST:
        return program
    return program - program % 8 + int(rng.integers(8))


def play_others(rng: np.random.Generator, passage: Passage, frames: int) -> list[Audio]:
    """All voices inside `other`, stereo `(2, frames)`."""
    font = draw_font(rng)
    programs = [_recast(rng, voice.program) for voice in passage.others]
    parts = [_part(voice, program) for voice, program in zip(passage.others, programs, strict=True)]
    sounds = []
    for program, track in zip(programs, play(font, parts, frames), strict=True):
        if program in AMPLIFIED:
            drive_db = AMPLIFIED[program] + float(rng.uniform(-4.0, 8.0))
            tone_hz = float(rng.uniform(3_800, 6_500))
            # An amplifier has one input, and its composer's place is kept behind it.
            track = np.stack([amplified(side, max(0.0, drive_db), tone_hz) for side in track])
        sounds.append(track)
    return sounds


def play_passage_bass(rng: np.random.Generator, passage: Passage, frames: int) -> Audio:
    """The bass line, mono `(frames,)`; silent where there is none."""
    if passage.bass is None:
        return np.zeros(frames)
    program = passage.bass.program if passage.bass.program not in BASSES else _recast(rng, passage.bass.program)
    (track,) = play(draw_font(rng), [_part(passage.bass, program)], frames)
    return recorded_bass(rng, np.mean(track, axis=0), float(rng.uniform(0.0, 10.0)))


def play_lead(rng: np.random.Generator, part: Part, frames: int) -> Audio:
    """What leads in place of a voice, mono `(frames,)`."""
    (track,) = play(draw_font(rng), [part], frames)
    mono = np.mean(track, axis=0)
    return amplified(mono, AMPLIFIED[part.program], 5_000.0) if part.program in AMPLIFIED else mono
