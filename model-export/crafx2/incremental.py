"""The latent mixer in steps: every latent frame goes through the network once, however long the stream.

`Latent` of `graphs.py` sees a whole window at every hop; here each piece keeps what it needs of the past instead: the
temporal net's blocks work `dilation` frames behind their input (`Temporal`), the forward LSTMs carry their state and
the backward LSTMs run over the hop and a stretch of future frames (`Recurrent`). What the network averages over time –
group norms and gate – enters as `statistics`, moved by `rate` toward what the step observes: 0 keeps them frozen,
frames / (frames so far) makes a running mean. Whoever runs the graphs owns that choice.

Up to the length of the future that the backward LSTMs see, the steps compute exactly the plain network whose averages
are the given statistics; `tests/test_incremental.py` proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .model import CRAFx2, NetworkSize, TemporalBlock


def delay_frames(size: NetworkSize) -> int:
    """Latent frames by which `Temporal` runs behind its input: half the receptive field, 252 as published."""
    return size.repeats * sum(2**block for block in range(size.blocks))


@dataclass
class Statistics:
    """What a network averages over time: `norms` (1, S, 2) means and variances, `gate` (1, K, 1) mean levels.

    `response` (2 · S, 2 · S), of a bundle's statistics only, is `norm_response`.
    """

    norms: Tensor
    gate: Tensor
    response: Tensor | None = None

    def values(self) -> Tensor:
        """All numbers in the order of a bundle's `statistics.f32`."""
        parts = [self.norms, self.gate] + ([] if self.response is None else [self.response])
        return torch.cat([part.flatten() for part in parts])

    @staticmethod
    @torch.no_grad()
    def of_signal(network: CRAFx2, stems: Tensor) -> Statistics:
        """The averages of the plain network over a whole signal `(1, 8, T)`."""
        seen: list[Tensor] = []

        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].double()
            seen.append(torch.stack([x.mean(), x.var(unbiased=False)]))

        norms = [module for module in network.temporal.modules() if isinstance(module, nn.GroupNorm)]
        handles = [norm.register_forward_pre_hook(look) for norm in norms]
        try:
            bands, latent = network.analyze(stems)
            level = functional.avg_pool1d(bands.abs(), bands.shape[2] // latent.shape[2])
            gate = (network.mask(latent) * level).double().mean(dim=2, keepdim=True)
        finally:
            for handle in handles:
                handle.remove()
        return Statistics(torch.stack(seen)[None].to(stems.dtype), gate.to(stems.dtype))

    @staticmethod
    def mean(songs: Sequence[Statistics]) -> Statistics:
        """Those of all songs together, each with the same weight."""
        norms = torch.cat([song.norms for song in songs])
        mean = norms[:, :, :1].mean(dim=0, keepdim=True)
        variance = (norms[:, :, 1:] + (norms[:, :, :1] - mean) ** 2).mean(dim=0, keepdim=True)
        return Statistics(torch.cat([mean, variance], dim=2), torch.cat([song.gate for song in songs]).mean(0, True))


#: GroupNorm's epsilon; it keeps the coordinates of `norm_response` finite in silence.
_EPSILON = 1e-5
#: Step of the differences in `norm_response`: 2 % of a spread.
_STEP = 0.02


@torch.no_grad()
def norm_response(network: CRAFx2, stems: Sequence[Tensor], statistics: Statistics) -> Tensor:
    """How what each norm observes answers to the statistics that the norms before it are given: (2 · S, 2 · S).

    Derivatives at `statistics`, in the mean of some excerpts `(1, 8, T)`. Rows: what is observed; columns: what is
    given. The coordinates hardly depend on the song: each norm's mean in units of its spread, then the logarithm of
    its spread.
    """
    temporal = Temporal(network)
    pairs = statistics.norms[0].double()
    spread = (pairs[:, 1] + _EPSILON).sqrt()

    def coordinates(norms: Tensor) -> Tensor:
        return torch.stack([norms[:, 0] / spread, (norms[:, 1] + _EPSILON).log() / 2], dim=1).flatten()

    def norms_at(point: Tensor) -> Tensor:
        mean, log_spread = point.reshape(-1, 2).unbind(1)
        return torch.stack([mean * spread, (2 * log_spread).exp() - _EPSILON], dim=1)

    total = torch.zeros(pairs.numel(), pairs.numel(), dtype=torch.float64)
    for excerpt in stems:
        latent = network.analyze(excerpt)[1]
        memory, frozen = torch.zeros(1, temporal.memory_rows, temporal.delay), torch.zeros(1, 1, 1)

        def observe(point: Tensor, given: tuple[Tensor, ...] = (latent, memory, frozen)) -> Tensor:
            norms = norms_at(point).float()[None]
            return coordinates(temporal(given[0], given[1], norms, given[2])[2][0].double())

        point = coordinates(pairs)
        observed = observe(point)
        for column in range(point.numel()):
            moved = point.clone()
            moved[column] += _STEP
            total[:, column] += (observe(moved) - observed) / _STEP
    return (total / len(stems)).float()


class SteppedNorm(nn.Module):
    """GroupNorm with one group whose mean and variance move toward those of the step before they are used."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.epsilon = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor, held: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        """`x` (1, C, N) and `held` (1, 1, 2) to the normalized `x` and what was observed, (1, 1, 2)."""
        mean = x.mean(dim=(1, 2), keepdim=True)
        centered = x - mean
        variance = (centered * centered).mean(dim=(1, 2), keepdim=True)
        shift = held[:, :, :1] - mean
        # Mean and variance of a mixture of (1 − rate) parts held and rate parts observed, without cancellation.
        mixed = variance + (1.0 - rate) * (held[:, :, 1:] - variance + rate * shift * shift)
        scale = self.weight[:, None] / torch.sqrt(mixed + self.epsilon)
        normalized = (centered - (1.0 - rate) * shift) * scale + self.bias[:, None]
        return normalized, torch.cat([mean, variance], dim=2)


class SteppedBlock(nn.Module):
    """A `TemporalBlock` on a stream. `carried` holds the residual path and, below it, the sum of skips."""

    def __init__(self, block: TemporalBlock) -> None:
        super().__init__()
        self.block = block
        self.norm_1, self.norm_2 = SteppedNorm(block.norm_1), SteppedNorm(block.norm_2)
        self.bottleneck, self.hidden = block.expand.in_channels, block.expand.out_channels
        self.dilation = block.depthwise.dilation[0]
        self.weight = nn.Parameter(torch.cat([block.residual.weight, block.skip.weight]).detach())
        self.bias = nn.Parameter(torch.cat([block.residual.bias, block.skip.bias]).detach())

    def forward(self, carried: Tensor, memory: Tensor, held: Tensor, rate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`carried` (1, bottleneck + skip, N) and `memory` (1, R, M) to the same rows of M + N − 2 · dilation frames.

        M is `dilation` at the start of a stream – zeros, the plain network's padding – and twice that ever after.
        """
        block, dilation, hidden = self.block, self.dilation, self.hidden
        y = block.activation_1(block.expand(carried[:, : self.bottleneck]))
        y, observed_1 = self.norm_1(y, held[:, :1], rate)
        y = torch.cat([memory[:, :hidden], y], dim=2)
        carried = torch.cat([memory[:, hidden:], carried], dim=2)
        kept = torch.cat([y[:, :, -2 * dilation :], carried[:, :, -2 * dilation :]], dim=1)
        weight = block.depthwise.weight.unsqueeze(2)
        y = functional.conv2d(y.unsqueeze(2), weight, block.depthwise.bias, 1, 0, (1, dilation), weight.shape[0])
        y, observed_2 = self.norm_2(block.activation_2(y.squeeze(2)), held[:, 1:], rate)
        carried = carried[:, :, dilation:-dilation] + functional.conv1d(y, self.weight, self.bias)
        return carried, kept, torch.cat([observed_1, observed_2], dim=1)


class Temporal(nn.Module):
    """The temporal net on a stream: `latent` (1, K, N) to `mixed`, `delay_frames` behind it.

    `memory` is (1, R, D) of zeros at the start, when N − D frames come out, and (1, R, 2 · D) after it.
    """

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        self.temporal, self.size = network.temporal, network.size
        self.norm = SteppedNorm(network.temporal.norm)
        self.blocks = nn.ModuleList(SteppedBlock(block) for block in network.temporal.blocks)
        self.delay = delay_frames(network.size)

    @property
    def memory_rows(self) -> int:
        """Rows R of the memory: normalized hidden channels, residual path, sum of skips."""
        return self.size.hidden + self.size.bottleneck + self.size.skip

    @property
    def norms(self) -> int:
        """Number S of group norms."""
        return 1 + 2 * len(self.blocks)

    def forward(self, latent: Tensor, memory: Tensor, statistics: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        """Return `mixed`, `next_memory` (1, R, 2 · D) and `observed` (1, S, 2)."""
        temporal = self.temporal
        x, first = self.norm(latent, statistics[:, :1], rate)
        x = temporal.bottleneck(x)
        carried = torch.cat([x, torch.zeros_like(x[:, :1]).expand(-1, self.size.skip, -1)], dim=1)
        # 1 at the start of a stream, 2 after it: the blocks' shares of the memory follow each other in time.
        share = memory.shape[2] // self.delay
        kept, observed, at = [], [first], 0
        for index, block in enumerate(self.blocks):
            end = at + block.dilation
            held = statistics[:, 1 + 2 * index : 3 + 2 * index]
            carried, block_kept, block_observed = block(carried, memory[:, :, at * share : end * share], held, rate)
            kept.append(block_kept)
            observed.append(block_observed)
            at = end
        total = temporal.activation(carried[:, self.size.bottleneck :])
        mixed = functional.softplus(temporal.output(total))
        return mixed, torch.cat(kept, dim=2), torch.cat(observed, dim=1)


class Recurrent(nn.Module):
    """BLSTM and gate on a stream: `now` and `ahead` (1, K, N and A) of mixed frames to `mask` (1, K, N + A).

    The forward state moves on by `now` only; the mask of `ahead` is a forecast, good for fading into the next hop.
    """

    def __init__(self, network: CRAFx2) -> None:
        super().__init__()
        self.network = network
        size = network.size
        self.layers = size.lstm_layers
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for layer in range(size.lstm_layers):
            width = size.filters if layer == 0 else 2 * size.lstm_hidden
            for suffix, modules in (("", self.forwards), ("_reverse", self.backwards)):
                lstm = nn.LSTM(width, size.lstm_hidden, batch_first=True)
                weights = {
                    name: getattr(network.lstm, f"{name[:-1]}{layer}{suffix}").detach()
                    for name, _ in lstm.named_parameters()
                }
                lstm.load_state_dict(weights)
                modules.append(lstm)

    def forward(
        self, now: Tensor, ahead: Tensor, level: Tensor, carried: Tensor, gate_level: Tensor, rate: Tensor
    ) -> tuple[Tensor, ...]:
        """`level` (1, K, N), `carried` (1, 2 · layers, H), `gate_level` (1, K, 1).

        Return `mask`, gate included, `next_carried` and `observed` (1, K, 1).
        """
        network, frames = self.network, now.shape[2]
        now, ahead = now.transpose(1, 2), ahead.transpose(1, 2)
        states = []
        for layer, (forward, backward) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            hidden, cell = carried[:, 2 * layer : 2 * layer + 1], carried[:, 2 * layer + 1 : 2 * layer + 2]
            past_now, state = forward(now, (hidden, cell))
            past_ahead, _ = forward(ahead, state)
            future = backward(torch.cat([now, ahead], dim=1).flip(1))[0].flip(1)
            now = torch.cat([past_now, future[:, :frames]], dim=2)
            ahead = torch.cat([past_ahead, future[:, frames:]], dim=2)
            states += [state[0].transpose(0, 1), state[1].transpose(0, 1)]
        mask = functional.softplus(network.project(torch.cat([now, ahead], dim=1))).transpose(1, 2)
        observed = (mask[:, :, :frames] * level).mean(dim=2, keepdim=True)
        gate = network.gate((gate_level + rate * (observed - gate_level)).squeeze(2))
        return mask * gate[:, :, None], torch.cat(states, dim=1), observed
