"""Plays notes through the instruments of a soundfont, one stereo track per part, the same every time.

A binding of the six things that FluidSynth does for us; its own rooms and choruses stay off, because rooms are the
engineer's. It is a tool of training, found at run time: nothing else in the project links or loads it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import UserError
from .effects import SAMPLE_RATE_HZ, Audio
from .score import Note

#: FluidSynth computes in blocks of so many frames, and events take effect between two of them.
BLOCK_FRAMES = 64
#: Parts that play at once; channels of the synthesizer, each with its own pair of outputs.
CHANNELS = 32
#: The bank in which soundfonts keep their drum kits.
DRUM_BANK = 128
#: Voices that may sound at once: long releases under fast strumming come near 300.
VOICES = 1024
#: Controllers by their MIDI numbers: what a composer may have moved.
VOLUME, PAN, EXPRESSION, SUSTAIN = 7, 10, 11, 64
#: Generator 52 of the SoundFont standard, 2.01: fine tuning in cents.
FINE_TUNE = 52
#: How far a pitch wheel reaches here, semitones.
BEND_SEMITONES = 12
#: What a part comes out at before anybody sets its level: enough headroom for thick chords, linear.
GAIN = 0.2


@dataclass(frozen=True)
class Control:
    """A controller's value 0…127 from a time on, in seconds."""

    start_s: float
    number: int
    value: int


@dataclass(frozen=True)
class Bend:
    """The pitch wheel's place in semitones from a time on, in seconds."""

    start_s: float
    semitones: float


@dataclass(frozen=True)
class Part:
    """What one player plays on one instrument: a program 0…127 of a bank, its notes, and what moves meanwhile.

    Pitches are rounded to semitones; `cents` tunes the whole part. Drum kits are programs of `DRUM_BANK`, and their
    notes' pitches name the drums.
    """

    program: int
    notes: Sequence[Note]
    bank: int = 0
    cents: float = 0.0
    controls: Sequence[Control] = ()
    bends: Sequence[Bend] = ()


def play(soundfont: Path, parts: Sequence[Part], frames: int) -> list[Audio]:
    """Every part's sound `(2, frames)`, in order. Raises `UserError` without FluidSynth, or on an unreadable font."""
    tracks: list[Audio] = []
    for at in range(0, len(parts), CHANNELS):
        # A new one each time: one that has played before begins its voices otherwise. While the one before is kept,
        # samples that both need are not read again.
        synthesizer = _Synthesizer(_library(), soundfont)
        tracks += synthesizer.play(parts[at : at + CHANNELS], frames)
        _kept[soundfont] = synthesizer
    return tracks


#: The last synthesizer of each soundfont in this process.
_kept: dict[Path, _Synthesizer] = {}


@cache
def _library() -> ctypes.CDLL:
    for name in ("libfluidsynth.so.3", ctypes.util.find_library("fluidsynth")):
        with suppress(OSError):
            if name is not None:
                return _declared(ctypes.CDLL(name))
    raise UserError("FluidSynth 2 is missing, which plays the sampled instruments; on Debian: libfluidsynth3")


def is_there() -> bool:
    """Whether FluidSynth can be loaded."""
    try:
        _library()
    except UserError:
        return False
    return True


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the functions that we call take and return; levels of the log are 0 (panic) to 4 (debug)."""
    pointer, text, number, real = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_double
    outputs = ctypes.POINTER(ctypes.POINTER(ctypes.c_float))
    for name, result, *arguments in (
        ("new_fluid_settings", pointer),
        ("delete_fluid_settings", None, pointer),
        ("new_fluid_synth", pointer, pointer),
        ("delete_fluid_synth", None, pointer),
        ("fluid_settings_setint", number, pointer, text, number),
        ("fluid_settings_setnum", number, pointer, text, real),
        ("fluid_settings_setstr", number, pointer, text, text),
        ("fluid_synth_sfload", number, pointer, text, number),
        ("fluid_synth_program_select", number, pointer, number, number, number, number),
        ("fluid_synth_set_channel_type", number, pointer, number, number),
        ("fluid_synth_set_gen", number, pointer, number, number, ctypes.c_float),
        ("fluid_synth_pitch_wheel_sens", number, pointer, number, number),
        ("fluid_synth_pitch_bend", number, pointer, number, number),
        ("fluid_synth_noteon", number, pointer, number, number, number),
        ("fluid_synth_noteoff", number, pointer, number, number),
        ("fluid_synth_cc", number, pointer, number, number, number),
        ("fluid_synth_process", number, pointer, number, number, outputs, number, outputs),
        ("fluid_set_log_function", pointer, number, pointer, pointer),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for level in (2, 3, 4):
        library.fluid_set_log_function(level, None, None)
    return library


class _Synthesizer:
    """One soundfont in one synthesizer, which plays once."""

    def __init__(self, library: ctypes.CDLL, soundfont: Path) -> None:
        self.library = library
        self.settings = settings = library.new_fluid_settings()
        for name, value in (
            ("synth.midi-channels", CHANNELS),
            ("synth.audio-channels", CHANNELS),
            ("synth.audio-groups", CHANNELS),
            ("synth.polyphony", VOICES),
            ("synth.reverb.active", 0),
            ("synth.chorus.active", 0),
            ("synth.dynamic-sample-loading", 1),
        ):
            library.fluid_settings_setint(settings, name.encode(), value)
        for name, level in (("synth.sample-rate", SAMPLE_RATE_HZ), ("synth.gain", GAIN)):
            library.fluid_settings_setnum(settings, name.encode(), level)
        self.synth = library.new_fluid_synth(settings)
        self.font = library.fluid_synth_sfload(self.synth, str(soundfont).encode(), 1)
        if self.font < 0:
            raise UserError(f"{soundfont} cannot be read as a soundfont")

    def __del__(self) -> None:
        self.library.delete_fluid_synth(self.synth)
        self.library.delete_fluid_settings(self.settings)

    def play(self, parts: Sequence[Part], frames: int) -> list[Audio]:
        events: list[tuple[int, int, Callable[[], None]]] = []
        for channel, part in enumerate(parts):
            self._tune(channel, part)
            events += self._events(channel, part)
        events.sort(key=lambda event: event[:2])
        blocks = -(-frames // BLOCK_FRAMES)
        tracks = np.zeros((2 * CHANNELS, blocks * BLOCK_FRAMES), dtype=np.float32)
        done = 0
        for block, _, act in events:
            if block >= blocks:
                break
            if block > done:
                self._render(tracks, done, block)
                done = block
            act()
        self._render(tracks, done, blocks)
        return [tracks[2 * at : 2 * at + 2, :frames].astype(np.float64) for at in range(len(parts))]

    def _tune(self, channel: int, part: Part) -> None:
        call, drums = self.library, part.bank == DRUM_BANK
        call.fluid_synth_set_channel_type(self.synth, channel, int(drums))
        call.fluid_synth_program_select(self.synth, channel, self.font, part.bank, part.program)
        call.fluid_synth_set_gen(self.synth, channel, FINE_TUNE, part.cents)
        call.fluid_synth_pitch_wheel_sens(self.synth, channel, BEND_SEMITONES)

    def _events(self, channel: int, part: Part) -> Iterable[tuple[int, int, Callable[[], None]]]:
        """`(block, order within it, what to do)`: controllers first, then ends of notes, then beginnings."""
        call, synth = self.library, self.synth
        for control in part.controls:
            yield (
                _block(control.start_s),
                0,
                lambda c=control: call.fluid_synth_cc(synth, channel, c.number, int(np.clip(c.value, 0, 127))),
            )
        for bend in part.bends:
            wheel = int(np.clip(8192 + round(bend.semitones / BEND_SEMITONES * 8192), 0, 16_383))
            yield _block(bend.start_s), 0, lambda w=wheel: call.fluid_synth_pitch_bend(synth, channel, w)
        for note in part.notes:
            key, velocity = int(np.clip(round(note.pitch), 0, 127)), int(np.clip(round(127 * note.velocity), 1, 127))
            start = _block(note.start_s)
            end = max(start + 1, _block(note.start_s + note.duration_s))
            yield start, 2, lambda k=key, v=velocity: call.fluid_synth_noteon(synth, channel, k, v)
            yield end, 1, lambda k=key: call.fluid_synth_noteoff(synth, channel, k)

    def _render(self, tracks: np.ndarray, begin: int, end: int) -> None:
        floats = ctypes.POINTER(ctypes.c_float)
        stride, base = tracks.strides[0], tracks.ctypes.data + begin * BLOCK_FRAMES * tracks.itemsize
        outputs = (floats * len(tracks))(*(ctypes.cast(base + at * stride, floats) for at in range(len(tracks))))
        self.library.fluid_synth_process(self.synth, (end - begin) * BLOCK_FRAMES, 0, None, len(tracks), outputs)


def _block(time_s: float) -> int:
    return max(0, round(time_s * SAMPLE_RATE_HZ / BLOCK_FRAMES))
