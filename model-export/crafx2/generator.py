"""Procedural songs: four stems as a user would bring them, and the mixture an engineer would make of them.

A seed names a song. The mixture is a function of what can be heard in the stems – levels follow density, the backing
ducks under the voice, compression follows dynamics, brightness follows energy – because a network that is trained on
targets drawn independently of its inputs learns only their mean. Sound sources, and the hands on the mixing desk, live
in `crafx2.songs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from .songs import calibration, recording
from .songs import effects as fx
from .songs.effects import SAMPLE_RATE_HZ, Audio
from .songs.mixing import mix
from .songs.moves import MOVES_FILE, Moves
from .songs.performance import kinds, perform
from .songs.score import Arrangement

STEMS = ("vocals", "bass", "drums", "other")
VARIANTS = ("dry_mono", "dry_stereo", "wet")

#: How far the tone of an unprocessed stem lies from what the mixture has, standard deviation in dB: microphones, rooms.
RAW_SPREAD_DB = 2.0
#: Width of `other` as it is played, and below what it narrows: the low notes of keys and pads lie in the middle.
OTHER_WIDTH, NARROW_BELOW_HZ = 0.8, 200.0
#: Names the draws of how a song was recorded, apart from all others: a plain song is the same one, well recorded.
SESSION = 1
#: How much a limiter takes from the loudest moment of a voice, dB.
VOCALS_LIMITED_DB = 4.5


@dataclass(frozen=True)
class Song:
    """One generated song. Stems `(1 or 2, frames)`, mixture `(2, frames)`, all of equal length, peaks below 1.

    `moves` is what the engineer did to the stems over time to make the mixture.
    """

    seed: int
    variant: str
    stems: Mapping[str, Audio]
    mixture: Audio
    arrangement: Arrangement
    moves: Moves

    def tracks(self) -> Tracks:
        """Stems and `mixture` by name, with the moves."""
        return Tracks({**self.stems, "mixture": self.mixture}, self.moves)


@dataclass(frozen=True)
class Tracks:
    """What is written of a song: audio by file name, and the engineer's moves where somebody mixed it."""

    audio: Mapping[str, Audio]
    moves: Moves | None = None


def song_tracks(seed: int, duration_s: float, variant: str | None, sampled: bool = False) -> Tracks:
    """Stems, `mixture` and moves of a seed; the arguments are those of `generate_song`."""
    return generate_song(seed, duration_s, variant=variant, sampled=sampled).tracks()


def generate_song(
    seed: int, duration_s: float, *, variant: str | None = None, full: bool = False, sampled: bool = False
) -> Song:
    """Make the song of a seed.

    `variant` decides what the stems are: `dry_mono` (microphone-like, mono where a take is mono), `dry_stereo`
    (instruments in their own stereo) or `wet` (already processed); `None` draws it. `full` keeps every stem playing.
    The mixture does not depend on the variant. `sampled` songs are played by the soundfonts of `songs/sources.py`,
    which must be there; others by synthesizers alone.
    """
    if variant is not None and variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; known are {', '.join(VARIANTS)}")
    played = _perform(seed, duration_s, full=full, sampled=sampled, plain=full)
    rng, variant = played.rng, variant or played.variant
    mixture, moves = mix(rng, played.wet, played.arrangement.beat_s)
    source = played.wet
    if variant != "wet":
        raw = {stem: calibration.smooth_curve(rng, RAW_SPREAD_DB) for stem in STEMS}
        source = {stem: recording.spoil(rng, calibration.equalize(played.dry[stem], raw[stem])) for stem in STEMS}
    stems = {stem: _deliver(rng, stem, source[stem], variant) for stem in STEMS}
    return Song(seed, variant, stems, mixture, played.arrangement, moves)


def processed_stems(seed: int, duration_s: float, sampled: bool = False) -> Tracks:
    """A seed's whole band, well recorded: stems `(2, frames)` as processed as in a mixture, peaks at −3 dBFS."""
    wet = _perform(seed, duration_s, full=False, sampled=sampled, plain=True).wet
    return Tracks({stem: _with_peak(audio, -3.0) for stem, audio in wet.items()})


def kind_of(seed: int, sampled: bool = False) -> str:
    """The kind of a seed's song, a style or `written`; as many seeds as there are kinds have all of them.

    They do from a multiple of that number on, each turn in an order of its own, so that sets are balanced.
    """
    every = kinds(sampled)
    turn, place = divmod(seed, len(every))
    return every[int(np.random.default_rng([turn, len(every)]).permutation(len(every))[place])]


@dataclass(frozen=True)
class _Desk:
    """A seed's song before it is mixed and delivered: stems `(2, frames)`, and the generator that goes on."""

    rng: np.random.Generator
    variant: str
    arrangement: Arrangement
    dry: Mapping[str, Audio]
    wet: Mapping[str, Audio]


def _perform(seed: int, duration_s: float, *, full: bool, sampled: bool, plain: bool) -> _Desk:
    """The song of a seed; a `plain` one is whole, and nothing went wrong when it was recorded."""
    rng = np.random.default_rng(seed)
    variant = str(rng.choice(VARIANTS, p=(0.35, 0.35, 0.3)))
    played = perform(rng, kind_of(seed, sampled), duration_s, full=full, sampled=sampled)
    stems = played.stems
    if not plain:
        session = np.random.default_rng([seed, SESSION])
        stems = recording.record(session, recording.leave_out(session, stems))
    dry = _recorded(rng, stems)
    wet = {stem: _treat(rng, stem, audio, played.arrangement) for stem, audio in dry.items()}
    return _Desk(rng, variant, played.arrangement, dry, wet)


def _recorded(rng: np.random.Generator, played: Mapping[str, Audio]) -> dict[str, Audio]:
    """Dry stems `(2, frames)` near the averages' tone and dynamics, as recordings of what was played."""
    other = fx.narrow_bass(fx.set_width(played["other"], OTHER_WIDTH), NARROW_BELOW_HZ)
    dry = {**played, "other": other}
    return {stem: calibration.tone(rng, stem, fx.set_loudness(dry[stem], -23.0)) for stem in STEMS}


def _crest_db(audio: Audio) -> float:
    """Peak over root mean square of the sounding parts, dB."""
    level = fx.envelope_db(audio, 0.5, 60.0)
    sounding = level[level > np.max(level) - 40.0]
    return float(np.max(level) - 10 * np.log10(np.mean(10 ** (sounding / 10.0)))) if sounding.size else 0.0


def _treat(rng: np.random.Generator, stem: str, audio: Audio, arrangement: Arrangement) -> Audio:
    """Channel strip: low cut, compressor set by the stem's own crest, saturation, width and sends.

    No fixed equalization: the tone of dry stems already lies around that of mixed ones, and a move that is the same in
    every song would teach a fixed filter, which real stems do not need.
    """
    if np.max(np.abs(audio)) < 1e-6:
        return audio
    played = audio
    audio = fx.high_pass(audio, {"vocals": 45.0, "bass": 26.0, "drums": 24.0, "other": 40.0}[stem])
    excess_db = max(0.0, _crest_db(audio) - 9.0)
    attack_ms = {"vocals": 4.0, "bass": 12.0, "drums": 14.0, "other": 15.0}[stem]
    audio = fx.compress(audio, fx.peak_db(audio) - 6.0 - excess_db, 1.4 + 0.1 * excess_db, attack_ms, 140.0)
    decay_s, send, from_hz = _ROOM[stem]
    if stem == "bass":
        audio = fx.saturate(audio, 3.0)
    if stem == "vocals":
        beat_s = arrangement.beat_s * float(rng.choice([0.5, 0.75, 1.0]))
        audio = audio + 0.1 * fx.delay(audio, beat_s, 0.35, 3_500.0, ping_pong=True)
    if send > 0.0:
        response = fx.reverb_response(rng, float(rng.uniform(*decay_s)), 12.0, 0.5)
        audio = audio + send * fx.reverberate(fx.high_pass(audio, from_hz), response)
    audio = calibration.width(rng, stem, audio, played)
    # Voices are held closest: a limiter takes the few moments that stick out.
    if stem == "vocals":
        audio = fx.limit(audio, fx.peak_db(audio) - VOCALS_LIMITED_DB)
    return audio


#: A room for most stems of a kind: seconds, send, from Hz.
_ROOM = {
    "vocals": ((1.2, 2.4), 0.2, 250.0),
    "bass": ((0.5, 1.0), 0.0, 300.0),
    "drums": ((0.4, 0.9), 0.16, 250.0),
    "other": ((1.0, 2.0), 0.16, 250.0),
}


def _deliver(rng: np.random.Generator, stem: str, audio: Audio, variant: str) -> Audio:
    """The stem as somebody would export it: at any level, mono where the take is mono."""
    scaled = _with_peak(audio, float(rng.uniform(-14.0, -3.0)))
    if variant == "dry_mono" or (variant == "dry_stereo" and stem in ("vocals", "bass")):
        return np.mean(scaled, axis=0, keepdims=True)
    return scaled


def _with_peak(audio: Audio, level_db: float) -> Audio:
    peak = float(np.max(np.abs(audio)))
    return audio * (float(fx.db_to_gain(level_db)) / peak) if peak > 1e-6 else audio


def write_tracks(tracks: Tracks, folder: Path, seed: int, extension: str = "wav") -> None:
    """Write `<name>.<extension>` as 16-bit PCM with triangular dither of one step, drawn for the song of a seed.

    Moves go to `MOVES_FILE` beside them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if tracks.moves is not None:
        tracks.moves.write(folder / MOVES_FILE)
    for index, (name, audio) in enumerate(tracks.audio.items()):
        rng = np.random.default_rng([seed, index])
        dither = (rng.random(audio.shape) - rng.random(audio.shape)) / 32_768.0
        sounding = np.max(np.abs(audio), axis=0, keepdims=True) > 1e-7
        pcm = np.clip(np.round((audio + dither * sounding) * 32_768.0), -32_768, 32_767).astype(np.int16)
        soundfile.write(folder / f"{name}.{extension}", pcm.T, SAMPLE_RATE_HZ, subtype="PCM_16")
