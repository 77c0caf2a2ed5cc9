"""How a session was recorded: who was not there, what leaked between microphones, hums, rooms, and what went wrong.

Leaks, hums and rooms are part of the performance, in the stems and in what the engineer makes of them: nobody takes
them out by turning bands. What went wrong with one recording – dull, thin, boxy, clipped, noisy – is only in the stem
that is handed over: the engineer had a better one, and whatever mends it is right.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import effects as fx
from .effects import SAMPLE_RATE_HZ, Audio

#: How often a song lacks stems, and how many.
ABSENT, ABSENT_COUNTS = 0.15, (1, 1, 2)
#: How often microphones hear each other, how loud against what they are for, dB, and through how much air, seconds.
LEAKING, LEAK_DB, LEAK_S = 0.15, (-42.0, -26.0), (0.002, 0.012)
#: How often one stem hums, and how loud against its loudness, dB.
HUMMING, HUM_DB = 0.06, (-58.0, -42.0)
#: How often voice, drums or the rest were recorded in a room that is heard: its decay, seconds, and level, dB.
ROOMY, ROOM_S, ROOM_DB = 0.12, (0.15, 0.6), (-20.0, -9.0)
#: How often a stem that is handed over dry is a bad recording.
BAD = 0.06


def leave_out(rng: np.random.Generator, stems: Mapping[str, Audio]) -> dict[str, Audio]:
    """Some songs have two or three stems only."""
    playing = [name for name, audio in stems.items() if np.any(audio)]
    if rng.random() >= ABSENT:
        return dict(stems)
    count = min(int(rng.choice(ABSENT_COUNTS)), len(playing) - 2)
    gone = set(rng.choice(playing, size=max(count, 0), replace=False)) if playing else set()
    return {name: 0.0 * audio if name in gone else audio for name, audio in stems.items()}


def record(rng: np.random.Generator, stems: Mapping[str, Audio]) -> dict[str, Audio]:
    """Stems `(2, frames)` as a session's microphones have them; silent ones stay silent."""
    leaking, humming = rng.random() < LEAKING, rng.random() < HUMMING
    hums = str(rng.choice(list(stems)))
    recorded = {}
    for name, audio in stems.items():
        if not np.any(audio):
            recorded[name] = audio
            continue
        heard = audio
        if name != "bass" and rng.random() < ROOMY:
            heard = heard + _room(rng, audio)
        if leaking:
            heard = heard + _leak(rng, [other for key, other in stems.items() if key != name], audio)
        if humming and name == hums:
            heard = heard + _hum(rng, audio)
        recorded[name] = heard
    return recorded


def _room(rng: np.random.Generator, audio: Audio) -> Audio:
    response = fx.reverb_response(rng, float(rng.uniform(*ROOM_S)), 2.0, 0.6)
    return float(fx.db_to_gain(rng.uniform(*ROOM_DB))) * fx.reverberate(audio, response)


def _leak(rng: np.random.Generator, others: list[Audio], audio: Audio) -> Audio:
    """What a microphone hears of the others: later, duller, and as loud as walls let through."""
    level = fx.loudness_lufs(audio) + float(rng.uniform(*LEAK_DB))
    shift = int(float(rng.uniform(*LEAK_S)) * SAMPLE_RATE_HZ)
    heard = fx.low_pass(np.sum(others, axis=0), float(rng.uniform(2_000, 9_000)), order=1)
    late = np.pad(heard, ((0, 0), (shift, 0)))[:, : heard.shape[1]]
    return fx.set_loudness(np.repeat(np.mean(late, axis=0, keepdims=True), 2, axis=0), level)


def _hum(rng: np.random.Generator, audio: Audio) -> Audio:
    """The mains and its partials, throughout."""
    mains_hz, time_s = float(rng.choice([50.0, 60.0])), np.arange(audio.shape[1]) / SAMPLE_RATE_HZ
    hum = np.zeros(audio.shape[1])
    for number in range(1, 12):
        share = float(rng.uniform(0.3, 1.0)) / number ** float(rng.uniform(0.3, 1.0))
        hum += share * np.sin(2 * np.pi * mains_hz * number * time_s + rng.uniform(0, 6.28))
    level_db = fx.loudness_lufs(audio) + float(rng.uniform(*HUM_DB))
    return fx.to_stereo(hum * float(fx.db_to_gain(level_db)) / np.std(hum))


def spoil(rng: np.random.Generator, audio: Audio) -> Audio:
    """A dry stem `(2, frames)`, at times badly recorded in one way."""
    if rng.random() >= BAD or not np.any(audio):
        return audio
    match int(rng.integers(5)):
        case 0:
            return fx.low_pass(audio, float(rng.uniform(3_500, 8_000)), order=2)
        case 1:
            return fx.high_pass(audio, float(rng.uniform(140, 320)), order=1)
        case 2:
            center_hz = float(rng.uniform(250, 600))
            return audio + float(rng.uniform(0.7, 1.6)) * fx.band_pass(audio, center_hz / 1.3, center_hz * 1.3, order=1)
        case 3:
            ceiling = float(np.max(np.abs(audio)) * fx.db_to_gain(-rng.uniform(4.0, 10.0)))
            return np.clip(audio, -ceiling, ceiling)
        case _:
            noise_db = fx.loudness_lufs(audio) + float(rng.uniform(-52.0, -36.0))
            return audio + float(fx.db_to_gain(noise_db)) * rng.standard_normal(audio.shape)
