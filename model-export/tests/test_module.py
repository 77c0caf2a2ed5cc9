"""The door for other architectures: the example goes through export, ONNX Runtime and, where built, the engine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from crafx2.cli import main
from crafx2.config import load_config
from crafx2.contract import REPOSITORY, STEMS, Window, default_targets
from crafx2.errors import ModuleError
from crafx2.export import plain_output
from crafx2.module import LoadedModule, export_module, load_module
from crafx2.runtime import session

EXAMPLE = REPOSITORY / "model-export" / "examples" / "balance.py"
NORMALIZATION = {"recipe": load_config("default").recipe, "targets": default_targets()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    target = tmp_path_factory.mktemp("module") / "bundle"
    assert main(["export-module", str(EXAMPLE), "-o", str(target), "--name", "Balance"]) == 0
    return target


def test_the_example_becomes_a_whole_bundle(bundle):
    contract = json.loads((bundle / "contract.json").read_text())
    assert (contract["network"]["kind"], contract["architecture"], contract["name"]) == ("whole", "balance", "Balance")
    assert contract["window"]["context_frames"] == 44_096
    stems = 0.2 * np.random.default_rng(1).standard_normal((8, 64 * 50)).astype(np.float32)
    mix = session(bundle / "whole.onnx").run(None, {"stems": stems[None]})[0][0]
    assert np.max(np.abs(mix - plain_output(load_module(EXAMPLE).module, stems))) < 1e-5
    assert np.max(np.abs(mix - np.tanh(stems.reshape(4, 2, -1).sum(axis=0)))) > 0.01


def test_stems_are_normalized_as_those_it_was_trained_on(bundle, tmp_path):
    own = tmp_path / "own.json"
    own.write_text(json.dumps(default_targets() | {"name": "my songs"}))
    other = ["--config", "published-La", "--targets", str(own)]
    assert main(["export-module", str(EXAMPLE), "-o", str(tmp_path / "bundle"), *other]) == 0
    found = {}
    for folder in (bundle, tmp_path / "bundle"):
        contract, targets = (json.loads((folder / f"{name}.json").read_text()) for name in ("contract", "targets"))
        found[folder] = contract["recipe"]["kind"], targets["name"], targets["stems"]["vocals"]["loudness_lufs"]
    published, loudness = default_targets(), load_config("default").loudness_lufs
    assert found[bundle] == ("paper", f"{published['name']}, mix levels", loudness["vocals"])
    assert found[tmp_path / "bundle"] == ("published", "my songs", published["stems"]["vocals"]["loudness_lufs"])


def test_weights_are_loaded(tmp_path):
    trained = load_module(EXAMPLE).module
    with torch.no_grad():
        trained.judge[2].bias.fill_(-20.0)
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    loaded = load_module(EXAMPLE, tmp_path / "weights.pt")
    assert np.max(np.abs(plain_output(loaded.module, np.full((8, 640), 0.1, np.float32)))) < 1e-6


class Shorter(nn.Module):
    def forward(self, stems):
        return stems[:, :2, :-1]


class Random(nn.Module):
    def forward(self, stems):
        return stems[:, :2] + torch.rand_like(stems[:, :2])


@pytest.mark.parametrize(("module", "words"), [(Shorter(), r"expected \[2, 640\]"), (Random(), "same twice")])
def test_networks_that_do_not_fit_are_refused(tmp_path, module, words):
    with pytest.raises(ModuleError, match=words):
        export_module(LoadedModule(module, "wrong", Window()), tmp_path / "bundle", **NORMALIZATION)
    assert not (tmp_path / "bundle").exists()


def test_files_that_do_not_fit_are_refused(tmp_path, capsys):
    (tmp_path / "empty.py").write_text("")
    assert main(["export-module", str(tmp_path / "empty.py"), "-o", str(tmp_path / "bundle")]) == 1
    assert "build()" in capsys.readouterr().err
    (tmp_path / "odd.py").write_text(f"{EXAMPLE.read_text()}\nWINDOW = {{'hop_frames': 100}}\n")
    with pytest.raises(ModuleError, match="multiple of 64"):
        load_module(tmp_path / "odd.py")


def named_in_environment(*names):
    """What `cargo xtask test` has built and names there; `None`, and a word, where one is missing."""
    values = [os.environ.get(name) for name in names]
    if None in values:
        print(f"SKIPPED: what is built is not named in {' and '.join(names)}", file=sys.stderr)
        return None
    return values


@pytest.mark.parametrize("through", ["program", "plug-in"])
def test_the_engine_mixes_with_it(bundle, tmp_path, through):
    """Through `tributary mix` and in a host: the gains heard are the network's, for closing them takes the mix away."""
    built = named_in_environment(*(("TRIBUTARY",) if through == "program" else ("TRIBUTARY_HOST", "TRIBUTARY_CLAP")))
    if built is None:
        return
    rng, song, out = np.random.default_rng(2), tmp_path / "song", tmp_path / "mix.wav"
    song.mkdir()
    for stem in STEMS:
        soundfile.write(song / f"{stem}.wav", 0.1 * rng.standard_normal((88_200, 2)), 44_100)
    closed = load_module(EXAMPLE)
    with torch.no_grad():
        closed.module.judge[2].bias.fill_(-12.0)
    export_module(closed, tmp_path / "closed", **NORMALIZATION)
    levels = {}
    for model in (bundle, tmp_path / "closed"):
        if through == "program":
            command = [built[0], "mix", song, "--model", model, "-o", out]
        else:
            command = [built[0], "--clap", built[1], "--stems", song, "--out", out]
        environment = {**os.environ, "TRIBUTARY_MODEL": str(model)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        mix, _ = soundfile.read(out)
        assert mix.shape == (88_200, 2)
        levels[model.name] = float(np.sqrt(np.mean(mix**2)))
    assert levels["bundle"] > 0.01
    assert levels["closed"] < 1e-5
