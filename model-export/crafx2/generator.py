"""Procedural songs: four stems as a user would bring them, and the mixture an engineer would make of them.

A seed names a song. The mixture is a function of what can be heard in the stems – levels follow density, the backing
ducks under the voice, compression follows dynamics, brightness follows energy – because a network that is trained on
targets drawn independently of its inputs learns only their mean. Sound sources live in `crafx2.songs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from .songs import calibration
from .songs import effects as fx
from .songs.arrangement import Arrangement, arrange
from .songs.effects import SAMPLE_RATE_HZ, Audio
from .songs.instruments import (
    draw_bass,
    draw_drum_kit,
    render_bass,
    render_drums,
    render_guitar,
    render_keys,
    render_pad,
    render_plucks,
)
from .songs.voice import draw_singer, render_vocals

STEMS = ("vocals", "bass", "drums", "other")
VARIANTS = ("dry_mono", "dry_stereo", "wet")

#: Integrated loudness of the stems inside the mixture, LUFS, before bus processing: a lead vocal on top. These are
#: also the loudness targets of the default bundle, so that the network's work stays within the range of its masks.
MIX_LOUDNESS_LUFS = {"vocals": -18.0, "bass": -23.0, "drums": -19.5, "other": -20.0}
MIXTURE_LOUDNESS_LUFS = -14.0
#: What songs differ in beyond what the rules below explain, standard deviation in dB.
LEVEL_SPREAD_DB = 0.8
#: How far the tone of an unprocessed stem lies from what the mixture has, standard deviation in dB: microphones, rooms.
RAW_SPREAD_DB = 2.0
#: Below this the mixture is mono.
MONO_BELOW_HZ = 140.0


@dataclass(frozen=True)
class Song:
    """One generated song. Stems `(1 or 2, frames)`, mixture `(2, frames)`, all of equal length, peaks below 1."""

    seed: int
    variant: str
    stems: Mapping[str, Audio]
    mixture: Audio
    arrangement: Arrangement


def generate_song(seed: int, duration_s: float, *, variant: str | None = None, full: bool = False) -> Song:
    """Make the song of a seed.

    `variant` decides what the stems are: `dry_mono` (microphone-like, mono where a take is mono), `dry_stereo`
    (instruments in their own stereo) or `wet` (already processed); `None` draws it. `full` keeps every stem playing.
    The mixture does not depend on the variant.
    """
    rng = np.random.default_rng(seed)
    chosen = str(rng.choice(VARIANTS, p=(0.35, 0.35, 0.3)))
    variant = chosen if variant is None else variant
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; known are {', '.join(VARIANTS)}")
    frames = int(duration_s * SAMPLE_RATE_HZ)
    arrangement = arrange(rng, duration_s, full=full)
    dry = _render(rng, arrangement, frames)
    wet = {stem: _treat(rng, stem, audio, arrangement) for stem, audio in dry.items()}
    mixture = _mix(rng, wet)
    source = wet
    if variant != "wet":
        raw = {stem: calibration.smooth_curve(rng, RAW_SPREAD_DB) for stem in STEMS}
        source = {stem: calibration.equalize(dry[stem], raw[stem]) for stem in STEMS}
    stems = {stem: _deliver(rng, stem, source[stem], variant) for stem in STEMS}
    return Song(seed, variant, stems, mixture, arrangement)


def _render(rng: np.random.Generator, arrangement: Arrangement, frames: int) -> dict[str, Audio]:
    """Dry performances `(2, frames)`; vocals and bass are mono in two equal channels."""
    electronic = arrangement.style in ("electronic", "halftime")
    kit = draw_drum_kit(rng, electronic)
    drums = render_drums(rng, kit, arrangement.drums, frames)
    bass = fx.to_stereo(render_bass(rng, draw_bass(rng, electronic), arrangement.bass, frames))
    pitch = float(np.mean([note.pitch for note in arrangement.melody])) if arrangement.melody else 60.0
    vocals = fx.to_stereo(render_vocals(rng, draw_singer(rng, pitch), arrangement.melody, frames))
    other = np.zeros((2, frames))
    layers = {
        "rock": ("guitar", "keys"),
        "pop": ("keys", "plucks", "pad"),
        "electronic": ("pad", "plucks"),
        "ballad": ("keys", "pad"),
        "funk": ("guitar", "plucks"),
        "halftime": ("keys", "plucks", "pad"),
    }[arrangement.style]
    for index, layer in enumerate(layers):
        if index and rng.random() < 0.25:
            continue
        if layer == "plucks":
            sound = render_plucks(rng, arrangement.arpeggio, frames)
        else:
            renderer = {"guitar": render_guitar, "keys": render_keys, "pad": render_pad}[layer]
            sound = renderer(rng, arrangement.chords, frames)
        other += fx.set_loudness(sound, -22.0 - 3.0 * index + float(rng.normal(0, 1.5)))
    dry = {"vocals": vocals, "bass": bass, "drums": drums, "other": other}
    return {stem: calibration.tone(rng, stem, fx.set_loudness(audio, -23.0)) for stem, audio in dry.items()}


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
    audio = fx.high_pass(audio, {"vocals": 45.0, "bass": 26.0, "drums": 24.0, "other": 40.0}[stem])
    excess_db = max(0.0, _crest_db(audio) - 9.0)
    peak_db = float(fx.gain_to_db(float(np.max(np.abs(audio)))))
    attack_ms = {"vocals": 4.0, "bass": 12.0, "drums": 14.0, "other": 15.0}[stem]
    audio = fx.compress(audio, peak_db - 6.0 - excess_db, 1.4 + 0.1 * excess_db, attack_ms, 140.0)
    decay_s, send, from_hz = _ROOM[stem]
    if stem == "bass":
        audio = fx.saturate(audio, 3.0)
    if stem == "vocals":
        beat_s = arrangement.beat_s * float(rng.choice([0.5, 0.75, 1.0]))
        audio = audio + 0.07 * fx.delay(audio, beat_s, 0.35, 3_500.0, ping_pong=True)
    if send > 0.0:
        response = fx.reverb_response(rng, float(rng.uniform(*decay_s)), 12.0, 0.5)
        audio = audio + send * fx.reverberate(fx.high_pass(audio, from_hz), response)
    return calibration.width(rng, stem, audio)


#: A room for most stems of a kind: seconds, send, from Hz.
_ROOM = {
    "vocals": ((1.0, 2.2), 0.14, 300.0),
    "bass": ((0.5, 1.0), 0.0, 300.0),
    "drums": ((0.4, 0.9), 0.16, 250.0),
    "other": ((1.0, 2.0), 0.16, 250.0),
}


def _density(audio: Audio) -> float:
    """Share of time within 20 dB of the stem's loudest moments, 0…1."""
    level = fx.envelope_db(audio, 1.0, 120.0)
    return float(np.mean(level > np.max(level) - 20.0)) if np.max(level) > -90.0 else 0.0


def _mix(rng: np.random.Generator, wet: Mapping[str, Audio]) -> Audio:
    """Balance, duck, brighten, glue and limit; −14 LUFS, peaks at most −1 dBFS."""
    parts = {}
    for stem, audio in wet.items():
        level = MIX_LOUDNESS_LUFS[stem] + float(rng.normal(0, LEVEL_SPREAD_DB))
        # A dense backing is turned down, a sparse one may stand out; a voice that sings little is brought forward.
        lean = {"vocals": -1.0, "bass": -1.0, "drums": -2.0, "other": -3.0}[stem]
        parts[stem] = fx.set_loudness(audio, level + lean * (_density(audio) - 0.6))
    frames = parts["vocals"].shape[-1]
    sung = _activity(parts["vocals"])
    kicked = _activity(fx.low_pass(parts["drums"], 110.0), release_ms=90.0)
    parts["other"] = parts["other"] * fx.db_to_gain(fx.control_to_audio(-2.5 * sung, frames))
    parts["drums"] = parts["drums"] * fx.db_to_gain(fx.control_to_audio(-0.8 * sung, frames))
    parts["bass"] = parts["bass"] * fx.db_to_gain(fx.control_to_audio(-2.0 * kicked, frames))
    together = sum(_activity(audio, release_ms=900.0) for audio in parts.values()) / len(parts)
    total = sum(parts.values())
    # Fuller passages open up on top, sparse ones close: a moving shelf without a mean.
    air = fx.high_pass(total, 5_000.0, order=1)
    total = total + air * fx.control_to_audio(0.3 * (together - np.mean(together)), frames)
    total = fx.set_loudness(fx.mono_bass(total, MONO_BELOW_HZ), MIXTURE_LOUDNESS_LUFS)
    peak_db = float(fx.gain_to_db(float(np.max(np.abs(total)))))
    total = fx.compress(total, min(-9.0, peak_db - 7.0), 1.8, 20.0, 180.0)
    total = fx.set_loudness(total, MIXTURE_LOUDNESS_LUFS)
    return fx.limit(total, -1.0)


def _activity(audio: Audio, release_ms: float = 350.0) -> Audio:
    """0…1 at control rate: how far a stem is up compared with its own loud moments."""
    level = fx.envelope_db(audio, 8.0, release_ms)
    top = float(np.max(level))
    return np.clip((level - top + 26.0) / 18.0, 0.0, 1.0) if top > -60.0 else np.zeros_like(level)


def _deliver(rng: np.random.Generator, stem: str, audio: Audio, variant: str) -> Audio:
    """The stem as somebody would export it: at any level, mono where the take is mono."""
    peak = float(np.max(np.abs(audio)))
    target_db = float(rng.uniform(-14.0, -3.0))
    scaled = audio * (float(fx.db_to_gain(target_db)) / peak) if peak > 1e-6 else audio
    if variant == "dry_mono" or (variant == "dry_stereo" and stem in ("vocals", "bass")):
        return np.mean(scaled, axis=0, keepdims=True)
    return scaled


def write_song(song: Song, folder: Path, *, mixture: bool = True, extension: str = "wav") -> None:
    """Write `<stem>.<extension>` (and `mixture`) as 16-bit PCM with triangular dither of one step."""
    folder.mkdir(parents=True, exist_ok=True)
    tracks = dict(song.stems)
    if mixture:
        tracks["mixture"] = song.mixture
    for index, (name, audio) in enumerate(tracks.items()):
        rng = np.random.default_rng([song.seed, index])
        dither = (rng.random(audio.shape) - rng.random(audio.shape)) / 32_768.0
        sounding = np.max(np.abs(audio), axis=0, keepdims=True) > 1e-7
        pcm = np.clip(np.round((audio + dither * sounding) * 32_768.0), -32_768, 32_767).astype(np.int16)
        soundfile.write(folder / f"{name}.{extension}", pcm.T, SAMPLE_RATE_HZ, subtype="PCM_16")
