"""Changes to training crops, all off unless a configuration turns them on: the published recipe has none in force.

They work on normalized crops as arrays, `stems` `(8, frames)` and `mixture` `(2, frames)`, and draw from the generator
of the crop's number, so that a resumed run repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .contract import STEMS
from .songs import effects as fx

Array = NDArray[np.float32]

#: The published reverb send: shelves of −30 dB below and above, on vocals and other only.
REVERB_STEMS = ("vocals", "other")
REVERB_TIME_S = (2.0, 4.0)
#: Level of the send beside the dry signal; our responses have unit energy.
SEND_GAIN = 0.3
LOW_SHELF_HZ, HIGH_SHELF_HZ, SHELF_DB = (500.0, 700.0), (7_000.0, 10_000.0), -30.0


@dataclass(frozen=True)
class Augmentation:
    """Chances per crop, 0 to 1, and ranges."""

    #: Left and right of everything change places (in the released code the switch exists and does nothing).
    swap_channels: float = 0.0
    #: Each stem's level is off by up to this many dB, either way; the target is not, so levels must be judged.
    gain_db: float = 0.0
    #: Vocals and other get a reverb send, as the paper does before normalization; the target does not.
    reverb: float = 0.0
    #: One stem comes from another song, in the target too, which needs the unnormalized stems (`--originals`).
    foreign_stem: float = 0.0
    #: The crop begins with silence, as the live window does when playback starts.
    leading_silence: float = 0.0

    def __post_init__(self) -> None:
        for name in ("swap_channels", "reverb", "foreign_stem", "leading_silence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a chance lies between 0 and 1")
        if not 0.0 <= self.gain_db <= 24.0:
            raise ValueError(f"gain_db is {self.gain_db}; it must lie between 0 and 24")


def augment(settings: Augmentation, rng: np.random.Generator, stems: Array, mixture: Array) -> tuple[Array, Array]:
    """Apply what the settings ask for; the arrays given may be changed."""
    frames = stems.shape[-1]
    if settings.swap_channels and rng.random() < settings.swap_channels:
        stems = stems.reshape(-1, 2, frames)[:, ::-1].reshape(-1, frames).copy()
        mixture = mixture[::-1].copy()
    if settings.gain_db:
        gain_db = rng.uniform(-settings.gain_db, settings.gain_db, len(STEMS))
        stems *= np.repeat(fx.db_to_gain(gain_db), 2).astype(np.float32)[:, None]
    if settings.reverb and rng.random() < settings.reverb:
        send_reverb(rng, stems)
    if settings.leading_silence and rng.random() < settings.leading_silence:
        count = int(rng.uniform(0.1, 0.7) * frames)
        stems[:, :count] = 0.0
        mixture[:, :count] = 0.0
    return stems, mixture


def send_reverb(rng: np.random.Generator, stems: Array) -> None:
    """Add the published reverb send to vocals and other, in place, with an impulse response of our own."""
    response = fx.reverb_response(rng, float(rng.uniform(*REVERB_TIME_S)), 0.0, 0.5)
    low_hz, high_hz = float(rng.uniform(*LOW_SHELF_HZ)), float(rng.uniform(*HIGH_SHELF_HZ))
    for index, stem in enumerate(STEMS):
        if stem in REVERB_STEMS:
            part = stems[2 * index : 2 * index + 2]
            send = fx.shelf(part.astype(np.float64), low_hz, SHELF_DB, high=False)
            send = fx.shelf(send, high_hz, SHELF_DB, high=True)
            part += (SEND_GAIN * fx.reverberate(send, response)).astype(np.float32)


def replace_stem(
    index: int, stems: Array, mixture: Array, original: Array, foreign: Array, foreign_original: Array
) -> None:
    """Put another song's stem in place of number `index`, in place: in the inputs and, at equal level, in the target.

    `foreign` `(2, frames)` is normalized; `original` and `foreign_original` are the stems as they are in the mixtures.
    """
    level, other = (float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) for part in (original, foreign_original))
    if level < 1e-4 or other < 1e-4:
        return  # nothing would be replaced, or nothing would come
    stems[2 * index : 2 * index + 2] = foreign
    mixture += foreign_original * np.float32(level / other) - original
