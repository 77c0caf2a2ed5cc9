"""An engineer's other moves: each follows what sounds, rests where nothing does, and is in the record."""

import numpy as np
import pytest

from crafx2.contract import STEMS
from crafx2.songs import effects as fx
from crafx2.songs import hands
from crafx2.songs.moves import OFF_DB, Moves
from crafx2.third_octaves import CENTERS_HZ

FRAMES = 6 * 44_100
NOISE = np.random.default_rng(2).standard_normal((2, FRAMES))
TIME_S = np.arange(FRAMES) / 44_100


def stems(**sounding) -> dict[str, np.ndarray]:
    return {stem: sounding.get(stem, np.zeros((2, FRAMES))) for stem in STEMS}


def gains_db(moves: Moves, stem: str, part: int, hz: float) -> np.ndarray:
    """A stem's gain over time in the third octave around `hz`."""
    return moves.gains_db[STEMS.index(stem), part, :, int(np.argmin(np.abs(CENTERS_HZ - hz)))]


@pytest.fixture(scope="module")
def builds():
    """Chords throughout; voice, bass and drums join in the second half."""
    enters = (TIME_S >= 3.0) * np.ones((2, 1))
    return stems(other=0.1 * NOISE, vocals=0.1 * NOISE * enters, bass=0.1 * NOISE * enters, drums=0.1 * NOISE * enters)


def test_a_full_passage_is_brought_up_and_opened(builds):
    moves = hands.sections(builds, Moves.none(FRAMES))
    for stem in ("drums", "other"):
        middle, side = (gains_db(moves, stem, part, 2_000.0) for part in (0, 1))
        assert middle[100] > middle[20] + 0.5
        assert side[100] - side[20] > middle[100] - middle[20] + 0.5
    # It has no mean, and below the wide part of the spectrum the side only goes with the middle.
    assert abs(np.mean(gains_db(moves, "drums", 0, 2_000.0))) < 0.1
    low = gains_db(moves, "other", 1, 50.0)
    assert low[100] - low[20] < 2.0


def test_drums_come_up_between_the_strokes():
    strokes = np.exp(-((TIME_S % 0.5) / 0.05)) + 0.03
    moves = hands.squash(stems(drums=0.3 * strokes * np.sign(NOISE)), Moves.none(FRAMES))
    gain = gains_db(moves, "drums", 0, 1_000.0)
    assert gain[45:75].max() - gain[45:75].min() > 1.0
    # A tick at a stroke, and one right before the next.
    assert gain[48] > gain[51]
    assert not np.any(hands.squash(stems(), Moves.none(FRAMES)).gains_db)


def test_only_what_hisses_is_tamed():
    tone = 0.2 * np.sin(2 * np.pi * 300.0 * TIME_S) * np.ones((2, 1))
    hiss = 0.3 * fx.high_pass(NOISE, 6_000.0) * ((TIME_S > 3.0) & (TIME_S < 3.3))
    moves = hands.tame_sibilants(stems(vocals=tone + hiss), Moves.none(FRAMES))
    there = gains_db(moves, "vocals", 0, 8_000.0)
    assert there[62] < -2.0
    assert abs(there[30]) < 0.1
    assert abs(gains_db(moves, "vocals", 0, 500.0)[62]) < 0.5


def test_the_backing_is_cut_less_where_it_covers_nothing():
    quiet, loud = (
        hands.masking(stems(vocals=0.1 * NOISE, other=level * NOISE), (700.0, 5_500.0)) for level in (1e-3, 0.3)
    )
    assert np.all(quiet == hands.MASKING_LEAST)
    assert np.all(loud[200:] == 1.0)


def test_an_echo_follows_a_phrase_that_ends_and_nothing_before(builds):
    phrase = 0.1 * NOISE * ((TIME_S > 1.0) & (TIME_S < 3.0))
    parts = stems(vocals=phrase)
    moves = hands.send(parts, Moves.none(FRAMES))
    level = moves.sends_db["echo"][STEMS.index("vocals")]
    assert level[59] > hands.ECHO_DB - 6.0
    assert level[40] < hands.ECHO_DB - 30.0
    assert np.all(moves.sends_db["echo"][STEMS.index("bass")] == OFF_DB)
    wet = hands.returned(np.random.default_rng(1), moves, parts, beat_s=0.5)
    assert wet.shape == (2, FRAMES)
    assert np.max(np.abs(wet[:, :44_100])) == pytest.approx(0.0, abs=1e-9)
    assert np.std(wet[:, int(3.05 * 44_100) : int(3.6 * 44_100)]) > 1e-4


def test_there_is_less_room_where_it_is_full(builds):
    moves = hands.send(builds, Moves.none(FRAMES))
    level = moves.sends_db["room"][STEMS.index("other")]
    assert level[20] > level[100] + 1.0
