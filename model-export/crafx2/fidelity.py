"""How near the stream is to the plain network over the whole song, over hop and lookahead.

`python -m crafx2.fidelity CHECKPOINT BUNDLE SONG...` prints the table in docs/latency.md, from songs as
`tributary normalize` wrote them and the checkpoint that the incremental bundle was exported from. "running": statistics
start from the bundle's and follow the song. "learned": they are those of the whole song, frozen. Costs are CPU time of
the latent mixer, which alone depends on the window, over audio time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .checkpoint import network_from_checkpoint
from .config import frames_of
from .contract import MARGIN_FRAMES, SAMPLE_RATE_HZ, STEMS, Window
from .dataset import find_stems, read_stereo
from .front_end import FRAME_RATIO
from .incremental import Statistics
from .model import CRAFx2
from .streaming import IncrementalStream

Array = NDArray[np.float32]
#: Frames of the normalizer's hop, by which the engine's Low mode is measured out.
NORMALIZER_HOP_FRAMES = 1_024


@dataclass
class Row:
    """One window and what the songs made of it, in dB and in parts of real time."""

    name: str
    window: Window
    running_db: list[float]
    learned_db: list[float]
    cost: list[float]


def windows(standard: Window, delay_frames: int) -> list[tuple[str, Window]]:
    """The latency modes' windows, as `engine/src/bundle/contract/modes.rs` has them, then other hops and lookaheads."""
    crossfade = min(standard.crossfade_frames, frames_of(0.012))
    low = replace(
        standard,
        hop_frames=min(standard.hop_frames, (1 if standard.computing_share else 2) * NORMALIZER_HOP_FRAMES),
        crossfade_frames=crossfade,
        lookahead_frames=min(
            standard.lookahead_frames, max(3 * NORMALIZER_HOP_FRAMES, crossfade + MARGIN_FRAMES + FRAME_RATIO)
        ),
    )
    high = replace(
        standard,
        hop_frames=max(standard.hop_frames, frames_of(0.5)),
        lookahead_frames=max(standard.lookahead_frames, MARGIN_FRAMES + delay_frames + frames_of(1.0)),
    )
    short_hop = replace(standard, hop_frames=2_048, crossfade_frames=min(512, standard.crossfade_frames))
    lookaheads = [replace(standard, lookahead_frames=lookahead) for lookahead in (2_048, 5_120, 16_384)]
    others = [short_hop, replace(standard, hop_frames=22_016), *lookaheads]
    return [("Low", low), ("Standard", standard), ("High", high), *(("", other) for other in others)]


def read_song(folder: Path, seconds: float) -> Array:
    """Stems `(8, T)`, T a multiple of 64; those that are missing are silent."""
    tracks = {name: read_stereo(path, 0, int(seconds * SAMPLE_RATE_HZ)) for name, path in find_stems(folder).items()}
    frames = max(track.shape[1] for track in tracks.values()) // FRAME_RATIO * FRAME_RATIO
    stems = np.zeros((2 * len(STEMS), frames), dtype=np.float32)
    for index, stem in enumerate(STEMS):
        if stem in tracks:
            part = tracks[stem][:, :frames]
            stems[2 * index : 2 * index + 2, : part.shape[1]] = part
    return stems


def ratio_db(mix: Array, wanted: Array) -> float:
    """Signal to distortion."""
    return float(10 * np.log10(np.sum(wanted**2) / (np.sum((mix - wanted) ** 2) + 1e-30)))


def measure_song(network: CRAFx2, stream: IncrementalStream, stems: Array, rows: list[Row]) -> None:
    """Add a song's figures to every row."""
    x = torch.from_numpy(stems)[None]
    statistics = Statistics.of_signal(network, x)
    with torch.no_grad():
        wanted = network(x)[0].numpy()
    padded = np.pad(stems, ((0, 0), (MARGIN_FRAMES, MARGIN_FRAMES)))[None]
    latent, level, bands = stream.front.run(None, {"stems": padded})
    for row in rows:
        stream.window = row.window
        for frozen, found in ((None, row.running_db), (statistics, row.learned_db)):
            stream.frozen = frozen
            before = time.thread_time()
            _, hops = stream.masks(latent, level, freeze=False)
            if frozen is None:
                row.cost.append((time.thread_time() - before) / (stems.shape[1] / SAMPLE_RATE_HZ))
            found.append(ratio_db(stream.synthesize(bands, hops), wanted))


def table(rows: list[Row]) -> str:
    """Markdown: of all songs the least ratio and the least cost."""
    lines = [
        "| mode | hop ms | lookahead ms | joint ms | running dB | learned dB | latent mixer RTF |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        hop, lookahead, joint = (
            1000 * frames / SAMPLE_RATE_HZ
            for frames in (row.window.hop_frames, row.window.lookahead_frames, row.window.crossfade_frames)
        )
        lines.append(
            f"| {row.name} | {hop:.0f} | {lookahead:.0f} | {joint:.0f} "
            f"| {min(row.running_db):.1f} | {min(row.learned_db):.1f} "
            f"| {min(row.cost):.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table, then the figures of the modes as `name value`."""
    parser = argparse.ArgumentParser(prog="crafx2.fidelity", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("songs", type=Path, nargs="+", help="folders with one song each")
    parser.add_argument("--seconds", type=float, default=12.0, help="of every song, from its start")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network, _ = network_from_checkpoint(arguments.checkpoint)
    stream = IncrementalStream(arguments.bundle)
    chosen = windows(stream.window, int(stream.network["delay_frames"]))
    rows = [Row(name, window, [], [], []) for name, window in chosen]
    for song in arguments.songs:
        measure_song(network, stream, read_song(song, arguments.seconds), rows)
    print(table(rows))
    low, standard, high = rows[:3]
    print(f"stream_sdr_db_low {min(low.running_db):.1f}")
    print(f"stream_sdr_db_standard {min(standard.running_db):.1f}")
    print(f"stream_sdr_db_high {min(high.running_db):.1f}")
    print(f"stream_sdr_db_learned {min(standard.learned_db):.1f}")


if __name__ == "__main__":
    main()
