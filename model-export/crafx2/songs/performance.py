"""A song as it is played and recorded, before any engineer: an arrangement of ours, or a passage that people wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from . import effects as fx
from . import written
from .arrangement import arrange
from .band import play_bass, play_layers
from .effects import SAMPLE_RATE_HZ, Audio
from .kits import play_drums, play_kit
from .player import Part
from .score import Arrangement, Note
from .styles import STYLES
from .transitions import play_transitions
from .voice import Singer, draw_singer, render_vocals
from .written import in_reach

#: The kind of a song that people wrote; all others are of a style.
WRITTEN = "written"
#: So many songs of each turn of `kinds` are written ones, a third.
WRITTEN_SHARE = len(STYLES) // 2
#: How often a singer leads alone, has a choir behind, or leaves the lead to an instrument; how loud that choir is.
LEAD_SHARES, CHOIR_DB = (0.8, 0.13, 0.07), (-12.0, -4.0)
#: Programs of choirs, and of reeds, brass, flutes, strings and guitars that lead in a singer's place; their reach.
CHOIRS, LEAD_PROGRAMS, LEAD_CENTER = (52, 53), (22, 26, 29, 40, 42, 56, 57, 64, 65, 66, 71, 73), 65.0
#: A written passage keeps the level of each voice against the others, and so does its engineer.
WRITTEN_LUFS = -22.0
#: Kits that a written part may be played on: it names drums that one-shots do not have.
WRITTEN_KITS = ("standard", "standard", "room", "room", "power", "power", "electronic", "jazz")


@dataclass(frozen=True)
class Performance:
    """Stems `(2, frames)` as they were played, at whatever level; vocals and bass are mono in two equal channels.

    `arrangement` has no bars where the song was written by others.
    """

    arrangement: Arrangement
    stems: Mapping[str, Audio]


def kinds(sampled: bool) -> tuple[str, ...]:
    """The kinds of songs, each as often as it comes: the styles, and with samples written pieces among them."""
    return (*STYLES, *([WRITTEN] * WRITTEN_SHARE if sampled else []))


def perform(rng: np.random.Generator, kind: str, duration_s: float, *, full: bool, sampled: bool) -> Performance:
    """Play a song of one of `kinds`; `full` keeps all stems playing where we arrange it."""
    frames = int(duration_s * SAMPLE_RATE_HZ)
    if kind == WRITTEN:
        return _perform_passage(rng, written.choose(rng, duration_s), frames)
    arrangement = arrange(rng, kind, duration_s, full=full)
    style = STYLES[kind]
    drums = play_drums(rng, str(rng.choice(style.kits)), arrangement.drums, frames, sampled)
    bass = play_bass(rng, str(rng.choice(style.bass_sounds)), arrangement.bass, frames, sampled)
    vocals = _lead(rng, arrangement, frames, sampled)
    other = np.zeros((2, frames)) + sum(play_layers(rng, arrangement, frames, sampled))
    other += play_transitions(rng, arrangement, frames)
    return Performance(arrangement, _stems(vocals, bass, drums, other))


def _perform_passage(rng: np.random.Generator, passage: written.Passage, frames: int) -> Performance:
    drums = play_kit(rng, str(rng.choice(WRITTEN_KITS)), passage.drums, frames)
    bass = written.play_passage_bass(rng, passage, frames)
    line, part = written.sung(rng, passage)
    vocals = _sing(rng, line, [], frames) if part is None else written.play_lead(rng, part, frames)
    other = np.zeros((2, frames)) + sum(written.play_others(rng, passage, frames))
    arrangement = Arrangement(passage.name, passage.beat_s, 0.0, 0, (0, 2, 4, 5, 7, 9, 11), [], melody=line)
    return Performance(arrangement, _stems(vocals, bass, drums, fx.set_loudness(other, WRITTEN_LUFS)))


def _stems(vocals: Audio, bass: Audio, drums: Audio, other: Audio) -> dict[str, Audio]:
    return {"vocals": fx.to_stereo(vocals), "bass": fx.to_stereo(bass), "drums": drums, "other": other}


def _lead(rng: np.random.Generator, arrangement: Arrangement, frames: int, sampled: bool) -> Audio:
    """What leads `(frames,)`: a singer, with samples at times one with a choir behind, or an instrument."""
    kind = int(rng.choice(3, p=LEAD_SHARES)) if sampled and arrangement.melody else 0
    if kind == 2:
        played = Part(int(rng.choice(LEAD_PROGRAMS)), in_reach(arrangement.melody, LEAD_CENTER))
        return written.play_lead(rng, played, frames)
    sung = _sing(rng, arrangement.melody, arrangement.backing, frames)
    if kind == 0:
        return sung
    voices = [note for line in arrangement.backing or [arrangement.melody] for note in line]
    choir = written.play_lead(rng, Part(int(rng.choice(CHOIRS)), in_reach(voices, LEAD_CENTER)), frames)
    behind_db = fx.loudness_lufs(sung) + float(rng.uniform(*CHOIR_DB))
    return sung + fx.set_loudness(choir[None], behind_db)[0]


def _sing(rng: np.random.Generator, line: list[Note], backing: list[list[Note]], frames: int) -> Audio:
    """A voice `(frames,)` and more takes by the same singer, whose throat sits a little differently, behind it."""
    singer: Singer = draw_singer(rng, float(np.mean([note.pitch for note in line])) if line else 60.0)
    takes = render_vocals(rng, singer, line, frames)
    for notes in backing:
        other = replace(singer, scale=singer.scale * float(rng.uniform(0.97, 1.04)))
        takes += float(fx.db_to_gain(rng.uniform(-10.0, -4.0))) * render_vocals(rng, other, notes, frames)
    return takes
