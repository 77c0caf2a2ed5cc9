"""Effects between sections: noise that rises into a chorus, a cymbal played backwards, a hit that falls into a drop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

from .effects import SAMPLE_RATE_HZ, Audio, high_pass, pan, to_stereo
from .instruments import synthesize_metal
from .score import Arrangement
from .styles import STYLES

#: A section that is fuller than the last by this much of energy may be announced.
LEAST_RISE = 0.2
#: How often, where machines play and where hands do.
CHANCE_MACHINES, CHANCE_HANDS = 0.8, 0.25
#: Styles whose hands are closer to the grid are machines', ms.
MACHINES_BELOW_MS = 3.0
#: Peaks, linear, of what is made here; layers lie near 0.1.
RISE_PEAK, HIT_PEAK = 0.12, 0.25


def play_transitions(rng: np.random.Generator, arrangement: Arrangement, frames: int) -> Audio:
    """All effects of a song, stereo `(2, frames)`; silent where nothing rises."""
    out = np.zeros((2, frames))
    machines = STYLES[arrangement.style].looseness_ms < MACHINES_BELOW_MS
    chance = CHANCE_MACHINES if machines else CHANCE_HANDS
    kinds: tuple[Callable[[np.random.Generator, float], Audio], ...]
    kinds = (_sweep, _reversed_cymbal, _riser) if machines else (_reversed_cymbal,)
    for before, bar in zip(arrangement.bars, arrangement.bars[1:], strict=False):
        if not bar.opens or bar.energy < before.energy + LEAST_RISE or rng.random() >= chance:
            continue
        seconds = arrangement.bar_s * float(rng.choice([0.5, 1.0, 1.0]))
        rise = kinds[int(rng.integers(len(kinds)))](rng, seconds)
        _end_at(out, bar.start_s, RISE_PEAK * rise / np.max(np.abs(rise)))
        if machines and rng.random() < 0.6:
            hit = _hit(rng)
            _begin_at(out, bar.start_s, HIT_PEAK * hit / np.max(np.abs(hit)))
    return out


def _ramp(seconds: float) -> Audio:
    """0…1 over so many seconds."""
    return np.linspace(0.0, 1.0, max(2, int(seconds * SAMPLE_RATE_HZ)))


def _sweep(rng: np.random.Generator, seconds: float) -> Audio:
    """Noise whose band climbs four octaves and opens to the sides, `(2, frames)`."""
    along = _ramp(seconds)
    noise = rng.standard_normal((2, along.size))
    options = {"nperseg": 1_024, "noverlap": 768}
    hz, _, spectrum = signal.stft(noise, SAMPLE_RATE_HZ, **options)
    center_hz = 500.0 * 16.0 ** np.linspace(0.0, 1.0, spectrum.shape[-1])
    octaves = np.log2(np.maximum(hz, 20.0)[:, None] / center_hz[None, :])
    _, swept = signal.istft(spectrum * np.exp(-0.5 * (octaves / 0.7) ** 2), SAMPLE_RATE_HZ, **options)
    swept = swept[:, : along.size]
    mid = np.mean(swept, axis=0)
    return (mid + (swept - mid) * along[: swept.shape[1]]) * along[: swept.shape[1]] ** 2


def _riser(rng: np.random.Generator, seconds: float) -> Audio:
    """Two saws an octave apart whose pitch climbs, `(2, frames)`."""
    along, base_hz = _ramp(seconds), float(rng.uniform(110, 220))
    sides = []
    for detune in (0.997, 1.003):
        hz = base_hz * detune * 2.0 ** (float(rng.uniform(0.8, 1.2)) * along * 2.0)
        phase = np.cumsum(hz) / SAMPLE_RATE_HZ
        saw = sum(np.sin(2 * np.pi * number * phase) / number for number in range(1, 12))
        sides.append(high_pass(saw, 200.0) * along**1.5)
    return np.stack(sides)


def _reversed_cymbal(rng: np.random.Generator, seconds: float) -> Audio:
    """A crash played backwards, `(2, frames)`."""
    crash = synthesize_metal(rng, seconds / 3.0, 3_000.0)[::-1]
    return pan(crash[-int(seconds * SAMPLE_RATE_HZ) :], float(rng.uniform(-0.4, 0.4)))


def _hit(rng: np.random.Generator) -> Audio:
    """A boom that falls, with a burst of noise on it, `(2, frames)`."""
    time_s = np.arange(int(1.6 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = 38.0 + 60.0 * np.exp(-time_s / 0.12)
    boom = np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ) * np.exp(-time_s / 0.45)
    burst = high_pass(rng.standard_normal((2, time_s.size)), 1_200.0) * np.exp(-time_s / 0.35)
    return to_stereo(boom) + 0.25 * burst


def _begin_at(track: Audio, start_s: float, sound: Audio) -> None:
    start = int(start_s * SAMPLE_RATE_HZ)
    count = min(sound.shape[1], track.shape[1] - start)
    if count > 0:
        track[:, start : start + count] += sound[:, :count]


def _end_at(track: Audio, end_s: float, sound: Audio) -> None:
    """Add a sound so that it ends at a time; what lies before the song's beginning is cut."""
    lead = int(end_s * SAMPLE_RATE_HZ) - sound.shape[1]
    _begin_at(track, max(0, lead) / SAMPLE_RATE_HZ, sound[:, max(0, -lead) :])
