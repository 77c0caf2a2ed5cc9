"""Reads standard MIDI files: what every instrument of a piece plays, in seconds, with its composer's moves.

A voice is what one channel plays with one program, since channels may change instruments. Files come from elsewhere:
whatever is wrong with one is a `MidiError`, and nothing is read beyond a chunk's end.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from ..errors import UserError
from .player import EXPRESSION, PAN, SUSTAIN, VOLUME, Bend, Control
from .score import Note

#: The channel of drums, counted from 0.
DRUM_CHANNEL = 9
#: Microseconds of a quarter note where a file names no tempo.
DEFAULT_TEMPO_US = 500_000
#: How far a pitch wheel reaches where a file does not say, semitones.
DEFAULT_BEND = 2.0
#: Controllers that are kept; others steer effects that we do not have.
KEPT = (VOLUME, PAN, EXPRESSION, SUSTAIN)
#: Data entry, and the two halves of the number of what it enters: 0, 0 is the reach of the pitch wheel.
DATA, PARAMETER_LOW, PARAMETER_HIGH = 6, 100, 101


class MidiError(UserError):
    """What is wrong with a MIDI file, in one sentence."""


@dataclass
class Voice:
    """What one instrument plays: program 0…127, notes in order, and what its composer moved."""

    channel: int
    program: int
    notes: list[Note] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    bends: list[Bend] = field(default_factory=list)

    @property
    def drums(self) -> bool:
        """Whether its notes name drums; its program is then a kit."""
        return self.channel == DRUM_CHANNEL


@dataclass(frozen=True)
class Piece:
    """A piece: its voices, its length, and a quarter note's seconds at its beginning."""

    voices: list[Voice]
    length_s: float
    beat_s: float


@dataclass(frozen=True)
class _Event:
    """A channel message at a time in ticks; `order` keeps a file's own where times are equal."""

    tick: int
    order: int
    status: int
    first: int
    second: int


def read(data: bytes) -> Piece:
    """Parse a file of format 0 or 1. Raises `MidiError`."""
    chunks = _chunks(data)
    if not chunks or chunks[0][0] != b"MThd" or len(chunks[0][1]) < 6:
        raise MidiError("not a MIDI file: it has no header")
    form, _, division = struct.unpack(">HHH", chunks[0][1][:6])
    if form > 1 or division & 0x8000 or division == 0:
        raise MidiError(f"MIDI of format {form} with a division of {division}; read are 0 and 1, in ticks of a beat")
    events: list[_Event] = []
    tempos: list[tuple[int, int]] = [(0, DEFAULT_TEMPO_US)]
    for name, body in chunks[1:]:
        if name == b"MTrk":
            _read_track(body, events, tempos)
    events.sort(key=lambda event: (event.tick, event.order))
    clock = _Clock(sorted(tempos), division)
    voices, length_s = _play(events, clock), 0.0
    for voice in voices:
        voice.notes.sort(key=lambda note: note.start_s)
        length_s = max(length_s, max(note.start_s + note.duration_s for note in voice.notes))
    return Piece(voices, length_s, clock.seconds(division))


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if at + 8 + size > len(data):
            raise MidiError(f"a chunk of {size} bytes is longer than the MIDI file")
        chunks.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size
    return chunks


class _Reader:
    """Bytes of a track, one after the other."""

    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.body):
            raise MidiError("a MIDI track ends within an event")
        self.at += count
        return self.body[self.at - count : self.at]

    def number(self) -> int:
        """A number of up to four bytes of seven bits."""
        value = 0
        for _ in range(4):
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise MidiError("a number in a MIDI track has more than four bytes")


def _read_track(body: bytes, events: list[_Event], tempos: list[tuple[int, int]]) -> None:
    reader, tick, status = _Reader(body), 0, 0
    while reader.at < len(body):
        tick += reader.number()
        if body[reader.at : reader.at + 1] >= b"\x80":
            status = reader.take(1)[0]
        if status == 0xFF:
            kind, content = reader.take(1)[0], reader.take(reader.number())
            if kind == 0x51 and len(content) == 3:
                tempos.append((tick, max(1, int.from_bytes(content, "big"))))
            if kind == 0x2F:
                return
        elif status in (0xF0, 0xF7):
            reader.take(reader.number())
        elif 0x80 <= status < 0xF0:
            first = reader.take(1)[0]
            second = 0 if status & 0xE0 == 0xC0 else reader.take(1)[0]
            events.append(_Event(tick, len(events), status, first & 0x7F, second & 0x7F))
        else:
            raise MidiError(f"a MIDI track has an event that begins with {status:#04x}")


class _Clock:
    """Seconds of ticks, along changes of the tempo."""

    def __init__(self, tempos: list[tuple[int, int]], division: int) -> None:
        self.ticks, self.starts_s, self.per_tick_s = [], [], []
        for tick, tempo in tempos:
            start_s = self.seconds(tick) if self.ticks else 0.0
            self.ticks.append(tick)
            self.starts_s.append(start_s)
            self.per_tick_s.append(1e-6 * tempo / division)

    def seconds(self, tick: int) -> float:
        at = bisect_right(self.ticks, tick) - 1
        return self.starts_s[at] + (tick - self.ticks[at]) * self.per_tick_s[at]


@dataclass
class _Channel:
    """What a channel is set to, and which of its notes sound: start and velocity by key, with their voice."""

    program: int = 0
    bend: float = DEFAULT_BEND
    parameter: tuple[int, int] = (127, 127)
    sounding: dict[int, tuple[float, float, Voice]] = field(default_factory=dict)


def _play(events: list[_Event], clock: _Clock) -> list[Voice]:
    """Voices that have notes, by channel and program."""
    channels: dict[int, _Channel] = defaultdict(_Channel)
    voices: dict[tuple[int, int], Voice] = {}
    controls: dict[int, list[Control]] = defaultdict(list)
    bends: dict[int, list[Bend]] = defaultdict(list)
    for event in events:
        number, time_s = event.status & 0x0F, clock.seconds(event.tick)
        channel = channels[number]
        match event.status & 0xF0:
            case 0x90 if event.second > 0:
                voice = voices.setdefault((number, channel.program), Voice(number, channel.program))
                _end(channel, event.first, time_s)
                channel.sounding[event.first] = (time_s, event.second / 127.0, voice)
            case 0x80 | 0x90:
                _end(channel, event.first, time_s)
            case 0xC0:
                channel.program = event.first
            case 0xE0:
                value = (event.second << 7 | event.first) - 8192
                bends[number].append(Bend(time_s, channel.bend * value / 8192.0))
            case 0xB0:
                if event.first in KEPT:
                    controls[number].append(Control(time_s, event.first, event.second))
                elif event.first == PARAMETER_HIGH:
                    channel.parameter = (event.second, channel.parameter[1])
                elif event.first == PARAMETER_LOW:
                    channel.parameter = (channel.parameter[0], event.second)
                elif event.first == DATA and channel.parameter == (0, 0):
                    channel.bend = float(event.second)
    end_s = clock.seconds(events[-1].tick) if events else 0.0
    for channel in channels.values():
        for key in list(channel.sounding):
            _end(channel, key, end_s)
    for voice in voices.values():
        voice.controls, voice.bends = controls[voice.channel], bends[voice.channel]
    return [voice for voice in voices.values() if voice.notes]


def _end(channel: _Channel, key: int, time_s: float) -> None:
    if key in channel.sounding:
        start_s, velocity, voice = channel.sounding.pop(key)
        voice.notes.append(Note(start_s, max(time_s - start_s, 0.01), float(key), velocity))
