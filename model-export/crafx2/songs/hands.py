"""What an engineer's hands do over a song beyond making room: sections, drums, sibilants, width, and what is sent.

Every move is read from what sounds, as a curve at control rate, and depends on the stems alone, never on what was
written: a network that hears them can know it. Nothing looks ahead farther than a hand's inertia.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..contract import STEMS
from . import effects as fx
from .effects import Audio
from .moves import OFF_DB, Moves, at_ticks, band, ticks_to_audio, top

#: How slowly a section is told from the last one, ms.
SECTION_MS = 900.0
#: Faders by how full a passage is, dB per unit of fullness: what carries a chorus comes up in it.
SECTION_DB = {"vocals": 2.5, "bass": 1.0, "drums": 3.0, "other": 1.5}
#: The sides open with it, dB per unit of fullness, from Hz.
WIDTH_DB, WIDE_FROM_HZ = {"other": 4.0, "drums": 3.0}, 250.0
#: Drums beside themselves, squashed: what a hard compressor leaves, at this level, comes up between the strokes.
SQUASH_RATIO, SQUASH_BELOW_PEAK_DB, SQUASHED = 4.0, 14.0, 0.35
#: Sibilants above so many dB under the voice are turned down by a part of what they exceed, so many dB at most.
SIBILANT_HZ, SIBILANT_DB, SIBILANT_SHARE, SIBILANT_LIMIT_DB = (5_000.0, 12_000.0), -9.0, 0.6, 6.0
#: Where a voice is understood: how far above it the backing must be there for all of its cut, and at least what of it.
MASKING_DB, MASKING_LEAST = 12.0, 0.35
#: Sends, dB: a voice's echo at the ends of its phrases, and everybody's room, less of it where it is full.
ECHO_DB, ROOM_DB, ROOM_FULL_DB = -13.0, -19.0, -8.0
ROOM_STEMS = ("vocals", "drums", "other")
#: A phrase has ended when the voice is down by half within so many seconds.
PHRASE_END_S = 0.3
#: The room's decay in beats, and its bounds in seconds; what it hears from, Hz.
ROOM_BEATS, ROOM_S, ROOM_FROM_HZ = 3.0, (0.8, 2.4), 250.0
#: An echo's place in the beat, its repeats and what dampens them.
ECHO_BEATS, ECHO_FEEDBACK, ECHO_HZ = 0.75, 0.35, 3_500.0


def activity(audio: Audio, release_ms: float = 350.0) -> Audio:
    """0…1 at control rate: how far a stem is up compared with its own loud moments."""
    level = fx.envelope_db(audio, 8.0, release_ms)
    loudest = float(np.max(level))
    return np.clip((level - loudest + 26.0) / 18.0, 0.0, 1.0) if loudest > -60.0 else np.zeros_like(level)


def fullness(parts: Mapping[str, Audio]) -> Audio:
    """How full a passage is against the song's mean, at control rate; 0 on average."""
    together = sum(activity(audio, release_ms=SECTION_MS) for audio in parts.values()) / len(parts)
    return together - np.mean(together)


def masking(parts: Mapping[str, Audio], presence_hz: tuple[float, float]) -> Audio:
    """How much `other` covers the voice where it is understood, 0…1 at control rate."""
    voice, backing = (
        fx.envelope_db(fx.band_pass(parts[stem], *presence_hz, order=1), 60.0, 500.0) for stem in ("vocals", "other")
    )
    return np.clip((backing - voice + MASKING_DB) / MASKING_DB, MASKING_LEAST, 1.0)


def sections(parts: Mapping[str, Audio], moves: Moves) -> Moves:
    """Faders and width by section."""
    frames = parts["vocals"].shape[-1]
    fuller = at_ticks(fullness(parts), frames)
    for stem, amount_db in SECTION_DB.items():
        moves = moves.turned(stem, amount_db * fuller)
    for stem, amount_db in WIDTH_DB.items():
        moves = moves.turned(stem, amount_db * fuller, top(WIDE_FROM_HZ), ("side",))
    return moves


def squash(parts: Mapping[str, Audio], moves: Moves) -> Moves:
    """Parallel compression of the drums: their soft moments come up, their strokes stay."""
    drums = parts["drums"]
    if fx.peak_db(drums) < -60.0:
        return moves
    threshold_db = fx.peak_db(drums) - SQUASH_BELOW_PEAK_DB
    reduced_db = fx.reduction_db(drums, threshold_db, SQUASH_RATIO, 2.0, 120.0)
    lifted_db = fx.gain_to_db(1.0 + SQUASHED * fx.db_to_gain(np.max(reduced_db) - reduced_db))
    sounding = activity(drums) > 0.0
    return moves.turned("drums", at_ticks(np.where(sounding, lifted_db, lifted_db.min()), drums.shape[-1]))


def tame_sibilants(parts: Mapping[str, Audio], moves: Moves) -> Moves:
    """What hisses in the voice is turned down where it stands out."""
    voice = parts["vocals"]
    if fx.peak_db(voice) < -60.0:
        return moves
    whole = fx.envelope_db(voice, 20.0, 250.0)
    hiss = fx.envelope_db(fx.high_pass(voice, SIBILANT_HZ[0]), 2.0, 60.0)
    over_db = np.clip(SIBILANT_SHARE * (hiss - whole - SIBILANT_DB), 0.0, SIBILANT_LIMIT_DB)
    over_db = np.where(whole > np.max(whole) - 40.0, over_db, 0.0)
    return moves.turned("vocals", at_ticks(-over_db, voice.shape[-1]), band(*SIBILANT_HZ))


def send(parts: Mapping[str, Audio], moves: Moves) -> Moves:
    """An echo where the voice's phrases end, and more room for all where the song is sparse."""
    frames = parts["vocals"].shape[-1]
    sung = activity(parts["vocals"], release_ms=120.0)
    later = round(PHRASE_END_S * fx.SAMPLE_RATE_HZ / fx.CONTROL_FRAMES)
    soon = np.pad(sung, (0, later), mode="edge")[later:]
    falling = np.clip(2.0 * (sung - soon), 0.0, 1.0)
    moves = moves.sent("echo", "vocals", np.maximum(at_ticks(ECHO_DB + fx.gain_to_db(falling), frames), OFF_DB))
    level_db = ROOM_DB + ROOM_FULL_DB * at_ticks(fullness(parts), frames)
    for stem in ROOM_STEMS:
        moves = moves.sent("room", stem, level_db)
    return moves


def returned(rng: np.random.Generator, moves: Moves, stems: Mapping[str, Audio], beat_s: float) -> Audio:
    """What echo and room return of what is sent to them, `(2, frames)`; both follow the song's beat."""
    frames = stems["vocals"].shape[-1]
    sent = {effect: np.zeros((2, frames)) for effect in ("echo", "room")}
    for effect, levels_db in moves.sends_db.items():
        for stem, level_db in zip(STEMS, levels_db, strict=True):
            if np.max(level_db) > OFF_DB + 1.0:
                sent[effect] += stems[stem] * fx.db_to_gain(ticks_to_audio(level_db, frames))
    echo = fx.delay(sent["echo"], ECHO_BEATS * beat_s, ECHO_FEEDBACK, ECHO_HZ, ping_pong=True)
    response = fx.reverb_response(rng, float(np.clip(ROOM_BEATS * beat_s, *ROOM_S)), 18.0, 0.5)
    return echo + fx.reverberate(fx.high_pass(sent["room"] + 0.3 * echo, ROOM_FROM_HZ), response)
