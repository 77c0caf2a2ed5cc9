"""Generated songs: the same seed is the same song, every stem sounds, the mixture is finished."""

import copy

import numpy as np
import pytest
import soundfile

from crafx2 import generator
from crafx2.calibrate import differences, report
from crafx2.contract import default_targets
from crafx2.generator import STEMS, generate_song, write_song
from crafx2.songs import effects as fx
from crafx2.songs.arrangement import STYLES, arrange


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


def test_mixture_is_centered_and_has_mono_bass(song):
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


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="damp"):
        generate_song(1, 1.0, variant="damp")


def test_files_are_what_was_made_and_silence_stays_silent(song, tmp_path):
    write_song(song, tmp_path)
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
        score = arrange(np.random.default_rng(seed), 2.0)
        notes = [(round(note.start_s, 2), round(note.pitch, 1)) for note in (*score.bass, *score.melody)]
        kicks = [round(note.start_s, 2) for lane in score.drums.values() for note in lane]
        scores.add(hash((score.style, tuple(notes), tuple(kicks), tuple(bar.chord for bar in score.bars))))
        styles.add(score.style)
        tempos.append(60.0 / score.beat_s)
    assert len(scores) == 1_000
    assert styles == set(STYLES)
    assert min(tempos) < 65.0
    assert max(tempos) > 150.0


def side_to_mid_db(audio):
    left, right = audio
    return 10 * np.log10(np.mean((left - right) ** 2) / np.mean((left + right) ** 2) + 1e-12)


def test_width_is_kept_where_it_is_and_made_where_it_is_not():
    rng = np.random.default_rng(3)
    mono = np.repeat(rng.standard_normal((1, 44_100)), 2, axis=0)
    wide = rng.standard_normal((2, 44_100))
    assert np.allclose(generator._widen(wide), wide)
    assert side_to_mid_db(generator._widen(mono)) == pytest.approx(-6.0, abs=0.7)


def test_the_backing_steps_back_under_the_voice():
    """The same backing with and without a voice over its second half: only that half is turned down."""
    rng, frames = np.random.default_rng(4), 4 * 44_100
    other = 0.1 * rng.standard_normal((2, frames))
    voice = np.zeros((2, frames))
    voice[:, frames // 2 :] = 0.1 * np.sin(np.arange(frames // 2) * 0.06)
    silent = np.zeros((2, frames))
    levels = []
    for vocals in (silent, voice):
        wet = {"vocals": vocals, "bass": silent, "drums": silent, "other": other}
        mixture = fx.high_pass(generator._mix(np.random.default_rng(1), wet), 2_000.0)
        first, second = np.std(mixture[:, 10_000 : frames // 2]), np.std(mixture[:, frames // 2 + 20_000 :])
        levels.append(20 * np.log10(second / first))
    assert levels[0] == pytest.approx(0.0, abs=0.3)
    assert levels[1] < -1.5


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
