"""Training for real, in the small: songs on disk, steps, resume, checkpoint, bundle."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from crafx2.checkpoint import CheckpointError, load_checkpoint, network_from_checkpoint
from crafx2.cli import generate, main
from crafx2.config import ConfigError, load_config
from crafx2.dataset import CropSampler, DatasetError, find_songs
from crafx2.train import Trainer, learning_rate_at


@pytest.fixture(scope="module")
def smoke():
    return load_config("smoke")


@pytest.fixture(scope="module")
def songs(tmp_path_factory, smoke):
    """Raw stems: normalization belongs to `tributary normalize`, which has its own tests."""
    root = tmp_path_factory.mktemp("songs")
    generate(root, range(40, 42), 4.0, None, workers=1)
    return root


def run(smoke, songs, folder, steps):
    config = replace(smoke, train=replace(smoke.train, steps=steps))
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
    assert contract["recipe"]["equalization"] == {"enabled": True, "amount": 0.3}
    assert "plain sum" in (tmp_path / "bundle" / "CARD.md").read_text()


def test_resumed_training_makes_the_same_steps(smoke, songs, tmp_path):
    straight, _ = run(smoke, songs, tmp_path / "a", steps=4)
    train = replace(smoke.train, steps=4)
    first = Trainer(replace(smoke, train=train), find_songs(songs), find_songs(songs)[:1], tmp_path / "b")
    first.train_step()
    first.train_step()
    first.validate()
    from crafx2.checkpoint import save_checkpoint

    save_checkpoint(tmp_path / "b" / "last.pt", first._state())
    resumed, result = run(smoke, songs, tmp_path / "b", steps=4)
    assert result.steps == 4
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_training_changes_what_it_should_and_nothing_else(smoke, songs, tmp_path):
    trainer, result = run(smoke, songs, tmp_path / "run", steps=4)
    network, _ = network_from_checkpoint(result.checkpoint, averaged=False)
    start = Trainer(trainer.config, find_songs(songs), find_songs(songs)[:1], tmp_path / "other").network
    assert torch.equal(network.conv_1.weight, start.conv_1.weight)
    assert not torch.equal(network.lstm.weight_hh_l0, start.lstm.weight_hh_l0)


def test_crops_depend_on_seed_and_number_only(songs):
    found = find_songs(songs)
    one, same, other = CropSampler(found, 1), CropSampler(found, 1), CropSampler(found, 2)
    one.batch(0, 2, 6_400)
    assert torch.equal(one.batch(3, 2, 6_400)[0], same.batch(3, 2, 6_400)[0])
    assert not torch.equal(same.batch(3, 2, 6_400)[1], other.batch(3, 2, 6_400)[1])


def test_learning_rate_warms_up_and_falls(smoke):
    rates = [learning_rate_at(smoke, step) for step in range(smoke.train.steps)]
    assert rates[0] < rates[1] > rates[-1] > 0.0


def test_errors_are_sentences(tmp_path, capsys):
    with pytest.raises(ConfigError, match="smoke"):
        load_config("nonsense")
    with pytest.raises(DatasetError, match="no song"):
        find_songs(tmp_path)
    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="readable"):
        load_checkpoint(tmp_path / "bad.pt")
    assert main(["export", str(tmp_path / "missing.pt"), "-o", str(tmp_path / "bundle")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"format": 1, "network": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "evil.pt")
