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
from crafx2.contract import REPOSITORY, STEMS, Window
from crafx2.errors import ModuleError
from crafx2.export import plain_output, session
from crafx2.module import LoadedModule, export_module, load_module

EXAMPLE = REPOSITORY / "model-export" / "examples" / "balance.py"


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
        export_module(LoadedModule(module, "wrong", Window()), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_files_that_do_not_fit_are_refused(tmp_path, capsys):
    (tmp_path / "empty.py").write_text("")
    assert main(["export-module", str(tmp_path / "empty.py"), "-o", str(tmp_path / "bundle")]) == 1
    assert "build()" in capsys.readouterr().err
    (tmp_path / "odd.py").write_text(f"{EXAMPLE.read_text()}\nWINDOW = {{'hop_frames': 100}}\n")
    with pytest.raises(ModuleError, match="multiple of 64"):
        load_module(tmp_path / "odd.py")


def test_the_engine_mixes_with_it(bundle, tmp_path):
    """Through `tributary mix`: the gains heard are the network's, for closing them silences the mix."""
    program = os.environ.get("TRIBUTARY")
    if program is None:
        print("SKIPPED: TRIBUTARY does not name the built program", file=sys.stderr)
        return
    rng, song = np.random.default_rng(2), tmp_path / "song"
    song.mkdir()
    for stem in STEMS:
        soundfile.write(song / f"{stem}.wav", 0.1 * rng.standard_normal((88_200, 2)), 44_100)
    muted = load_module(EXAMPLE)
    with torch.no_grad():
        muted.module.judge[2].bias.fill_(-30.0)
    export_module(muted, tmp_path / "muted")
    levels = {}
    for model in (bundle, tmp_path / "muted"):
        command = [program, "mix", str(song), "--model", str(model), "-o", str(tmp_path / "mix.wav")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        mix, _ = soundfile.read(tmp_path / "mix.wav")
        assert mix.shape == (88_200, 2)
        levels[model.name] = float(np.sqrt(np.mean(mix**2)))
    assert levels["bundle"] > 0.01
    assert levels["muted"] < 1e-5
