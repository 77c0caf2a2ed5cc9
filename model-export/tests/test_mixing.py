"""The engineer's hands: what moves follows what sounds, and the balance stays."""

import numpy as np
import pytest

from crafx2.contract import STEMS
from crafx2.songs import effects as fx
from crafx2.songs import hands, mixing
from crafx2.third_octaves import CENTERS_HZ

FRAMES = 4 * 44_100


def halves_db(audio, low_hz: float, high_hz: float) -> float:
    """Level of the second half over that of the first in a band, away from the border."""
    band = fx.band_pass(audio, low_hz, high_hz, order=4)
    first, second = band[..., 10_000 : FRAMES // 2], band[..., FRAMES // 2 + 20_000 :]
    return float(20 * np.log10(np.std(second) / np.std(first)))


def tone(hz: float, gain) -> np.ndarray:
    return np.tile(gain * np.sin(2 * np.pi * hz * np.arange(FRAMES) / 44_100), (2, 1))


@pytest.fixture()
def parts():
    """Chords as noise throughout, a voice and a bass in the second half."""
    enters = np.arange(FRAMES) >= FRAMES // 2
    return {
        "vocals": tone(440.0, 0.1 * enters),
        "bass": tone(60.0, 0.1 * enters),
        "drums": np.zeros((2, FRAMES)),
        "other": 0.1 * np.random.default_rng(4).standard_normal((2, FRAMES)),
    }


def test_the_backing_steps_back_under_the_voice_where_it_is_understood(parts):
    with_voice = mixing.make_room(parts).carried_out("other", parts["other"])
    assert halves_db(np.mean(with_voice, axis=0), 1_500.0, 3_000.0) < -3.0
    assert -2.5 < halves_db(with_voice[0] - with_voice[1], 1_500.0, 3_000.0) < -1.0
    assert -2.5 < halves_db(with_voice, 12_000.0, 18_000.0) < -1.0
    assert halves_db(np.mean(with_voice, axis=0), 250.0, 400.0) < -3.0
    assert -2.5 < halves_db(with_voice[0] - with_voice[1], 250.0, 400.0) < -1.0
    alone = mixing.make_room({**parts, "vocals": 0.0 * parts["vocals"]})
    assert np.array_equal(alone.carried_out("other", parts["other"]), parts["other"])


def test_the_mixture_has_the_movement_but_not_its_mean(parts):
    mixture, _ = mixing.mix(np.random.default_rng(1), parts)
    still, _ = mixing.mix(np.random.default_rng(1), {**parts, "vocals": 0.0 * parts["vocals"]})
    middle, unmoved = np.mean(mixture, axis=0), np.mean(still, axis=0)
    assert halves_db(middle, 1_500.0, 3_000.0) < halves_db(unmoved, 1_500.0, 3_000.0) - 1.5
    # Where no room is made the side goes with the middle, and opens a little more: a fuller passage is wider.
    side = mixture[0] - mixture[1]
    wider_db = halves_db(side, 12_000.0, 18_000.0) - halves_db(middle, 12_000.0, 18_000.0)
    assert 0.3 < wider_db < 2.5
    assert fx.loudness_lufs(mixture) == pytest.approx(mixing.MIXTURE_LOUDNESS_LUFS, abs=0.2)


def test_a_voice_is_ridden_toward_its_median():
    phrases = np.where(np.arange(FRAMES) < FRAMES // 2, 0.05, 0.1)
    voice = tone(440.0, phrases)
    ridden = voice * fx.db_to_gain(fx.control_to_audio(mixing.ride_db(voice), FRAMES))
    assert halves_db(voice, 300.0, 600.0) == pytest.approx(6.0, abs=0.2)
    assert halves_db(ridden, 300.0, 600.0) == pytest.approx(6.0 * (1.0 - mixing.RIDE), abs=0.5)
    assert np.all(mixing.ride_db(0.0 * voice) == 0.0)


def test_the_record_says_what_moved_and_who(parts):
    """Bass and voice enter together: the backing steps back from then on, in the middle more than at the side."""
    _, moves = mixing.mix(np.random.default_rng(1), parts)
    before, after = slice(5, 35), slice(45, 75)
    other = moves.gains_db[STEMS.index("other")]
    change_db = np.mean(other[:, after], axis=1) - np.mean(other[:, before], axis=1)
    glue_db = np.mean(moves.gains_db[STEMS.index("vocals"), 0, after, 0] - moves.gains_db[0, 0, before, 0])
    understood = int(np.argmin(np.abs(CENTERS_HZ - 2_000.0)))
    assert change_db[0, understood] - glue_db < -mixing.PRESENCE_DB + 1.0
    # What the section does to the sides of `other` and to the voice, by which the glue is read.
    fuller = float(np.mean(hands.fullness(parts)[2_000:])) - float(np.mean(hands.fullness(parts)[:1_300]))
    section_db = (hands.SECTION_DB["other"] + hands.WIDTH_DB["other"] - hands.SECTION_DB["vocals"]) * fuller
    assert change_db[1, understood] - glue_db == pytest.approx(section_db - mixing.BACKING_DB, abs=0.6)
