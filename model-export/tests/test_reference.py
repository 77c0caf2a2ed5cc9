"""Published checkpoints and features: computed as published, refused in words, nothing executed.

No published file is here: the tests make checkpoints of exactly that form, and compute what the published network
computes from the raw names, without our modules.
"""

import json
import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as F

from crafx2.checkpoint import CheckpointError
from crafx2.cli import main
from crafx2.features import FeaturesError, load_features, targets_from_features
from crafx2.reference import network_from_published, read_published, size_of

SHARED_FEATURES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "features_MUSDB18.npy"


def published_shapes(filters=128, bottleneck=256, hidden=128, skip=64, repeats=4, blocks=6, squeeze=2048):
    """Names and shapes of the released network's state dictionary."""
    shapes = {"layerNorm.weight": [filters], "layerNorm.bias": [filters]}
    shapes |= {"bottleneck_conv1x1.weight": [bottleneck, filters, 1], "bottleneck_conv1x1.bias": [bottleneck]}
    for place in (f"repeats.{r}.{b}" for r in range(repeats) for b in range(blocks)):
        for name, out, into, width in (
            ("conv1x1", hidden, bottleneck, 1),
            ("depthwise_conv", hidden, 1, 3),
            ("skip_out", skip, hidden, 1),
            ("res_out", bottleneck, hidden, 1),
        ):
            shapes |= {f"{place}.{name}.weight": [out, into, width], f"{place}.{name}.bias": [out]}
        for number in (1, 2):
            shapes[f"{place}.nonlinearity{number}.weight"] = [1]
            shapes |= {f"{place}.norm{number}.{kind}": [hidden] for kind in ("weight", "bias")}
    shapes |= {"output.0.weight": [1], "output.1.weight": [filters, skip, 1], "output.1.bias": [filters]}
    shapes |= {"conv_1.weight": [filters, 8, 64], "conv_2.0.weight": [filters, 1, 128]}
    for layer in range(3):
        for end in ("", "_reverse"):
            shapes[f"blstm.weight_ih_l{layer}{end}"] = [2 * filters, filters]
            shapes[f"blstm.weight_hh_l{layer}{end}"] = [2 * filters, filters // 2]
            shapes |= {f"blstm.bias_{kind}_l{layer}{end}": [2 * filters] for kind in ("ih", "hh")}
    shapes |= {"se_block.net.0.weight": [squeeze, filters], "se_block.net.0.bias": [squeeze]}
    return shapes | {"se_block.net.2.weight": [filters, squeeze], "se_block.net.2.bias": [filters]}


def random_state(**sizes):
    generator = torch.Generator().manual_seed(4)
    state = {}
    for name, shape in published_shapes(**sizes).items():
        fan_in = math.prod(shape[1:]) if len(shape) > 1 else shape[0]
        state[name] = torch.randn(shape, generator=generator) / math.sqrt(fan_in)
        if "norm" in name.lower() and name.endswith("weight"):
            state[name] = 1.0 + 0.1 * state[name]
    state["conv_2.0.weight"] *= 8.0
    return state


SMALL = {"filters": 16, "bottleneck": 12, "hidden": 10, "skip": 6, "repeats": 2, "blocks": 3, "squeeze": 40}


@pytest.fixture(scope="module")
def small():
    return random_state(**SMALL)


def published_forward(state, x, repeats, blocks):
    """The released forward pass, from §3 of the notes on it; `(1, 8, T)` to `(1, 2, T)`, interior exact."""
    bands = F.conv1d(F.pad(x, (31, 32)), state["conv_1.weight"])
    smooth = F.conv1d(F.pad(bands.abs(), (63, 64)), state["conv_2.0.weight"], groups=bands.shape[1])
    latent = F.max_pool1d(F.softplus(smooth), 64)

    def norm(value, name):
        return F.group_norm(value, 1, state[f"{name}.weight"], state[f"{name}.bias"], 1e-8)

    def conv(value, name, **options):
        return F.conv1d(value, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    z, skips = conv(norm(latent, "layerNorm"), "bottleneck_conv1x1"), 0.0
    for r in range(repeats):
        for b in range(blocks):
            at, wide = f"repeats.{r}.{b}", 2**b
            y = norm(F.prelu(conv(z, f"{at}.conv1x1"), state[f"{at}.nonlinearity1.weight"]), f"{at}.norm1")
            y = conv(y, f"{at}.depthwise_conv", padding=wide, dilation=wide, groups=y.shape[1])
            y = norm(F.prelu(y, state[f"{at}.nonlinearity2.weight"]), f"{at}.norm2")
            skips, z = skips + conv(y, f"{at}.skip_out"), z + conv(y, f"{at}.res_out")
    z = F.softplus(conv(F.prelu(skips, state["output.0.weight"]), "output.1"))
    lstm = torch.nn.LSTM(z.shape[1], z.shape[1] // 2, 3, batch_first=True, bidirectional=True)
    lstm.load_state_dict({name[6:]: value for name, value in state.items() if name.startswith("blstm.")})
    mask = F.softplus(lstm(z.transpose(1, 2))[0]).transpose(1, 2).repeat_interleave(64, dim=2)
    masked = mask * bands
    inner = F.relu(F.linear(masked.abs().mean(2), state["se_block.net.0.weight"], state["se_block.net.0.bias"]))
    gate = torch.sigmoid(F.linear(inner, state["se_block.net.2.weight"], state["se_block.net.2.bias"]))
    # The released code crops 31 and 32 samples of what goes into the transposed convolution.
    stems = F.conv_transpose1d((masked * gate[..., None])[..., 31:-32], state["conv_1.weight"])
    return torch.tanh(stems.view(1, 4, 2, -1).sum(dim=1))


def save(state, folder, name="current_model_for_mixture.params"):
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / name)
    return folder / name


def test_the_imported_network_computes_what_the_published_one_does(small):
    network = network_from_published(small)
    torch.manual_seed(2)
    stems = 0.3 * torch.randn(1, 8, 64 * 60)
    with torch.no_grad():
        expected = published_forward(small, stems, SMALL["repeats"], SMALL["blocks"])
        found = network(stems)
    # Only the outermost filter length differs: ours crops after the synthesis.
    assert float((found - expected)[..., 64:-64].abs().max()) < 2e-6
    assert float(expected.std()) > 1e-3
    swapped = stems.view(1, 4, 2, -1)[:, [0, 2, 1, 3]].reshape(stems.shape)
    with torch.no_grad():
        assert float((network(swapped) - expected)[..., 64:-64].abs().max()) > 1e-3


def test_a_checkpoint_of_the_published_form_becomes_a_bundle(tmp_path):
    """At the published size, through the command, whose export refuses graphs that do not compute the same."""
    state = random_state()
    assert sum(value.numel() for value in state.values()) == 2_752_817
    path = save(state, tmp_path / "ours_S_Lb")
    assert main(["import", str(path), "-o", str(tmp_path / "bundle")]) == 0
    signal_statistics = np.fromfile(tmp_path / "bundle" / "statistics.f32", "<f4")
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text())
    assert contract["stems"] == ["vocals", "bass", "drums", "other"]
    assert contract["recipe"]["kind"] == "published"
    assert all(contract["recipe"][name] == {"enabled": True, "amount": 1.0} for name in ("equalization", "panning"))
    assert contract["name"] == "FxNorm-Automix ours_S_Lb"
    targets = json.loads((tmp_path / "bundle" / "targets.json").read_text())
    assert targets["stems"]["drums"]["loudness_lufs"] == pytest.approx(-34.178, abs=1e-3)

    # With songs, which need no mixture, its running averages begin with music.
    (tmp_path / "songs" / "one").mkdir(parents=True)
    for stem in contract["stems"]:
        noise = 0.05 * np.random.default_rng(len(stem)).standard_normal((44_100, 2))
        soundfile.write(tmp_path / "songs" / "one" / f"{stem}.wav", noise, 44_100)
    with_songs = ["import", str(path), "-o", str(tmp_path / "heard"), "--songs", str(tmp_path / "songs")]
    assert main(with_songs) == 0
    song_statistics = np.fromfile(tmp_path / "heard" / "statistics.f32", "<f4")
    assert song_statistics.shape == signal_statistics.shape
    assert np.all(np.isfinite(song_statistics))
    assert not np.allclose(song_statistics, signal_statistics, rtol=0.01)


def broken(small, case):
    state = dict(small)
    match case:
        case "missing":
            del state["repeats.1.2.norm2.bias"]
        case "unknown":
            state["decoder.weight"] = torch.zeros(3)
        case "shape":
            state["se_block.net.2.bias"] = torch.zeros(17)
        case "mono":
            state["conv_1.weight"] = torch.zeros(16, 4, 64)
        case "taps":
            state["conv_2.0.weight"] = torch.zeros(16, 1, 64)
        case "not a number":
            state["layerNorm.bias"] = torch.full((16,), math.nan)
        case "view":
            state["layerNorm.bias"] = torch.zeros(1).expand(16)
        case "gap":
            state = {name: value for name, value in state.items() if not name.startswith("repeats.0.1")}
        case "text":
            state["comment"] = "hello"
        case "initial":
            state |= {name: torch.ones_like(v) for name, v in state.items() if ".norm" in name and "weight" in name}
            state["layerNorm.weight"] = torch.ones(16)
    return state


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "lacks 1 tensors"),
        ("unknown", "decoder.weight"),
        ("shape", r"\[17\]; expected \[16\]"),
        ("mono", "takes 4 channels"),
        ("taps", "64 and 64 taps"),
        ("not a number", "no finite number"),
        ("view", "plain floating-point"),
        ("gap", "temporal blocks"),
        ("text", "no tensor"),
        ("initial", "pre-training"),
    ],
)
def test_every_mismatch_is_a_sentence(small, tmp_path, case, words):
    path = save(broken(small, case), tmp_path)
    with pytest.raises(CheckpointError, match=words):
        network_from_published(read_published(path))


def test_files_that_are_no_checkpoints_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.params"
    path.write_bytes(b"not a zip")
    with pytest.raises(CheckpointError, match=r"1\.6"):
        read_published(path)
    save([1, 2], tmp_path, "list.params")
    with pytest.raises(CheckpointError, match="state dictionary"):
        read_published(tmp_path / "list.params")
    monkeypatch.setattr("crafx2.reference.SIZE_LIMIT_BYTES", 100)
    with pytest.raises(CheckpointError, match="at most 100"):
        read_published(tmp_path / "list.params")


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_checkpoint_that_would_run_code_does_not(tmp_path):
    path = save({"conv_1.weight": Evil(tmp_path / "ran")}, tmp_path, "evil.params")
    with pytest.raises(CheckpointError, match="more than tensors"):
        read_published(path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Evil(tmp_path / "ran")))  # the positive control: it would
    assert (tmp_path / "ran").exists()


def test_sizes_follow_from_the_shapes(small):
    size = size_of(small)
    assert (size.filters, size.repeats, size.blocks, size.lstm_hidden, size.squeeze) == (16, 2, 3, 8, 40)


def features(**changes):
    rng = np.random.default_rng(1)
    stems = ("vocals", "drums", "bass", "other")
    table = {
        "eq": {stem: (1.0 + rng.random(32_769)).astype(np.float32) for stem in stems},
        "panning": {stem: (0.9 + 0.05 * rng.random(32_769)).astype(np.float32) for stem in stems},
        "compression": {stem: np.array([-14.0, 1.2]) for stem in stems},
        "loudness": {stem: np.array([-30.0 - index]) for index, stem in enumerate(stems)},
    }
    return table | changes


def save_features(table, path):
    np.save(path, np.array(table, dtype=object), allow_pickle=True)
    return path


def test_features_are_read_and_smoothed_once_more(tmp_path):
    table = features()
    path = save_features(table, tmp_path / "features_test.npy")
    found = load_features(path)
    assert np.array_equal(found["eq"]["bass"], table["eq"]["bass"].astype(np.float64))
    targets = targets_from_features(path)
    assert targets["stems"]["drums"]["loudness_lufs"] == -31.0
    hz, level_db = targets["stems"]["bass"]["spectrum"][100]
    assert hz == pytest.approx(3_200 * 44_100 / 65_536, abs=1e-3)
    mean = np.mean(table["eq"]["bass"][3_200 - 75 : 3_200 + 76])
    assert level_db == pytest.approx(20 * math.log10(mean), abs=2e-3)
    assert len(targets["stems"]["bass"]["phi"]) == 1_025
    assert main(["import-targets", str(path), "-o", str(tmp_path / "targets.json"), "--name", "A set"]) == 0
    assert json.loads((tmp_path / "targets.json").read_text()) == targets | {"name": "A set"}
    assert main(["import-targets", str(tmp_path / "absent.npy"), "-o", str(tmp_path / "none.json")]) == 1
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (features(loudness={}), "loudness for vocals"),
        (features(compression={s: np.zeros(3) for s in ("vocals", "bass", "drums", "other")}), "3 values; expected 2"),
        (features(eq={"vocals": np.full(32_769, np.nan)}), "finite"),
        (features(eq={"vocals": np.zeros(4, dtype=np.int64)}), "'i8'"),
        (features(eq={"vocals": np.zeros(4, dtype=">f4")}), "big-endian"),
        (features(eq=Evil(Path("ran"))), "which no list of numbers needs"),
        ("text", "no entry eq"),
    ],
)
def test_wrong_features_are_refused_in_words(tmp_path, table, words):
    path = tmp_path / "features.npy"
    np.save(path, np.array(table, dtype=object), allow_pickle=True)
    with pytest.raises(FeaturesError, match=words):
        load_features(path)


def test_damaged_features_are_refused(tmp_path):
    path = save_features(features(), tmp_path / "features.npy")
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(FeaturesError, match="not a readable"):
        load_features(path)
    np.save(path, np.zeros(3))
    with pytest.raises(FeaturesError, match="one dictionary"):
        load_features(path)


def test_the_public_features_are_the_default_targets():
    if not SHARED_FEATURES.is_file():
        print("SKIPPED: ../shared/reference/features_MUSDB18.npy is absent", file=sys.stderr)
        return
    from crafx2.contract import default_targets

    ours, shipped = targets_from_features(SHARED_FEATURES), default_targets()
    for stem, entry in shipped["stems"].items():
        found = ours["stems"][stem]
        for key in ("loudness_lufs", "peak_db", "peak_std_db"):
            assert found[key] == pytest.approx(entry[key], abs=2e-4)
        for key, tolerance in (("spectrum", 0.3), ("phi", 0.003)):
            points = np.array(found[key])
            for hz, value in entry[key]:
                if 60.0 < hz < 12_000.0:
                    around = hz * 2.0 ** np.linspace(
                        -1 / 12, 1 / 12, 25
                    )  # the shipped points are sixth-octave averages
                    assert np.mean(np.interp(around, *points.T)) == pytest.approx(value, abs=tolerance), (stem, key, hz)
