"""Learning what an engineer moves, in the small: mixtures made anew, lessons, steps, and how much is reproduced."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from conftest import TINY

from crafx2.cli import main
from crafx2.config import ConfigError, load_config
from crafx2.contract import STEMS
from crafx2.dataset import DatasetError, find_songs
from crafx2.frozen import FrozenBank
from crafx2.model import NEUTRAL_MASK, transparent_network
from crafx2.movement import Movement, compare, table
from crafx2.moving import LessonSampler, MoveLoss, held, lesson
from crafx2.played import Played
from crafx2.remix import read_stems, remix, stem_powers
from crafx2.songs import effects as fx
from crafx2.songs.moves import MOVES_FILE, TICK_FRAMES, Moves, ticks_in
from crafx2.train import Trainer
from crafx2.validation import held_against_sum_db

FRAMES = 2 * 44_100
#: As few filters as the eight inputs allow to be transparent.
NARROW = replace(TINY, filters=16, lstm_hidden=8)
OTHER, DRUMS, BASS = (STEMS.index(stem) for stem in ("other", "drums", "bass"))


def recorded() -> Moves:
    """The middle of `other` steps back by 5 dB in the second half, drums by 3 dB: a voice enters there."""
    later = np.arange(ticks_in(FRAMES)) * TICK_FRAMES >= FRAMES / 2
    return Moves.none(FRAMES).turned("other", -5.0 * later, parts=("middle",)).turned("drums", 3.0 * ~later)


@pytest.fixture()
def sets(tmp_path):
    """Two generated songs of noise before and after normalization, without a bass; mixtures are hard links."""
    raw, normalized = tmp_path / "raw", tmp_path / "normalized"
    rng = np.random.default_rng(7)
    for name in ("song-1", "song-2"):
        for folder in (raw / name, normalized / name):
            folder.mkdir(parents=True)
        recorded().write(raw / name / MOVES_FILE)
        soundfile.write(raw / name / "mixture.wav", np.zeros((FRAMES, 2)), 44_100)
        os.link(raw / name / "mixture.wav", normalized / name / "mixture.wav")
        for stem in ("vocals", "drums", "other"):
            audio = 0.05 * rng.standard_normal((FRAMES, 2))
            if stem == "vocals":
                audio[: FRAMES // 2] = 0.0
            soundfile.write(normalized / name / f"{stem}.wav", audio, 44_100, subtype="FLOAT")
    return raw, normalized


@pytest.fixture()
def remixed(sets):
    raw, normalized = sets
    remix(normalized, raw)
    return normalized


def level_db(audio, half: int) -> float:
    part = audio[..., half * FRAMES // 2 + 6_000 : (half + 1) * FRAMES // 2 - 6_000]
    return float(10.0 * np.log10(np.mean(part**2)))


def test_a_mixture_made_anew_has_the_movement_and_the_energy_of_the_sum(sets):
    raw, normalized = sets
    remix(normalized, raw)
    stems = read_stems(normalized / "song-1")
    moves = Moves.read(normalized / "song-1" / MOVES_FILE)
    for stem in stems:
        made = moves.carried_out(stem, stems[stem])
        assert 10.0 * np.log10(np.mean(made**2) / np.mean(stems[stem] ** 2)) == pytest.approx(0.0, abs=0.1)
    (middle, side), (old, old_side) = (
        fx.mid_and_side(audio) for audio in (moves.carried_out("other", stems["other"]), stems["other"])
    )
    moved_db = (level_db(middle, 1) - level_db(middle, 0)) - (level_db(old, 1) - level_db(old, 0))
    assert moved_db == pytest.approx(-5.0, abs=0.2)
    assert np.allclose(side, old_side, atol=1e-6)
    mixture = soundfile.read(normalized / "song-1" / "mixture.wav")[0].T
    assert np.allclose(mixture, sum(moves.carried_out(stem, audio) for stem, audio in stems.items()), atol=1e-6)
    # The engineer's own mixture, to which that of the set was a link, is still there.
    assert np.all(soundfile.read(raw / "song-1" / "mixture.wav")[0] == 0.0)


def test_what_has_been_remixed_is_kept_and_what_nobody_recorded_is_refused(sets):
    raw, normalized = sets
    assert main(["remix", str(normalized), str(raw)]) == 0
    before = (normalized / "song-1" / "mixture.wav").stat()
    remix(normalized, raw)
    assert (normalized / "song-1" / "mixture.wav").stat().st_mtime_ns == before.st_mtime_ns
    for name in ("song-1", "song-2"):
        (normalized / name / MOVES_FILE).unlink()
        (raw / name / MOVES_FILE).unlink()
    with pytest.raises(DatasetError, match="moves recorded"):
        remix(normalized, raw)


def test_a_lesson_says_what_every_band_of_middle_and_side_should_do(remixed):
    bank = FrozenBank(transparent_network(NARROW, seed=1))
    song = find_songs(remixed)[0]
    taught = lesson(song, bank)
    gains = taught.gain_db.reshape(len(STEMS), 2, bank.bands, -1)
    weight = taught.weight.reshape(gains.shape)
    change_db = gains[..., 25:38].mean(axis=-1) - gains[..., 3:15].mean(axis=-1)
    assert np.allclose(change_db[OTHER, 0], -5.0, atol=0.1)
    assert np.allclose(change_db[OTHER, 1], 0.0, atol=0.1)
    assert np.allclose(change_db[DRUMS], -3.0, atol=0.1)
    assert np.all(weight[BASS] == 0.0)
    assert np.all(weight[OTHER] > 0.1)
    assert taught.latent.shape == (NARROW.filters, FRAMES // 64)
    goal = taught.goal(np.array([0, FRAMES // 64 - 1]))
    assert np.allclose(goal[0].reshape(*gains.shape[:3], 2)[OTHER, 0, :, 1] - gains[OTHER, 0, :, 5], -5.0, atol=0.3)


def test_the_loss_is_what_is_lacking_and_punishes_what_never_moves_most():
    gain_db = torch.tensor([[[[3.0, -3.0] * 4, [0.0] * 8]]])
    goal = torch.cat([gain_db, torch.ones_like(gain_db)], dim=1)[:, :, :]
    loss = MoveLoss()
    goal = torch.stack([gain_db[0, 0], torch.ones(2, 8)])[None]
    right = NEUTRAL_MASK * 10.0 ** (goal[:, 0] / 20.0)
    assert float(loss(right, goal)) == pytest.approx(0.0, abs=1e-4)
    assert float(loss(torch.full_like(right, NEUTRAL_MASK), goal)) == pytest.approx(4.5, abs=0.01)
    # A decibel too much all along costs as a decibel of movement does, and twice more.
    assert float(loss(right * 10.0 ** (1.0 / 20.0), goal)) == pytest.approx(3.0, abs=0.01)
    unheard = goal.clone()
    unheard[:, 1] = 0.0
    assert float(loss(2.0 * right, unheard)) == pytest.approx(0.0, abs=1e-3)
    assert torch.all(held(right)[..., 0] == held(right)[..., 5])


def test_the_next_default_is_taught_on_stems_as_the_default_plays_them():
    """Otherwise it would learn fixed filters again, or be limited where the default is not."""
    taught, shipped = load_config("movement"), load_config("default")
    assert taught.recipe == shipped.played.recipe_after(shipped.recipe)
    assert taught.played == Played()
    assert taught.loudness_lufs == shipped.played.loudness_lufs


def small(steps: int):
    config = load_config("movement")
    short = {"crop_s": 1.0, "long_crop_s": 2.0, "validation_crop_s": 2.0, "validate_every": 20}
    train = replace(config.train, steps=steps, batch=2, warmup_steps=3, learning_rate=1e-2, average_decay=0.5, **short)
    return replace(config, network=NARROW, train=train)


def test_moves_are_learned_and_what_does_not_move_stays(remixed, tmp_path):
    """Noise that steps back when another enters: within some steps much of it is known."""
    songs = find_songs(remixed)
    trainer = Trainer(small(60), songs, songs, tmp_path / "run")
    result = trainer.run()
    assert result.losses["trained"] < 0.6 * result.losses["untrained"]
    assert result.losses["still"] > result.losses["trained"]
    assert all(torch.all(value == 0.0) for value in trainer.network.excite.parameters())
    assert result.held_db is not None
    assert 0.0 < result.held_db < 1.5


def test_a_resumed_run_on_moves_makes_the_same_steps(remixed, tmp_path):
    songs = find_songs(remixed)
    straight = Trainer(small(6), songs, songs[:1], tmp_path / "a")
    straight.run()
    Trainer(replace(small(6), train=replace(small(6).train, steps=3)), songs, songs[:1], tmp_path / "b").run()
    resumed = Trainer(small(6), songs, songs[:1], tmp_path / "b")
    assert resumed.resume()
    resumed.run()
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_crops_of_lessons_repeat_and_may_begin_in_silence(remixed):
    bank, songs = FrozenBank(transparent_network(NARROW, seed=1)), find_songs(remixed)
    sampler = LessonSampler(songs, 3, bank, leading_silence=1.0)
    latents, goals = sampler.batch(4, 2, 64 * 100)
    again, _ = LessonSampler(songs, 3, bank, leading_silence=1.0).batch(5, 1, 64 * 100)
    assert latents.shape == (2, NARROW.filters, 100)
    assert goals.shape == (2, 2, NARROW.filters, 100)
    assert torch.equal(latents[1], again[0])
    assert torch.all(goals[:, 1, :, :10] == 0.0)
    assert torch.all(goals[:, 1, -1, -10:] > 0.0)


def test_songs_without_moves_cannot_teach_them(songs, tmp_path):
    found = find_songs(songs)
    with pytest.raises(DatasetError, match="remixed"):
        Trainer(small(1), found, found, tmp_path).run()


@pytest.mark.parametrize(
    "change", ["[data]\nremixed = false", "[train]\nfreeze_front_end = false", '[train]\nloss = "mix"']
)
def test_a_configuration_that_cannot_learn_moves_is_refused(tmp_path, change):
    (tmp_path / "own.toml").write_text(f'base = "movement"\nname = "own"\n{change}\n')
    with pytest.raises(ConfigError, match="moves"):
        load_config(str(tmp_path / "own.toml"))


def test_the_transparent_start_held_is_the_sum(remixed):
    stems, _ = (torch.from_numpy(part)[None] for part in _crop(remixed))
    network = transparent_network(NARROW, seed=1).eval()
    assert held_against_sum_db(network, stems) < 0.1
    with torch.no_grad():
        network.excite.bias.fill_(0.8)
    assert held_against_sum_db(network, stems) > 1.0


def _crop(root):
    from crafx2.dataset import read_crop

    return read_crop(find_songs(root)[0], 0, 64 * 1_000)


@pytest.fixture()
def heard(remixed):
    """A song's moves and the powers of its stems."""
    moves = Moves.read(remixed / "song-1" / MOVES_FILE)
    return moves, stem_powers(read_stems(remixed / "song-1"), moves.ticks)


def found_in(moves: Moves, before, after) -> Movement:
    found = Movement()
    compare(found, moves, before, after)
    return found


def test_movement_is_all_none_late_or_contrary(heard):
    moves, before = heard
    key = ("other", "middle")

    def moved(gains_db):
        return found_in(moves, before, before * 10.0 ** (gains_db / 10.0)).tallies[key]

    assert moved(moves.gains_db).explained() == pytest.approx(1.0, abs=1e-6)
    assert moved(moves.gains_db).lag_ms() == 0.0
    assert moved(0.0 * moves.gains_db).explained() == pytest.approx(0.0, abs=1e-6)
    assert moved(-moves.gains_db).explained() < -1.0
    late = np.concatenate([np.repeat(moves.gains_db[:, :, :1], 4, axis=2), moves.gains_db[:, :, :-4]], axis=2)
    assert moved(late).lag_ms() == 200.0
    assert 0.3 < moved(late).explained() < 1.0
    # What stays is no movement, but an error of the balance.
    louder = moves.gains_db.copy()
    louder[OTHER] += 2.0
    assert moved(louder).explained() == pytest.approx(1.0, abs=1e-6)
    assert ("vocals", "middle") not in found_in(moves, before, before).tallies


def test_a_stem_that_is_too_loud_all_along_is_an_error_of_the_balance(heard):
    moves, before = heard
    louder = before * 10.0 ** (moves.gains_db / 10.0)
    exact = found_in(moves, before, louder).balance_db[0]
    louder = louder.copy()
    louder[OTHER] *= 10.0**0.3
    # 3 dB in one of three stems: off by 2, 1 and 1 dB from the mean.
    assert exact < 0.2
    assert found_in(moves, before, louder).balance_db[0] == pytest.approx(4.0 / 3.0, abs=0.15)


def test_a_run_on_moves_becomes_a_bundle_whose_movement_is_told(remixed, tmp_path, capsys):
    songs = ["--data", str(remixed), "--held-out", str(remixed)]
    file = tmp_path / "own.toml"
    file.write_text(
        'base = "movement"\nname = "own"\n[network]\nfilters = 16\nlstm_hidden = 8\nhidden = 16\nrepeats = 1\n'
        "[train]\nsteps = 2\ncrop_s = 1.0\nlong_crop_s = 2.0\nvalidation_crop_s = 1.0\n"
    )
    assert main(["train", str(file), *songs, "-o", str(tmp_path / "run")]) == 0
    assert main(["export", str(tmp_path / "run" / "best.pt"), "-o", str(tmp_path / "bundle")]) == 0
    report = tmp_path / "run" / "report.json"
    assert main(["movement", str(tmp_path / "bundle"), str(remixed), "--report", str(report), "--title", "Moved"]) == 0
    told = capsys.readouterr().out
    assert "| other | middle | 1." in told
    assert "2 songs" in told
    written = json.loads(report.read_text())
    assert written["checks"]["Moved"] in told
    assert "Held against sum" in (tmp_path / "bundle" / "CARD.md").read_text()
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert contract["recipe"]["kind"] == "tributary"
    assert "mask_share" not in contract["network"]
    assert main(["movement", str(tmp_path / "bundle"), str(tmp_path / "run")]) == 1


def test_what_is_silent_tells_nothing(heard):
    moves, before = heard
    found = found_in(moves, 0.0 * before, 0.0 * before)
    assert found == Movement()
    found.balance_db.append(0.5)
    assert table(found).endswith("Mean balance error 0.50 dB; 1 songs.")
