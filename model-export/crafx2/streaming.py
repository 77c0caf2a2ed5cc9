"""A bundle run the way the plug-in runs it: hop by hop, latents cached, hops joined by a crossfade.

For measuring only – the engine (Rust) is what ships. Front and back end here run over the whole signal, which gives the
same numbers, because they are local; the latent mixer sees exactly the window the contract promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from .contract import MARGIN_FRAMES, SAMPLE_RATE_HZ, STEMS, Window, drive_gain, read_json
from .front_end import FRAME_RATIO
from .incremental import Statistics
from .model import NEUTRAL_MASK
from .runtime import run_back, session, shipped_statistics

Array = NDArray[np.float32]
#: The engine's running statistics: what the shipped ones are worth, and how long the exponential mean is, in latent
#: frames (`engine/src/crafx2/averages.rs`).
PRIOR_FRAMES, MEMORY_FRAMES = (seconds * SAMPLE_RATE_HZ / FRAME_RATIO for seconds in (8.0, 60.0))


@dataclass(frozen=True)
class StreamResult:
    """Mix `(2, frames)` and what each stem contributes to it before tanh, `(2, frames)` per stem.

    `mask_variation_db` is the standard deviation over time of the mask in dB, averaged over filters;
    `mask_spread_db` that of the mean mask over filters.
    """

    mix: Array
    contributions: dict[str, Array]
    mask_variation_db: float
    mask_spread_db: float


def open_stream(bundle: Path) -> Stream:
    """A bundle of any form in parts."""
    network = read_json(bundle / "contract.json")["network"]
    match network["kind"]:
        case "split":
            return SplitStream(bundle)
        case "incremental":
            return IncrementalStream(bundle)
        case kind:
            raise ValueError(f"{bundle} is of kind {kind}, which does not stream in parts")


class Stream:
    """Front and back end of a bundle; how masks are made is the form's own."""

    def __init__(self, bundle: Path) -> None:
        contract = read_json(bundle / "contract.json")
        self.network = contract["network"]
        self.window = Window(**contract["window"])
        self.filters = int(self.network["filters"])
        #: Before the final tanh; its inverse stands behind it.
        self.gain = drive_gain(self.network.get("output_drive_db", 0.0))
        self.bundle = bundle
        self.front, self.back = self.graph("front"), self.graph("back")

    def before_tanh(self, mix: Array) -> Array:
        """What the network's final tanh was given, of its own shape: there stems add up, and no harmonics are."""
        return np.arctanh(np.clip(self.gain * mix, -0.999_999, 0.999_999)) / self.gain

    def graph(self, name: str) -> InferenceSession:
        """The graph that the contract calls `name`."""
        return session(self.bundle / self.network[name]["file"])

    def hop_masks(self, latent: Array, level: Array) -> list[tuple[int, Array]]:
        """First latent frame and mask `(1, K, hop + crossfade + 1)` of every hop."""
        raise NotImplementedError

    def masks(
        self, latent: Array, level: Array, freeze: bool, share: float = 1.0
    ) -> tuple[Array, list[tuple[int, Array]]]:
        """The mask over time, and per hop with a crossfade's worth more; `freeze` holds its mean over time.

        Masks go a `share` of their way from neutral, in the logarithm, as the engine takes it from the contract.
        """
        frames, hop = latent.shape[2], self.window.hop_frames // FRAME_RATIO
        hops = self.hop_masks(latent, level)
        if share < 1.0:
            hops = [(start, NEUTRAL_MASK * (mask / NEUTRAL_MASK) ** np.float32(share)) for start, mask in hops]
        track = np.concatenate([mask[:, :, :hop] for _, mask in hops], axis=2)[:, :, :frames]
        if freeze:
            mean = track.mean(axis=2, keepdims=True)
            hops = [(start, np.broadcast_to(mean, mask.shape).copy()) for start, mask in hops]
        return track, hops

    def run(self, stems: Array, *, freeze: bool = False, parts: bool = True, share: float = 1.0) -> StreamResult:
        """`(8, T)` with T a multiple of 64; `freeze` replaces the mask by its mean over the song (an ablation).

        `share`: see `masks`.
        """
        frames = stems.shape[1]
        padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES)))[None]
        latent, level, bands = self.front.run(None, {"stems": padded})
        track, hops = self.masks(latent, level, freeze, share)
        mix = self.synthesize(bands, hops)
        contributions = {}
        per_stem = self.filters // len(STEMS)
        for index, stem in enumerate(STEMS if parts else ()):
            rows = slice(index * per_stem, (index + 1) * per_stem)
            only = np.zeros_like(bands)
            only[:, rows] = bands[:, rows]
            contributions[stem] = self.before_tanh(self.synthesize(only, hops))
        sounding = level > 1e-4
        track_db = 20 * np.log10(np.maximum(track, 1e-6))
        spread = [float(np.std(row[on])) for row, on in zip(track_db[0], sounding[0], strict=True) if on.sum() > 20]
        means = [float(np.mean(row[on])) for row, on in zip(track_db[0], sounding[0], strict=True) if on.sum() > 20]
        variation = float(np.mean(spread)) if spread else 0.0
        return StreamResult(mix[:, :frames], contributions, variation, float(np.std(means)) if means else 0.0)

    def synthesize(self, bands: Array, hops: list[tuple[int, Array]]) -> Array:
        """Bands `(1, K, T)` through the masks of all hops, joined: the mix `(2, T)`."""
        window, ratio = self.window, FRAME_RATIO
        hop, fade = window.hop_frames, window.crossfade_frames
        frames = bands.shape[2]
        length = -(-frames // hop) * hop + hop
        around = np.pad(bands, ((0, 0), (0, 0), (ratio, length + ratio - frames)))
        out = np.zeros((2, length + fade), dtype=np.float32)
        rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        previous: Array | None = None
        for start, mask in hops:
            begin = start * ratio
            left = mask[:, :, :1] if previous is None else previous
            count = hop + fade
            piece_bands = around[:, :, begin : begin + count + 2 * ratio]
            missing = count + 2 * ratio - piece_bands.shape[2]
            piece_bands = np.pad(piece_bands, ((0, 0), (0, 0), (0, missing)))
            piece_mask = np.concatenate([left, mask[:, :, : count // ratio + 1]], axis=2)
            made = run_back(self.back, piece_bands, piece_mask, self.gain)
            if begin:
                out[:, begin : begin + fade] *= 1.0 - rise
                made[:, :fade] *= rise
            out[:, begin : begin + count] += made
            previous = mask[:, :, hop // ratio - 1 : hop // ratio]
        return out[:, :frames]


class SplitStream(Stream):
    """The latent mixer runs on the whole window at every hop."""

    def hop_masks(self, latent: Array, level: Array) -> list[tuple[int, Array]]:
        """See `Stream.hop_masks`."""
        graph = self.graph("latent")
        window, ratio = self.window, FRAME_RATIO
        hop, fade = window.hop_frames // ratio, window.crossfade_frames // ratio
        before, margin = window.context_frames // ratio, MARGIN_FRAMES // ratio
        total = (window.context_frames + window.hop_frames + window.lookahead_frames) // ratio
        frames = latent.shape[2]
        pad = ((0, 0), (0, 0), (before + margin, total + hop))
        # Before the song starts the live window holds the latents of silence.
        padded = np.pad(latent, pad, constant_values=float(np.log(2.0)))
        padded_level = np.pad(level, pad)
        hops = []
        for start in range(0, frames, hop):
            view = slice(start, start + total)
            (mask,) = graph.run(None, {"latent": padded[:, :, view], "level": padded_level[:, :, view]})
            first = before + margin
            hops.append((start, mask[:, :, first : first + hop + fade + 1]))
        return hops


class IncrementalStream(Stream):
    """Every latent frame goes through the latent mixer once; the engine's `crafx2/incremental.rs` in few lines."""

    #: Statistics to hold instead of following the song's.
    frozen: Statistics | None = None

    def hop_masks(self, latent: Array, level: Array) -> list[tuple[int, Array]]:
        """See `Stream.hop_masks`."""
        window, network, ratio = self.window, self.network, FRAME_RATIO
        hop, fade = window.hop_frames // ratio, window.crossfade_frames // ratio
        delay = network["delay_frames"] // ratio
        reach = (window.lookahead_frames - MARGIN_FRAMES) // ratio
        ahead = max(reach - delay, fade + 1)
        late = ahead + delay - reach
        frames = latent.shape[2]
        padded = np.pad(latent, ((0, 0), (0, 0), (late, reach + hop)), constant_values=float(np.log(2.0)))
        levels = np.pad(level, ((0, 0), (0, 0), (late, reach + hop)))
        norms, gate_level = shipped_statistics(self.bundle, network)
        if self.frozen is not None:
            norms, gate_level = self.frozen.norms.numpy(), self.frozen.gate.numpy()
        moves = 0.0 if self.frozen is not None else 1.0
        memory = np.zeros((1, network["memory_rows"], delay), np.float32)
        carried = np.zeros((1, 2 * network["lstm_layers"], network["lstm_units"]), np.float32)
        temporal, recurrent = self.graph("temporal"), self.graph("recurrent")
        mixed, done, weight, hops = np.zeros((1, self.filters, 0), np.float32), 0, PRIOR_FRAMES, []
        for start in range(0, frames, hop):
            end = start + hop + reach + late
            feed = {"latent": padded[:, :, done:end], "memory": memory, "statistics": norms}
            rate = moves * (end - done) / (weight + end - done)
            made, memory, seen = temporal.run(
                ["mixed", "next_memory", "observed"], feed | {"rate": np.full((1, 1, 1), rate, np.float32)}
            )
            norms, weight, done = _toward(norms, seen, rate), min(weight + end - done, MEMORY_FRAMES), end
            mixed = np.concatenate([mixed, made], axis=2)
            now = mixed.shape[2] - ahead
            heard = min(PRIOR_FRAMES + start, MEMORY_FRAMES)
            gate_rate = moves * now / (heard + now)
            feed = {"now": mixed[:, :, :now], "ahead": mixed[:, :, now:], "level": levels[:, :, start : start + now]}
            feed |= {"carried": carried, "gate_level": gate_level, "rate": np.full((1, 1, 1), gate_rate, np.float32)}
            mask, carried, seen = recurrent.run(["mask", "next_carried", "observed"], feed)
            gate_level = gate_level + np.float32(gate_rate) * (seen - gate_level)
            hops.append((start, mask[:, :, : hop + fade + 1]))
            mixed = mixed[:, :, now:]
        return hops


def _toward(held: Array, observed: Array, rate: float) -> Array:
    """Means and variances `(1, S, 2)` of a mixture: a share `rate` of what was observed."""
    shift = observed[:, :, :1] - held[:, :, :1]
    spread = np.concatenate([np.zeros_like(shift), (1.0 - rate) * shift * shift], axis=2)
    return (held + rate * (observed - held + spread)).astype(np.float32)
