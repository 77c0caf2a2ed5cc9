"""Write the tiny CRAFx2 that the engine's tests of the incremental form run, and the same network as one whole graph.

Usage: python make_incremental.py, with the package `crafx2` of model-export importable. Seeded.
"""

import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "model-export"))

from crafx2.export import parity_signal, write_graphs  # noqa: E402
from crafx2.incremental import Statistics, Temporal  # noqa: E402
from crafx2.model import CRAFx2, NetworkSize  # noqa: E402

SIZE = NetworkSize(
    filters=8, bottleneck=8, hidden=8, skip=4, repeats=2, blocks=3, lstm_layers=2, lstm_hidden=4, squeeze=8, dropout=0.0
)


def main() -> None:
    """Write the graphs and the statistics of a signal that the tests do not use."""
    torch.manual_seed(11)
    network = CRAFx2(SIZE).eval()
    with torch.no_grad():
        network.conv_1.weight.mul_(4.0)
        network.conv_2.weight.mul_(20.0)
        for name, parameter in network.lstm.named_parameters():
            # The published biases remember for a thousand frames; the test signals are shorter.
            if name.startswith("bias"):
                parameter.uniform_(-0.3, 0.3)
    folder = HERE / "incremental"
    folder.mkdir(exist_ok=True)
    write_graphs(network, folder, form="incremental")
    write_graphs(network, folder, form="whole")
    statistics = Statistics.of_signal(network, torch.from_numpy(parity_signal(8, 64 * 300, seed=3))[None])
    values = torch.cat([statistics.norms.flatten(), statistics.gate.flatten()])
    values.numpy().astype("<f4").tofile(folder / "statistics.f32")
    temporal = Temporal(network)
    print(f"delay {64 * temporal.delay} frames, {temporal.memory_rows} rows, {temporal.norms} norms")


if __name__ == "__main__":
    main()
