"""What a network costs in steps and as one graph re-run over its window, side by side: `python -m crafx2.cost`.

The published size, or the sizes of `--config`, from a seeded start; or the bundles of `--compare`, part by part in one
run. One thread, CPU time of that thread, best of several runs taken in turn; a real-time factor is time used over audio
time. Memory grows with the window: 5 s of the whole graph take about 2 GB. With `--bundles FOLDER` nothing is measured:
the same network is written there as the bundles `incremental` and `whole`, for the engine's bench.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .config import Config, load_config
from .contract import MARGIN_FRAMES, SAMPLE_RATE_HZ, STEMS, Form, Window, default_targets, read_json
from .errors import UserError
from .export import BundleInfo, export_bundle, write_graphs
from .front_end import FRAME_RATIO
from .model import CRAFx2, transparent_network
from .runtime import of_contract, session

RUNS = 9
#: Frames that either end handles in one run: `engine/src/crafx2/front_end.rs`.
PIECE_FRAMES = 4_096
#: The graphs of a step, in their order.
PARTS = ("front", "temporal", "recurrent", "back")


def best_s(runs: Sequence[Callable[[], object]]) -> list[float]:
    """CPU seconds of the fastest of several calls of each: in turn, so that what is compared is disturbed alike."""
    times = [[] for _ in runs]
    for turn in range(RUNS + 1):
        for run, found in zip(runs, times, strict=True):
            before = time.thread_time()
            run()
            if turn:
                found.append(time.thread_time() - before)
    return [min(found) for found in times]


def step_feeds(network: dict[str, Any], window: Window) -> dict[str, list[dict[str, np.ndarray]]]:
    """What every graph of an incremental bundle is given in a step, of noise, from its contract's entry `network`.

    The ends take a hop, the back end with the crossfade, in pieces as the engine cuts them.
    """
    rng, filters = np.random.default_rng(1), network["filters"]
    hop, fade = window.hop_frames // FRAME_RATIO, window.crossfade_frames // FRAME_RATIO

    def random(*shape: int) -> np.ndarray:
        return (0.1 * rng.random(shape)).astype(np.float32)

    def pieces(frames: int) -> list[int]:
        return [min(PIECE_FRAMES, frames - at) for at in range(0, frames, PIECE_FRAMES)]

    rate, latent = np.full((1, 1, 1), 0.1, np.float32), random(1, filters, hop)
    reach, delay = (window.lookahead_frames - MARGIN_FRAMES) // FRAME_RATIO, network["delay_frames"] // FRAME_RATIO
    ahead = max(reach - delay, fade + 1)
    return {
        "front": [{"stems": random(1, 2 * len(STEMS), n + 2 * MARGIN_FRAMES)} for n in pieces(window.hop_frames)],
        "temporal": [
            {
                "latent": latent,
                "memory": random(1, network["memory_rows"], 2 * delay),
                "statistics": np.ones((1, network["norms"], 2), np.float32),
                "rate": rate,
            }
        ],
        "recurrent": [
            {
                "now": latent,
                "ahead": random(1, filters, ahead),
                "level": latent,
                "carried": random(1, 2 * network["lstm_layers"], network["lstm_units"]),
                "gate_level": random(1, filters, 1),
                "rate": rate,
            }
        ],
        "back": [
            {"bands": random(1, filters, n + 2 * FRAME_RATIO), "mask": random(1, filters, n // FRAME_RATIO + 2)}
            for n in pieces(window.hop_frames + window.crossfade_frames)
        ],
    }


def measure_steps(bundles: Sequence[Path]) -> list[dict[str, float]]:
    """Real-time factors of every graph of a step of each bundle, and of their sum."""
    contracts = [read_json(bundle / "contract.json") for bundle in bundles]
    for bundle, contract in zip(bundles, contracts, strict=True):
        if contract["network"]["kind"] != "incremental":
            raise UserError(f"{bundle} is of kind {contract['network']['kind']}, which has no steps")
    windows = [Window(**contract["window"]) for contract in contracts]
    feeds = [step_feeds(contract["network"], window) for contract, window in zip(contracts, windows, strict=True)]
    found: list[dict[str, float]] = [{} for _ in bundles]
    for part in PARTS:
        graphs = [
            of_contract(bundle, contract["network"])(part) for bundle, contract in zip(bundles, contracts, strict=True)
        ]
        runs = [
            lambda graph=graph, feed=feed[part]: [graph.run(None, piece) for piece in feed]
            for graph, feed in zip(graphs, feeds, strict=True)
        ]
        for into, seconds, window in zip(found, best_s(runs), windows, strict=True):
            into[f"{part}_rtf"] = seconds / (window.hop_frames / SAMPLE_RATE_HZ)
    for into in found:
        into["network_rtf_standard"] = sum(into.values())
    return found


def measure(network: CRAFx2, window: Window, window_s: float, folder: Path) -> dict[str, float]:
    """The same of a network, and of the whole graph over `window_s` at every hop."""
    export_bundle(network, folder / "steps", BundleInfo("cost", "nothing", default_targets(), window=window))
    (found,) = measure_steps([folder / "steps"])
    write_graphs(network, folder, form="whole")
    frames = int(window_s * SAMPLE_RATE_HZ) // FRAME_RATIO * FRAME_RATIO
    stems = 0.1 * np.random.default_rng(2).random((1, 2 * len(STEMS), frames), np.float32)
    graph = session(folder / "whole.onnx")
    (seconds,) = best_s([lambda: graph.run(None, {"stems": stems})])
    found["whole_window_rtf"] = seconds / (window.hop_frames / SAMPLE_RATE_HZ)
    found["speedup_over_whole_window"] = found["whole_window_rtf"] / found["network_rtf_standard"]
    return found


def seeded_network(config: Config) -> CRAFx2:
    """The start of a configuration: of the weights the cost depends on no more than whether the bank is shared."""
    if config.start == "transparent":
        return transparent_network(config.network, 1).eval()
    torch.manual_seed(1)
    return CRAFx2(config.network).eval()


def comparison(bundles: Sequence[Path]) -> str:
    """Markdown: the parts of a step of each bundle, and how many times less each takes than in the first one."""
    found = measure_steps(bundles)
    lines = ["| part |" + "".join(f" {bundle} |" for bundle in bundles), "|---|" + "---|" * len(bundles)]
    for name, first in found[0].items():
        others = "".join(f" {item[name]:.4f} ({first / item[name]:.2f} ×) |" for item in found[1:])
        lines.append(f"| {name} | {first:.4f} |{others}")
    return "\n".join(lines)


def write_bundles(network: CRAFx2, window_s: float, folder: Path) -> None:
    """The network in steps and as one graph whose window is `window_s` long, with equal hops."""
    steps = Window()
    ahead = steps.hop_frames + steps.lookahead_frames
    context = int(window_s * SAMPLE_RATE_HZ - ahead) // FRAME_RATIO * FRAME_RATIO
    windows: dict[Form, Window] = {"incremental": steps, "whole": replace(steps, context_frames=context)}
    folder.mkdir(parents=True, exist_ok=True)
    for form, window in windows.items():
        info = BundleInfo(f"published size, {form}", "nothing: random weights", default_targets(), window=window)
        export_bundle(network, folder / form, info, form=form)


def main() -> None:
    """Print one `name value` per line, or write the bundles."""
    parser = argparse.ArgumentParser(prog="crafx2.cost", description=__doc__)
    parser.add_argument("--config", nargs="+", default=["published-Lb"], help="whose networks (default: %(default)s)")
    parser.add_argument(
        "--compare", nargs="+", type=Path, metavar="BUNDLE", help="bundles to measure in one run instead"
    )
    parser.add_argument("--window", type=float, default=5.0, help="seconds of the whole graph's window")
    parser.add_argument(
        "--bundles", type=Path, metavar="FOLDER", help="write the network there instead of measuring it"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.compare:
        print(comparison(arguments.compare))
        return
    configs = [load_config(name) for name in arguments.config]
    if arguments.bundles:
        write_bundles(seeded_network(configs[0]), arguments.window, arguments.bundles)
        return
    for config in configs:
        if len(configs) > 1:
            print(config.name)
        with tempfile.TemporaryDirectory() as folder:
            found = measure(seeded_network(config), config.window, arguments.window, Path(folder))
        for name, value in found.items():
            print(f"{name:28} {value:10.4f}")


if __name__ == "__main__":
    main()
