"""Training for real, in the small: songs on disk, steps, resume, checkpoint, bundle."""

import copy
import json
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import TINY

from crafx2.augment import Augmentation
from crafx2.checkpoint import CheckpointError, load_checkpoint, network_from_checkpoint
from crafx2.cli import main
from crafx2.config import ConfigError, frames_of, load_config
from crafx2.contract import default_targets
from crafx2.dataset import DatasetError, find_songs, read_crop
from crafx2.errors import Interrupted
from crafx2.generator import song_tracks
from crafx2.model import NEUTRAL_MASK, NetworkSize, SongNorm, transparent_network
from crafx2.pretrain import reconstruct
from crafx2.schedule import learning_rate_at, total_steps
from crafx2.song_set import generate
from crafx2.train import Trainer, plain_sum, start_network
from crafx2.validation import run_track

#: As few filters as the eight inputs allow to be transparent: most of the cost is theirs.
NARROW = replace(TINY, filters=16, lstm_hidden=8)
STOPPING = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(scope="module")
def smoke():
    return load_config("smoke")


@pytest.fixture(scope="module")
def songs(tmp_path_factory, smoke):
    """Raw stems: normalization belongs to `tributary normalize`, which has its own tests."""
    root = tmp_path_factory.mktemp("songs")
    generate(root, range(40, 42), partial(song_tracks, duration_s=4.0, variant=None), workers=1)
    return root


def run(smoke, songs, folder, steps):
    train = replace(smoke.train, steps=steps, crop_s=0.5, long_crop_s=1.0)
    config = replace(smoke, network=NARROW, train=train)
    found = find_songs(songs)
    trainer = Trainer(config, found, found[:1], folder)
    trainer.resume()
    return trainer, trainer.run()


def test_training_writes_a_bundle_that_proves_itself(smoke, songs, tmp_path):
    arguments = ["--data", str(songs), "--held-out", str(songs)]
    assert main(["train", "smoke", *arguments, "-o", str(tmp_path / "run")]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["steps"] == smoke.train.steps
    assert np.isfinite(list(report["losses"].values())).all()
    assert main(["export", str(tmp_path / "run" / "best.pt"), "-o", str(tmp_path / "bundle")]) == 0
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert contract["name"] == "Tributary smoke"
    assert contract["license"] == "not stated"
    assert contract["recipe"]["equalization"] == {"enabled": True, "amount": 0.3}
    assert "plain sum" in (tmp_path / "bundle" / "CARD.md").read_text()


def test_make_trains_every_seed_and_exports_the_best(songs, tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(
        'base = "smoke"\nname = "two"\nseeds = [3, 5]\n[network]\nfilters = 16\nlstm_hidden = 8\n'
        "[train]\nsteps = 3\ncrop_s = 0.5\nlong_crop_s = 1.0\nvalidation_crop_s = 0.5\n"
    )
    data = ["--data", str(songs), "--held-out", str(songs)]
    bundle = ["-o", str(tmp_path / "bundle"), "--license", "CC BY 4.0"]
    assert main(["make", str(file), *data, "--work", str(tmp_path), *bundle]) == 0
    reports = {seed: json.loads((tmp_path / f"run-{seed}" / "report.json").read_text()) for seed in (3, 5)}
    losses = {seed: report["losses"]["trained"] for seed, report in reports.items()}
    best = min(losses, key=losses.get)
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert losses[3] != losses[5]
    assert contract["notes"]["seed"] == best
    assert reports[best]["seeds"] == {str(seed): loss for seed, loss in losses.items()}
    card = (tmp_path / "bundle" / "CARD.md").read_text()
    assert contract["license"] == "CC BY 4.0"
    assert card.endswith("License: CC BY 4.0.\n")
    assert f"seed {best} (the lowest held-out loss of 2 seeds; " in card
    assert all(f"{seed}: {loss:.4f}" in card for seed, loss in losses.items())


@pytest.mark.parametrize("during", ["train_step", "validate"])
def test_resumed_training_makes_the_same_steps(smoke, songs, tmp_path, during):
    """Stopped by a signal in a step or a validation, with dropout, jitter, averaging and all: the very same bits."""
    short = {"crop_s": 0.5, "long_crop_s": 1.0, "validation_crop_s": 0.5}
    train = replace(smoke.train, steps=5, batch=2, validate_every=2, norm_jitter=0.1, gate_jitter=0.5, **short)
    network = replace(NARROW, dropout=0.2, lstm_layers=2)
    config = replace(smoke, train=train, network=network, augmentation=Augmentation(0.5, 3.0, 0.5, 0.0, 0.3))
    found = find_songs(songs)
    straight = Trainer(config, found, found[:1], tmp_path / "a")
    result = straight.run()
    first = Trainer(config, found, found[:1], tmp_path / "b")
    undisturbed, handlers = getattr(first, during), [signal.getsignal(number) for number in STOPPING]

    def disturbed(*given):
        if first.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return undisturbed(*given)

    setattr(first, during, disturbed)
    with pytest.raises(Interrupted, match="goes on from"):
        first.run()
    assert [signal.getsignal(number) for number in STOPPING] == handlers
    resumed = Trainer(config, found, found[:1], tmp_path / "b")
    assert resumed.resume()
    assert resumed.step == {"train_step": 3, "validate": 2}[during]
    again = resumed.run()
    assert again.history == result.history
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(
        load_checkpoint(tmp_path / "b" / "best.pt")["averaged"]["excite.weight"],
        load_checkpoint(tmp_path / "a" / "best.pt")["averaged"]["excite.weight"],
    )


def test_jitter_reaches_the_network_that_is_trained_and_no_other(smoke, songs, tmp_path):
    found = find_songs(songs)
    train = replace(smoke.train, norm_jitter=0.25, gate_jitter=0.5)
    trainer = Trainer(replace(smoke, train=train), found, found[:1], tmp_path)

    def jitters(network):
        return network.gate_jitter, {module.jitter for module in network.modules() if isinstance(module, SongNorm)}

    assert jitters(trainer.network) == (0.5, {0.25})
    assert jitters(trainer.averaged) == jitters(trainer.start) == (0.0, {0.0})


def test_a_step_whose_gradient_is_not_finite_changes_nothing(smoke, songs, tmp_path):
    found = find_songs(songs)
    trainer = Trainer(smoke, found, found[:1], tmp_path)
    stems, mixture = trainer.sampler.batch(0, 1, 6_400)
    before = copy.deepcopy(trainer.network.state_dict())
    stems[0, 0, 3_000] = float("nan")
    _, norm = trainer.train_step(stems, mixture)
    assert not np.isfinite(norm)
    assert (trainer.skipped, trainer.step) == (1, 1)
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    trainer.train_step(*trainer.sampler.batch(1, 1, 6_400))
    assert trainer.skipped == 1
    assert not torch.equal(trainer.network.lstm.weight_hh_l0, before["lstm.weight_hh_l0"])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_about_the_same(smoke, songs, tmp_path, precision):
    found, losses = find_songs(songs), {}
    for kind in ("float32", precision):
        train = replace(smoke.train, precision=kind, freeze_front_end=False)
        trainer = Trainer(replace(smoke, network=NARROW, train=train), found, found[:1], tmp_path / kind)
        losses[kind] = [trainer.train_step(*trainer.sampler.batch(step, 1, 9_600))[0] for step in range(2)]
        assert trainer.scaler.is_enabled() == (kind == "float16")
    # The scaler may skip its first step while it looks for a scale, so only the first losses are of equal networks.
    assert losses[precision][0] == pytest.approx(losses["float32"][0], rel=0.06)
    assert losses[precision] != losses["float32"]


def test_an_ended_run_makes_no_further_step(smoke, songs, tmp_path):
    train = replace(smoke.train, steps=50, validate_every=1, patience=2, learning_rate=0.0, weight_decay=0.0)
    config = replace(smoke, network=NARROW, train=replace(train, crop_s=0.5, long_crop_s=1.0, validation_crop_s=0.5))
    found = find_songs(songs)
    ended = Trainer(config, found, found[:1], tmp_path).run()
    for settings, until_s in ((config, None), (replace(config, train=replace(config.train, patience=0)), 1e-3)):
        again = Trainer(settings, found, found[:1], tmp_path)
        assert again.resume()
        assert again.run(until_s=until_s).history == ended.history


def test_patience_ends_a_run_that_gets_no_better(smoke, songs, tmp_path):
    train = replace(smoke.train, steps=50, validate_every=1, patience=2, learning_rate=0.0, weight_decay=0.0)
    train = replace(train, crop_s=0.3, long_every=0, validation_crop_s=0.5)
    found = find_songs(songs)
    result = Trainer(replace(smoke, network=NARROW, train=train), found, found[:1], tmp_path).run()
    assert (result.steps, result.best_step) == (3, 1)
    # Nothing was learned: the masks stand still, so holding them costs nothing.
    assert set(result.losses) == {"trained", "still", "plain_sum", "untrained"}
    assert result.losses["still"] == pytest.approx(result.losses["trained"], rel=1e-4)


def test_pretraining_moves_the_front_end_and_training_takes_it_over(smoke, songs, tmp_path, capsys):
    small = {"long_every": 0, "freeze_front_end": False, "average_decay": 0.0, "precision": "float32", "workers": 0}
    train = replace(load_config("pretrain").train, batch=1, crop_s=1.6, schedule=((2, 1e-3),), epoch_steps=1, **small)
    train = replace(train, validate_every=2, validation="crops", validation_crop_s=1.6)
    found = find_songs(songs)
    config = replace(smoke, network=NARROW, train=train, start="random")
    result = Trainer(config, found, found[:1], tmp_path / "pretrain").run()
    assert set(result.losses) == {"trained"}
    network, _ = network_from_checkpoint(result.checkpoint)
    start = start_network(config)
    assert not torch.equal(network.conv_1.weight, start.conv_1.weight)
    assert torch.equal(network.lstm.weight_hh_l0, start.lstm.weight_hh_l0)
    assert main(["export", str(result.checkpoint), "-o", str(tmp_path / "bundle")]) == 1
    assert "cannot mix" in capsys.readouterr().err
    data = ["--data", str(songs), "--held-out", str(songs), "--work", str(tmp_path), "-o", str(tmp_path / "bundle")]
    assert main(["make", "pretrain", *data]) == 1
    assert "use `crafx2 train`" in capsys.readouterr().err
    mixing = replace(smoke, network=NARROW, start="random", train=replace(smoke.train, freeze_front_end=False))
    trainer = Trainer(mixing, found, found[:1], tmp_path / "run", front_end=result.checkpoint)
    assert torch.equal(trainer.network.conv_2.weight, network.conv_2.weight)


def test_the_autoencoder_can_reconstruct():
    """With the transparent bank and a mask that keeps everything the way back is the identity; pooling keeps peaks."""
    network = transparent_network(TINY, 1)
    x = 0.1 * torch.randn(1, 8, 64 * 20)
    with torch.no_grad():
        out = reconstruct(network, x)
    assert out.shape == x.shape
    latent_places = 20 * 128
    bands, _ = network.analyze(x)
    assert torch.count_nonzero(bands) > 10 * latent_places
    # One sample in 64 of every band survives: far less than the bank, which makes up for mask and gate, gives back.
    given_back = (x / (NEUTRAL_MASK / 2.0)).square().mean()
    assert 0.0 < float(out.square().mean()) < 0.15 * float(given_back)


def test_whole_tracks_in_windows_equal_one_pass_when_the_guard_covers_the_network():
    """A local network (a moving average over 255 samples) must not see where the windows end."""
    kernel = torch.ones(2, 1, 255) / 255

    def local(stems):
        return torch.nn.functional.conv1d(stems[:, :2], kernel, padding=127, groups=2)

    stems = torch.randn(8, 10_000)
    made = run_track(local, stems, window=1_280, guard=128, batch=3)
    assert torch.allclose(made, local(stems[None])[0], atol=1e-6)
    assert not torch.allclose(run_track(local, stems, window=1_280, guard=64), local(stems[None])[0], atol=1e-6)


def test_tracks_are_validated_whole(smoke, songs, tmp_path):
    """The sum of the stems does not care for windows, so its loss must be that of the whole tracks."""
    train = replace(smoke.train, validation="tracks", crop_s=1.6, loss="Lb", freeze_front_end=False)
    found = find_songs(songs)
    trainer = Trainer(replace(smoke, network=NARROW, train=train), found, found, tmp_path)
    expected = []
    for song in found:
        stems, mixture = (torch.from_numpy(item)[None] for item in read_crop(song, 0, song.frames // 64 * 64))
        expected.append(float(trainer.loss(plain_sum(stems), mixture)))
    assert trainer.held_out_loss(plain_sum) == pytest.approx(np.mean(expected), rel=1e-5)


def test_training_changes_what_it_should_and_nothing_else(smoke, songs, tmp_path):
    trainer, result = run(smoke, songs, tmp_path / "run", steps=4)
    network, _ = network_from_checkpoint(result.checkpoint, averaged=False)
    start = Trainer(trainer.config, find_songs(songs), find_songs(songs)[:1], tmp_path / "other").network
    assert torch.equal(network.conv_1.weight, start.conv_1.weight)
    assert not torch.equal(network.lstm.weight_hh_l0, start.lstm.weight_hh_l0)


def test_learning_rate_warms_up_and_falls(smoke):
    rates = [learning_rate_at(smoke.train, step) for step in range(smoke.train.steps)]
    assert rates[0] < rates[1] > rates[-1] > 0.0


@pytest.mark.parametrize(("name", "epochs"), [("published-La", 201), ("published-Lb", 311), ("pretrain", 106)])
def test_the_published_schedules(name, epochs):
    train = load_config(name).train
    assert total_steps(train) == 1_600 * epochs
    assert [learning_rate_at(train, step) for step in (0, 1_599, 1_600)] == [0.0, 0.0, 1e-3]
    assert 0.0 < learning_rate_at(train, total_steps(train) - 1) < 1e-3


def test_the_published_configurations_are_the_published_recipe():
    for name in ("published-La", "published-Lb"):
        config = load_config(name)
        assert config.network == NetworkSize()
        assert (config.start, config.pretrain, config.recipe.kind) == ("random", "pretrain", "published")
        assert config.train.loss == name.removeprefix("published-")
        assert (config.train.batch, frames_of(config.train.crop_s)) == (4, 440_960)
        assert (config.train.gradient_norm, config.train.weight_decay) == (0.2, 1e-7)
        assert config.augmentation == Augmentation()


def test_a_configuration_sets_its_own_targets():
    config = load_config("default")
    targets, published = default_targets(None, config.loudness_lufs, config.similarity), default_targets()
    assert {phi for _, phi in targets["stems"]["vocals"]["phi"]} == {config.similarity["vocals"]}
    assert targets["stems"]["bass"]["loudness_lufs"] == config.loudness_lufs["bass"]
    assert targets["stems"]["bass"]["spectrum"] == published["stems"]["bass"]["spectrum"]
    assert targets["name"] != published["name"]


def test_a_configuration_differs_from_its_base_in_what_it_says():
    small, base = load_config("small"), load_config("default")
    narrow = replace(base.network, filters=64, lstm_hidden=32)
    train = replace(base.train, seed=2)
    played = replace(base.played, mask_share=0.06)
    expected = replace(base, name="small", description=small.description, network=narrow, train=train, played=played)
    assert small == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("train = 3", r"\[train\] is 3"),
        ('seeds = "12"', "seeds is '12'"),
        ("seeds = [1.5]", "seeds is"),
        ("seeds = [1, 1]", "twice"),
        ("[train]\nsteps = 'many'", "steps is 'many'"),
        ("[train]\nfreeze_front_end = 1", "freeze_front_end is 1"),
        ("[train]\nschedule = [[1, 'a']]", "schedule is"),
        ("[loudness_lufs]\nvocals = 'loud'", "loudness_lufs is"),
        ("[network]\nfilter = 3", "no entry 'filter'"),
        ("[train]\nvalidation = 'tracks'\ncrop_s = 1.47", "crop_s is 1.47;"),
        ("[train]\nloss = 'La'\ncrop_s = 1.48", "crop_s is 1.48;"),
        ("[train]\nloss = 'Lb'\nvalidation_crop_s = 1.4", "validation_crop_s is 1.4;"),
        ("[train]\nloss = 'Lb'\nlong_crop_s = 1.4", "long_crop_s is 1.4;"),
        ("[train]\nvalidation = 'tracks'\nvalidation_limit_s = 1.0", "validation_limit_s is 1.0;"),
        ("[train]\ngate_jitter = 1.5", "gate_jitter is 1.5;"),
        ("[train\nsteps = 3", "wrong.toml is not readable TOML"),
    ],
)
def test_entries_of_the_wrong_kind_are_refused(tmp_path, text, names):
    file = tmp_path / "wrong.toml"
    file.write_text(f'name = "wrong"\n{text}\n')
    with pytest.raises(ConfigError, match=names):
        load_config(str(file))


def test_errors_are_sentences(tmp_path, capsys, monkeypatch):
    with pytest.raises(ConfigError, match="smoke"):
        load_config("nonsense")
    (tmp_path / "nameless.toml").write_text("seeds = [1]")
    with pytest.raises(ConfigError, match="lacks the entry 'name'"):
        load_config(str(tmp_path / "nameless.toml"))
    with pytest.raises(DatasetError, match="no song"):
        find_songs(tmp_path)
    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="readable"):
        load_checkpoint(tmp_path / "bad.pt")
    assert main(["export", str(tmp_path / "missing.pt"), "-o", str(tmp_path / "bundle")]) == 1
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "broken.json").write_text("{")
    assert main(["recipe", "smoke", "-o", str(tmp_path), "--averages", str(tmp_path / "broken.json")]) == 1
    assert "broken.json is not readable JSON" in capsys.readouterr().err
    assert main(["calibrate", "--measured", str(tmp_path / "broken.json")]) == 1
    data = ["--data", str(tmp_path), "--held-out", str(tmp_path)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for found, name, rank, words in (
        (False, "cuda", "0", "--device cpu"),
        (True, "cuda", "1", "there is no GPU cuda:1"),
        (True, "cuda:1", "0", "there is no GPU cuda:1"),
        (True, "gpu", "0", "no device 'gpu'"),
    ):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: found)
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert main(["train", "smoke", *data, "-o", str(tmp_path / "run"), "--device", name]) == 1
        assert words in capsys.readouterr().err


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"format": 1, "network": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "evil.pt")
