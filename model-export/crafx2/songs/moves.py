"""What an engineer's hands do over a song: gains of stems over time and frequency, written down and carried out.

An engineer *decides* moves from what sounds (`mixing.py`); the desk here carries them out. So the record is exact by
construction, and the same moves can be made on the same stems in another state – normalized ones, for instance, for
which they are the right answer up to what moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from scipy import signal

from ..contract import STEMS
from ..third_octaves import CENTERS_HZ
from .effects import CONTROL_FRAMES, SAMPLE_RATE_HZ, Audio, db_to_gain, gain_to_db, mid_and_side, ramps

#: Name of the record beside a song's files.
MOVES_FILE = "moves.npz"
#: A tick is a twentieth of a second: faster than a hand, as fast as a gentle compressor.
TICKS_PER_S = 20
TICK_FRAMES = SAMPLE_RATE_HZ // TICKS_PER_S
#: What a gain applies to.
PARTS = ("middle", "side")
#: Gains are carried out on frames of a tick's length, overlapping by three quarters.
FFT, HOP = 2_048, 512
#: A send that is off, dB.
OFF_DB = -120.0


def ticks_in(frames: int) -> int:
    """Ticks of so many samples: at sample 0, and every `TICK_FRAMES` to the first one at or behind the end."""
    return -(-frames // TICK_FRAMES) + 1


@dataclass(frozen=True)
class Moves:
    """The record of a song: `gains_db` `(stems, middle and side, ticks, third octaves of CENTERS_HZ)`.

    `sends_db` has the level of each stem's send to an effect over time by the effect's name, `(stems, ticks)`; `OFF_DB`
    where nothing is sent. Sends are carried out by whoever has the effect.
    """

    gains_db: Audio
    sends_db: Mapping[str, Audio] = field(default_factory=dict)

    @classmethod
    def none(cls, frames: int) -> Moves:
        """Hands that rest, for a song of so many samples."""
        return cls(np.zeros((len(STEMS), len(PARTS), ticks_in(frames), CENTERS_HZ.size)), {})

    @property
    def ticks(self) -> int:
        """How many ticks the song has."""
        return self.gains_db.shape[2]

    def turned(self, stem: str, change_db: Audio, shape: Audio | float = 1.0, parts: tuple[str, ...] = PARTS) -> Moves:
        """With one move more: `change_db` `(ticks,)`, of which each third octave gets the share `shape` `(28,)`."""
        gains_db = self.gains_db.copy()
        for part in parts:
            gains_db[STEMS.index(stem), PARTS.index(part)] += change_db[:, None] * (shape * np.ones(CENTERS_HZ.size))
        return Moves(gains_db, self.sends_db)

    def all_turned(self, change_db: Audio, shape: Audio | float = 1.0) -> Moves:
        """The same move on all stems, as a bus makes it."""
        moves = self
        for stem in STEMS:
            moves = moves.turned(stem, change_db, shape)
        return moves

    def sent(self, effect: str, stem: str, level_db: Audio) -> Moves:
        """With a send of one stem, `(ticks,)`; one that is there already is replaced."""
        levels_db = np.array(self.sends_db.get(effect, np.full((len(STEMS), self.ticks), OFF_DB)))
        levels_db[STEMS.index(stem)] = level_db
        return Moves(self.gains_db, {**self.sends_db, effect: levels_db})

    def without_mean(self, power: Audio) -> Moves:
        """Less what each third octave of a stem is turned up or down all along, judged by its energy.

        `power` is that of the stems which the moves are for, shaped like `gains_db`. No third octave's energy over the
        song changes then: neither balance nor tone, only how they move.
        """
        mean_db = gained_db(np.moveaxis(self.gains_db, 2, -1), np.moveaxis(power, 2, -1))
        gains_db = self.gains_db - mean_db[:, :, None]
        return Moves(np.where(np.any(power > 0.0, axis=2, keepdims=True), gains_db, 0.0), self.sends_db)

    def carried_out(self, stem: str, audio: Audio) -> Audio:
        """A stem `(2, frames)` with its gains; without any it is what it was."""
        gains_db = self.gains_db[STEMS.index(stem)]
        if not np.any(gains_db):
            return audio
        middle, side = (_shaped(part, gain) for part, gain in zip(mid_and_side(audio), gains_db, strict=True))
        return np.stack([middle + side, middle - side])

    def write(self, path: Path) -> None:
        """Write a compressed NumPy archive of single precision."""
        sends = {f"sends_db/{effect}": level_db.astype(np.float32) for effect, level_db in self.sends_db.items()}
        with path.open("wb") as stream:
            np.savez_compressed(stream, gains_db=self.gains_db.astype(np.float32), **sends)

    @classmethod
    def read(cls, path: Path) -> Moves:
        """What `write` wrote; `ValueError` where a file holds something else."""
        with np.load(path, allow_pickle=False) as archive:
            held = {name: np.asarray(archive[name], dtype=np.float64) for name in archive.files}
        gains_db = held.pop("gains_db", np.zeros(0))
        if gains_db.ndim != 4 or gains_db.shape[:2] + gains_db.shape[3:] != (len(STEMS), len(PARTS), CENTERS_HZ.size):
            raise ValueError(f"{path} holds no moves")
        sends_db = {name.removeprefix("sends_db/"): level for name, level in held.items()}
        if any(level.shape != (len(STEMS), gains_db.shape[2]) for level in sends_db.values()):
            raise ValueError(f"{path} holds sends of another length than its gains")
        return cls(gains_db, sends_db)


def at_ticks(control: Audio, frames: int) -> Audio:
    """A curve at control rate `(ceil(frames / CONTROL_FRAMES),)` at the ticks, smoothed over a tick to either side."""
    ratio = TICK_FRAMES / CONTROL_FRAMES
    window = np.hanning(2 * round(ratio) + 1)
    edge = window.size // 2
    smooth = np.convolve(np.pad(control, edge, mode="edge"), window / np.sum(window), mode="valid")
    middles = (np.arange(control.size) + 0.5) * CONTROL_FRAMES
    return np.interp(np.arange(ticks_in(frames)) * TICK_FRAMES, middles, smooth)


def ticks_to_audio(curve: Audio, frames: int) -> Audio:
    """Straight lines `(frames,)` between the values of a curve `(ticks,)`."""
    return ramps(curve, TICK_FRAMES, frames)


def band(low_hz: float, high_hz: float) -> Audio:
    """The shape of an equalizer with a first-order band pass: what it adds in phase, which is the square of its
    magnitude, 1 in the middle.
    """
    center_hz = np.sqrt(low_hz * high_hz)
    warped = center_hz / CENTERS_HZ - CENTERS_HZ / center_hz
    return 1.0 / (1.0 + (center_hz / (high_hz - low_hz) * warped) ** 2)


def top(from_hz: float) -> Audio:
    """The shape of an equalizer with a first-order high pass, likewise."""
    return 1.0 / (1.0 + (from_hz / CENTERS_HZ) ** 2)


def powers(audio: Audio) -> Audio:
    """What gains meet in a stem `(2, frames)`: power of middle and side by third octave around each tick.

    `(2, ticks, third octaves)`, to be compared with each other; bins are shared out as gains are read at them.
    """
    found = [np.abs(_transform(part)) ** 2 for part in mid_and_side(audio)]
    shares = bin_shares()
    bands = np.stack([shares[1:].T @ power[1:] for power in found])
    at = np.clip(np.arange(ticks_in(audio.shape[-1])) * TICK_FRAMES / HOP, 0, bands.shape[2] - 1)
    low = np.minimum(at.astype(int), bands.shape[2] - 2)
    weight = at - low
    return np.swapaxes((1.0 - weight) * bands[:, :, low] + weight * bands[:, :, low + 1], 1, 2)


@cache
def bin_shares() -> Audio:
    """How a curve over third octaves reads at the transform's bins, as a matrix `(1025, 28)`.

    Straight lines over the logarithm, and the outermost values beyond.
    """
    hz = np.fft.rfftfreq(FFT, 1.0 / SAMPLE_RATE_HZ)
    place = np.interp(np.log(np.maximum(hz, 1.0)), np.log(CENTERS_HZ), np.arange(CENTERS_HZ.size))
    low = np.minimum(place.astype(int), CENTERS_HZ.size - 2)
    matrix = np.zeros((hz.size, CENTERS_HZ.size))
    matrix[np.arange(hz.size), low] = 1.0 - (place - low)
    matrix[np.arange(hz.size), low + 1] = place - low
    return matrix


def _window() -> Audio:
    return np.sqrt(signal.get_window("hann", FFT))


def _transform(audio: Audio) -> Audio:
    """Frames of `(frames,)`, centered on every `HOP`-th sample: `(bins, count)`."""
    return signal.stft(audio, window=_window(), nperseg=FFT, noverlap=FFT - HOP)[2]


def _shaped(audio: Audio, gains_db: Audio) -> Audio:
    """`(frames,)` with gains `(ticks, third octaves)`: bins of frames are multiplied, at zero phase."""
    if not np.any(gains_db):
        return audio
    spectrum = _transform(audio)
    at = np.arange(spectrum.shape[1]) * HOP / TICK_FRAMES
    ticks = np.arange(gains_db.shape[0])
    curves = np.stack([np.interp(at, ticks, gains_db[:, index]) for index in range(CENTERS_HZ.size)])
    spectrum *= db_to_gain(bin_shares() @ curves)
    return signal.istft(spectrum, window=_window(), nperseg=FFT, noverlap=FFT - HOP)[1][: audio.size]


def gained_db(gains_db: Audio, power: Audio) -> Audio:
    """What gains come to over several bands or ticks, where these have `power`; both `(…, many)`, dB `(…,)`."""
    total = np.sum(power, axis=-1)
    moved = np.sum(power * db_to_gain(2.0 * gains_db), axis=-1)
    return np.where(total > 0.0, gain_to_db(np.sqrt(moved / np.maximum(total, 1e-30))), 0.0)
