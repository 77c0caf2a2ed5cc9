"""Training on what an engineer moved: crops of latents, and the gains that their masks should have.

The generator knows every move (`songs/moves.py`), so masks can be compared with the moves themselves instead of mixes
with mixtures. With the filter bank of the transparent start held fixed, latents are computed once per song, and a step
takes less than half of the time of one through audio. Only the movement is taught: songs are remixed, their moves have
no mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .contract import STEMS
from .dataset import DatasetError, SongFiles
from .front_end import FRAME_RATIO
from .frozen import FrozenBank
from .model import NEUTRAL_MASK
from .remix import read_stems, stem_powers
from .songs.moves import FFT, MOVES_FILE, TICK_FRAMES, Moves, bin_shares

#: How much less a faint moment of a band counts than the stem's loudest: the power of its power. 40 dB below, a tenth.
FAINTNESS = 0.25
#: How much more it counts when a band is wrong all along the crop than when it moves wrongly.
MEAN_WEIGHT = 2.0
#: Latents of silence: softplus of nothing.
SILENT_LATENT = float(np.log(2.0))


@dataclass(frozen=True)
class Lesson:
    """One song: latents `(filters, N)`, and by tick the gains its masks should have, dB, and how much each counts."""

    latent: NDArray[np.float16]
    gain_db: NDArray[np.float32]
    weight: NDArray[np.float32]

    def goal(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gains and weights `(2, filters, N)` at latent frames."""
        at = (frames + 0.5) * FRAME_RATIO / TICK_FRAMES
        low = np.minimum(at.astype(int), self.gain_db.shape[1] - 2)
        part = (at - low).astype(np.float32)
        both = np.stack([self.gain_db, self.weight])
        return (1.0 - part) * both[:, :, low] + part * both[:, :, low + 1]


def band_shares(bank: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of each third octave passes a filter of the bank `(bands, taps)` and its synthesis: `(bands, 28)`."""
    passed = np.abs(np.fft.rfft(bank, n=FFT, axis=1)) ** 2
    shares = bin_shares()
    return passed @ shares / np.sum(shares, axis=0)


def lesson(song: SongFiles, bank: FrozenBank) -> Lesson:
    """Read a remixed song, whole."""
    folder = next(iter(song.stems.values())).parent
    path = folder / MOVES_FILE
    if not path.is_file():
        raise DatasetError(f"{path} is missing: to learn moves takes generated songs that were remixed")
    stems, moves = read_stems(folder), Moves.read(path)
    power = stem_powers(stems, moves.ticks)
    shares = band_shares(bank.bank[:, 0].cpu().numpy())
    band_power = np.einsum("kf,sptf->spkt", shares, power)
    moved = np.einsum("kf,sptf->spkt", shares, power * moves.gains_db)
    loudest = np.maximum(band_power.max(axis=(1, 2, 3), keepdims=True), 1e-20)
    gain_db = np.where(band_power > 0.0, moved / np.maximum(band_power, 1e-30), 0.0)
    weight = (band_power / loudest) ** FAINTNESS
    filters = bank.stems * 2 * bank.bands
    return Lesson(
        _latent(stems, song.frames, bank),
        gain_db.reshape(filters, -1).astype(np.float32),
        weight.reshape(filters, -1).astype(np.float32),
    )


def _latent(stems: dict[str, NDArray[np.float64]], frames: int, bank: FrozenBank) -> NDArray[np.float16]:
    frames -= frames % FRAME_RATIO
    audio = np.zeros((2 * len(STEMS), frames), np.float32)
    for index, stem in enumerate(STEMS):
        if stem in stems:
            audio[2 * index : 2 * index + 2] = stems[stem][:, :frames]
    latent = bank.analyze(torch.from_numpy(audio)[None].to(bank.bank.device))[1]
    return latent[0].cpu().numpy().astype(np.float16)


class LessonSampler:
    """Random crops by number, as `dataset.CropSampler` draws them, of latents instead of audio."""

    def __init__(self, songs: list[SongFiles], seed: int, bank: FrozenBank, leading_silence: float) -> None:
        self.songs, self.seed, self.bank, self.leading_silence = songs, seed, bank, leading_silence
        self._lessons: dict[int, Lesson] = {}

    def lesson(self, index: int) -> Lesson:
        """A song, read when it is first asked for; 0.2 MB a second of it stay in memory."""
        if index not in self._lessons:
            self._lessons[index] = lesson(self.songs[index], self.bank)
        return self._lessons[index]

    def batch(self, first: int, size: int, frames: int) -> tuple[Tensor, Tensor]:
        """Latents `(size, filters, N)` and goals `(size, 2, filters, N)` of the crops from number `first` on."""
        items = [self._item(first + index, frames // FRAME_RATIO) for index in range(size)]
        latents, goals = (torch.from_numpy(np.stack(part)) for part in zip(*items, strict=True))
        return latents, goals

    def _item(self, number: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        turn, position = divmod(number, len(self.songs))
        order = np.random.default_rng([self.seed, 1, turn]).permutation(len(self.songs))
        rng = np.random.default_rng([self.seed, 2, number])
        chosen = self.lesson(int(order[position]))
        length = chosen.latent.shape[1]
        latent, goal = _crop(chosen, (int(rng.integers(length)) + np.arange(frames)) % length)
        if rng.random() < self.leading_silence:
            count = int(rng.uniform(0.1, 0.7) * frames)
            latent[:, :count], goal[:, :, :count] = SILENT_LATENT, 0.0
        return latent, goal

    def middles(self, frames: int) -> list[tuple[Tensor, Tensor]]:
        """One crop from the middle of each song, as batches of one."""
        count, crops = frames // FRAME_RATIO, []
        for index in range(len(self.songs)):
            chosen = self.lesson(index)
            length = chosen.latent.shape[1]
            latent, goal = _crop(chosen, (max(0, (length - count) // 2) + np.arange(count)) % length)
            crops.append((torch.from_numpy(latent)[None], torch.from_numpy(goal)[None]))
        return crops


def _crop(chosen: Lesson, at: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return chosen.latent[:, at].astype(np.float32), chosen.goal(at)


class MoveLoss(nn.Module):
    """Mean square of what masks lack of an engineer's moves, dB², and of each band's mean over the crop once more.

    A band that is wrong all along is a fixed filter, the worse fault: middle and side of every stem are bands of their
    own. Faint moments count less, silence not at all.
    """

    def forward(self, mask: Tensor, goal: Tensor) -> Tensor:
        """Scalar; masks `(batch, filters, N)`, gains in dB and their weights `(batch, 2, filters, N)`."""
        gain_db, weight = goal[:, 0], goal[:, 1]
        lacking = 20.0 * torch.log10(mask / NEUTRAL_MASK + 1e-4) - gain_db
        total = weight.sum() + 1e-6
        heard = weight.sum(dim=2)
        mean = (weight * lacking).sum(dim=2) / (heard + 1e-6)
        moving = (weight * lacking.square()).sum() / total
        return moving + MEAN_WEIGHT * (heard * mean.square()).sum() / total


def held(mask: Tensor) -> Tensor:
    """Masks at their mean over time."""
    return mask.mean(dim=2, keepdim=True).expand_as(mask)


def resting(latent: Tensor) -> Tensor:
    """Masks that do nothing, shaped like the latents."""
    return torch.full_like(latent, NEUTRAL_MASK)
