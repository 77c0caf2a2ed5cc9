"""What a network costs in steps and as one graph re-run over its window, side by side: `python -m crafx2.cost`.

Random weights of the published size, or of the sizes of `--config`, one thread, CPU time of that thread, best of
several runs; a real-time factor is time used over audio time. Memory grows with the window: 5 s of the whole graph take
about 2 GB. With `--bundles FOLDER` nothing is measured: the same network is written there as the bundles `incremental`
and `whole`, for the engine's bench.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from .config import load_config
from .contract import MARGIN_FRAMES, SAMPLE_RATE_HZ, Form, Window, default_targets
from .export import BundleInfo, export_bundle, session, write_graphs
from .front_end import FRAME_RATIO
from .incremental import Recurrent, Temporal
from .model import CRAFx2, NetworkSize

RUNS = 5


def best_s(run: Callable[[], object]) -> float:
    """CPU seconds of the fastest run after a warm-up."""
    run()
    times = []
    for _ in range(RUNS):
        before = time.thread_time()
        run()
        times.append(time.thread_time() - before)
    return min(times)


def measure(network: CRAFx2, window: Window, window_s: float, folder: Path) -> dict[str, float]:
    """Real-time factors of every graph of a step, of their sum, and of the whole graph over `window_s` at every hop."""
    size, rng = network.size, np.random.default_rng(1)
    inputs, filters = size.stems * size.channels, size.filters
    hop_s = window.hop_frames / SAMPLE_RATE_HZ
    hop, fade = window.hop_frames // FRAME_RATIO, window.crossfade_frames // FRAME_RATIO
    write_graphs(network, folder, form="incremental")
    write_graphs(network, folder, form="whole")
    temporal, recurrent = Temporal(network), Recurrent(network)

    def random(*shape: int) -> np.ndarray:
        return (0.1 * rng.random(shape)).astype(np.float32)

    rate, latent, made = np.full((1, 1, 1), 0.1, np.float32), random(1, filters, hop), hop + fade
    reach = (window.lookahead_frames - MARGIN_FRAMES) // FRAME_RATIO
    ahead = max(reach - temporal.delay, fade + 1)
    feeds = {
        "front": {"stems": random(1, inputs, window.hop_frames + 2 * MARGIN_FRAMES)},
        "temporal": {
            "latent": latent,
            "memory": random(1, temporal.memory_rows, 2 * temporal.delay),
            "statistics": np.ones((1, temporal.norms, 2), np.float32),
            "rate": rate,
        },
        "recurrent": {
            "now": latent,
            "ahead": random(1, filters, ahead),
            "level": latent,
            "carried": random(1, 2 * recurrent.layers, size.lstm_hidden),
            "gate_level": random(1, filters, 1),
            "rate": rate,
        },
        "back": {"bands": random(1, filters, (made + 2) * FRAME_RATIO), "mask": random(1, filters, made + 2)},
    }
    found = {}
    for name, feed in feeds.items():
        graph = session(folder / f"{name}.onnx")
        found[f"{name}_rtf"] = best_s(lambda graph=graph, feed=feed: graph.run(None, feed)) / hop_s
    found["network_rtf_standard"] = sum(found.values())
    frames = int(window_s * SAMPLE_RATE_HZ) // FRAME_RATIO * FRAME_RATIO
    graph, feed = session(folder / "whole.onnx"), {"stems": random(1, inputs, frames)}
    found["whole_window_rtf"] = best_s(lambda: graph.run(None, feed)) / hop_s
    found["speedup_over_whole_window"] = found["whole_window_rtf"] / found["network_rtf_standard"]
    return found


def random_network(size: NetworkSize) -> CRAFx2:
    """Seeded weights: what a network costs does not depend on them."""
    torch.manual_seed(1)
    return CRAFx2(size).eval()


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
    parser.add_argument("--window", type=float, default=5.0, help="seconds of the whole graph's window")
    parser.add_argument(
        "--bundles", type=Path, metavar="FOLDER", help="write the network there instead of measuring it"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    configs = [load_config(name) for name in arguments.config]
    if arguments.bundles:
        write_bundles(random_network(configs[0].network), arguments.window, arguments.bundles)
        return
    for config in configs:
        if len(configs) > 1:
            print(config.name)
        with tempfile.TemporaryDirectory() as folder:
            found = measure(random_network(config.network), config.window, arguments.window, Path(folder))
        for name, value in found.items():
            print(f"{name:28} {value:10.4f}")


if __name__ == "__main__":
    main()
