"""Exported graphs, run through ONNX Runtime as the engine runs them: the ends, and a whole signal in one step.

A graph is asked for by the name that the contract has for it, so that files may be called as they like.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .contract import FRAME_RATIO, MARGIN_FRAMES

Array = NDArray[np.float32]
#: Opens the graph of a name: `front`, `latent`, `temporal`, `recurrent`, `back`.
Opener = Callable[[str], onnxruntime.InferenceSession]
#: Latent frames of lookahead that the backward LSTMs have in the parity vectors of an incremental bundle.
PARITY_AHEAD = 16


def session(path: Path) -> onnxruntime.InferenceSession:
    """Open a graph for one CPU thread, as the plug-in does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def named_in(folder: Path) -> Opener:
    """Graphs that are called as `export` calls them."""
    return lambda name: session(folder / f"{name}.onnx")


def of_contract(folder: Path, network: dict[str, Any]) -> Opener:
    """Graphs that a contract's entry `network` refers to."""
    return lambda name: session(folder / network[name]["file"])


def shipped_statistics(folder: Path, network: dict[str, Any]) -> tuple[Array, Array]:
    """What an incremental bundle starts from: `norms` (1, S, 2) and `gate` (1, K, 1), as `Statistics` has them."""
    values = np.fromfile(folder / network["statistics"]["file"], "<f4")
    split = 2 * network["norms"]
    return values[:split].reshape(1, -1, 2), values[None, split : split + network["filters"], None]


def run_back(back: onnxruntime.InferenceSession, bands: Array, mask: Array, gain: float) -> Array:
    """A back end on `bands` (1, K, T + 128) and `mask` (1, K, T/64 + 2), its tanh driven by `gain`: `(2, T)`."""
    (mix,) = back.run(None, {"bands": bands, "mask": np.float32(gain) * mask})
    return mix[0] * np.float32(1.0 / gain)


def between_silences(rows: Array, frames: int) -> Array:
    """`(1, K, N)` with so many zeros on either side."""
    return np.pad(rows, ((0, 0), (0, 0), (frames, frames)))


def run_split(graph: Opener, stems: Array, gain: float = 1.0) -> Array:
    """The three graphs on a whole signal `(8, T)` between silences, the tanh driven by `gain`; returns `(2, T)`."""
    padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES)))[None]
    latent, level, bands = graph("front").run(["latent", "level", "bands"], {"stems": padded})
    (mask,) = graph("latent").run(None, {"latent": latent, "level": level})
    return run_back(graph("back"), between_silences(bands, FRAME_RATIO), between_silences(mask, 1), gain)


def run_stepped(folder: Path, network: dict[str, Any], stems: Array, gain: float = 1.0) -> Array:
    """The four graphs of a bundle on `(8, T)` in one step, shipped statistics frozen, silence after the end.

    Returns `(2, T)`. `export.stepped_output` is the same in PyTorch; the engine repeats it before it uses the graphs.
    """
    graph, (norms, gate) = of_contract(folder, network), shipped_statistics(folder, network)
    delay, frames = network["delay_frames"] // FRAME_RATIO, stems.shape[1] // FRAME_RATIO
    after = (delay + PARITY_AHEAD) * FRAME_RATIO
    padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES + after)))[None]
    latent, level, bands = graph("front").run(["latent", "level", "bands"], {"stems": padded})
    frozen = np.zeros((1, 1, 1), np.float32)
    memory = np.zeros((1, network["memory_rows"], delay), np.float32)
    feed = {"latent": latent, "memory": memory, "statistics": norms, "rate": frozen}
    (mixed,) = graph("temporal").run(["mixed"], feed)
    carried = np.zeros((1, 2 * network["lstm_layers"], network["lstm_units"]), np.float32)
    feed = {"now": mixed[:, :, :frames], "ahead": mixed[:, :, frames:], "level": level[:, :, :frames]}
    feed |= {"carried": carried, "gate_level": gate, "rate": frozen}
    (mask,) = graph("recurrent").run(["mask"], feed)
    bands, mask = bands[:, :, : stems.shape[1]], mask[:, :, :frames]
    return run_back(graph("back"), between_silences(bands, FRAME_RATIO), between_silences(mask, 1), gain)
