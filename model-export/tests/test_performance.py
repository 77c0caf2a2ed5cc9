"""The band: tables that hold together, parts that sound when they should, the same song every time."""

import numpy as np
import pytest

from crafx2.generator import generate_song, kind_of
from crafx2.songs import performance, sources, written
from crafx2.songs.band import BASSES, INSTRUMENTS
from crafx2.songs.kits import KEYS, KITS, SHOTS
from crafx2.songs.layers import LAYERS
from crafx2.songs.midi import Voice
from crafx2.songs.performance import WRITTEN, kinds, perform
from crafx2.songs.player import DRUM_BANK, Control, Part, play
from crafx2.songs.score import Note
from crafx2.songs.styles import RESTING, SECTIONS, STYLES

RATE = 44_100


def test_what_styles_ask_for_is_there():
    assert len(STYLES) >= 10
    assert set(LAYERS) == set(INSTRUMENTS)
    for name, style in STYLES.items():
        assert {layer for choices in style.layers for layer in choices} <= set(LAYERS), name
        assert set(style.kits) <= {*KITS, "one-shots", "synthesizer"}, name
        assert set(style.bass_sounds) <= set(BASSES), name
        assert {section for form in style.forms for section in form} <= set(SECTIONS), name
        steps = {step for pattern in (*style.kicks, *style.snares, *style.basses) for step in pattern}
        assert steps <= set(range(16)), name
    assert set(RESTING) <= set(SECTIONS)


def test_a_third_of_sampled_songs_was_written_by_people():
    assert WRITTEN not in kinds(sampled=False)
    every = kinds(sampled=True)
    assert every.count(WRITTEN) / len(every) == pytest.approx(1 / 3)
    assert sorted(kind_of(seed, sampled=True) for seed in range(48, 72)) == sorted(every)


def line(*pitches: float, length_s: float = 0.25) -> list[Note]:
    return [Note(0.5 + 0.5 * at, length_s, pitch, 0.8) for at, pitch in enumerate(pitches)]


def test_parts_sound_when_they_are_told_and_the_same_every_time(sampled):
    parts = [Part(33, line(40, 43)), Part(0, line(36, 38), bank=DRUM_BANK), Part(48, [])]
    for source in (sources.FLUID, sources.GENERAL):
        tracks, again = (play(sources.path_of(source), parts, 2 * RATE) for _ in range(2))
        assert all(np.array_equal(one, other) for one, other in zip(tracks, again, strict=True))
        for track in tracks[:2]:
            assert track.shape == (2, 2 * RATE)
            assert np.max(np.abs(track[:, : int(0.49 * RATE)])) == 0.0
            assert np.max(np.abs(track[:, int(0.5 * RATE) : int(0.7 * RATE)])) > 1e-3
        assert not np.any(tracks[2])


def test_a_bass_is_as_low_as_written_and_a_fader_turns_it_down(sampled):
    font = sources.path_of(sources.FLUID)
    notes = [Note(0.1, 1.5, 45, 0.8)]
    loud, soft = play(font, [Part(33, notes), Part(33, notes, controls=[Control(0.0, 7, 40)])], 2 * RATE)
    spectrum = np.abs(np.fft.rfft(np.mean(loud, axis=0)[int(0.2 * RATE) : int(1.2 * RATE)]))
    # A2 is 110 Hz; the strongest partial of a bass is one of its first ones.
    strongest_hz = int(np.argmax(spectrum[:1_000]))
    assert min(abs(strongest_hz - 110 * partial) for partial in (1, 2, 3)) <= 3
    assert np.std(soft) < 0.3 * np.std(loud)


def test_more_parts_than_channels_are_all_played(sampled):
    tracks = play(sources.path_of(sources.FLUID), [Part(0, line(60))] * 40, RATE)
    assert len(tracks) == 40
    assert all(np.any(track) for track in tracks)


def test_one_shots_are_there(sampled):
    folder = sources.path_of(sources.SHOTS)
    assert all((folder / f"{name}.flac").is_file() for names in SHOTS.values() for name in names)
    assert set(SHOTS) >= set(KEYS)


def test_a_sampled_song_is_the_same_every_time_and_not_the_synthesized_one(sampled):
    seed = next(seed for seed in range(100) if kind_of(seed, sampled=True) == "rock")
    first, again = (generate_song(seed, 2.0, variant="dry_mono", sampled=True) for _ in range(2))
    assert all(np.array_equal(first.stems[stem], again.stems[stem]) for stem in first.stems)
    assert np.array_equal(first.mixture, again.mixture)


def voice(program: int, *pitches: float, channel: int = 0, length_s: float = 0.4) -> Voice:
    return Voice(channel, program, line(*pitches, length_s=length_s))


def test_a_passage_gives_its_voices_to_the_stems():
    chords = Voice(1, 30, [note for pitch in (52, 59, 64) for note in line(*[pitch] * 8)])
    lead, bass, drums = voice(80, *range(70, 78)), voice(34, *[36] * 8), voice(0, *[38] * 8, channel=9)
    piece = written.Piece([chords, lead, bass, drums], 5.0, 0.5)
    passage = written._cast("test", piece, piece.voices, 5.0, 1.0)
    assert passage.bass is bass
    assert passage.lead is lead
    assert passage.others == [chords]
    assert passage.drums == drums.notes


def test_most_written_passages_have_a_band(sampled):
    drawn = [written.choose(np.random.default_rng(seed), 12.0) for seed in range(12)]
    assert sum(written.is_lively(passage, 12.0) for passage in drawn) >= 8
    assert len({passage.name for passage in drawn}) > 6


def test_chords_do_not_lead_and_the_last_voice_is_not_taken_from_other():
    chords = Voice(1, 30, [note for pitch in (60, 64, 67) for note in line(*[pitch] * 8)])
    assert written._leads(chords, 5.0) == 0.0
    alone = voice(73, *range(70, 78))
    passage = written._cast("test", written.Piece([alone], 5.0, 0.5), [alone], 5.0, 1.0)
    assert passage.lead is None
    assert passage.others == [alone]


def test_a_sung_line_has_one_note_at_a_time():
    notes = written._one_by_one([Note(0.0, 1.0, 60, 0.8), Note(0.5, 1.0, 62, 0.8), Note(0.51, 1.0, 65, 0.8)])
    assert [(note.start_s, note.duration_s, note.pitch) for note in notes] == [(0.0, 0.5, 60), (0.5, 1.0, 65)]
    assert [note.pitch for note in written.in_reach(line(81, 83))] == [57, 59]


def test_a_choir_stands_behind_a_singer_and_an_instrument_may_lead(sampled, monkeypatch):
    led = {}
    for kind in range(3):
        monkeypatch.setattr(performance, "LEAD_SHARES", np.eye(3)[kind])
        led[kind] = perform(np.random.default_rng(3), "drum and bass", 4.0, full=True, sampled=True).stems["vocals"]
        assert np.max(np.abs(led[kind])) > 0.0
    assert not np.array_equal(led[0], led[1])
    assert not np.array_equal(led[0], led[2])


def test_written_songs_have_their_stems(sampled):
    played = perform(np.random.default_rng(5), WRITTEN, 4.0, full=False, sampled=True)
    assert played.arrangement.style.startswith("freedoom")
    assert np.any(played.stems["other"])
    assert all(audio.shape == (2, 4 * RATE) for audio in played.stems.values())
