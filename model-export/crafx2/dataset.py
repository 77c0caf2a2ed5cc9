"""Songs on disk as training crops: `<set>/<song>/{vocals,bass,drums,other,mixture}.{wav,flac}`.

The stems are expected to be Fx-normalized already (`tributary normalize`); nothing is normalized here. Of a file only
the crop is read, at its offset, so a set may be far larger than memory (32-bit float WAV, as `tributary normalize`
writes, costs one seek and one copy). Crop number n depends only on the seed and n, so a resumed run sees the same data
as an uninterrupted one, and processes can share the numbers among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .augment import Augmentation, augment, replace_stem
from .contract import SAMPLE_RATE_HZ, STEMS
from .errors import UserError
from .front_end import FRAME_RATIO

EXTENSIONS = (".wav", ".flac")
#: How many of the folders that are left out are named.
NAMED = 5


class DatasetError(UserError):
    """What is wrong with a folder of songs, in one sentence."""


@dataclass(frozen=True)
class SongFiles:
    """Files of one song: stems that exist, the mixture, and the number of frames they share.

    `originals` are the stems before normalization, where they are at hand; songs to train on have a mixture.
    """

    name: str
    stems: dict[str, Path]
    mixture: Path | None
    frames: int
    originals: dict[str, Path] = field(default_factory=dict)


def _find(folder: Path, name: str) -> Path | None:
    for extension in EXTENSIONS:
        path = folder / f"{name}{extension}"
        if path.is_file():
            return path
    return None


def find_stems(folder: Path) -> dict[str, Path]:
    """Stems of a song's folder that exist, and its mixture under `mixture`."""
    return {name: path for name in (*STEMS, "mixture") if (path := _find(folder, name)) is not None}


def find_songs(
    root: Path, originals: Path | None = None, *, mixtures: bool = True, quiet: bool = False
) -> list[SongFiles]:
    """All songs below `root`, sorted by name; what is none is named on standard error, unless `quiet`.

    `originals` is the folder of the same songs before normalization; mixtures may be there only. Without `mixtures`
    songs need none.
    """
    for folder in (root, originals or root):
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder")
    songs, left_out = [], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        stems = find_stems(folder)
        raw = find_stems(originals / folder.name) if originals else {}
        mixture = stems.pop("mixture", None) or raw.get("mixture")
        raw.pop("mixture", None)
        if not stems or (mixtures and mixture is None):
            left_out.append(folder.name)
            continue
        paths = [path for path in (mixture, *stems.values(), *raw.values()) if path is not None]
        frames = soundfile.info(paths[0]).frames
        for path in paths:
            info = soundfile.info(path)
            if info.samplerate != SAMPLE_RATE_HZ:
                raise DatasetError(f"{path} has {info.samplerate} Hz; expected {SAMPLE_RATE_HZ}")
            frames = min(frames, info.frames)
        if frames == 0:
            raise DatasetError(f"{folder} holds a file without sound")
        songs.append(SongFiles(folder.name, stems, mixture, frames, raw))
    if not songs:
        raise DatasetError(f"{root} holds no song with stems{' and a mixture' if mixtures else ''}")
    if left_out and not quiet:
        what, more = "stems or no mixture" if mixtures else "stems", ", …" if len(left_out) > NAMED else ""
        names = ", ".join(left_out[:NAMED])
        print(f"{root}: left out for having no {what}: {len(left_out)} folders, {names}{more}", file=sys.stderr)
    return songs


def read_stereo(path: Path, start: int, frames: int) -> NDArray[np.float32]:
    """`(2, up to frames)` from a mono or stereo file; shorter where the file ends."""
    audio, _ = soundfile.read(path, frames=frames, start=start, dtype="float32", always_2d=True)
    audio = audio.T
    return np.repeat(audio, 2, axis=0) if audio.shape[0] == 1 else audio[:2]


def read_wrapped(path: Path | None, frames_in_song: int, start: int, frames: int) -> NDArray[np.float32]:
    """`(2, frames)` from `start`, wrapping around the end of the song; zeros where there is no file."""
    audio = np.zeros((2, frames), dtype=np.float32)
    filled = 0
    while path is not None and filled < frames:
        position = (start + filled) % frames_in_song
        count = min(frames - filled, frames_in_song - position)
        audio[:, filled : filled + count] = read_stereo(path, position, count)
        filled += count
    return audio


def read_crop(song: SongFiles, start: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Stems `(8, frames)` and mixture `(2, frames)` from `start`, wrapping around the end of the song."""
    stems = [read_wrapped(song.stems.get(stem), song.frames, start, frames) for stem in STEMS]
    return np.concatenate(stems), read_wrapped(song.mixture, song.frames, start, frames)


class CropSampler:
    """Random crops by number: every song once per round in an order of its own, uniform in time."""

    def __init__(self, songs: list[SongFiles], seed: int, augmentation: Augmentation | None = None) -> None:
        self.songs, self.seed, self.augmentation = songs, seed, augmentation or Augmentation()
        if self.augmentation.foreign_stem and not all(song.originals for song in songs):
            raise DatasetError("foreign_stem needs the stems before normalization of every song (--originals)")

    def batch(self, first: int, size: int, frames: int) -> tuple[Tensor, Tensor]:
        """Stems `(size, 8, frames)` and mixtures `(size, 2, frames)` of the crops from number `first` on."""
        if frames % FRAME_RATIO:
            raise ValueError(f"frames is {frames}; it must be a multiple of {FRAME_RATIO}")
        items = [self._item(first + index, frames) for index in range(size)]
        return (
            torch.from_numpy(np.stack([item[0] for item in items])),
            torch.from_numpy(np.stack([item[1] for item in items])),
        )

    def _item(self, number: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        turn, position = divmod(number, len(self.songs))
        order = np.random.default_rng([self.seed, 1, turn]).permutation(len(self.songs))
        rng = np.random.default_rng([self.seed, 2, number])
        song = self.songs[int(order[position])]
        start = int(rng.integers(song.frames))
        stems, mixture = read_crop(song, start, frames)
        if self.augmentation.foreign_stem and rng.random() < self.augmentation.foreign_stem:
            self._replace_stem(rng, song, start, stems, mixture)
        return augment(self.augmentation, rng, stems, mixture)

    def _replace_stem(
        self,
        rng: np.random.Generator,
        song: SongFiles,
        start: int,
        stems: NDArray[np.float32],
        mixture: NDArray[np.float32],
    ) -> None:
        index, other = int(rng.integers(len(STEMS))), self.songs[int(rng.integers(len(self.songs)))]
        name, frames, at = STEMS[index], mixture.shape[1], int(rng.integers(other.frames))
        original = read_wrapped(song.originals.get(name), song.frames, start, frames)
        foreign = read_wrapped(other.stems.get(name), other.frames, at, frames)
        foreign_original = read_wrapped(other.originals.get(name), other.frames, at, frames)
        replace_stem(index, stems, mixture, original, foreign, foreign_original)


@dataclass(frozen=True)
class StepPlan:
    """Crops per process and their length, for each step."""

    batch: int
    frames: int
    long_batch: int
    long_frames: int
    long_every: int

    def of(self, step: int) -> tuple[int, int]:
        """Crops and frames of a step."""
        long = self.long_every > 0 and step % self.long_every == self.long_every - 1
        return (self.long_batch, self.long_frames) if long else (self.batch, self.frames)

    def before(self, step: int) -> int:
        """Crops that a process has had when a step begins."""
        long = step // self.long_every if self.long_every > 0 else 0
        return long * self.long_batch + (step - long) * self.batch


class _Steps(Dataset):
    def __init__(self, sampler: CropSampler, plan: StepPlan, rank: int, world: int) -> None:
        self.sampler, self.plan, self.rank, self.world = sampler, plan, rank, world

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        size, frames = self.plan.of(step)
        return self.sampler.batch(self.plan.before(step) * self.world + self.rank * size, size, frames)


def _stand_apart(_worker: int) -> None:
    """Signals to stop go to a whole group of processes; those that read ahead end when the one that trains does."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()


def load_steps(
    sampler: CropSampler, plan: StepPlan, steps: range, *, rank: int = 0, world: int = 1, workers: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of a range of steps in order; `workers` processes read ahead (0: none, read when asked)."""
    data = _Steps(sampler, plan, rank, world)
    return iter(DataLoader(data, batch_size=None, sampler=steps, num_workers=workers, worker_init_fn=_stand_apart))


def validation_crops(songs: list[SongFiles], frames: int) -> list[tuple[Tensor, Tensor]]:
    """One crop from the middle of each song, `(1, 8, frames)` and `(1, 2, frames)`."""
    crops = []
    for song in songs:
        start = max(0, (song.frames - frames) // 2)
        stems, mixture = read_crop(song, start, frames)
        crops.append((torch.from_numpy(stems)[None], torch.from_numpy(mixture)[None]))
    return crops
