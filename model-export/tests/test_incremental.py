"""The latent mixer in steps is the plain network: with the song's statistics, in steps of any length, in ONNX too."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from crafx2.contract import MARGIN_FRAMES
from crafx2.ends import (
    Back,
    DenseAnalysis,
    DenseSynthesis,
    EndWeights,
    Front,
    SharedAnalysis,
    SharedSynthesis,
)
from crafx2.export import parity_signal, write_graphs
from crafx2.front_end import middle_and_side
from crafx2.graphs import Latent, Whole
from crafx2.incremental import Recurrent, Statistics, Temporal, delay_frames, norm_response
from crafx2.model import CRAFx2, NetworkSize
from crafx2.runtime import session

FROZEN = torch.zeros(1, 1, 1)


@pytest.fixture(scope="module")
def network() -> CRAFx2:
    """Two repeats and two BLSTM layers, all weights random."""
    torch.manual_seed(6)
    size = NetworkSize(bottleneck=16, hidden=24, skip=8, repeats=2, blocks=4, lstm_layers=2, squeeze=32, dropout=0.0)
    network = CRAFx2(size).eval()
    with torch.no_grad():
        network.conv_2.weight.mul_(20.0)
        # The published biases remember for a thousand frames; these let the test see the memory end.
        for name, parameter in network.lstm.named_parameters():
            if name.startswith("bias"):
                parameter.uniform_(-0.1, 0.1)
    return network


@pytest.fixture(scope="module")
def signal(network):
    """Latents, levels and statistics of a signal."""
    stems = torch.from_numpy(parity_signal(8, 64 * 400))[None]
    with torch.no_grad():
        bands, latent = network.analyze(stems)
    return latent, functional.avg_pool1d(bands.abs(), 64), Statistics.of_signal(network, stems)


def steps(total, lengths):
    """Cut `total` frames into pieces of the given lengths, in turn."""
    at, index = 0, 0
    while at < total:
        end = min(total, at + lengths[index % len(lengths)])
        yield at, end
        at, index = end, index + 1


@torch.no_grad()
def stream_temporal(temporal, latent, statistics, lengths):
    memory = torch.zeros(1, temporal.memory_rows, temporal.delay)
    pieces = []
    for start, end in steps(latent.shape[2], lengths):
        mixed, memory, _ = temporal(latent[:, :, start:end], memory, statistics.norms, FROZEN)
        assert memory.shape[2] == 2 * temporal.delay
        pieces.append(mixed)
    return torch.cat(pieces, dim=2)


def test_published_size_runs_252_frames_behind():
    assert delay_frames(NetworkSize()) == 252


@pytest.mark.parametrize("lengths", [(400,), (100, 40, 1, 64), (33, 7)])
def test_temporal_net_in_any_steps_is_the_plain_one(network, signal, lengths):
    latent, _, statistics = signal
    temporal = Temporal(network)
    made = stream_temporal(temporal, latent, statistics, lengths)
    with torch.no_grad():
        plain = network.temporal(latent)
    # The plain network pads the song's end with zeros, the stream still waits for what follows: the interior ends
    # one receptive half before that.
    interior = latent.shape[2] - 2 * temporal.delay
    assert made.shape[2] == latent.shape[2] - temporal.delay
    assert torch.max(torch.abs(made[:, :, :interior] - plain[:, :, :interior])) < 1e-5
    moved = Statistics(statistics.norms * 1.05, statistics.gate)
    wrong = stream_temporal(temporal, latent, moved, lengths)
    assert torch.max(torch.abs(wrong[:, :, :interior] - plain[:, :, :interior])) > 1e-3


@pytest.mark.parametrize("shared", [False, True])
@torch.no_grad()
def test_the_rewrites_are_exact(network, shared):
    """In double precision nothing is left but its rounding: float32's is all that exported graphs may differ by."""
    exact, frames = copy.deepcopy(network).double(), 200
    if shared:
        exact.conv_1.weight.copy_(middle_and_side(0.3 * torch.randn(16, 64), 4))
    assert isinstance(Front(EndWeights.of(exact)).analysis, SharedAnalysis if shared else DenseAnalysis)
    assert isinstance(Back(EndWeights.of(exact)).synthesis, SharedSynthesis if shared else DenseSynthesis)
    stems = torch.from_numpy(parity_signal(8, 64 * frames)).double()[None]
    bands, latent = exact.analyze(stems)
    level, statistics = functional.avg_pool1d(bands.abs(), 64), Statistics.of_signal(exact, stems)
    mix, mixed, mask = exact(stems), exact.temporal(latent), exact.mask(latent)
    masked = mask * exact.gate((mask * level).mean(dim=2))[:, :, None]
    assert torch.max(torch.abs(mix - torch.tanh(stems.view(1, 4, 2, -1).sum(dim=1)))) > 1e-3
    assert torch.max(torch.abs(Whole(exact)(stems) - mix)) < 1e-12

    padded = functional.pad(stems, (MARGIN_FRAMES, MARGIN_FRAMES))
    latent_found, level_found, _ = Front(EndWeights.of(exact))(padded)
    inner = slice(MARGIN_FRAMES // 64, -MARGIN_FRAMES // 64)
    assert torch.max(torch.abs(latent_found - latent)[:, :, inner]) < 1e-12
    assert torch.max(torch.abs(level_found - level)[:, :, inner]) < 1e-12
    assert torch.max(torch.abs(Latent(exact)(latent, level) - masked)) < 1e-12
    around, mask_around = functional.pad(bands, (64, 64)), functional.pad(masked, (1, 1))
    assert torch.max(torch.abs(Back(EndWeights.of(exact))(around, mask_around) - mix)) < 1e-12

    temporal, recurrent, frozen = Temporal(exact), Recurrent(exact).double(), FROZEN.double()
    memory = torch.zeros(1, temporal.memory_rows, temporal.delay).double()
    found, _, _ = temporal(latent, memory, statistics.norms, frozen)
    interior = frames - 2 * temporal.delay
    assert torch.max(torch.abs(found - mixed[:, :, : found.shape[2]])[:, :, :interior]) < 1e-12
    carried = torch.zeros(1, 2 * recurrent.layers, network.size.lstm_hidden).double()
    found, _, _ = recurrent(mixed[:, :, :150], mixed[:, :, 150:], level[:, :, :150], carried, statistics.gate, frozen)
    assert torch.max(torch.abs(found - masked)) < 1e-12


@torch.no_grad()
def stream_mask(network, latent, level, statistics, hop, ahead):
    with torch.no_grad():
        mixed = network.temporal(latent)
    recurrent = Recurrent(network)
    carried = torch.zeros(1, 2 * recurrent.layers, network.size.lstm_hidden)
    pieces = []
    for at in range(0, mixed.shape[2] - hop - ahead + 1, hop):
        now, after = mixed[:, :, at : at + hop], mixed[:, :, at + hop : at + hop + ahead]
        mask, carried, _ = recurrent(now, after, level[:, :, at : at + hop], carried, statistics.gate, FROZEN)
        pieces.append(mask[:, :, :hop])
    return torch.cat(pieces, dim=2)


def test_lookahead_of_the_backward_lstm_is_the_only_difference(network, signal):
    latent, level, statistics = signal
    with torch.no_grad():
        mask = network.mask(latent)
        plain = mask * network.gate((mask * level).mean(dim=2))[:, :, None]
    errors = {}
    for ahead in (2, 40, 160):
        made = stream_mask(network, latent, level, statistics, 40, ahead)
        errors[ahead] = float(torch.max(torch.abs(made - plain[:, :, : made.shape[2]])))
    print(f"largest difference of the mask by frames of lookahead: {errors}")
    assert errors[160] < 1e-5 < errors[2] < 0.1
    assert errors[2] > errors[40] >= errors[160]
    # With all of the future in sight nothing is left to differ.
    whole = stream_mask(network, latent, level, statistics, 200, 200)
    assert torch.max(torch.abs(whole - plain[:, :, :200])) < 1e-5
    first = stream_mask(network, latent, level, statistics, 20, 160)
    second = stream_mask(network, latent, level, statistics, 60, 160)
    shared = min(first.shape[2], second.shape[2])
    assert torch.max(torch.abs(first[:, :, :shared] - second[:, :, :shared])) < 1e-5


@torch.no_grad()
def test_a_growing_rate_learns_the_mean_and_is_what_the_norm_uses(network, signal):
    latent, _, statistics = signal
    temporal = Temporal(network)
    memory = torch.zeros(1, temporal.memory_rows, temporal.delay)
    held = torch.zeros_like(statistics.norms)
    seen = 0
    for start, end in steps(latent.shape[2], (80,)):
        rate = torch.full((1, 1, 1), (end - start) / (seen + end - start))
        _, memory, observed = temporal(latent[:, :, start:end], memory, held, rate)
        shift = observed[:, :, :1] - held[:, :, :1]
        variance = held[:, :, 1:] + rate * (observed[:, :, 1:] - held[:, :, 1:] + (1 - rate) * shift**2)
        held = torch.cat([held[:, :, :1] + rate * shift, variance], dim=2)
        seen = end
    # The input norm sees the same frames as the plain network: its mean is exact. Deeper ones depend on the way there.
    assert torch.allclose(held[0, 0], statistics.norms[0, 0], rtol=1e-5)
    assert torch.allclose(held, statistics.norms, rtol=0.2, atol=0.02)
    assert not torch.allclose(observed, statistics.norms, rtol=1e-3)


@torch.no_grad()
def test_norm_response_says_what_wrong_statistics_do(network, signal):
    """To first order: norms given 2.5 % too little spread make those behind them observe what the response predicts."""
    latent, _, statistics = signal
    stems = torch.from_numpy(parity_signal(8, 64 * 400))[None]
    temporal = Temporal(network)
    response = norm_response(network, [stems], statistics)
    count = 2 * temporal.norms
    assert response.shape == (count, count)
    assert torch.equal(response, response.tril(-1)), "a norm answers to none behind it"
    spread = statistics.norms[0, :, 1].sqrt()

    def coordinates(norms):
        return torch.stack([norms[0, :, 0] / spread, norms[0, :, 1].log() / 2], dim=1).flatten()

    def observe(norms):
        memory = torch.zeros(1, temporal.memory_rows, temporal.delay)
        return coordinates(temporal(latent, memory, norms, FROZEN)[2])

    wrong = statistics.norms.clone()
    wrong[:, :, 1] *= 0.95
    moved = observe(wrong) - observe(statistics.norms)
    predicted = response @ (coordinates(wrong) - coordinates(statistics.norms))
    assert moved.abs().max() > 0.02
    assert (moved - predicted).abs().max() < 0.15 * moved.abs().max()


def test_onnx_steps_are_the_torch_steps(network, signal, tmp_path):
    latent, level, statistics = signal
    write_graphs(network, tmp_path, form="incremental")
    graph = session(tmp_path / "temporal.onnx")
    temporal = Temporal(network)
    expected = stream_temporal(temporal, latent, statistics, (120, 50)).numpy()
    memory = np.zeros((1, temporal.memory_rows, temporal.delay), np.float32)
    pieces = []
    for start, end in steps(latent.shape[2], (120, 50)):
        feed = {"latent": latent[:, :, start:end].numpy(), "memory": memory}
        feed |= {"statistics": statistics.norms.numpy(), "rate": FROZEN.numpy()}
        mixed, memory, observed = graph.run(["mixed", "next_memory", "observed"], feed)
        pieces.append(mixed)
    assert observed.shape == statistics.norms.shape
    assert np.max(np.abs(np.concatenate(pieces, axis=2) - expected)) < 1e-5

    graph = session(tmp_path / "recurrent.onnx")
    recurrent = Recurrent(network)
    mixed = torch.from_numpy(expected)
    carried = torch.full((1, 2 * recurrent.layers, network.size.lstm_hidden), 0.01)
    rate = torch.full((1, 1, 1), 0.3)
    inputs = {"now": mixed[:, :, :50], "ahead": mixed[:, :, 50:63], "level": level[:, :, :50], "carried": carried}
    inputs |= {"gate_level": statistics.gate, "rate": rate}
    with torch.no_grad():
        wanted = recurrent(*inputs.values())
    found = graph.run(["mask", "next_carried", "observed"], {name: value.numpy() for name, value in inputs.items()})
    for made, expected in zip(found, wanted, strict=True):
        assert np.max(np.abs(made - expected.numpy())) < 1e-5
