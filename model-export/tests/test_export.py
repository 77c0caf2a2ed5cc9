"""Bundles: split, whole and plain agree; a wrong graph is never exported; nothing is left half written."""

import json

import numpy as np
import pytest
import torch

from crafx2 import export as export_module
from crafx2.contract import PARITY_TOLERANCE, Window, default_targets, sha256_of
from crafx2.ends import Back
from crafx2.export import (
    BundleInfo,
    ParityError,
    check_parity,
    export_bundle,
    parity_signal,
    plain_output,
    write_graphs,
)
from crafx2.runtime import named_in, run_split, session

INFO = BundleInfo("Test", "nothing", default_targets(None, {"vocals": -18.0}))


def test_every_form_agrees_with_the_plain_network(tiny_random, tmp_path):
    for form, parts in (
        ("split", {"split"}),
        ("whole", {"whole"}),
        ("incremental", {"temporal", "recurrent", "front and back"}),
    ):
        write_graphs(tiny_random, tmp_path, form=form)
        differences = check_parity(tiny_random, tmp_path, form=form)
        assert set(differences) == parts
        assert max(differences.values()) <= PARITY_TOLERANCE


def test_whole_graph_agrees_up_to_the_edges(tiny_random, tmp_path):
    write_graphs(tiny_random, tmp_path, form="whole")
    stems = np.random.default_rng(1).standard_normal((8, 64 * 50)).astype(np.float32) * 0.1
    mix = session(tmp_path / "whole.onnx").run(None, {"stems": stems[None]})[0][0]
    assert np.max(np.abs(mix - plain_output(tiny_random, stems))) <= PARITY_TOLERANCE


def test_front_end_streams_exactly(tiny_random, tmp_path):
    """Two halves with real context give what one run gives: the engine's cache relies on it."""
    write_graphs(tiny_random, tmp_path, form="split")
    front = session(tmp_path / "front.onnx")
    x = np.random.default_rng(2).standard_normal((1, 8, 128 + 1_280 + 128)).astype(np.float32)
    whole = front.run(None, {"stems": x})
    first = front.run(None, {"stems": x[:, :, : 128 + 640 + 128]})
    second = front.run(None, {"stems": x[:, :, 640:]})
    for complete, *parts in zip(whole, first, second, strict=True):
        assert np.max(np.abs(complete - np.concatenate(parts, axis=2))) < 1e-5


def test_bundle_is_complete_and_parity_vectors_hold(tiny_random, tmp_path):
    target = tmp_path / "bundle"
    export_bundle(tiny_random, target, INFO, form="split")
    contract = json.loads((target / "contract.json").read_text())
    assert contract["format"] == 1
    assert contract["network"]["kind"] == "split"
    for graph in ("front", "latent", "back"):
        reference = contract["network"][graph]
        assert sha256_of(target / reference["file"]) == reference["sha256"]
    assert sha256_of(target / "targets.json") == contract["targets"]["sha256"]
    assert json.loads((target / "targets.json").read_text())["stems"]["vocals"]["loudness_lufs"] == -18.0
    frames = contract["parity"]["frames"]
    stems = np.fromfile(target / "parity_input.f32", "<f4").reshape(8, frames)
    mix = np.fromfile(target / "parity_output.f32", "<f4").reshape(2, frames)
    assert np.max(np.abs(run_split(named_in(target), stems) - mix)) <= contract["parity"]["tolerance"]
    assert np.max(np.abs(mix)) > 1e-3
    assert not [path.name for path in tmp_path.iterdir() if path.name != "bundle"]


def test_a_wrong_graph_is_refused_and_the_old_bundle_stays(tiny_random, tmp_path, monkeypatch):
    target = tmp_path / "bundle"
    export_bundle(tiny_random, target, INFO)
    before = sha256_of(target / "contract.json")

    class Louder(Back):
        def forward(self, bands, mask):
            return super().forward(bands, mask) * 1.001

    monkeypatch.setattr(export_module, "Back", Louder)
    with pytest.raises(ParityError, match="front and back"):
        export_bundle(tiny_random, target, INFO)
    assert sha256_of(target / "contract.json") == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_whole_bundle_names_its_graph(tiny_random, tmp_path):
    export_bundle(tiny_random, tmp_path / "bundle", INFO, form="whole")
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert contract["network"]["kind"] == "whole"
    assert (tmp_path / "bundle" / "whole.onnx").is_file()
    assert not (tmp_path / "bundle" / "front.onnx").exists()


def test_only_what_steps_says_how_long_computing_takes(tiny_random, tmp_path):
    def window(**more):
        info = BundleInfo("Test", "nothing", default_targets(), **more.pop("info", {}))
        export_bundle(tiny_random, tmp_path / "bundle", info, **more)
        return json.loads((tmp_path / "bundle" / "contract.json").read_text())["window"]

    assert window()["computing_share"] == 0.24
    assert window(info={"window": Window(computing_share=0.5)})["computing_share"] == 0.5
    assert "computing_share" not in window(form="whole"), "one graph over the window may take all of a hop"
    with pytest.raises(ValueError, match="computing_share"):
        Window(computing_share=0.01)


def test_the_window_decides_the_mask(tiny_random):
    """The test network must not be transparent, or the tests above would prove little."""
    stems = parity_signal(8, 64 * 100)
    mix = plain_output(tiny_random, stems)
    plain = np.tanh(stems.reshape(4, 2, -1).sum(axis=0))
    assert np.max(np.abs(mix - plain)) > 0.01
    assert torch.isfinite(torch.from_numpy(mix)).all()
