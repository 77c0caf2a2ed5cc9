"""The network: size as published, a transparent start, and gradients equal to autograd's."""

import copy
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from crafx2 import front_end
from crafx2.front_end import convolve, convolve_depthwise, filter_bank
from crafx2.frozen import FrozenBank
from crafx2.model import CRAFx2, NetworkSize, SongNorm, count_parameters, transparent_network


def test_published_size_has_the_published_number_of_parameters():
    assert count_parameters(CRAFx2()) == 2_752_817


def test_parts_have_the_published_number_of_parameters():
    network = CRAFx2()
    temporal = network.temporal
    assert count_parameters(temporal.norm) == 256
    assert count_parameters(temporal.bottleneck) == 33_024
    assert count_parameters(temporal.blocks) == 1_804_848
    assert count_parameters(temporal.activation) + count_parameters(temporal.output) == 8_321
    assert count_parameters(network.conv_1) == 65_536
    assert count_parameters(network.conv_2) == 16_384
    assert count_parameters(network.lstm) == 297_984
    assert count_parameters(network.squeeze) + count_parameters(network.excite) == 526_464


def test_transparent_start_is_the_sum_of_the_stems(tiny_transparent, song):
    frames = 3 * 44_100 // 64 * 64
    stems = torch.zeros(1, 8, frames)
    for index, stem in enumerate(("vocals", "bass", "drums", "other")):
        audio = torch.from_numpy(song.stems[stem][:, :frames]).float()
        stems[0, 2 * index : 2 * index + 2] = 0.1 * audio
    expected = torch.tanh(stems.view(1, 4, 2, frames).sum(dim=1))
    with torch.no_grad():
        error = tiny_transparent(stems) - expected
    assert expected.square().mean() > 1e-6
    sdr_db = 10 * torch.log10(expected.square().sum() / error.square().sum())
    assert sdr_db > 30.0


def test_transparent_start_holds_for_the_published_latent_mixer():
    network = transparent_network(NetworkSize(repeats=1, blocks=2), seed=1).eval()
    stems = 0.02 * torch.randn(1, 8, 64 * 64)
    expected = stems.view(1, 4, 2, -1).sum(dim=1)[..., 64:-64]
    with torch.no_grad():
        error = network(stems)[..., 64:-64] - expected
    assert 10 * torch.log10(expected.square().sum() / error.square().sum()) > 30.0


def test_filter_bank_is_power_complementary():
    bank = torch.from_numpy(filter_bank(16, 64)).double()
    power = torch.fft.rfft(bank, n=1_024).abs().square().sum(dim=0)
    assert (power - 1.0).abs().max() < 0.01


def moved(size: NetworkSize, seed: int) -> CRAFx2:
    """The transparent network with other masks and gates; random numbers go on from `seed`."""
    network = transparent_network(size, seed=3).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        network.excite.weight.normal_(0, 0.3)
        for parameter in network.lstm.parameters():
            parameter.normal_(0, 0.2)
    return network


def test_frozen_bank_is_the_network_up_to_its_smoothing(tiny_transparent):
    network = moved(tiny_transparent.size, seed=4)
    bank = FrozenBank(network)
    stems = 0.03 * torch.randn(2, 8, 64 * 100)
    plain, fast = network(stems), bank.forward(network, stems)
    transparent = torch.tanh(stems.view(2, 4, 2, -1).sum(dim=1))
    assert (plain - fast).norm() < 0.06 * (plain - transparent).norm()
    latent, approximate = network.analyze(stems)[1], bank.analyze(stems)[1]
    assert ((latent - approximate).abs().mean() / latent.std()) < 0.1


def test_frozen_bank_refuses_a_trained_front_end(tiny_random):
    with pytest.raises(ValueError, match="shared filter bank"):
        FrozenBank(tiny_random)


def test_a_held_bank_treats_left_and_right_alike(tiny_transparent):
    network = moved(tiny_transparent.size, seed=5)
    stems = 0.03 * torch.randn(1, 8, 64 * 60)
    swapped = stems.view(1, 4, 2, -1).flip(2).reshape(stems.shape)
    with torch.no_grad():
        mix, mirrored = network(stems), network(swapped).flip(1)
    assert (mix - mirrored).abs().max() < 1e-6
    assert (mix - torch.tanh(stems.view(1, 4, 2, -1).sum(dim=1))).abs().max() > 1e-3


def test_still_masks_are_held_at_their_means(tiny_transparent):
    network = moved(tiny_transparent.size, seed=6)
    stems = 0.03 * torch.randn(1, 8, 64 * 60) * torch.linspace(0.0, 3.0, 64 * 60)
    with torch.no_grad():
        moving, still = network(stems), network(stems, still=True)
        mean = network.mask(network.analyze(stems)[1]).mean(dim=2, keepdim=True)
        network.mask = lambda latent: mean.expand_as(latent)
        assert (network(stems) - still).abs().max() < 1e-6
        assert (moving - still).abs().max() > 1e-3
        constant = transparent_network(tiny_transparent.size, seed=3).eval()
        assert (constant(stems) - constant(stems, still=True)).abs().max() < 1e-6


def test_transparent_start_can_learn(tiny_transparent):
    stems = 0.05 * torch.randn(1, 8, 64 * 40)
    network = transparent_network(tiny_transparent.size, seed=3)
    network(stems).square().mean().backward()
    touched = [name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0]
    assert "excite.weight" in touched
    assert any(name.startswith("lstm") for name in touched)


@pytest.mark.parametrize("depthwise", [False, True])
def test_fast_convolution_has_autograds_gradient(depthwise, monkeypatch):
    torch.manual_seed(0)
    # 184 frames in stretches of 50: whole ones and a rest.
    monkeypatch.setattr(front_end, "STRETCH_FRAMES", 50)
    x = torch.randn(2, 6, 200, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 1 if depthwise else 6, 17, dtype=torch.float64, requires_grad=True)
    ours = convolve_depthwise if depthwise else convolve
    y = ours(x, weight)
    grad = torch.randn_like(y)
    found = torch.autograd.grad(y, (x, weight), grad)
    stock = functional.conv1d(x, weight, groups=6 if depthwise else 1)
    expected = torch.autograd.grad(stock, (x, weight), grad)
    assert torch.allclose(y, stock)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b)


def test_jittered_norms_are_off_by_what_they_say_and_in_training_only():
    torch.manual_seed(4)
    norm, x = SongNorm(3), 2.0 + 5.0 * torch.randn(4_000, 3, 40)
    plain = functional.group_norm(x, 1, eps=1e-8)
    norm.jitter = 0.1
    jittered = norm(x).detach()
    assert float(jittered.mean(dim=(1, 2)).std()) == pytest.approx(0.1, rel=0.05)
    assert float(jittered.std(dim=(1, 2), correction=0).log().std()) == pytest.approx(0.1, rel=0.05)
    torch.testing.assert_close(norm.eval()(x), plain)
    norm.train().jitter = 0.0
    torch.testing.assert_close(norm(x), plain)


def test_a_jittered_gate_hears_part_of_another_item_and_in_training_only(tiny_random):
    network = copy.deepcopy(tiny_random)
    level = torch.tensor([1.0, 2.0, 3.0])[:, None] + 0.1 * torch.rand(3, tiny_random.size.filters)
    network.jitter(norms=0.0, gate=0.5)
    plain = network.gate(level)
    torch.testing.assert_close(plain, tiny_random.gate(level))
    network.train()
    # With all in common there is nothing to hear, and an item alone has no other.
    torch.testing.assert_close(network.gate(level[:1].repeat(3, 1)), plain[:1].repeat(3, 1))
    torch.testing.assert_close(network.gate(level[:1]), plain[:1])
    # A gate that tells the average of its inputs shows how much of them is another item's.
    with torch.no_grad():
        network.squeeze.weight.fill_(1.0 / level.shape[1])
        network.squeeze.bias.zero_()
        network.excite.weight.fill_(1.0 / network.size.squeeze)
        network.excite.bias.zero_()
        shares = []
        for _ in range(200):
            own = level.mean(dim=1)
            shares.append((torch.logit(network.gate(level)[:, 0]) - own) / (own.roll(1) - own))
    shares = torch.stack(shares)
    assert -1e-4 <= float(shares.min()) < 0.05
    assert 0.45 < float(shares.max()) <= 0.5 + 1e-4
    assert float((shares[:, 0] - shares[:, 1]).abs().max()) > 0.1


def test_in_mixed_precision_the_blstm_still_computes_in_float32(tiny_random):
    kinds = {}

    def note(name):
        def hook(_module, given, made):
            kinds[name] = (given[0].dtype, (made if name == "expand" else made[0]).dtype)

        return hook

    for name, module in (("expand", tiny_random.temporal.blocks[0].expand), ("lstm", tiny_random.lstm)):
        module.register_forward_hook(note(name))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tiny_random(0.1 * torch.randn(1, 8, 64 * 20)).float().square().mean().backward()
    assert kinds["expand"][1] == torch.bfloat16
    assert kinds["lstm"] == (torch.float32, torch.float32)
    assert tiny_random.lstm.weight_hh_l0.grad.abs().max() > 0.0


def test_unknown_arguments_are_refused():
    with pytest.raises(ValueError, match="colour"):
        NetworkSize.from_dict({"colour": 3})


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_gradient_of_a_long_crop_takes_memory_of_a_stretch(depthwise):
    """Unfolded at once, these 2 × 64 channels × 64 taps would be 1.1 GB."""
    channels, frames = (64, 33_000) if depthwise else (8, 264_000)
    code = f"""
import resource, torch
from crafx2 import front_end
from crafx2.front_end import convolve, convolve_depthwise
torch.set_num_threads(1)
x = torch.randn(2, {channels}, {frames})
weight = torch.randn({channels}, {1 if depthwise else channels}, 64, requires_grad=True)
y = {"convolve_depthwise" if depthwise else "convolve"}(x, weight)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
y.backward(torch.ones_like(y))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The gradient of y, 17 MB, and what a stretch takes.
    assert int(run.stdout) / 1024 < 200, f"{int(run.stdout) / 1024:.0f} MiB"
