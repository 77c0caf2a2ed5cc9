"""Mixtures made anew from normalized stems: the engineer's moves, and nothing that stays.

An engineer's own mixture differs from the sum of the normalized stems by levels, tone and width that do not move. Those
are the recipe's. A network that learns from it learns them as a fixed filter, which real stems do not need. So the
moves that the generator recorded are made on the normalized stems, less their mean over the song in each third octave:
the plain sum is then right up to what moves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from .contract import SAMPLE_RATE_HZ, STEMS, replaced_file
from .dataset import DatasetError, find_stems, read_stereo
from .songs.effects import Audio
from .songs.moves import MOVES_FILE, Moves, powers

#: A stem that the set lacks is as good as one that is silent.
Stems = dict[str, Audio]


def read_stems(folder: Path) -> Stems:
    """The stems of a song's folder that exist, `(2, frames)` each, all of equal length."""
    paths = find_stems(folder)
    paths.pop("mixture", None)
    frames = min(soundfile.info(path).frames for path in paths.values())
    return {stem: read_stereo(path, 0, frames).astype(np.float64) for stem, path in paths.items()}


def stem_powers(stems: Stems, ticks: int) -> Audio:
    """`powers` of all stems `(stems, middle and side, ticks, third octaves)`, 0 for those that are not there."""
    found = [powers(stems[stem]) if stem in stems else np.zeros(1) for stem in STEMS]
    shape = next(power.shape for power in found if power.ndim == 3)
    together = np.stack([power if power.ndim == 3 else np.zeros(shape) for power in found])
    missing = max(0, ticks - together.shape[2])
    return np.pad(together, ((0, 0), (0, 0), (0, missing), (0, 0)))[:, :, :ticks]


def remix(normalized: Path, originals: Path) -> None:
    """Give every song of a normalized set the mixture and the moves that are right for its stems.

    `originals` are the generated songs, with their moves. Songs that have been remixed are kept. Raises `DatasetError`
    where nobody recorded what moved.
    """
    for folder in sorted(path for path in normalized.iterdir() if path.is_dir() and find_stems(path)):
        if (folder / MOVES_FILE).is_file():
            continue
        recorded = originals / folder.name / MOVES_FILE
        if not recorded.is_file():
            raise DatasetError(f"{recorded} is missing: only generated songs have their moves recorded")
        stems, moves = read_stems(folder), Moves.read(recorded)
        moves = moves.without_mean(stem_powers(stems, moves.ticks))
        mixture = sum(moves.carried_out(stem, audio) for stem, audio in stems.items())
        # The set's mixture may be a link to the engineer's own, which stays.
        with replaced_file(folder / "mixture.wav") as temporary:
            soundfile.write(temporary, mixture.T, SAMPLE_RATE_HZ, subtype="FLOAT", format="WAV")
        # Last, because it says that the song is done.
        with replaced_file(folder / MOVES_FILE) as temporary:
            moves.write(temporary)
