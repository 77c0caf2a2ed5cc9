"""What a bundle says about its origin: no more than is known, and that from the first step on."""

import json
import shutil
from dataclasses import asdict, replace
from functools import partial

import pytest

from crafx2 import config as config_module
from crafx2 import report as report_module
from crafx2.checkpoint import load_checkpoint
from crafx2.cli import main, write_normalization
from crafx2.config import CONFIG_FOLDER, load_config
from crafx2.contract import default_targets
from crafx2.dataset import DatasetError
from crafx2.generator import song_tracks
from crafx2.played import Played
from crafx2.report import add_results, bundle_info, keep_targets, start_report
from crafx2.song_set import generate
from crafx2.train import Trainer, TrainResult


def state_of(config):
    return {"config": asdict(config), "step": 6, "skipped": 0, "seconds": 60.0}


def info_of(folder, config, license=None):
    return bundle_info(folder / "best.pt", state_of(config), license)


def flat(card):
    return " ".join(card.split())


@pytest.fixture()
def generated(tmp_path):
    """A folder of a run on generated songs that has just begun."""
    start_report(tmp_path, load_config("default"), None, 160, 10, "cpu", 1)
    return tmp_path


def test_a_run_that_goes_on_already_says_what_it_is_made_of(tmp_path, monkeypatch):
    generate(tmp_path / "songs", [40], partial(song_tracks, duration_s=2.0, variant=None), workers=1)
    file, targets = tmp_path / "own.toml", default_targets() | {"name": "my songs"}
    file.write_text(
        'base = "smoke"\nname = "own"\n[network]\nfilters = 16\nlstm_hidden = 8\n[train]\nsteps = 2\n'
        "validate_every = 1\ncrop_s = 0.5\nlong_every = 0\nvalidation_crop_s = 0.5\n"
    )
    (tmp_path / "given.json").write_text(json.dumps(targets))
    keep = Trainer._keep

    def interrupted(*arguments):
        keep(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_keep", interrupted)
    data = [part for name in ("--data", "--held-out") for part in (name, str(tmp_path / "songs"))]
    given = ["--data-name", "My set", "--targets", str(tmp_path / "given.json"), "--seed", "7"]
    assert main(["train", str(file), *data, *given, "-o", str(tmp_path / "run")]) == 130
    best = tmp_path / "run" / "best.pt"
    assert main(["export", str(best), "-o", str(tmp_path / "bundle"), "--license", "CC0"]) == 0
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert contract["trained_on"] == "My set (1 songs); 1 steps."
    assert (contract["license"], contract["notes"]["seed"]) == ("CC0", 7)
    assert json.loads((tmp_path / "bundle" / "targets.json").read_text()) == targets
    assert "My set: 1 songs, and 1 that are held out." in (tmp_path / "bundle" / "CARD.md").read_text()
    alone = bundle_info(tmp_path / "best.pt", load_checkpoint(best))
    assert alone.trained_on == "not stated; 1 steps."


def test_a_lone_checkpoint_claims_neither_data_nor_license(tmp_path):
    config = load_config("default")
    info = info_of(tmp_path, config)
    assert (info.trained_on, info.license) == ("not stated; 6 steps.", "not stated")
    assert "**Data.** Not stated." in info.card
    assert "step 6" in info.card
    assert not any(claim in info.card for claim in ("ecording", "generat", "synthetic", "MIT", "cpu"))
    assert info_of(tmp_path, config, "CC0").card.endswith("License: CC0.\n")
    earlier = state_of(config)
    del earlier["config"]["similarity"], earlier["config"]["augmentation"]
    assert bundle_info(tmp_path / "best.pt", earlier).trained_on == info.trained_on


def test_generated_songs_are_named_and_licensed(generated):
    info = info_of(generated, load_config("default"))
    assert (info.trained_on, info.license) == ("160 generated songs of 12 s, no recordings; 6 steps.", "MIT")
    assert "Trained from the transparent start on generated songs." in info.card
    assert "No recording of any kind was used." in flat(info.card)


def test_own_songs_are_not_called_generated(tmp_path):
    start_report(tmp_path, load_config("default"), "My set", 20, 2, "cpu", 1)
    info = info_of(tmp_path, load_config("default"))
    assert (info.trained_on, info.license) == ("My set (20 songs); 6 steps.", "not stated")
    assert not any(claim in info.card for claim in ("generat", "synthetic", "MIT"))


def test_a_run_on_own_songs_does_not_become_one_on_generated_ones(tmp_path):
    config = load_config("default")
    start_report(tmp_path, config, "My set", 20, 2, "cpu", 1)
    (tmp_path / "last.pt").touch()
    start_report(tmp_path, config, "My set, renamed", 20, 2, "cpu", 1)
    with pytest.raises(DatasetError, match="My set, renamed"):
        start_report(tmp_path, config, None, 160, 10, "cpu", 1)
    assert info_of(tmp_path, config).trained_on == "My set, renamed (20 songs); 6 steps."


def test_only_the_transparent_start_is_called_so(generated):
    losses = {"plain_sum": 0.9, "untrained": 0.8, "still": 0.75, "trained": 0.7}
    add_results(generated, TrainResult(generated / "best.pt", 6, 6, losses, [(6, 0.7)], 0, 60.0))
    config = load_config("default")
    card = flat(info_of(generated, config).card)
    assert "| the untrained transparent start | 0.8000 |" in card
    assert "| this model with each mask held at its mean over time | 0.7500 |" in card
    assert "correct pitch, or equalize finely below about 0.7 kHz." in card
    trained = replace(config, train=replace(config.train, freeze_front_end=False))
    card = flat(info_of(generated, trained).card)
    assert "| the untrained transparent start | 0.8000 |" in card
    assert "cannot add reverberation or correct pitch." in card
    card = flat(info_of(generated, replace(config, start="random")).card)
    assert "| the untrained network | 0.8000 |" in card
    assert "cannot add reverberation or correct pitch." in card


def test_the_command_makes_the_same_model_or_says_what_it_takes(generated, tmp_path, monkeypatch):
    shutil.copytree(CONFIG_FOLDER, tmp_path, dirs_exist_ok=True)
    for module in (config_module, report_module):
        monkeypatch.setattr(module, "CONFIG_FOLDER", tmp_path)
    (tmp_path / "many.toml").write_text('base = "default"\nname = "many"\nseeds = [2, 3]\n')
    config, small, many = (load_config(name) for name in ("default", "small", "many"))
    command = "    python -m crafx2 make {} -o BUNDLE --work FOLDER {}\n"
    songs = "--tributary ../target/release/tributary"
    for shipped in (config, small, replace(many, train=replace(many.train, seed=3))):
        card = info_of(generated, shipped).card
        assert "**Make it again**, in `model-export`:\n" in card
        assert command.format(shipped.name, songs) in card
    # A file that only bears the name, and a seed that `make` would not take.
    for other in (replace(config, start="random"), replace(config, train=replace(config.train, seed=9))):
        card = info_of(generated, other).card
        assert f"its configuration (`default`, seed {other.train.seed}; not in `configs/`) in CONFIG.toml" in flat(card)
        assert command.format("CONFIG.toml", songs) in card
    start_report(generated, config, "My set", 20, 2, "cuda:0", 1)
    (generated / "targets.json").write_text(json.dumps(default_targets()))
    card = info_of(generated, config).card
    assert "with its songs (My set), normalized, in SONGS and HELD-OUT; its targets in TARGETS.json:" in flat(card)
    assert command.format("default", "--data SONGS --held-out HELD-OUT --targets TARGETS.json") in card


def test_own_targets_go_into_the_contract_as_the_data_had_them(tmp_path):
    """With the configuration's levels where `crafx2 recipe` put them, and those it plays with; else as measured."""
    config, own = load_config("default"), default_targets()
    own["name"], own["stems"]["bass"]["peak_db"] = "my songs", -12.0
    (tmp_path / "averages.json").write_text(json.dumps(own))
    _, merged = write_normalization(config, tmp_path / "merged", tmp_path / "averages.json")
    for given, level, played, says in (
        (merged, config.played.loudness_lufs["bass"], config.played, "my songs, mix levels for"),
        (tmp_path / "averages.json", own["stems"]["bass"]["loudness_lufs"], Played(), "dynamics, and loudness."),
    ):
        keep_targets(tmp_path, given)
        info = info_of(tmp_path, config)
        assert info.targets == played.targets_after(json.loads(given.read_text()))
        assert info.targets["stems"]["bass"]["loudness_lufs"] == level
        assert says in " ".join(info.card.split())
