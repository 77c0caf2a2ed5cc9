"""Studio effects for generated songs: filters, compression, saturation, width, delay and reverb.

They make the *targets* sound mixed; none of them is part of Fx-normalization, which lives in Rust. Audio is float64,
shape `(channels, frames)`; every effect returns an array of the shape it was given.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Audio = NDArray[np.float64]

SAMPLE_RATE_HZ = 44_100
#: Gain computers run on peaks of this many frames: fast enough for 2 ms attacks, 64 times cheaper than per sample.
CONTROL_FRAMES = 64


def db_to_gain(level_db: float | Audio) -> Audio:
    """Turn decibels into a linear gain."""
    return np.power(10.0, np.asarray(level_db, dtype=np.float64) / 20.0)


def gain_to_db(gain: float | Audio) -> Audio:
    """Turn a linear gain into decibels; silence reads −200 dB."""
    return 20.0 * np.log10(np.maximum(np.abs(gain), 1e-10))


def peak_db(audio: Audio) -> float:
    """Level of the largest sample, dBFS."""
    return float(gain_to_db(np.max(np.abs(audio))))


def shelf(audio: Audio, frequency_hz: float, gain_db: float, *, high: bool) -> Audio:
    """Second-order RBJ shelf with Q 0.707."""
    a = 10.0 ** (gain_db / 40.0)
    w = 2.0 * np.pi * frequency_hz / SAMPLE_RATE_HZ
    cos, alpha = np.cos(w), np.sin(w) / np.sqrt(2.0)
    s = -1.0 if high else 1.0
    root = 2.0 * np.sqrt(a) * alpha
    b = [
        a * ((a + 1) - s * (a - 1) * cos + root),
        s * 2 * a * ((a - 1) - s * (a + 1) * cos),
        a * ((a + 1) - s * (a - 1) * cos - root),
    ]
    den = [
        (a + 1) + s * (a - 1) * cos + root,
        -s * 2 * ((a - 1) + s * (a + 1) * cos),
        (a + 1) + s * (a - 1) * cos - root,
    ]
    return signal.lfilter(b, den, audio, axis=-1)


def high_pass(audio: Audio, frequency_hz: float, order: int = 2) -> Audio:
    """Butterworth high pass."""
    sos = signal.butter(order, frequency_hz, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfilt(sos, audio, axis=-1)


def low_pass(audio: Audio, frequency_hz: float, order: int = 2) -> Audio:
    """Butterworth low pass."""
    sos = signal.butter(order, min(frequency_hz, 21_000.0), "lowpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfilt(sos, audio, axis=-1)


def band_pass(audio: Audio, low_hz: float, high_hz: float, order: int = 2) -> Audio:
    """Butterworth band pass."""
    sos = signal.butter(order, [low_hz, min(high_hz, 21_000.0)], "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfilt(sos, audio, axis=-1)


def saturate(audio: Audio, drive_db: float) -> Audio:
    """Soft clipping; the peak level stays about where it was."""
    peak = float(np.max(np.abs(audio), initial=0.0))
    if peak < 1e-9:
        return audio
    drive = float(db_to_gain(drive_db))
    return np.tanh(audio / peak * drive) / np.tanh(drive) * peak


def envelope_db(audio: Audio, attack_ms: float, release_ms: float) -> Audio:
    """Linked peak envelope at control rate, dB, shape `(ceil(frames / CONTROL_FRAMES),)`."""
    frames = audio.shape[-1]
    blocks = -(-frames // CONTROL_FRAMES)
    padded = np.zeros(blocks * CONTROL_FRAMES)
    padded[:frames] = np.max(np.abs(np.atleast_2d(audio)), axis=0)
    peaks = gain_to_db(np.max(padded.reshape(blocks, CONTROL_FRAMES), axis=1))
    return _follow(np.maximum(peaks, -100.0), attack_ms, release_ms)


def _follow(level: Audio, attack_ms: float, release_ms: float) -> Audio:
    control_ms = 1000.0 * CONTROL_FRAMES / SAMPLE_RATE_HZ
    rise, fall = np.exp(-control_ms / attack_ms), np.exp(-control_ms / release_ms)
    out = np.empty_like(level)
    state = float(level[0])
    for index, value in enumerate(level.tolist()):
        coefficient = rise if value > state else fall
        state = coefficient * state + (1.0 - coefficient) * value
        out[index] = state
    return out


def ramps(values: Audio, step: int, frames: int) -> Audio:
    """Straight lines `(frames,)` between values that lie `step` samples apart, the first at sample 0.

    As many values as that takes: `ceil(frames / step) + 1`.
    """
    along = np.arange(step) / step
    return (values[:-1, None] + np.diff(values)[:, None] * along).reshape(-1)[:frames]


def control_to_audio(control: Audio, frames: int) -> Audio:
    """Linear interpolation from control rate, whose values lie in the middle of their blocks, to `frames` samples."""
    half = CONTROL_FRAMES // 2
    return ramps(np.pad(control, 1, mode="edge"), CONTROL_FRAMES, half + frames)[half:]


def compress(
    audio: Audio, threshold_db: float, ratio: float, attack_ms: float, release_ms: float, knee_db: float = 6.0
) -> Audio:
    """Stereo-linked feed-forward compressor with a soft knee and no make-up gain."""
    reduced_db = reduction_db(audio, threshold_db, ratio, attack_ms, release_ms, knee_db)
    return audio * db_to_gain(-control_to_audio(reduced_db, audio.shape[-1]))


def reduction_db(
    audio: Audio, threshold_db: float, ratio: float, attack_ms: float, release_ms: float, knee_db: float = 6.0
) -> Audio:
    """How far `compress` turns down, dB at control rate."""
    over = envelope_db(audio, attack_ms, release_ms) - threshold_db
    over = np.where(over > knee_db / 2, over, np.maximum(over + knee_db / 2, 0.0) ** 2 / (2 * knee_db))
    return over * (1.0 - 1.0 / ratio)


def limit(audio: Audio, ceiling_db: float, release_ms: float = 80.0) -> Audio:
    """Look-ahead peak limiter: gain follows a minimum over ±2 control blocks, so the ceiling holds."""
    frames = audio.shape[-1]
    blocks = -(-frames // CONTROL_FRAMES)
    padded = np.zeros(blocks * CONTROL_FRAMES)
    padded[:frames] = np.max(np.abs(np.atleast_2d(audio)), axis=0)
    over = np.maximum(gain_to_db(np.max(padded.reshape(blocks, CONTROL_FRAMES), axis=1)) - ceiling_db, 0.0)
    held = np.max(np.stack([np.roll(over, shift) for shift in range(-4, 5)]), axis=0)
    held = np.maximum(_follow(held, 0.01, release_ms), held)
    smooth = np.convolve(np.pad(held, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    limited = audio * db_to_gain(-control_to_audio(smooth, frames))
    ceiling = float(db_to_gain(ceiling_db))
    return np.clip(limited, -ceiling, ceiling)


def to_stereo(audio: Audio) -> Audio:
    """`(frames,)` or `(1 or 2, frames)` to `(2, frames)`."""
    audio = np.atleast_2d(audio)
    return np.repeat(audio, 2, axis=0) if audio.shape[0] == 1 else audio


def pan(mono: Audio, position: float) -> Audio:
    """Equal-power pan of `(frames,)`; −1 is left, 0 center (−3 dB each), +1 right."""
    angle = (position + 1.0) * np.pi / 4.0
    return np.stack([mono * np.cos(angle), mono * np.sin(angle)])


def mid_and_side(audio: Audio) -> tuple[Audio, Audio]:
    """Middle and side `(frames,)` each; their sum is the left channel, their difference the right one."""
    return (audio[0] + audio[1]) / 2.0, (audio[0] - audio[1]) / 2.0


def set_width(audio: Audio, width: float) -> Audio:
    """Scale the side signal: 0 is mono, 1 unchanged."""
    mid, side = mid_and_side(audio)
    return np.stack([mid + side * width, mid - side * width])


def narrow_bass(audio: Audio, frequency_hz: float, *, both_ways: bool = False) -> Audio:
    """Take the side away below a frequency, 12 dB an octave, as desks and cutting lathes do.

    Filtered both ways in time it falls by 24, and no phase turns: above the frequency what is panned stays in place.
    """
    mid, side = mid_and_side(audio)
    side = high_pass(side, frequency_hz)
    if both_ways:
        side = high_pass(side[..., ::-1], frequency_hz)[..., ::-1]
    return np.stack([mid + side, mid - side])


def delay(audio: Audio, time_s: float, feedback: float, damping_hz: float, ping_pong: bool) -> Audio:
    """Echoes only (no dry signal), each repeat darker; ping-pong swaps sides every repeat."""
    shift = max(1, round(time_s * SAMPLE_RATE_HZ))
    out, repeat, gain = np.zeros_like(audio), audio, 1.0
    for _ in range(6):
        if shift >= audio.shape[-1] or gain < 0.02:
            break
        repeat = np.concatenate([np.zeros((audio.shape[0], shift)), repeat[:, :-shift]], axis=1)
        repeat = low_pass(repeat, damping_hz, order=1)
        if ping_pong:
            repeat = repeat[::-1]
        out += gain * repeat
        gain *= feedback
    return out


def reverb_response(rng: np.random.Generator, decay_s: float, pre_delay_ms: float, damping: float) -> Audio:
    """Stereo room response `(2, frames)`: sparse early reflections, then noise whose highs die first.

    `decay_s` is the time to −60 dB in the middle bands; `damping` 0…1 shortens the highs. Unit energy per side.
    """
    frames = int(min(decay_s * 1.1, 3.5) * SAMPLE_RATE_HZ)
    time_s = np.arange(frames) / SAMPLE_RATE_HZ
    noise = rng.standard_normal((2, frames))
    out = np.zeros((2, frames))
    edges = (60.0, 400.0, 2_000.0, 6_000.0, 16_000.0)
    for band in range(4):
        seconds = decay_s * (1.15, 1.0, 1.0 - 0.4 * damping, 1.0 - 0.75 * damping)[band]
        level = (0.7, 1.0, 1.0 - 0.3 * damping, 0.8 - 0.5 * damping)[band]
        out += level * band_pass(noise, edges[band], edges[band + 1]) * np.exp(-6.9 * time_s / seconds)
    onset = 1.0 - np.exp(-time_s / 0.012)
    out *= onset
    for _ in range(10):
        position = int(rng.uniform(0.004, 0.06) * SAMPLE_RATE_HZ)
        if position < frames:
            out[:, position] += rng.uniform(-1, 1, size=2) * 6.0
    shift = int(pre_delay_ms * 1e-3 * SAMPLE_RATE_HZ)
    out = np.concatenate([np.zeros((2, shift)), out], axis=1)
    return out / np.sqrt(np.sum(out**2, axis=1, keepdims=True))


def reverberate(audio: Audio, response: Audio) -> Audio:
    """Wet signal only, cut to the input's length."""
    frames = audio.shape[-1]
    return signal.oaconvolve(audio, response, axes=-1)[:, :frames]


@cache
def _k_weighting() -> Audio:
    """BS.1770-4's two filters at our rate, from the analog prototypes behind its 48 kHz tables (as in libebur128)."""
    k, q = np.tan(np.pi * 1_681.974450955533 / SAMPLE_RATE_HZ), 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    norm = 1.0 + k / q + k * k
    shelf_sos = [
        *np.array([high + band * k / q + k * k, 2.0 * (k * k - high), high - band * k / q + k * k]) / norm,
        *np.array([norm, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k]) / norm,
    ]
    k, q = np.tan(np.pi * 38.13547087602444 / SAMPLE_RATE_HZ), 0.5003270373238773
    norm = 1.0 + k / q + k * k
    low_sos = [1.0, -2.0, 1.0, *np.array([norm, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k]) / norm]
    return np.array([shelf_sos, low_sos])


def loudness_lufs(audio: Audio) -> float:
    """Integrated loudness after BS.1770-4 (both gates), LUFS; −200 for silence.

    Only levels the generated mix; every measured number of the project comes from the Rust meter.
    """
    weighted = signal.sosfilt(_k_weighting(), np.atleast_2d(audio), axis=-1)
    hop = SAMPLE_RATE_HZ // 10
    blocks = weighted.shape[-1] // hop
    if blocks < 4:
        return -200.0
    power = np.sum(weighted[:, : blocks * hop].reshape(weighted.shape[0], blocks, hop) ** 2, axis=(0, 2)) / hop
    power = np.convolve(power, np.full(4, 0.25), mode="valid")
    loud = power[power > 10 ** ((-70.0 + 0.691) / 10)]
    if loud.size == 0:
        return -200.0
    loud = loud[loud > 0.1 * np.mean(loud)]
    return float(-0.691 + 10 * np.log10(np.mean(loud)))


def set_loudness(audio: Audio, level_lufs: float) -> Audio:
    """Scale to an integrated loudness; silence stays silent."""
    measured = loudness_lufs(audio)
    return audio if measured < -120.0 else audio * float(db_to_gain(level_lufs - measured))
