"""The measuring tools: streaming a bundle is the network, and a click is found."""

import numpy as np
import pytest
import soundfile
import torch

from crafx2.contract import STEMS, Window, default_targets
from crafx2.evaluate import alone_db, check_set, click_ratio, table
from crafx2.export import BundleInfo, export_bundle, parity_signal, plain_output
from crafx2.model import CRAFx2
from crafx2.songs import effects as fx
from crafx2.streaming import Stream, StreamResult, open_stream

#: One hop that covers the whole test signal: then streaming has nothing to approximate.
LONG = Window(context_frames=0, hop_frames=64 * 256, lookahead_frames=64 * 32, crossfade_frames=1_024)
SHORT = Window(context_frames=64 * 32, hop_frames=64 * 32, lookahead_frames=64 * 32, crossfade_frames=512)


def bundle(network, folder, window, form="split"):
    export_bundle(network, folder, BundleInfo("Test", "nothing", default_targets(), window=window), form=form)
    return open_stream(folder)


@pytest.mark.parametrize("form", ["split", "incremental"])
def test_streaming_a_transparent_network_is_transparent(tiny_transparent, tmp_path, form):
    stems = parity_signal(8, 64 * 200)
    result = bundle(tiny_transparent, tmp_path / "bundle", SHORT, form).run(stems)
    assert np.max(np.abs(result.mix - plain_output(tiny_transparent, stems))) < 1e-5
    assert result.mask_variation_db == pytest.approx(0.0, abs=1e-4)


def test_contributions_add_up_to_the_mix(tiny_random, tmp_path):
    stems = parity_signal(8, 64 * 100)
    network = tiny_random
    with torch.no_grad():
        # Contributions need filters that belong to one stem each.
        weight = torch.zeros_like(network.conv_1.weight)
        for channel in range(8):
            weight[16 * channel : 16 * channel + 16, channel] = network.conv_1.weight[
                16 * channel : 16 * channel + 16, channel
            ]
        network.conv_1.weight.copy_(weight)
    result = bundle(network, tmp_path / "bundle", SHORT).run(stems)
    total = sum(result.contributions[stem] for stem in STEMS)
    assert np.max(np.abs(np.tanh(total) - result.mix)) < 1e-4
    assert result.mask_variation_db > 0.0


def test_hops_make_the_same_length_and_no_clicks(tiny_transparent, tmp_path):
    time = np.arange(64 * 333) / 44_100
    tone = 0.1 * np.sin(2 * np.pi * 220 * time) * np.sin(np.pi * time / time[-1])
    stems = np.tile(tone, (8, 1)).astype(np.float32)
    result = bundle(tiny_transparent, tmp_path / "bundle", SHORT).run(stems, parts=False)
    assert result.mix.shape == (2, 64 * 333)
    assert click_ratio(result.mix, SHORT.hop_frames) < 1.5
    broken = result.mix.copy()
    broken[:, 3 * SHORT.hop_frames :] += 0.5
    assert click_ratio(broken, SHORT.hop_frames) > 2.0


def test_a_long_hop_is_close_to_the_whole_network(tiny_random, tmp_path):
    torch.manual_seed(9)
    network = CRAFx2(tiny_random.size).eval()
    network.transparent_initialize()
    with torch.no_grad():
        network.lstm.weight_ih_l0.normal_(0, 0.3)
    stems = parity_signal(8, LONG.hop_frames)
    result = bundle(network, tmp_path / "bundle", LONG).run(stems, parts=False)
    expected = plain_output(network, stems)
    error = np.sqrt(np.mean((result.mix - expected) ** 2) / np.mean(expected**2))
    assert error < 0.1


def test_masks_go_a_share_of_their_way(tiny_random, tmp_path):
    stream, stems = bundle(tiny_random, tmp_path / "bundle", SHORT), parity_signal(8, 64 * 1_024)
    whole, half = (stream.run(stems, parts=False, share=share) for share in (1.0, 0.5))
    assert whole.mask_variation_db > 0.05
    assert half.mask_variation_db == pytest.approx(0.5 * whole.mask_variation_db, rel=1e-3)
    assert half.mask_spread_db == pytest.approx(0.5 * whole.mask_spread_db, rel=1e-3)


def test_a_set_is_checked_song_by_song(tiny_transparent, song, tmp_path):
    export_bundle(tiny_transparent, tmp_path / "bundle", BundleInfo("Test", "nothing", default_targets()))
    for name in ("one", "two"):
        folder = tmp_path / "songs" / name
        folder.mkdir(parents=True)
        soundfile.write(folder / "drums.wav", song.stems["drums"][:, :50_000].T, 44_100, subtype="FLOAT")
        soundfile.write(folder / "mixture.wav", song.mixture[:, :50_000].T, 44_100, subtype="FLOAT")
    checks = check_set(tmp_path / "bundle", tmp_path / "songs")
    assert [check.name for check in checks] == ["one", "two"]
    assert abs(checks[0].stem_gain_db["drums"]) < 0.5
    assert np.isnan(checks[0].stem_gain_db["vocals"])
    assert checks[0].alone_db < 0.5
    assert checks[0].held_db < 0.2
    assert checks[0].loss["model"] == pytest.approx(checks[0].loss["frozen mask"], rel=0.02)
    assert "mean loss" in table(checks)


def test_a_bent_tone_is_found_in_a_stem_that_plays_alone():
    """A low pass of first order at 4 kHz leaves 18 dB less at 16 kHz; a plain gain leaves nothing to find."""

    class Bent(Stream):
        gain = 1.0

        def __init__(self, treat) -> None:
            self.treat = treat

        def run(self, stems, parts):
            return StreamResult(self.treat(stems[2:4] + stems[4:6]), {}, 0.0, 0.0)

    stems = np.zeros((8, 4 * 44_100), dtype=np.float32)
    stems[2:6] = 0.1 * np.random.default_rng(5).standard_normal((4, 4 * 44_100))
    assert alone_db(Bent(lambda audio: 0.5 * audio), stems, 1) < 0.01
    assert 12.0 < alone_db(Bent(lambda audio: fx.low_pass(audio, 4_000.0, order=1)), stems, 1) < 18.0
    assert alone_db(Bent(lambda audio: audio), stems, 3) == 0.0


def test_a_loud_bass_alone_is_not_bent_by_the_final_tanh(tiny_transparent, tmp_path):
    """Its harmonics lie above what a bass has there itself."""
    stems = np.zeros((8, 64 * 2_048), dtype=np.float32)
    time_s = np.arange(stems.shape[1]) / 44_100
    stems[2:4] = 0.7 * np.sin(2 * np.pi * 80.0 * time_s) + 0.02 * np.random.default_rng(6).standard_normal(time_s.size)
    stream = bundle(tiny_transparent, tmp_path / "bundle", SHORT)
    assert np.max(np.abs(stream.run(stems, parts=False).mix)) < 0.68
    assert alone_db(stream, stems, 1) < 0.5
