"""Generated songs: the same seed is the same song, every stem sounds, the mixture is finished."""

import numpy as np
import pytest
import soundfile

from crafx2.generator import STEMS, generate_song, write_song
from crafx2.songs import effects as fx


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
