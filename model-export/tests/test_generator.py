"""Generated songs: the same seed is the same song, every stem sounds, the mixture is finished."""

import copy
import os
from functools import partial

import numpy as np
import pytest
import soundfile

from crafx2.calibrate import TOLERANCES, differences, measure, report
from crafx2.cli import CALIBRATION_S, normalize
from crafx2.config import load_config
from crafx2.contract import default_targets
from crafx2.generator import STEMS, Tracks, generate_song, kind_of, processed_stems, write_tracks
from crafx2.song_set import generate
from crafx2.songs import calibration, recording
from crafx2.songs import effects as fx
from crafx2.songs.arrangement import arrange
from crafx2.songs.form import RESTS, draw_players
from crafx2.songs.styles import SECTIONS, STYLES


def test_a_seed_names_a_song():
    first, again, other = (generate_song(seed, 3.0) for seed in (11, 11, 12))
    assert all(np.array_equal(first.stems[stem], again.stems[stem]) for stem in STEMS)
    assert np.array_equal(first.mixture, again.mixture)
    assert not np.array_equal(first.mixture, other.mixture)


def test_every_stem_of_a_full_song_sounds(song):
    for stem in STEMS:
        assert np.all(np.isfinite(song.stems[stem]))
        assert 0.1 < np.max(np.abs(song.stems[stem])) < 1.0


def test_mixture_has_its_level_and_headroom(song):
    assert abs(fx.loudness_lufs(song.mixture) + 14.0) < 0.7
    assert np.max(np.abs(song.mixture)) <= 10 ** (-1.0 / 20) + 1e-9


def test_mixture_is_centered_and_has_a_narrow_bass(song):
    left, right = song.mixture
    assert abs(10 * np.log10(np.mean(left**2) / np.mean(right**2))) < 1.0
    side = fx.low_pass((left - right)[None], 80.0, order=4)
    mid = fx.low_pass((left + right)[None], 80.0, order=4)
    assert 10 * np.log10(np.mean(side**2) / np.mean(mid**2)) < -15.0


def test_variants_share_the_mixture_but_not_the_stems():
    dry, wet = (generate_song(21, 3.0, variant=variant, full=True) for variant in ("dry_mono", "wet"))
    assert np.array_equal(dry.mixture, wet.mixture)
    assert dry.stems["other"].shape[0] == 1
    assert wet.stems["other"].shape[0] == 2


def test_processed_stems_are_those_of_the_wet_variant_where_nothing_went_wrong(monkeypatch):
    for chance in ("ABSENT", "LEAKING", "HUMMING", "ROOMY"):
        monkeypatch.setattr(recording, chance, 0.0)
    processed, song = processed_stems(23, 3.0).audio, generate_song(23, 3.0, variant="wet")
    peaks = {stem: np.max(np.abs(audio)) for stem, audio in processed.items()}
    assert sum(peak > 0.0 for peak in peaks.values()) >= 2
    for stem, peak in peaks.items():
        if peak == 0.0:
            assert np.all(song.stems[stem] == 0.0)
            continue
        assert 20 * np.log10(peak) == pytest.approx(-3.0, abs=1e-6)
        assert np.allclose(song.stems[stem] / np.max(np.abs(song.stems[stem])), processed[stem] / peak, atol=1e-9)


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="damp"):
        generate_song(1, 1.0, variant="damp")


def test_files_are_what_was_made_and_silence_stays_silent(song, tmp_path):
    write_tracks(song.tracks(), tmp_path, song.seed)
    audio, rate = soundfile.read(tmp_path / "vocals.wav", always_2d=True)
    assert rate == 44_100
    assert np.max(np.abs(audio.T - song.stems["vocals"])) < 2.1 / 32_768
    silent = np.abs(song.stems["vocals"][0]) == 0.0
    assert np.any(silent)
    assert np.all(audio[silent, 0] == 0.0)


def test_a_thousand_seeds_are_a_thousand_songs():
    """What is played differs, not only its noise: no two of a thousand scores are alike, and all styles occur."""
    scores, styles, tempos = set(), set(), []
    for seed in range(1_000):
        score = arrange(np.random.default_rng(seed), kind_of(seed), 2.0)
        notes = [(round(note.start_s, 2), round(note.pitch, 1)) for note in (*score.bass, *score.melody)]
        kicks = [round(note.start_s, 2) for lane in score.drums.values() for note in lane]
        scores.add((score.style, tuple(notes), tuple(kicks), tuple(bar.chord for bar in score.bars)))
        styles.add(score.style)
        tempos.append(60.0 / score.beat_s)
    assert len(scores) == 1_000
    assert styles == set(STYLES)
    assert min(tempos) < 65.0
    assert max(tempos) > 150.0


def test_so_many_seeds_as_there_are_styles_have_all_of_them_in_an_order_of_their_own():
    count = len(STYLES)
    turns = [tuple(kind_of(seed) for seed in range(at, at + count)) for at in range(0, 10 * count, count)]
    assert all(set(turn) == set(STYLES) for turn in turns)
    assert len(set(turns)) == len(turns)


@pytest.mark.parametrize("sections", [1, 2, 7, 14])
def test_rests_are_counted_in_every_song(sections):
    """At most one section more or less than its share – a drawn one would often miss by more –, and somebody plays."""
    for seed in range(40):
        names = np.random.default_rng(seed).choice(list(SECTIONS), size=sections)
        players = draw_players(np.random.default_rng(seed), np.linspace(0.2, 1.0, sections), False, names)
        assert all(players)
        for stem in ("vocals", "bass"):
            rests = sum(stem not in playing for playing in players)
            assert abs(rests - RESTS[stem] * sections) < 1.0


@pytest.mark.parametrize("frames", [1, 63, 64, 65, 1_000])
def test_control_values_become_straight_lines(frames):
    control = np.random.default_rng(frames).standard_normal(-(-frames // fx.CONTROL_FRAMES))
    middles = np.arange(control.size) * fx.CONTROL_FRAMES + fx.CONTROL_FRAMES / 2
    assert np.allclose(fx.control_to_audio(control, frames), np.interp(np.arange(frames), middles, control), atol=1e-12)


def test_loudness_is_that_of_the_standard_at_our_rate():
    """EBU Tech 3341, cases 1 and 2: 1 kHz in both channels reads its level; and a band where the weighting is steep."""
    sine = np.sin(2 * np.pi * 1_000.0 * np.arange(10 * 44_100) / 44_100)
    for level in (-23.0, -33.0):
        assert fx.loudness_lufs(10 ** (level / 20.0) * np.stack([sine, sine])) == pytest.approx(level, abs=0.1)
    high = np.sin(2 * np.pi * 10_000.0 * np.arange(10 * 44_100) / 44_100)
    # BS.1770's head filter lifts it by 4.0 dB; 1 kHz by 0.7.
    assert fx.loudness_lufs(high[None]) - fx.loudness_lufs(sine[None]) == pytest.approx(3.3, abs=0.1)


def test_width_is_made_where_it_is_missing_and_tamed_where_effects_made_too_much():
    noise = np.random.default_rng(3).standard_normal((2, 4 * 44_100))
    mono, wide = np.repeat(noise[:1], 2, axis=0), noise * [[1.0], [0.3]]
    for audio in (mono, wide):
        found = [_side_db(calibration.width(np.random.default_rng(n), "other", audio, mono)) for n in range(12)]
        # The songs differ in width and lie around what is heard.
        assert np.std(found) > 1.0
        assert np.mean(found) == pytest.approx(calibration.SIDE_DB["other"], abs=1.5)
    assert np.all(calibration.width(np.random.default_rng(1), "other", 0.0 * mono, 0.0 * mono) == 0.0)


def test_what_was_played_wide_stays_as_wide():
    noise = np.random.default_rng(3).standard_normal((2, 4 * 44_100))
    for n in range(4):
        kept = calibration.width(np.random.default_rng(n), "other", noise, noise)
        assert _side_db(kept) == pytest.approx(_side_db(noise), abs=0.5)


@pytest.mark.parametrize(("both_ways", "to_40_hz_db"), [(False, -24.0), (True, -40.0)])
def test_a_narrowed_bass_loses_its_side_and_nothing_else(both_ways, to_40_hz_db):
    noise = np.random.default_rng(6).standard_normal((2, 2 * 44_100))
    narrow = fx.narrow_bass(noise, 115.0, both_ways=both_ways)
    assert np.allclose(np.sum(narrow, axis=0), np.sum(noise, axis=0), atol=1e-12)
    for part, change_db in (
        (partial(fx.low_pass, frequency_hz=40.0, order=8), to_40_hz_db),
        (partial(fx.high_pass, frequency_hz=400.0, order=8), 0.0),
    ):
        assert _side_db(part(narrow)) - _side_db(part(noise)) == pytest.approx(change_db, abs=2.0)


def test_what_is_panned_stays_so_above_a_narrowed_bass():
    """6 dB to the left, an octave above: filtered one way in time, the side's phase would turn most of it away."""
    sound = np.sin(2 * np.pi * 200.0 * np.arange(44_100) / 44_100)
    left, right = fx.narrow_bass(np.stack([sound, 0.5 * sound]), 100.0, both_ways=True)
    assert 20 * np.log10(np.std(left) / np.std(right)) == pytest.approx(6.0, abs=0.6)


def test_a_bed_between_the_notes_makes_the_published_similarity(song):
    """A narrow voice has φ near 1; with its bed it has the average's and is as narrow as before."""
    voice = np.repeat(np.mean(song.stems["vocals"], axis=0, keepdims=True), 2, axis=0)
    wide = calibration.width(np.random.default_rng(2), "vocals", voice, voice)
    bands = calibration._bands()[6:24]
    phi = [calibration._similarity(calibration._frames(wide)[..., at]) for at in bands]
    assert np.mean(phi) == pytest.approx(np.mean(calibration.average("vocals").phi[6:24]), abs=0.03)
    assert _side_db(wide) < -9.0


def _side_db(audio) -> float:
    """Power of the side over that of the middle."""
    side, middle = np.diff(audio, axis=0) / 2.0, np.mean(audio, axis=0)
    return float(10.0 * np.log10(np.mean(side**2) / np.mean(middle**2)))


def test_songs_aim_at_the_average_tone_and_keep_one_of_their_own():
    """From white noise and from brown noise alike; what is silent stays so."""
    white = 0.1 * np.random.default_rng(4).standard_normal((2, 6 * 44_100))
    white[:, : 2 * 44_100] = 0.0
    brown = fx.low_pass(white, 200.0, order=1)
    goal = calibration.average("vocals").spectrum_db + calibration.correction("vocals").tone_db
    inner = slice(3, 27)
    for audio in (white, brown):
        made = [calibration.tone(np.random.default_rng(n), "vocals", audio) for n in range(6)]
        errors = [(calibration.gain_db(calibration._mean_magnitudes(one)) - goal)[inner] for one in made]
        assert np.mean([np.std(error) for error in errors]) == pytest.approx(calibration.TONE_SPREAD_DB, rel=0.5)
        assert np.max(np.abs(np.mean(errors, axis=0) - np.mean(errors))) < 3.5
        assert np.max(np.abs(made[0][:, : 2 * 44_100])) < 1e-9


def test_the_equalizer_does_what_it_is_told_and_nothing_before_its_time():
    change_db = np.where(calibration.CENTERS_HZ < 1_500.0, -6.0, 4.0)
    impulse = np.zeros((1, 32_768))
    impulse[0, 100] = 1.0
    out = calibration.equalize(impulse, change_db)
    assert np.max(np.abs(out[0, :100])) < 1e-6
    gain = calibration.gain_db(np.abs(np.fft.rfft(out[0])))
    hz = np.fft.rfftfreq(32_768, 1 / 44_100)
    assert gain[np.searchsorted(hz, 400.0)] == pytest.approx(-6.0, abs=0.1)
    assert gain[np.searchsorted(hz, 6_000.0)] == pytest.approx(4.0, abs=0.1)


@pytest.mark.skipif("TRIBUTARY" not in os.environ, reason="needs the program `tributary`; `cargo xtask test` has it")
def test_a_small_set_has_the_published_averages(tmp_path, capsys):
    """Twelve songs scatter more than the sets for calibration: three or four times its tolerances, nearly all."""
    generate(tmp_path / "songs", range(9_008, 9_020), partial(processed_stems, duration_s=CALIBRATION_S), 2)
    measured = measure(os.environ["TRIBUTARY"], tmp_path / "songs", tmp_path / "measured.json")
    found = differences(measured, default_targets())
    with capsys.disabled():
        print(f"\nCalibration, averages of 12 songs minus those of MUSDB18:\n{report(found)}")
    for stem, features in found.items():
        for name, values in features.items():
            times = 3.0 if values.size > 1 else 4.0
            inside = np.mean(np.abs(values) <= times * TOLERANCES[name])
            assert inside >= 0.9, f"{stem} {name}: {values}"


@pytest.mark.skipif("TRIBUTARY" not in os.environ, reason="needs the program `tributary`; `cargo xtask test` has it")
def test_the_side_is_bounded_where_the_recipe_bounds_it(tmp_path):
    """`other` of mono noise, given width by `tributary normalize`, is as wide around each center as the bounds say."""
    noise = np.repeat(np.random.default_rng(1).normal(0.0, 0.05, (1, 12 * 44_100)), 2, axis=0)
    write_tracks(Tracks(dict.fromkeys(STEMS, noise)), tmp_path / "set" / "noise", 1)
    normalize(load_config("default"), tmp_path / "set", tmp_path / "out", os.environ["TRIBUTARY"], tmp_path)
    audio, _ = soundfile.read(tmp_path / "out" / "noise" / "other.wav", dtype="float64")
    mid, side = (np.abs(np.fft.rfft(signal)) ** 2 for signal in fx.mid_and_side(audio.T))
    hz = np.fft.rfftfreq(len(audio), 1 / 44_100)
    # From 500 Hz on the width of `other` is its φ's. Bounds change by 15 dB an octave: half of one around each.
    for center_hz, most_db in calibration.MOST_SIDE[:-1]:
        around = (hz > center_hz * 2**-0.25) & (hz < center_hz * 2**0.25)
        side_db = 10.0 * np.log10(np.sum(side[around]) / np.sum(mid[around]))
        assert side_db == pytest.approx(most_db, abs=1.0), center_hz


def test_the_comparison_with_the_averages_reports_what_is_off():
    targets = default_targets()
    same = differences(targets, targets)
    assert all(np.all(values == 0.0) for features in same.values() for values in features.values())
    other = copy.deepcopy(targets)
    other["stems"]["bass"]["spectrum"] = [
        [hz, level + 2.0 * (hz > 1_000)] for hz, level in other["stems"]["bass"]["spectrum"]
    ]
    other["stems"]["drums"]["peak_db"] += 0.75
    text = report(differences(other, targets))
    lines = {tuple(line.split()[:2]): line for line in text.splitlines()}
    assert "12 of 24 within 1" in lines["bass", "spectrum"] or "13 of 24 within 1" in lines["bass", "spectrum"]
    assert "+0.75" in lines["drums", "peak_db"]
    assert "0 of 1 within 0.5" in lines["drums", "peak_db"]
    assert "24 of 24" in lines["vocals", "phi"]
