"""Drums: kits of the soundfonts, kits of one-shots, and synthesized ones, by the names that `styles.py` uses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import soundfile

from . import sources
from .effects import SAMPLE_RATE_HZ, Audio, high_pass, saturate
from .instruments import DrumKit, draw_drum_kit, render_drums, room
from .player import DRUM_BANK, Part, play
from .score import Note

#: Programs of the soundfonts' drum bank; FluidR3 and MuseScore General hold the same ones.
KITS = {
    "standard": (0, 1, 2, 3, 4, 5, 6, 7),
    "room": (8, 9, 10, 11, 12),
    "power": (16, 17, 18, 19),
    "electronic": (24,),
    "808": (25,),
    "jazz": (32, 33, 34, 35, 36),
    "brushes": (40, 41, 42),
    "orchestra": (48,),
}
#: General MIDI's keys by lane; a song has one of each.
KEYS = {
    "kick": (36, 36, 35),
    "snare": (38, 38, 40),
    "rim": (37,),
    "clap": (39,),
    "hat": (42,),
    "open": (46,),
    "ride": (51, 59, 53),
    "crash": (49, 57),
    "perc": (54, 56, 63, 69, 70, 75, 60),
}
#: From the highest tom to the floor tom, for pitches from 4 down to −4.
TOMS = (50, 48, 47, 45, 43, 41)
#: One-shots by lane, names of files without their ending.
SHOTS = {
    "kick": (
        *("bd_808", "bd_ada", "bd_boom", "bd_fat", "bd_gas", "bd_haus", "bd_klub", "bd_mehackit", "bd_pure", "bd_sone"),
        *("bd_tek", "bd_zome", "bd_zum", "drum_heavy_kick", "drum_bass_hard", "elec_hollow_kick", "elec_soft_kick"),
    ),
    "snare": (
        *("sn_dolf", "sn_dub", "sn_generic", "sn_zome", "drum_snare_hard", "elec_snare", "elec_filt_snare"),
        *("elec_hi_snare", "elec_lo_snare", "elec_mid_snare"),
    ),
    "rim": ("elec_wood", "elec_tick", "drum_snare_soft", "tabla_ke3"),
    "clap": ("perc_snap", "perc_snap2", "sn_generic", "elec_filt_snare"),
    "hat": ("drum_cymbal_closed", "drum_cymbal_pedal", "elec_tick"),
    "open": ("drum_cymbal_open",),
    "ride": ("drum_cymbal_soft", "drum_cymbal_closed", "elec_cymbal"),
    "crash": ("drum_splash_hard", "drum_cymbal_hard", "drum_splash_soft"),
    "tom": ("drum_tom_mid_hard", "drum_tom_lo_hard", "elec_fuzz_tom", "drum_tom_hi_hard"),
    "perc": ("drum_cowbell", "elec_blip", "elec_triangle", "tabla_na", "tabla_tas1", "perc_bell", "elec_pop"),
}
#: A one-shot ends after so long, seconds, faded.
LONGEST_SHOT_S = 2.5


def play_drums(rng: np.random.Generator, name: str, lanes: dict[str, list[Note]], frames: int, sampled: bool) -> Audio:
    """The drum part on a kit of that name, stereo `(2, frames)`, with the room that it stands in."""
    electronic = name in ("808", "electronic", "one-shots", "synthesizer")
    if not sampled or name == "synthesizer":
        return render_drums(rng, draw_drum_kit(rng, electronic), lanes, frames)
    if name == "one-shots":
        return render_drums(rng, _draw_shots(rng), lanes, frames)
    return play_kit(rng, name, _keyed(rng, lanes), frames)


def _keyed(rng: np.random.Generator, lanes: dict[str, list[Note]]) -> list[Note]:
    """All lanes' notes as a drum part of General MIDI: the pitch names the drum."""
    keys, notes = {lane: int(rng.choice(choices)) for lane, choices in KEYS.items()}, []
    for lane, hits in lanes.items():
        for hit in hits:
            step = round((4.0 - hit.pitch) / 8.0 * (len(TOMS) - 1))
            notes.append(replace(hit, pitch=TOMS[min(max(step, 0), len(TOMS) - 1)] if lane == "tom" else keys[lane]))
    return notes


def play_kit(rng: np.random.Generator, name: str, notes: list[Note], frames: int) -> Audio:
    """A part of General MIDI on one of `KITS`, as three microphones would have it: kick, snare, and all else."""
    font = sources.path_of(sources.FLUID if rng.random() < 0.5 else sources.GENERAL)
    groups: list[list[Note]] = [[], [], []]
    for note in notes:
        groups[0 if note.pitch in (35, 36) else 1 if note.pitch in (37, 38, 39, 40) else 2].append(note)
    program = int(rng.choice(KITS[name]))
    tracks = play(font, [Part(program, group, bank=DRUM_BANK) for group in groups], frames)
    mixed = np.sum([10 ** (float(rng.normal(0, 1.5)) / 20) * track for track in tracks], axis=0)
    mixed = saturate(mixed, float(rng.uniform(0, 5)))
    return mixed + room(rng, mixed, 0.0 if name in ("808", "electronic") else float(rng.uniform(0.0, 0.12)))


def _draw_shots(rng: np.random.Generator) -> DrumKit:
    """A kit of one-shots, each tuned a little; the synthesized kit's places and room."""
    kit = draw_drum_kit(rng, electronic=True)
    shots = {}
    for lane, names in SHOTS.items():
        sound = _shot(str(rng.choice(names)))
        step = 2.0 ** (float(rng.normal(0, 1.5)) / 12.0)
        sound = np.interp(np.arange(0, sound.size, step), np.arange(sound.size), sound)
        shots[lane] = saturate(sound, float(rng.uniform(0, 6))) if rng.random() < 0.5 else sound
    for lane in ("hat", "open", "ride", "crash"):
        shots[lane] = high_pass(shots[lane], 300.0)
    return replace(kit, shots=shots)


@cache
def _shot(name: str) -> Audio:
    """A one-shot in mono with a peak of 1, at our rate."""
    audio, rate = soundfile.read(sources.path_of(sources.SHOTS) / f"{name}.flac", dtype="float64", always_2d=True)
    mono = np.mean(audio, axis=1)
    if rate != SAMPLE_RATE_HZ:
        mono = np.interp(np.arange(0, mono.size, rate / SAMPLE_RATE_HZ), np.arange(mono.size), mono)
    mono = mono[np.argmax(np.abs(mono) > 0.003 * np.max(np.abs(mono))) :][: int(LONGEST_SHOT_S * SAMPLE_RATE_HZ)]
    fade = np.clip((mono.size - np.arange(mono.size)) / (0.02 * SAMPLE_RATE_HZ), 0.0, 1.0)
    return mono * fade / np.max(np.abs(mono))
