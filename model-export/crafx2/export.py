"""From a trained network to a model bundle: ONNX graphs, proof that they compute the same, contract and card.

Nothing is written unless ONNX Runtime and the plain PyTorch module agree within `PARITY_TOLERANCE`; the bundle then
appears in one rename.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import __version__
from .contract import (
    CEILING_DBTP,
    FORMAT,
    MARGIN_FRAMES,
    PARITY_TOLERANCE,
    SAMPLE_RATE_HZ,
    STEMS,
    Recipe,
    Window,
    file_reference,
    replaced_folder,
    write_json,
)
from .errors import ParityError
from .front_end import FRAME_RATIO
from .graphs import Back, Front, Latent, Whole
from .model import CRAFx2

#: Written for ONNX Runtime 1.31; old enough for every runtime since 1.13.
OPSET = 17
#: Frames of the committed parity vectors: short, so that every load may check them.
PARITY_FRAMES = 16_384


@dataclass(frozen=True)
class BundleInfo:
    """What the contract says about a model besides its graphs."""

    name: str
    trained_on: str
    targets: dict[str, Any]
    recipe: Recipe = field(default_factory=Recipe)
    window: Window = field(default_factory=Window)
    version: str = __version__
    license: str = "MIT"
    card: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


def export_graph(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> None:
    """Write a module as ONNX; the third dimension of every input and output is of any length."""
    axes = {name: {2: f"{name}_frames"} for name in (*inputs, *outputs)}
    with warnings.catch_warnings():
        # The tracing exporter warns of constants that are constants here: shapes of weights, batch 1.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def write_graphs(network: CRAFx2, folder: Path, *, whole: bool) -> list[str]:
    """Write `front.onnx`, `latent.onnx`, `back.onnx` (and `whole.onnx`); return their names."""
    size = network.size
    inputs, filters, frames = size.stems * size.channels, size.filters, 4 * FRAME_RATIO
    stems = torch.randn(1, inputs, frames + 2 * MARGIN_FRAMES) * 0.1
    latent = torch.rand(1, filters, 40)
    bands = torch.randn(1, filters, frames + 2 * FRAME_RATIO) * 0.1
    mask = torch.rand(1, filters, frames // FRAME_RATIO + 2)
    graphs = [
        ("front.onnx", Front(network), (stems,), ("stems",), ("latent", "level", "bands")),
        ("latent.onnx", Latent(network), (latent, latent), ("latent", "level"), ("mask",)),
        ("back.onnx", Back(network), (bands, mask), ("bands", "mask"), ("mix",)),
    ]
    if whole:
        graphs.append(("whole.onnx", Whole(network), (stems,), ("stems",), ("mix",)))
    with torch.no_grad():
        for name, module, example, names_in, names_out in graphs:
            export_graph(module.eval(), example, names_in, names_out, folder / name)
    return [graph[0] for graph in graphs]


def session(path: Path) -> onnxruntime.InferenceSession:
    """Open a graph for one CPU thread, as the plug-in does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_split(folder: Path, stems: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the three graphs on a whole signal `(8, T)` between silences; returns `(2, T)`."""
    padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES)))[None]
    latent, level, bands = session(folder / "front.onnx").run(None, {"stems": padded})
    (mask,) = session(folder / "latent.onnx").run(None, {"latent": latent, "level": level})
    around = {
        "bands": np.pad(bands, ((0, 0), (0, 0), (FRAME_RATIO, FRAME_RATIO))),
        "mask": np.pad(mask, ((0, 0), (0, 0), (1, 1))),
    }
    return session(folder / "back.onnx").run(None, around)[0][0]


def parity_signal(inputs: int, frames: int, seed: int = 1) -> NDArray[np.float32]:
    """Music-like noise bursts `(inputs, frames)` with 128 silent frames at both ends.

    The silence makes the plain module's zero padding and the split form's real context the same thing.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / SAMPLE_RATE_HZ
    out = np.zeros((inputs, frames))
    for channel in range(inputs):
        tone = np.sin(2 * np.pi * rng.uniform(60, 4_000) * time + rng.uniform(0, 6))
        beat = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 9) * time)
        out[channel] = 0.12 * beat * tone + 0.03 * rng.standard_normal(frames)
    out[:, :MARGIN_FRAMES] = 0.0
    out[:, -MARGIN_FRAMES:] = 0.0
    return out.astype(np.float32)


def plain_output(network: nn.Module, stems: NDArray[np.float32]) -> NDArray[np.float32]:
    """The plain module on `(8, T)`; returns `(2, T)`."""
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(stems)[None])[0].numpy()


def check_parity(network: CRAFx2, folder: Path, *, whole: bool) -> dict[str, float]:
    """Largest differences between ONNX Runtime and the plain module; raises `ParityError` beyond the tolerance."""
    differences: dict[str, float] = {}
    for frames in (PARITY_FRAMES, 2 * PARITY_FRAMES + 10 * FRAME_RATIO):
        stems = parity_signal(network.size.stems * network.size.channels, frames, seed=frames)
        expected = plain_output(network, stems)
        found = {"split": run_split(folder, stems)}
        if whole:
            found["whole"] = session(folder / "whole.onnx").run(None, {"stems": stems[None]})[0][0]
        for name, mix in found.items():
            difference = float(np.max(np.abs(mix - expected))) if mix.shape == expected.shape else float("inf")
            differences[name] = max(differences.get(name, 0.0), difference)
    for name, difference in differences.items():
        if not difference <= PARITY_TOLERANCE:
            raise ParityError(
                f"the {name} graphs differ from the network by {difference:.2e}; at most {PARITY_TOLERANCE:.0e} "
                "is allowed, so nothing was exported"
            )
    return differences


def export_bundle(network: CRAFx2, target: Path, info: BundleInfo, *, whole: bool = False) -> dict[str, float]:
    """Write the bundle to `target` (replacing it) and return the parity differences.

    `whole` adds `whole.onnx` and makes it the contract's network; the split form is what the plug-in runs best.
    """
    network = network.cpu().eval()
    size = network.size
    with replaced_folder(target) as folder:
        write_graphs(network, folder, whole=whole)
        differences = check_parity(network, folder, whole=whole)
        if whole:
            for name in ("front.onnx", "latent.onnx", "back.onnx"):
                (folder / name).unlink()
        stems = parity_signal(size.stems * size.channels, PARITY_FRAMES)
        info = replace(info, notes={"network_arguments": size.to_dict(), **info.notes})
        graphs = _graphs_of(network, folder, whole)
        finish_bundle(folder, info, graphs, (stems, plain_output(network, stems)), "crafx2")
    return differences


def _graphs_of(network: CRAFx2, folder: Path, whole: bool) -> dict[str, Any]:
    """The contract's entry `network`."""
    if whole:
        return whole_graph(folder)
    return {
        "kind": "split",
        "frame_ratio": FRAME_RATIO,
        "filters": network.size.filters,
        "margin_frames": MARGIN_FRAMES,
        "front": file_reference(folder, "front.onnx"),
        "latent": file_reference(folder, "latent.onnx"),
        "back": file_reference(folder, "back.onnx"),
    }


def whole_graph(folder: Path) -> dict[str, Any]:
    """The contract's entry `network` for one graph, `stems` to `mix`."""
    return {"kind": "whole", "graph": file_reference(folder, "whole.onnx"), "input": "stems", "output": "mix"}


def finish_bundle(
    folder: Path, info: BundleInfo, graphs: dict[str, Any], parity: tuple[NDArray, NDArray], architecture: str
) -> None:
    """Write everything but the graphs: parity vectors (stems and mix), targets, card, contract."""
    stems, mix = parity
    stems.astype("<f4").tofile(folder / "parity_input.f32")
    mix.astype("<f4").tofile(folder / "parity_output.f32")
    write_json(folder / "targets.json", info.targets)
    (folder / "CARD.md").write_text(info.card or f"# {info.name}\n\n{info.trained_on}\n", encoding="utf-8")
    contract = {
        "format": FORMAT,
        "name": info.name,
        "version": info.version,
        "architecture": architecture,
        "license": info.license,
        "trained_on": info.trained_on,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "stems": list(STEMS),
        "channels_per_stem": 2,
        "window": asdict(info.window),
        "network": graphs,
        "targets": file_reference(folder, "targets.json"),
        "recipe": asdict(info.recipe),
        "limiter": {"ceiling_dbtp": CEILING_DBTP},
        "parity": {
            "input": "parity_input.f32",
            "output": "parity_output.f32",
            "frames": PARITY_FRAMES,
            "tolerance": PARITY_TOLERANCE,
        },
        "notes": info.notes,
    }
    write_json(folder / "contract.json", contract)
