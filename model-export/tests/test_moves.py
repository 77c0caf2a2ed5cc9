"""The record of an engineer's moves: carried out exactly, kept exactly, nothing where nothing moves."""

import numpy as np
import pytest

from crafx2.contract import STEMS
from crafx2.songs import effects as fx
from crafx2.songs.moves import (
    OFF_DB,
    TICK_FRAMES,
    Moves,
    at_ticks,
    band,
    gained_db,
    powers,
    ticks_in,
    ticks_to_audio,
    top,
)
from crafx2.third_octaves import CENTERS_HZ

FRAMES = 2 * 44_100


@pytest.fixture(scope="module")
def noise():
    return 0.1 * np.random.default_rng(2).standard_normal((2, FRAMES))


def step_db(low_db: float, high_db: float) -> np.ndarray:
    """One level in the first half, another in the second."""
    return np.where(np.arange(ticks_in(FRAMES)) * TICK_FRAMES < FRAMES / 2, low_db, high_db)


def half_db(audio, half: int) -> float:
    """Mean level of a half, away from the border and the ends."""
    part = audio[..., half * FRAMES // 2 + 6_000 : (half + 1) * FRAMES // 2 - 6_000]
    return float(10.0 * np.log10(np.mean(part**2)))


def test_hands_that_rest_leave_a_stem_as_it_was(noise):
    assert Moves.none(FRAMES).carried_out("bass", noise) is noise
    tiny = Moves.none(FRAMES).turned("bass", np.full(ticks_in(FRAMES), 1e-9))
    assert np.allclose(tiny.carried_out("bass", noise), noise, atol=1e-9)


def test_a_turn_changes_its_stem_by_its_gain_when_it_is_made(noise):
    moves = Moves.none(FRAMES).turned("other", step_db(0.0, -6.0)).turned("other", step_db(2.0, 0.0))
    made = moves.carried_out("other", noise)
    assert half_db(made, 0) - half_db(noise, 0) == pytest.approx(2.0, abs=0.05)
    assert half_db(made, 1) - half_db(noise, 1) == pytest.approx(-6.0, abs=0.05)
    assert moves.carried_out("vocals", noise) is noise


def test_a_turn_of_the_middle_leaves_the_side_alone(noise):
    made = Moves.none(FRAMES).turned("other", step_db(-6.0, -6.0), parts=("middle",)).carried_out("other", noise)
    (middle, side), (old_middle, old_side) = fx.mid_and_side(made), fx.mid_and_side(noise)
    assert np.allclose(side, old_side, atol=1e-9)
    assert half_db(middle, 0) - half_db(old_middle, 0) == pytest.approx(-6.0, abs=0.05)


def test_an_equalizer_moves_its_band_as_the_filters_on_a_desk_do(noise):
    """A shape stands for adding a band to the sound, as hardware does."""
    moves = Moves.none(FRAMES).turned("other", step_db(-3.0, -3.0), band(700.0, 5_500.0))
    made = moves.carried_out("other", noise)
    desk = noise + (float(fx.db_to_gain(-3.0)) - 1.0) * fx.band_pass(noise, 700.0, 5_500.0, order=1)
    for low_hz, high_hz in ((150.0, 300.0), (1_500.0, 2_500.0), (9_000.0, 15_000.0)):
        found, wanted = (fx.band_pass(audio, low_hz, high_hz, order=4) for audio in (made, desk))
        assert half_db(found, 0) == pytest.approx(half_db(wanted, 0), abs=0.35)
    assert top(5_000.0)[-1] > 0.85
    assert top(5_000.0)[0] < 1e-3


def test_ticks_follow_a_curve_and_become_lines_again():
    control = np.sin(2.0 * np.pi * np.arange(FRAMES // 64 + 1) * 64 / FRAMES)
    ticks = at_ticks(control, FRAMES)
    assert ticks.shape == (ticks_in(FRAMES),)
    at = np.arange(ticks.size) * TICK_FRAMES
    assert np.allclose(ticks[2:-2], np.sin(2.0 * np.pi * at / FRAMES)[2:-2], atol=0.02)
    line = ticks_to_audio(ticks, FRAMES)
    assert line.shape == (FRAMES,)
    assert np.allclose(line[at[:-1]], ticks[:-1])


def test_powers_see_what_a_gain_does_where_it_does_it(noise):
    moves = Moves.none(FRAMES).turned("drums", step_db(0.0, 6.0), band(700.0, 5_500.0))
    found = gained_db(moves.gains_db[STEMS.index("drums")], powers(noise))
    change = powers(moves.carried_out("drums", noise)) / powers(noise)
    assert found.shape == (2, ticks_in(FRAMES))
    assert np.mean(10.0 * np.log10(change[0, 25:38, CENTERS_HZ > 1_500.0][:4])) == pytest.approx(6.0, abs=0.5)
    assert np.all(found[:, 25:38] > 1.0)
    assert np.all(np.abs(found[:, 3:15]) < 1e-6)
    assert gained_db(np.ones(28), np.zeros(28)) == 0.0


def test_without_its_mean_a_move_leaves_the_energy_of_every_band(noise):
    """The first half is 6 dB louder and turned down by 4: the mean is that of what is heard."""
    uneven = noise * np.where(np.arange(FRAMES) < FRAMES / 2, 1.0, 0.5)
    moves = Moves.none(FRAMES).turned("other", step_db(-3.0, 1.0), band(700.0, 5_500.0))
    power = np.zeros(moves.gains_db.shape)
    power[STEMS.index("other")] = powers(uneven)
    moving = moves.without_mean(power)
    made = moving.carried_out("other", uneven)
    for low_hz, high_hz in ((200.0, 400.0), (1_500.0, 3_000.0)):
        before, after = (fx.band_pass(audio, low_hz, high_hz) for audio in (uneven, made))
        assert 10.0 * np.log10(np.mean(after**2) / np.mean(before**2)) == pytest.approx(0.0, abs=0.1)
    kept = moving.gains_db[STEMS.index("other"), 0, :, 18]
    assert kept[30] - kept[10] == pytest.approx(4.0, abs=0.2)
    assert np.all(moving.gains_db[STEMS.index("vocals")] == 0.0)


def test_a_record_is_read_as_it_was_written(tmp_path):
    moves = Moves.none(FRAMES).turned("vocals", step_db(1.5, -2.25)).sent("room", "vocals", step_db(-12.0, OFF_DB))
    moves.write(tmp_path / "moves.npz")
    again = Moves.read(tmp_path / "moves.npz")
    assert np.array_equal(again.gains_db, moves.gains_db)
    assert np.array_equal(again.sends_db["room"][STEMS.index("vocals")], step_db(-12.0, OFF_DB))
    assert np.all(again.sends_db["room"][STEMS.index("bass")] == OFF_DB)


@pytest.mark.parametrize("held", [{"gains_db": np.zeros(3)}, {"other": np.zeros(1)}])
def test_a_file_without_moves_is_refused(tmp_path, held):
    np.savez(tmp_path / "moves.npz", **held)
    with pytest.raises(ValueError, match="holds no moves"):
        Moves.read(tmp_path / "moves.npz")
