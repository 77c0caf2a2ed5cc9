"""What an engineer makes of processed stems: a balance, and hands on the faders.

All that moves is read from what sounds, and none of it has a mean: after its moves a stem is brought back to its level.
So the balance is the recipe's, and what is left for a network to learn is the movement, which is recorded (`moves.py`).
Bands are as wide as the masks' (0.7 kHz at least): what is written here can be made by multiplying bands of stems.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..contract import STEMS
from . import effects as fx
from . import hands
from .effects import Audio
from .hands import activity, fullness
from .moves import Moves, at_ticks, band, top

#: Integrated loudness of the stems inside the mixture, LUFS, before bus processing: a voice on top, a bass to be felt.
#: These are also the loudness targets of the default bundle, so that the masks keep their range for movement.
MIX_LOUDNESS_LUFS = {"vocals": -18.5, "bass": -21.0, "drums": -19.5, "other": -21.5}
MIXTURE_LOUDNESS_LUFS = -14.0
#: What songs differ in beyond what the rules explain, standard deviation in dB.
LEVEL_SPREAD_DB = 0.5
#: Below this the mixture narrows: the published φ, which is smoothed, leaves more side there than engineers do, and so
#: do rooms and effects. Steeply, because mixes are wide again an octave above.
NARROW_BELOW_HZ = 120.0
#: dB by which a stem is turned down per unit of density: a dense backing steps back, a sparse voice is brought forward.
LEAN_DB = {"vocals": -1.0, "bass": -1.0, "drums": -2.0, "other": -3.0}
#: The voice's level is ridden: this part of what a phrase differs from the median is taken back, so many dB at most.
RIDE, RIDE_LIMIT_DB = 0.5, 4.0
#: Where a voice is understood, and how far the middle of `other` is turned down there while it sings, dB. Elsewhere,
#: and at the side, where no voice is, it makes less room.
PRESENCE_HZ, PRESENCE_DB, BACKING_DB = (700.0, 5_500.0), 4.0, 1.5
#: Where bass, voice and chords pile up, and how far the middle of `other` is turned down while all three sound, dB.
MUD_HZ, MUD_DB = (150.0, 650.0), 3.0
#: How far drums step back under the voice, and the bass under the kick drum, dB.
DRUMS_DB, KICKED_DB = 1.0, 1.5
#: The top of full passages against sparse ones: gain of what lies above it per unit of activity, linear.
AIR, AIR_FROM_HZ = 0.5, 5_000.0


def mix(rng: np.random.Generator, wet: Mapping[str, Audio], beat_s: float = 0.5) -> tuple[Audio, Moves]:
    """Balance, ride, make room, open up, send, glue and limit; −14 LUFS, peaks at most −1 dBFS. And what moved.

    The record has everything that changes over time but the final limiter's peaks; levels that stay are not in it.
    Echo and room follow a beat of `beat_s` seconds.
    """
    levels, parts = {}, {}
    for stem in STEMS:
        audio = wet[stem]
        spread = float(rng.normal(0, LEVEL_SPREAD_DB))
        levels[stem] = MIX_LOUDNESS_LUFS[stem] + spread + LEAN_DB[stem] * (_density(audio) - 0.6)
        parts[stem] = fx.set_loudness(audio, levels[stem])
    moves = decide(parts)
    moved = {stem: fx.set_loudness(moves.carried_out(stem, audio), levels[stem]) for stem, audio in parts.items()}
    total = sum(moved.values()) + hands.returned(rng, moves, moved, beat_s)
    total = fx.narrow_bass(total, NARROW_BELOW_HZ, both_ways=True)
    total = fx.set_loudness(total, MIXTURE_LOUDNESS_LUFS)
    glue_db = fx.reduction_db(total, min(-9.0, fx.peak_db(total) - 7.0), 1.5, 20.0, 180.0)
    total = fx.set_loudness(_turn(total, -glue_db), MIXTURE_LOUDNESS_LUFS)
    return fx.limit(total, -1.0), moves.all_turned(at_ticks(-glue_db, total.shape[-1]))


def decide(parts: Mapping[str, Audio]) -> Moves:
    """All moves of faders and equalizers on stems `(2, frames)` at their levels."""
    frames = parts["vocals"].shape[-1]
    # Fuller passages open up on top, sparse ones close: without a mean.
    fuller_db = fx.gain_to_db(1.0 + AIR * fullness(parts))
    moves = make_room(parts).all_turned(at_ticks(fuller_db, frames), top(AIR_FROM_HZ))
    for move in (hands.sections, hands.squash, hands.tame_sibilants, hands.send):
        moves = move(parts, moves)
    return moves


def make_room(parts: Mapping[str, Audio]) -> Moves:
    """The moves that stems make for each other."""
    frames, middle = parts["vocals"].shape[-1], ("middle",)
    sung, played = activity(parts["vocals"]), activity(parts["bass"])
    covered = at_ticks(sung * hands.masking(parts, PRESENCE_HZ), frames)
    kicked = activity(fx.low_pass(parts["drums"], 110.0), release_ms=90.0)
    crowded, sung = at_ticks(np.minimum(sung, played), frames), at_ticks(sung, frames)
    moves = Moves.none(frames)
    moves = moves.turned("other", -BACKING_DB * sung)
    moves = moves.turned("other", (BACKING_DB - PRESENCE_DB) * covered, band(*PRESENCE_HZ), middle)
    moves = moves.turned("other", -MUD_DB * crowded, band(*MUD_HZ), middle)
    moves = moves.turned("vocals", at_ticks(ride_db(parts["vocals"]), frames))
    moves = moves.turned("bass", at_ticks(-KICKED_DB * kicked, frames))
    return moves.turned("drums", -DRUMS_DB * sung)


def _turn(audio: Audio, change_db: Audio) -> Audio:
    """Gain in dB at control rate."""
    return audio * fx.db_to_gain(fx.control_to_audio(change_db, audio.shape[-1]))


def ride_db(audio: Audio) -> Audio:
    """Moves of a fader that evens out phrases, dB at control rate; it rests at 0 where nothing sounds."""
    level = fx.envelope_db(audio, 60.0, 500.0)
    sounding = level > max(np.max(level) - 24.0, -70.0)
    if not np.any(sounding):
        return np.zeros_like(level)
    wanted = np.clip(-RIDE * (level - np.median(level[sounding])), -RIDE_LIMIT_DB, RIDE_LIMIT_DB)
    # A hand takes about a third of a second.
    hand = np.hanning(round(0.35 * fx.SAMPLE_RATE_HZ / fx.CONTROL_FRAMES))
    return np.convolve(np.where(sounding, wanted, 0.0), hand / np.sum(hand), mode="same")


def _density(audio: Audio) -> float:
    """Share of time within 20 dB of the stem's loudest moments, 0…1."""
    level = fx.envelope_db(audio, 1.0, 120.0)
    return float(np.mean(level > np.max(level) - 20.0)) if np.max(level) > -90.0 else 0.0
