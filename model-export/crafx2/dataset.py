"""Songs on disk as training crops: `<set>/<song>/{vocals,bass,drums,other,mixture}.{wav,flac}`.

The stems are expected to be Fx-normalized already (`tributary normalize`); nothing is normalized here. Crops are read
straight from the files, so a set may be far larger than memory, and crop number n depends only on the seed and n, so a
resumed run sees the same data as an uninterrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from .contract import SAMPLE_RATE_HZ, STEMS
from .front_end import FRAME_RATIO

EXTENSIONS = (".wav", ".flac")
#: Part of the crops that begin with silence, as the live window does when playback starts.
LEADING_SILENCE_CHANCE = 0.15


class DatasetError(RuntimeError):
    """What is wrong with a folder of songs, in one sentence."""


@dataclass(frozen=True)
class SongFiles:
    """Files of one song: stems that exist, the mixture, and the number of frames they share."""

    name: str
    stems: dict[str, Path]
    mixture: Path
    frames: int


def _find(folder: Path, name: str) -> Path | None:
    for extension in EXTENSIONS:
        path = folder / f"{name}{extension}"
        if path.is_file():
            return path
    return None


def find_stems(folder: Path) -> dict[str, Path]:
    """Stems of a song's folder that exist, and its mixture under `mixture`."""
    return {name: path for name in (*STEMS, "mixture") if (path := _find(folder, name)) is not None}


def find_songs(root: Path, mixtures: Path | None = None) -> list[SongFiles]:
    """All songs below `root`, sorted by name; mixtures may live in a parallel folder."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder")
    songs = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        stems = find_stems(folder)
        mixture = stems.pop("mixture", None) or (_find(mixtures / folder.name, "mixture") if mixtures else None)
        if not stems or mixture is None:
            continue
        frames = soundfile.info(mixture).frames
        for path in (mixture, *stems.values()):
            info = soundfile.info(path)
            if info.samplerate != SAMPLE_RATE_HZ:
                raise DatasetError(f"{path} has {info.samplerate} Hz; expected {SAMPLE_RATE_HZ}")
            frames = min(frames, info.frames)
        songs.append(SongFiles(folder.name, stems, mixture, frames))
    if not songs:
        raise DatasetError(f"{root} holds no song with stems and a mixture")
    return songs


def read_stereo(path: Path, start: int, frames: int) -> NDArray[np.float32]:
    """`(2, up to frames)` from a mono or stereo file; shorter where the file ends."""
    audio, _ = soundfile.read(path, frames=frames, start=start, dtype="float32", always_2d=True)
    audio = audio.T
    return np.repeat(audio, 2, axis=0) if audio.shape[0] == 1 else audio[:2]


def read_crop(song: SongFiles, start: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Stems `(8, frames)` and mixture `(2, frames)` from `start`, wrapping around the end of the song."""
    stems = np.zeros((2 * len(STEMS), frames), dtype=np.float32)
    mixture = np.zeros((2, frames), dtype=np.float32)
    filled = 0
    while filled < frames:
        position = (start + filled) % song.frames
        count = min(frames - filled, song.frames - position)
        for index, stem in enumerate(STEMS):
            if stem in song.stems:
                part = read_stereo(song.stems[stem], position, count)
                stems[2 * index : 2 * index + 2, filled : filled + count] = part
        mixture[:, filled : filled + count] = read_stereo(song.mixture, position, count)
        filled += count
    return stems, mixture


class CropSampler:
    """Random crops by number: stratified over songs, uniform in time."""

    def __init__(self, songs: list[SongFiles], seed: int, swap_channels: bool = True) -> None:
        self.songs, self.seed, self.swap_channels = songs, seed, swap_channels

    def batch(self, step: int, size: int, frames: int) -> tuple[Tensor, Tensor]:
        """Stems `(size, 8, frames)` and mixtures `(size, 2, frames)` of a step."""
        if frames % FRAME_RATIO:
            raise ValueError(f"frames is {frames}; it must be a multiple of {FRAME_RATIO}")
        items = [self._item(step * size + index, frames) for index in range(size)]
        return (
            torch.from_numpy(np.stack([item[0] for item in items])),
            torch.from_numpy(np.stack([item[1] for item in items])),
        )

    def _item(self, number: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # Every song once per round, in an order of its own for each round.
        turn, position = divmod(number, len(self.songs))
        order = np.random.default_rng([self.seed, 1, turn]).permutation(len(self.songs))
        rng = np.random.default_rng([self.seed, 2, number])
        song = self.songs[int(order[position])]
        stems, mixture = read_crop(song, int(rng.integers(song.frames)), frames)
        if self.swap_channels and rng.random() < 0.5:
            stems = stems.reshape(-1, 2, frames)[:, ::-1].reshape(-1, frames).copy()
            mixture = mixture[::-1].copy()
        if rng.random() < LEADING_SILENCE_CHANCE:
            count = int(rng.uniform(0.1, 0.7) * frames)
            stems[:, :count] = 0.0
            mixture[:, :count] = 0.0
        return stems, mixture


def validation_crops(songs: list[SongFiles], frames: int) -> list[tuple[Tensor, Tensor]]:
    """One crop from the middle of each song, `(1, 8, frames)` and `(1, 2, frames)`."""
    crops = []
    for song in songs:
        start = max(0, (song.frames - frames) // 2)
        stems, mixture = read_crop(song, start, frames)
        crops.append((torch.from_numpy(stems)[None], torch.from_numpy(mixture)[None]))
    return crops
