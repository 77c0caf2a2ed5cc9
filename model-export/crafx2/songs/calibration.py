"""Fixed tone corrections that bring the generated set's average spectra to those of real music.

Real stems are normalized toward the published MUSDB18 averages, so synthetic stems must sit around the same averages.
The tables hold one gain per octave-third point; they are refreshed with `crafx2 calibrate`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import signal

from .effects import SAMPLE_RATE_HZ, Audio

#: Frequencies of the correction tables in Hz (octaves).
POINTS_HZ = (31.5, 63.0, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0)
#: Gain in dB at `POINTS_HZ`, added to every song's stem.
GAINS_DB: dict[str, tuple[float, ...]] = {
    "vocals": (0.0, 0.0, 0.0, -2.1, -2.8, 1.4, 3.3, 1.6, 6.9, 3.9),
    "bass": (-4.9, -8.5, 2.5, 1.6, -4.9, -3.0, 6.6, 9.4, 7.1, 9.0),
    "drums": (6.0, -3.0, 0.0, -1.3, 5.5, 3.0, -2.1, -2.8, -5.0, -5.1),
    "other": (0.0, 0.0, 0.0, -7.3, -1.7, -1.3, 2.8, 3.0, 0.8, 6.3),
}
TAPS = 4_095


@cache
def _filter(stem: str) -> Audio:
    grid_hz = np.concatenate([[0.0], np.geomspace(20.0, SAMPLE_RATE_HZ / 2, 400)])
    gain_db = np.interp(np.log(np.maximum(grid_hz, 20.0)), np.log(POINTS_HZ), GAINS_DB[stem])
    return signal.firwin2(TAPS, grid_hz, 10 ** (gain_db / 20.0), fs=SAMPLE_RATE_HZ)


def calibrate(stem: str, audio: Audio) -> Audio:
    """Apply the stem's correction to `(channels, frames)`, linear phase, delay removed."""
    if not any(GAINS_DB[stem]):
        return audio
    out = signal.oaconvolve(audio, _filter(stem)[None, :], axes=-1)
    begin = TAPS // 2
    return out[:, begin : begin + audio.shape[-1]]
