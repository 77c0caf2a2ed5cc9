"""MIDI files and the WADs that hold them: times in seconds, voices by channel and program, and hostile bytes."""

import struct

import pytest

from crafx2.songs import pieces
from crafx2.songs.midi import MidiError, read
from crafx2.songs.pieces import WadError, lumps


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + body


def midi(*tracks: bytes, division: int = 96) -> bytes:
    end = b"\x00\xff\x2f\x00"
    return chunk(b"MThd", struct.pack(">HHH", 1, len(tracks), division)) + b"".join(
        chunk(b"MTrk", track + end) for track in tracks
    )


def tempo(delta: int, beat_us: int) -> bytes:
    return bytes([delta]) + b"\xff\x51\x03" + beat_us.to_bytes(3, "big")


def test_times_follow_the_tempo_and_running_status_is_read():
    # Half a second a beat, from the second beat on a quarter of one; a note of a beat on each of three beats.
    clock = tempo(0, 500_000) + tempo(96, 250_000)
    line = b"\x00\x90\x3c\x64" + b"\x60\x3c\x00" + b"\x00\x3e\x64" + b"\x60\x3e\x00" + b"\x00\x40\x7f\x60\x40\x00"
    piece = read(midi(clock, line))
    (voice,) = piece.voices
    assert [note.pitch for note in voice.notes] == [0x3C, 0x3E, 0x40]
    assert [note.start_s for note in voice.notes] == pytest.approx([0.0, 0.5, 0.75])
    assert [note.duration_s for note in voice.notes] == pytest.approx([0.5, 0.25, 0.25])
    assert voice.notes[2].velocity == 1.0
    assert piece.beat_s == pytest.approx(0.5)
    assert piece.length_s == pytest.approx(1.0)


def test_a_channel_that_changes_its_program_is_two_voices_and_channel_ten_is_drums():
    line = b"\x00\xc0\x21\x00\x90\x28\x64\x60\x80\x28\x00" + b"\x00\xc0\x1d\x00\x90\x40\x64\x60\x80\x40\x00"
    drums = b"\x00\x99\x24\x64\x60\x89\x24\x00"
    voices = read(midi(line, drums)).voices
    assert {(voice.program, voice.drums) for voice in voices} == {(0x21, False), (0x1D, False), (0, True)}


def test_what_a_composer_moves_is_kept():
    # Volume 100, the wheel's reach set to 12 semitones, then half-way up.
    line = b"\x00\xb0\x07\x64\x00\xb0\x65\x00\x00\x64\x00\x00\x06\x0c\x60\xe0\x00\x60\x00\x90\x3c\x64\x60\x3c\x00"
    (voice,) = read(midi(line)).voices
    assert [(control.number, control.value) for control in voice.controls] == [(7, 100)]
    assert voice.bends[0].semitones == pytest.approx(6.0)
    assert voice.bends[0].start_s == pytest.approx(0.5)


def test_whatever_is_wrong_with_a_file_is_said_in_a_sentence():
    whole = midi(tempo(0, 500_000), b"\x00\x90\x3c\x64\x60\x3c\x00\x00\xf0\x01\xf7")
    read(whole)
    for length in range(len(whole)):
        try:
            read(whole[:length])
        except MidiError as error:
            assert "MIDI" in str(error)
    for at in range(len(whole)):
        for value in (0x00, 0x7F, 0x80, 0xF5, 0xFF):
            try:
                read(whole[:at] + bytes([value]) + whole[at + 1 :])
            except MidiError:
                continue
    with pytest.raises(MidiError, match="no header"):
        read(b"")
    with pytest.raises(MidiError, match="format 2"):
        read(chunk(b"MThd", struct.pack(">HHH", 2, 1, 96)))


def wad(*contents: tuple[str, bytes]) -> bytes:
    body, directory = b"", b""
    for name, content in contents:
        directory += struct.pack("<ii8s", 12 + len(body), len(content), name.encode())
        body += content
    return b"IWAD" + struct.pack("<ii", len(contents), 12 + len(body)) + body + directory


def test_lumps_of_a_wad_are_read_and_those_beyond_its_end_refused():
    data = wad(("D_ONE", b"MThd and more"), ("TEXT", b""))
    assert lumps(data) == [("D_ONE", b"MThd and more"), ("TEXT", b"")]
    with pytest.raises(WadError, match="not a WAD"):
        lumps(b"IWAD")
    with pytest.raises(WadError, match="directory"):
        lumps(data[:-1])
    size_at = len(data) - 32 + 4
    with pytest.raises(WadError, match="lump"):
        lumps(data[:size_at] + struct.pack("<i", 1_000) + data[size_at + 4 :])


def test_the_written_pieces_are_those_that_the_documentation_speaks_of(sampled):
    names = pieces.names()
    assert len(names) == 65
    read_pieces = [pieces.piece(name) for name in names]
    assert 2.9 < sum(piece.length_s for piece in read_pieces) / 3_600 < 3.3
    whole = [
        piece
        for piece in read_pieces
        if any(voice.drums for voice in piece.voices)
        and any(voice.program in range(32, 40) for voice in piece.voices if not voice.drums)
    ]
    assert len(whole) == 49
