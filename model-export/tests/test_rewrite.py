"""A bundle rewritten from its own graphs: what its weights say is found, all agrees, what cannot be is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from crafx2.cli import main
from crafx2.contract import PARITY_TOLERANCE, default_targets, drive_gain, sha256_of
from crafx2.ends import DenseAnalysis, EndWeights, Front
from crafx2.errors import ParityError, UserError
from crafx2.export import BundleInfo, export_bundle, parity_signal, plain_output
from crafx2.front_end import middle_and_side, shared_bank
from crafx2.graphs import Whole
from crafx2.model import CRAFx2, NetworkSize, transparent_network
from crafx2.rewrite import rewrite_bundle
from crafx2.runtime import run_stepped
from crafx2.streaming import open_stream

INFO = BundleInfo("Test", "nothing", default_targets(), card="# Test\n\nA model.\n\nLicense: MIT.\n")
DRIVE_DB = -12.0


@pytest.fixture()
def shared(tiny_random):
    """A network whose front end is a shared bank, all else random."""
    with torch.no_grad():
        tiny_random.conv_1.weight.copy_(middle_and_side(0.05 * torch.randn(16, 64), 4))
    return tiny_random


@pytest.fixture()
def dense_bundle(shared, tmp_path, monkeypatch):
    """Its bundle, exported as if nothing were known of the weights."""
    with monkeypatch.context() as patch:
        patch.setattr(EndWeights, "shared_bank", lambda weights: None)
        export_bundle(shared, tmp_path / "dense", INFO)
    return tmp_path / "dense"


def contract_of(bundle):
    return json.loads((bundle / "contract.json").read_text())


def files_of(bundle):
    return {path.name: path.read_bytes() for path in bundle.iterdir()}


def test_only_a_bank_of_middle_and_side_is_a_shared_one(shared):
    weight = shared.conv_1.weight.detach()
    assert torch.equal(middle_and_side(shared_bank(weight), 4), weight)
    moved = weight.clone()
    moved[100, 3, 5] += 1e-6
    assert shared_bank(moved) is None
    assert shared_bank(torch.randn(6, 8, 64)) is None


def test_a_dense_bundle_becomes_a_shared_one_and_sounds_the_same(dense_bundle, tmp_path):
    target = tmp_path / "new"
    differences = rewrite_bundle(dense_bundle, target)
    assert set(differences) == {"latent", "level", "bands", "mix", "parity"}
    assert max(differences.values()) <= PARITY_TOLERANCE
    assert (target / "front.onnx").stat().st_size < (dense_bundle / "front.onnx").stat().st_size / 2
    before, after = contract_of(dense_bundle), contract_of(target)
    for end in ("front", "back"):
        assert after["network"][end]["sha256"] == sha256_of(target / f"{end}.onnx")
        before["network"][end] = after["network"][end]
    assert before == after
    old, new = files_of(dense_bundle), files_of(target)
    assert {name for name in new if new[name] != old[name]} == {"front.onnx", "back.onnx", "contract.json", "CARD.md"}
    stems = parity_signal(8, 64 * 300, seed=4)
    mixes = [open_stream(bundle).run(stems, parts=False).mix for bundle in (dense_bundle, target)]
    assert np.max(np.abs(mixes[0] - mixes[1])) < 2e-6
    assert np.max(np.abs(mixes[0])) > 0.01


def test_rewriting_twice_changes_nothing_more(dense_bundle, tmp_path):
    target = tmp_path / "new"
    rewrite_bundle(dense_bundle, target)
    once = files_of(target)
    assert main(["rewrite", str(target), "-o", str(target)]) == 0
    assert files_of(target) == once
    card = (target / "CARD.md").read_text()
    assert card.count("**Graphs.**") == 1
    assert card.endswith("\n\nLicense: MIT.\n")


@pytest.mark.parametrize("bands", [2, 8, 12])
def test_a_shared_bank_of_any_number_of_bands_is_exported(tiny_random, tmp_path, bands):
    network = transparent_network(replace(tiny_random.size, filters=8 * bands, lstm_hidden=4 * bands), 1).eval()
    export_bundle(network, tmp_path / "bundle", INFO)
    assert EndWeights.read(tmp_path / "bundle" / "front.onnx", 8).shared_bank().shape == (bands, 64)


def test_weights_that_share_nothing_stay_dense(tiny_random, tmp_path):
    export_bundle(tiny_random, tmp_path / "bundle", INFO, form="split")
    rewrite_bundle(tmp_path / "bundle", tmp_path / "new")
    read = EndWeights.read(tmp_path / "new" / "front.onnx", 8)
    assert torch.equal(read.analysis, tiny_random.conv_1.weight.detach())
    assert isinstance(Front(read).analysis, DenseAnalysis)


def test_a_drive_is_the_tanh_of_less_with_more_behind_it(dense_bundle, tmp_path):
    """The whole mix as a function of itself: what a lower drive does is known from the plain network's output."""
    loud, gain = parity_signal(8, 64 * 256), drive_gain(DRIVE_DB)
    rewrite_bundle(dense_bundle, tmp_path / "new", DRIVE_DB)
    contract = contract_of(tmp_path / "new")
    network = contract["network"]
    assert network["output_drive_db"] == contract["notes"]["network_arguments"]["output_drive_db"] == DRIVE_DB
    plain, driven = run_stepped(dense_bundle, network, loud), run_stepped(tmp_path / "new", network, loud, gain)
    assert 0.5 < np.max(np.abs(plain)) < 0.99
    assert np.max(np.abs(driven - np.tanh(gain * np.arctanh(plain.astype(np.float64))) / gain)) < 1e-4
    assert np.max(np.abs(driven - plain)) > 0.1
    assert np.max(np.abs(open_stream(tmp_path / "new").before_tanh(driven) - np.arctanh(plain))) < 1e-4


def test_a_network_of_a_lower_drive_is_exported_with_it(shared, dense_bundle, tmp_path):
    network = CRAFx2(replace(shared.size, output_drive_db=DRIVE_DB)).eval()
    network.load_state_dict(shared.state_dict())
    stems = 4.0 * parity_signal(8, 64 * 200)
    plain, driven, gain = plain_output(shared, stems), plain_output(network, stems), drive_gain(DRIVE_DB)
    assert np.max(np.abs(driven - np.tanh(gain * np.arctanh(plain.astype(np.float64))) / gain)) < 1e-4
    with torch.no_grad():
        assert np.max(np.abs(Whole(network)(torch.from_numpy(stems)[None])[0].numpy() - driven)) < 1e-5
    for form in ("incremental", "split", "whole"):
        export_bundle(network, tmp_path / form, INFO, form=form)
        drive = contract_of(tmp_path / form)["network"].get("output_drive_db")
        assert drive == (None if form == "whole" else DRIVE_DB)
    # From a checkpoint or from the graphs of a bundle: the same.
    rewrite_bundle(dense_bundle, tmp_path / "new", DRIVE_DB)
    made = [np.fromfile(tmp_path / name / "parity_output.f32", "<f4") for name in ("new", "incremental")]
    assert np.max(np.abs(made[0] - made[1])) < PARITY_TOLERANCE


def test_a_drive_upward_is_refused():
    with pytest.raises(ValueError, match="output_drive_db is 3"):
        NetworkSize(output_drive_db=3.0)


def test_graphs_that_differ_are_refused_and_the_bundle_stays(dense_bundle, monkeypatch):
    before, read = files_of(dense_bundle), EndWeights.read

    def wrong(front, inputs):
        weights = read(front, inputs)
        return EndWeights(weights.analysis * 1.001, weights.smoothing)

    monkeypatch.setattr(EndWeights, "read", staticmethod(wrong))
    with pytest.raises(ParityError, match="differ from the old ones"):
        rewrite_bundle(dense_bundle, dense_bundle)
    assert files_of(dense_bundle) == before


def test_a_whole_graph_has_no_ends(tiny_random, tmp_path, capsys):
    export_bundle(tiny_random, tmp_path / "bundle", INFO, form="whole")
    with pytest.raises(UserError, match="kind whole"):
        rewrite_bundle(tmp_path / "bundle", tmp_path / "new")
    assert main(["rewrite", str(tmp_path / "bundle"), "-o", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err.startswith("crafx2: ")
