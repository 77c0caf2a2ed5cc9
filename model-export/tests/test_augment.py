"""Augmentations: nothing unless asked for, and then what their names say, to inputs or targets or both."""

import numpy as np
import pytest
import soundfile

from crafx2.augment import Augmentation, augment
from crafx2.config import CONFIG_FOLDER, ConfigError, load_config
from crafx2.contract import STEMS
from crafx2.dataset import CropSampler, DatasetError, find_songs

FRAMES = 22_016


def crop():
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal((channels, FRAMES)).astype(np.float32) for channels in (8, 2))


def augmented(settings, seed=2):
    stems, mixture = crop()
    return augment(settings, np.random.default_rng(seed), stems, mixture)


def test_nothing_happens_unless_asked_for():
    for found, given in zip(augmented(Augmentation()), crop(), strict=True):
        assert np.array_equal(found, given)


def test_channels_change_places_everywhere():
    (stems, mixture), (before, goal) = augmented(Augmentation(swap_channels=1.0)), crop()
    assert np.array_equal(stems, before[[1, 0, 3, 2, 5, 4, 7, 6]])
    assert np.array_equal(mixture, goal[::-1])


def test_gains_differ_per_stem_and_leave_the_target():
    (stems, mixture), (before, goal) = augmented(Augmentation(gain_db=6.0)), crop()
    gain_db = 20 * np.log10(np.median(stems / before, axis=1))
    assert np.allclose(gain_db[0::2], gain_db[1::2], atol=1e-4)
    assert len(set(np.round(gain_db, 2))) == 4
    assert np.max(np.abs(gain_db)) <= 6.0
    assert np.array_equal(mixture, goal)


def test_the_send_reaches_vocals_and_other_only():
    (stems, mixture), (before, goal) = augmented(Augmentation(reverb=1.0)), crop()
    assert np.array_equal(stems[2:6], before[2:6])
    assert np.array_equal(mixture, goal)
    for channel in (0, 1, 6, 7):
        wet = stems[channel] - before[channel]
        assert 0.05 < np.std(wet) / np.std(before[channel]) < 0.5
        level = np.abs(np.fft.rfft(wet)) ** 2
        hz = np.fft.rfftfreq(FRAMES, 1 / 44_100)
        low, middle = (np.mean(level[(hz > a) & (hz < b)]) for a, b in ((50, 250), (1_500, 4_000)))
        assert 10 * np.log10(low / middle) < -12.0


def test_crops_may_begin_with_silence():
    stems, mixture = augmented(Augmentation(leading_silence=1.0))
    start = int(np.argmax(np.abs(mixture[0]) > 0))
    assert 0.1 * FRAMES <= start <= 0.7 * FRAMES
    assert not np.any(stems[:, :start])
    assert np.all(np.any(stems[:, start:], axis=1))


@pytest.fixture()
def sets(tmp_path):
    """Two songs before (`raw`) and after (`normalized`: twice as loud) normalization; mixtures are sums."""
    rng = np.random.default_rng(3)
    for song in ("a", "b"):
        raw = {stem: 0.05 * rng.standard_normal((FRAMES, 2)) for stem in STEMS}
        for folder, gain in (("raw", 1.0), ("normalized", 2.0)):
            (tmp_path / folder / song).mkdir(parents=True)
            for stem, audio in raw.items():
                soundfile.write(tmp_path / folder / song / f"{stem}.wav", gain * audio, 44_100, subtype="FLOAT")
            path = tmp_path / folder / song / "mixture.wav"
            soundfile.write(path, sum(raw.values()), 44_100, subtype="FLOAT")
    return tmp_path


def test_a_foreign_stem_comes_into_inputs_and_target(sets):
    songs = find_songs(sets / "normalized", sets / "raw")
    own = CropSampler(songs, 5)
    foreign = CropSampler(songs, 5, Augmentation(foreign_stem=1.0))
    replaced = 0
    for number in range(6):
        (before, goal), (stems, mixture) = (s.batch(number, 1, 6_400) for s in (own, foreign))
        changed = [index for index in range(4) if not np.array_equal(before[0, 2 * index], stems[0, 2 * index])]
        replaced += len(changed)
        assert len(changed) <= 1
        # Everything in a mixture is half as loud as the normalized stems here, so the target must follow the inputs.
        expected = stems[0].reshape(4, 2, -1).sum(dim=0) / 2
        assert np.allclose(mixture[0], expected, atol=0.01)
        assert np.array_equal(goal, mixture) != bool(changed)
    assert replaced >= 5


def test_foreign_stems_need_the_originals(sets):
    with pytest.raises(DatasetError, match="--originals"):
        CropSampler(find_songs(sets / "normalized"), 1, Augmentation(foreign_stem=0.5))


def test_every_configuration_loads_and_wrong_ones_are_refused(tmp_path):
    names = sorted(path.stem for path in CONFIG_FOLDER.glob("*.toml"))
    assert {"published-La", "published-Lb", "pretrain", "default", "smoke"} <= set(names)
    assert [load_config(name).name for name in names] == names
    for text, words in (
        ("[augmentation]\nswap_channels = 2.0", "between 0 and 1"),
        ("[train]\nprecision = 'int8'", "known are float32"),
        ("[train]\nloss = 'l1'", "belong together"),
        ("start = 'loud'", "transparent and random"),
        ("[train]\nspeed = 3", "no entry 'speed'"),
    ):
        (tmp_path / "wrong.toml").write_text(
            f"name = 'wrong'\n{text}\n" if "[" in text else f"{text}\nname = 'wrong'\n"
        )
        with pytest.raises(ConfigError, match=words):
            load_config(str(tmp_path / "wrong.toml"))
