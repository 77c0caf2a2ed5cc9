"""From a trained network to a model bundle: ONNX graphs, proof that they compute the same, contract and card.

Nothing is written unless ONNX Runtime and the plain PyTorch module agree within `PARITY_TOLERANCE`; the bundle then
appears in one rename.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import __version__
from .contract import (
    CEILING_DBTP,
    FORMAT,
    MARGIN_FRAMES,
    NOT_STATED,
    PARITY_TOLERANCE,
    SAMPLE_RATE_HZ,
    STEMS,
    Form,
    Window,
    drive_gain,
    file_reference,
    replaced_folder,
    write_json,
)
from .dataset import SongFiles, read_crop
from .ends import Back, EndWeights, Front
from .errors import ParityError
from .front_end import FRAME_RATIO
from .graphs import Latent, Whole
from .incremental import Recurrent, Statistics, Temporal, norm_response
from .model import CRAFx2
from .recipe import Recipe
from .runtime import PARITY_AHEAD, between_silences, named_in, run_back, run_split, session

#: Written for ONNX Runtime 1.28; old enough for every runtime since 1.13.
OPSET = 17
#: Frames of the committed parity vectors: short, so that every load may check them.
PARITY_FRAMES = 16_384
#: Weights up to which a network counts as light, as the default one does; the published size has 2.8 million.
LIGHT_WEIGHTS = 1_000_000
#: Shares of a hop that computing it may take, for networks that are light and others.
LIGHT_COMPUTING_SHARE, HEAVY_COMPUTING_SHARE = 0.24, 0.8


@dataclass(frozen=True)
class BundleInfo:
    """What the contract says about a model besides its graphs."""

    name: str
    trained_on: str
    targets: dict[str, Any]
    recipe: Recipe = field(default_factory=Recipe)
    window: Window = field(default_factory=Window)
    version: str = __version__
    license: str = NOT_STATED
    card: str = ""
    #: What an incremental network starts from before it has heard enough; those of the parity signal if absent.
    statistics: Statistics | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    #: How far the masks go when the bundle plays, 0.05 to 1.
    mask_share: float = 1.0


def export_graph(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> None:
    """Write a module as ONNX. Axis 2 is time and of any length, except in `_TIMELESS` tensors."""
    timed = [name for name in (*inputs, *outputs) if name not in _TIMELESS]
    with warnings.catch_warnings():
        # The tracing exporter warns of constants that are constants here: shapes of weights, batch 1.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {2: f"{name}_frames"} for name in timed},
            opset_version=OPSET,
            dynamo=False,
        )


#: Tensors without a time axis.
_TIMELESS = {"statistics", "rate", "next_memory", "observed", "carried", "next_carried", "gate_level"}


#: File name, module, example input, names of inputs and of outputs.
_Graph = tuple[str, nn.Module, tuple[Tensor, ...], tuple[str, ...], tuple[str, ...]]


def write_graphs(network: CRAFx2, folder: Path, *, form: Form) -> list[str]:
    """Write the graphs of a form, e.g. `front.onnx`, `latent.onnx`, `back.onnx`; return their names."""
    front, back = _end_graphs(EndWeights.of(network))
    match form:
        case "incremental":
            graphs = [front, *_stepped_graphs(network), back]
        case "split":
            latent = torch.rand(1, network.size.filters, 40)
            middle = ("latent.onnx", Latent(network), (latent, latent), ("latent", "level"), ("mask",))
            graphs = [front, middle, back]
        case "whole":
            stems = torch.randn(1, network.size.stems * network.size.channels, 4 * FRAME_RATIO) * 0.1
            graphs = [("whole.onnx", Whole(network), (stems,), ("stems",), ("mix",))]
    return _write(graphs, folder)


def write_ends(weights: EndWeights, folder: Path) -> list[str]:
    """Write `front.onnx` and `back.onnx`; return their names."""
    return _write(_end_graphs(weights), folder)


@torch.no_grad()
def _write(graphs: Sequence[_Graph], folder: Path) -> list[str]:
    for name, module, example, names_in, names_out in graphs:
        export_graph(module.eval(), example, names_in, names_out, folder / name)
    return [graph[0] for graph in graphs]


def _end_graphs(weights: EndWeights) -> tuple[_Graph, _Graph]:
    filters, inputs, _ = weights.analysis.shape
    frames = 4 * FRAME_RATIO
    stems = torch.randn(1, inputs, frames + 2 * MARGIN_FRAMES) * 0.1
    bands = torch.randn(1, filters, frames + 2 * FRAME_RATIO) * 0.1
    mask = torch.rand(1, filters, frames // FRAME_RATIO + 2)
    front = ("front.onnx", Front(weights), (stems,), ("stems",), ("latent", "level", "bands"))
    return front, ("back.onnx", Back(weights), (bands, mask), ("bands", "mask"), ("mix",))


def _stepped_graphs(network: CRAFx2) -> list[_Graph]:
    size, temporal, recurrent = network.size, Temporal(network), Recurrent(network)
    rate, mixed = torch.full((1, 1, 1), 0.5), torch.rand(1, size.filters, 40)
    memory = torch.zeros(1, temporal.memory_rows, 2 * temporal.delay)
    norms, carried = torch.ones(1, temporal.norms, 2), torch.zeros(1, 2 * recurrent.layers, size.lstm_hidden)
    return [
        (
            "temporal.onnx",
            temporal,
            (mixed, memory, norms, rate),
            ("latent", "memory", "statistics", "rate"),
            ("mixed", "next_memory", "observed"),
        ),
        (
            "recurrent.onnx",
            recurrent,
            (mixed, mixed[:, :, :9], mixed, carried, torch.rand(1, size.filters, 1), rate),
            ("now", "ahead", "level", "carried", "gate_level", "rate"),
            ("mask", "next_carried", "observed"),
        ),
    ]


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


def signal_statistics(network: CRAFx2, stems: Tensor) -> Statistics:
    """What the network averages over a signal `(1, 8, T)`, with its response."""
    statistics = Statistics.of_signal(network, stems)
    return replace(statistics, response=norm_response(network, [stems], statistics))


def song_statistics(network: CRAFx2, songs: Sequence[SongFiles]) -> Statistics | None:
    """What the network averages over normalized songs, some 24 of them and up to 15 s from the middle of each.

    `None` when there is none. The response is that of 6 s of some eight of them.
    """
    if not songs:
        return None

    def middle(song: SongFiles, seconds: int) -> Tensor:
        frames = min(song.frames, seconds * SAMPLE_RATE_HZ) // FRAME_RATIO * FRAME_RATIO
        return torch.from_numpy(read_crop(song, (song.frames - frames) // 2, frames)[0])[None]

    def some(count: int) -> Sequence[SongFiles]:
        return songs[:: max(1, len(songs) // count)]

    mean = Statistics.mean([Statistics.of_signal(network, middle(song, 15)) for song in some(24)])
    return replace(mean, response=norm_response(network, [middle(song, 6) for song in some(8)], mean))


def plain_output(network: nn.Module, stems: NDArray[np.float32]) -> NDArray[np.float32]:
    """The plain module on `(8, T)`; returns `(2, T)`."""
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(stems)[None])[0].numpy()


@torch.no_grad()
def stepped_output(network: CRAFx2, stems: NDArray[np.float32], statistics: Statistics) -> NDArray[np.float32]:
    """The stepped modules on `(8, T)` in one step, statistics frozen, silence after the end; returns `(2, T)`.

    This is what the parity vectors of an incremental bundle hold: the engine repeats it before it uses the graphs.
    """
    temporal, recurrent = Temporal(network), Recurrent(network)
    after = (temporal.delay + PARITY_AHEAD) * FRAME_RATIO
    x = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES + after)))
    weights = EndWeights.of(network)
    latent, level, bands = Front(weights)(torch.from_numpy(x)[None])
    frozen = torch.zeros(1, 1, 1)
    memory = torch.zeros(1, temporal.memory_rows, temporal.delay)
    mixed, _, _ = temporal(latent, memory, statistics.norms, frozen)
    frames = stems.shape[1] // FRAME_RATIO
    carried = torch.zeros(1, 2 * recurrent.layers, network.size.lstm_hidden)
    now, ahead = mixed[:, :, :frames], mixed[:, :, frames:]
    mask, _, _ = recurrent(now, ahead, level[:, :, :frames], carried, statistics.gate, frozen)
    bands = functional.pad(bands[:, :, : stems.shape[1]], (FRAME_RATIO, FRAME_RATIO))
    mask, gain = functional.pad(mask[:, :, :frames], (1, 1)), drive_gain(network.size.output_drive_db)
    return (Back(weights)(bands, gain * mask)[0] / gain).numpy()


def worst_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest absolute difference; infinite between arrays of different shapes."""
    return float(np.max(np.abs(found - expected))) if found.shape == expected.shape else float("inf")


@torch.no_grad()
def stepped_differences(network: CRAFx2, folder: Path) -> dict[str, float]:
    """Largest differences of each incremental graph from the plain network with the same signal's statistics.

    The temporal net is compared where it has seen all it needs, the BLSTM with the whole future ahead: what a shorter
    future changes is fidelity, not parity.
    """
    delay = Temporal(network).delay
    frames = 2 * delay + PARITY_FRAMES // FRAME_RATIO
    stems = parity_signal(network.size.stems * network.size.channels, frames * FRAME_RATIO, seed=frames)
    x = torch.from_numpy(stems)[None]
    statistics = Statistics.of_signal(network, x)
    bands, latent = network.analyze(x)
    level = functional.avg_pool1d(bands.abs(), FRAME_RATIO).numpy()
    mixed, mask = network.temporal(latent).numpy(), network.mask(latent)
    mask = (mask * network.gate(statistics.gate[:, :, 0])[:, :, None]).numpy()
    frozen, norms, gate = np.zeros((1, 1, 1), np.float32), statistics.norms.numpy(), statistics.gate.numpy()

    memory = np.zeros((1, Temporal(network).memory_rows, delay), np.float32)
    graph, pieces, cut = session(folder / "temporal.onnx"), [], delay + 30
    for piece in (latent[:, :, :cut], latent[:, :, cut:]):
        feed = {"latent": piece.numpy(), "memory": memory, "statistics": norms, "rate": frozen}
        made, memory, _ = graph.run(["mixed", "next_memory", "observed"], feed)
        pieces.append(made)
    interior = frames - 2 * delay
    # Inside the network a signal may be of any size; what is compared with samples is its error beside its size.
    size = max(1.0, float(np.max(np.abs(mixed))))
    worst = worst_difference(np.concatenate(pieces, axis=2)[:, :, :interior], mixed[:, :, :interior])
    differences = {"temporal": worst / size}

    carried = np.zeros((1, 2 * network.size.lstm_layers, network.size.lstm_hidden), np.float32)
    now = frames - PARITY_AHEAD
    feed = {"now": mixed[:, :, :now], "ahead": mixed[:, :, now:], "level": level[:, :, :now]}
    feed |= {"carried": carried, "gate_level": gate, "rate": frozen}
    differences["recurrent"] = worst_difference(session(folder / "recurrent.onnx").run(["mask"], feed)[0], mask)

    padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES)))[None]
    _, _, bands = session(folder / "front.onnx").run(["latent", "level", "bands"], {"stems": padded})
    bands, mask = between_silences(bands, FRAME_RATIO), between_silences(mask, 1)
    mix = run_back(session(folder / "back.onnx"), bands, mask, drive_gain(network.size.output_drive_db))
    differences["front and back"] = worst_difference(mix, plain_output(network, stems))
    return differences


def check_parity(network: CRAFx2, folder: Path, *, form: Form) -> dict[str, float]:
    """Largest differences between ONNX Runtime and the plain module; raises `ParityError` beyond the tolerance."""
    differences: dict[str, float] = {}
    if form == "incremental":
        differences = stepped_differences(network, folder)
    else:
        for frames in (PARITY_FRAMES, 2 * PARITY_FRAMES + 10 * FRAME_RATIO):
            stems = parity_signal(network.size.stems * network.size.channels, frames, seed=frames)
            if form == "split":
                mix = run_split(named_in(folder), stems, drive_gain(network.size.output_drive_db))
            else:
                mix = session(folder / "whole.onnx").run(None, {"stems": stems[None]})[0][0]
            differences[form] = max(differences.get(form, 0.0), worst_difference(mix, plain_output(network, stems)))
    for name, difference in differences.items():
        if not difference <= PARITY_TOLERANCE:
            raise ParityError(
                f"the {name} graphs differ from the network by {difference:.2e}; at most {PARITY_TOLERANCE:.0e} "
                "is allowed, so nothing was exported"
            )
    return differences


def export_bundle(network: CRAFx2, target: Path, info: BundleInfo, *, form: Form = "incremental") -> dict[str, float]:
    """Write the bundle to `target` (replacing it) and return the parity differences."""
    network = network.cpu().eval()
    size = network.size
    stems = parity_signal(size.stems * size.channels, PARITY_FRAMES)
    with replaced_folder(target) as folder:
        write_graphs(network, folder, form=form)
        differences = check_parity(network, folder, form=form)
        if form == "incremental":
            statistics = info.statistics or signal_statistics(network, torch.from_numpy(stems)[None])
            statistics.values().numpy().astype("<f4").tofile(folder / "statistics.f32")
            mix = stepped_output(network, stems, statistics)
        else:
            mix = plain_output(network, stems)
        info = replace(
            info,
            window=_with_computing(info.window, network) if form == "incremental" else info.window,
            notes={"network_arguments": size.to_dict(), **info.notes},
        )
        finish_bundle(folder, info, _network_entry(network, folder, form), (stems, mix), "crafx2")
    return differences


def _with_computing(window: Window, network: CRAFx2) -> Window:
    """The window with a share for computing, by the network's size if none is stated.

    The default network took 0.15 of a core and the published size 0.45 on the slowest processor they were measured on.
    """
    if window.computing_share is not None:
        return window
    weights = sum(parameter.numel() for parameter in network.parameters())
    share = LIGHT_COMPUTING_SHARE if weights <= LIGHT_WEIGHTS else HEAVY_COMPUTING_SHARE
    return replace(window, computing_share=share)


def _network_entry(network: CRAFx2, folder: Path, form: Form) -> dict[str, Any]:
    if form == "whole":
        return whole_graph(folder)
    entry: dict[str, Any] = {
        "kind": form,
        "frame_ratio": FRAME_RATIO,
        "filters": network.size.filters,
        "margin_frames": MARGIN_FRAMES,
    }
    if network.size.output_drive_db:
        entry["output_drive_db"] = network.size.output_drive_db
    names = ["front", "latent", "back"]
    if form == "incremental":
        temporal = Temporal(network)
        names = ["front", "temporal", "recurrent", "back"]
        entry |= {
            "delay_frames": temporal.delay * FRAME_RATIO,
            "memory_rows": temporal.memory_rows,
            "norms": temporal.norms,
            "lstm_layers": network.size.lstm_layers,
            "lstm_units": network.size.lstm_hidden,
            "statistics": file_reference(folder, "statistics.f32"),
        }
    return entry | {name: file_reference(folder, f"{name}.onnx") for name in names}


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
        "window": info.window.written(),
        "network": graphs if info.mask_share == 1.0 else {**graphs, "mask_share": info.mask_share},
        "targets": file_reference(folder, "targets.json"),
        "recipe": info.recipe.written(folder),
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
