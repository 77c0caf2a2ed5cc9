"""How the band sounds: drums, bass, pads, keys, plucks and guitars, each a function from notes to audio.

Every patch is drawn once per song (`draw_*`) and then renders notes; so a song has one drum kit and one bass, and two
songs have different ones. Audio is float64; mono `(frames,)` unless a function says stereo `(2, frames)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from .effects import SAMPLE_RATE_HZ, Audio, band_pass, high_pass, low_pass, pan, saturate
from .score import Note


def midi_to_hz(pitch: float | Audio) -> Audio:
    """Equal temperament, A4 = 69 = 440 Hz."""
    return 440.0 * np.power(2.0, (np.asarray(pitch, dtype=np.float64) - 69.0) / 12.0)


def _time(seconds: float) -> Audio:
    return np.arange(max(2, int(seconds * SAMPLE_RATE_HZ))) / SAMPLE_RATE_HZ


def _add(track: Audio, start_s: float, sound: Audio) -> None:
    """Mix `sound` into `track` (both with frames last) at a time; what lies beyond the end is cut."""
    start = int(start_s * SAMPLE_RATE_HZ)
    count = min(sound.shape[-1], track.shape[-1] - start)
    if count > 0:
        track[..., start : start + count] += sound[..., :count]


def _fade_ends(sound: Audio, fade_ms: float = 3.0) -> Audio:
    count = min(int(fade_ms * 1e-3 * SAMPLE_RATE_HZ), sound.shape[-1] // 2)
    ramp = np.linspace(0.0, 1.0, count, endpoint=False)
    sound[..., :count] *= ramp
    sound[..., sound.shape[-1] - count :] *= ramp[::-1]
    return sound


@dataclass(frozen=True)
class DrumKit:
    """One-shot sounds by lane, and where each sits in the overheads (−1…1)."""

    shots: dict[str, Audio]
    positions: dict[str, float]
    room: float


def draw_drum_kit(rng: np.random.Generator, electronic: bool) -> DrumKit:
    """Synthesize a kit: swept-sine kick, tuned noise snare, metallic hats and crash, toms, a shaker or clap."""
    shots = {
        "kick": _kick(rng, electronic),
        "snare": _snare(rng, electronic),
        "hat": synthesize_metal(rng, float(rng.uniform(0.03, 0.07)), 6_500.0),
        "open": synthesize_metal(rng, float(rng.uniform(0.18, 0.4)), 6_000.0),
        "crash": synthesize_metal(rng, float(rng.uniform(0.9, 1.6)), 3_000.0),
        "tom": _tom(rng),
        "perc": _percussion(rng),
        "rim": _percussion(rng),
        "clap": _snare(rng, electronic=True),
        "ride": synthesize_metal(rng, float(rng.uniform(0.3, 0.7)), 5_000.0),
    }
    side = float(rng.choice([-1.0, 1.0]))
    positions = {"kick": 0.0, "snare": 0.04 * side, "hat": 0.25 * side, "open": 0.25 * side}
    positions |= {"crash": -0.35 * side, "tom": -0.2 * side, "perc": -0.3 * side}
    positions |= {"rim": 0.04 * side, "clap": 0.0, "ride": -0.3 * side}
    return DrumKit(shots, positions, float(rng.uniform(0.02, 0.08)))


def _kick(rng: np.random.Generator, electronic: bool) -> Audio:
    length = float(rng.uniform(0.25, 0.55) if electronic else rng.uniform(0.2, 0.38))
    time_s = _time(length * 1.4)
    end_hz, sweep_hz = rng.uniform(44, 62), rng.uniform(90, 260)
    frequency = end_hz + sweep_hz * np.exp(-time_s / rng.uniform(0.012, 0.03))
    body = np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE_HZ) * np.exp(-4.0 * time_s / length)
    click = high_pass(rng.standard_normal(time_s.size), 2_000.0) * np.exp(-time_s / 0.004)
    beater = np.sin(2 * np.pi * rng.uniform(1_800, 4_000) * time_s) * np.exp(-time_s / 0.006)
    sound = body + rng.uniform(0.08, 0.3) * click + rng.uniform(0.05, 0.2) * beater
    return _fade_ends(saturate(sound, rng.uniform(0, 8)), 0.5)


def _snare(rng: np.random.Generator, electronic: bool) -> Audio:
    length = float(rng.uniform(0.14, 0.3))
    time_s = _time(length * 1.8)
    tone_hz = rng.uniform(160, 240)
    glide = tone_hz * (1 + 0.3 * np.exp(-time_s / 0.01))
    phase = 2 * np.pi * np.cumsum(glide) / SAMPLE_RATE_HZ
    tone = (np.sin(phase) + 0.5 * np.sin(1.58 * phase)) * np.exp(-time_s / rng.uniform(0.03, 0.08))
    noise = rng.standard_normal(time_s.size)
    wires = band_pass(noise, rng.uniform(700, 1_500), rng.uniform(8_000, 14_000)) * np.exp(-4.5 * time_s / length)
    if electronic and rng.random() < 0.5:
        gaps = sum(np.where(time_s > at, np.exp(-(time_s - at) / 0.008), 0.0) for at in (0.0, 0.011, 0.023))
        wires = band_pass(noise, 900, 7_000) * (gaps + 0.7 * np.exp(-5 * time_s / length))
        tone *= 0.1
    snap = high_pass(noise, 3_000.0) * np.exp(-time_s / 0.003)
    sound = rng.uniform(0.5, 0.9) * tone + rng.uniform(0.9, 1.6) * wires + 0.4 * snap
    return _fade_ends(saturate(sound, rng.uniform(0, 6)), 0.5)


def synthesize_metal(rng: np.random.Generator, decay_s: float, cut_hz: float) -> Audio:
    """Six inharmonic square waves plus noise through a high pass: the classic cymbal recipe."""
    time_s = _time(decay_s * 4.5)
    ratios = np.array([2.0, 3.0, 4.16, 5.43, 6.79, 8.21]) * rng.uniform(0.97, 1.03, size=6)
    base_hz = rng.uniform(280, 460)
    squares = sum(np.sign(np.sin(2 * np.pi * base_hz * r * time_s + rng.uniform(0, 6.28))) for r in ratios)
    mixture = rng.uniform(0.15, 0.35) * squares + 1.2 * rng.standard_normal(time_s.size)
    sound = high_pass(mixture, cut_hz * rng.uniform(0.85, 1.15), order=3)
    sound = low_pass(sound, rng.uniform(13_000, 19_000), order=1)
    envelope = 0.8 * np.exp(-time_s / decay_s) + 0.2 * np.exp(-time_s / (decay_s * 0.15))
    return _fade_ends(0.35 * sound * envelope, 0.5)


def _tom(rng: np.random.Generator) -> Audio:
    time_s = _time(0.5)
    frequency = rng.uniform(85, 130) * (1 + 0.5 * np.exp(-time_s / 0.03))
    body = np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE_HZ) * np.exp(-time_s / 0.14)
    return _fade_ends(body + 0.15 * high_pass(rng.standard_normal(time_s.size), 1_000) * np.exp(-time_s / 0.01))


def _percussion(rng: np.random.Generator) -> Audio:
    time_s = _time(0.16)
    noise = rng.standard_normal(time_s.size)
    if rng.random() < 0.5:
        shape = np.minimum(time_s / 0.02, 1.0) * np.exp(-time_s / 0.035)
        return _fade_ends(0.5 * band_pass(noise, 4_500, 12_000) * shape)
    ring = np.sin(2 * np.pi * rng.uniform(350, 900) * time_s) * np.exp(-time_s / 0.04)
    return _fade_ends(0.6 * ring + 0.1 * high_pass(noise, 2_000) * np.exp(-time_s / 0.004))


def render_drums(rng: np.random.Generator, kit: DrumKit, lanes: dict[str, list[Note]], frames: int) -> Audio:
    """Play the kit; stereo `(2, frames)` as close microphones panned like overheads, with a short room."""
    levels = {"kick": 1.0, "snare": 0.8, "hat": 0.33, "open": 0.33, "crash": 0.4, "tom": 0.8, "perc": 0.4}
    levels |= {"rim": 0.5, "clap": 0.6, "ride": 0.3}
    track = np.zeros((2, frames))
    for lane, notes in lanes.items():
        shot = kit.shots[lane]
        for note in notes:
            sound = shot
            if lane == "tom":
                step = 2.0 ** (note.pitch / 12.0)
                sound = np.interp(np.arange(0, shot.size, step), np.arange(shot.size), shot)
            # A softer hit is duller, not only quieter.
            if note.velocity < 0.6 and lane != "kick":
                sound = low_pass(sound, 3_000 + 16_000 * note.velocity, order=1)
            gain = levels[lane] * note.velocity * float(rng.uniform(0.92, 1.05))
            _add(track, note.start_s, pan(gain * sound, kit.positions[lane]))
    return track + room(rng, track, kit.room)


def room(rng: np.random.Generator, track: Audio, amount: float) -> Audio:
    """What a short room adds to drums `(2, frames)`; nothing at 0."""
    if amount <= 0.0:
        return np.zeros_like(track)
    time_s = _time(0.25)
    response = rng.standard_normal((2, time_s.size)) * np.exp(-time_s / 0.05)
    response /= np.sqrt(np.sum(response**2, axis=1, keepdims=True))
    return 3.0 * amount * signal.oaconvolve(track, high_pass(response, 150.0), axes=-1)[:, : track.shape[-1]]


def _harmonics(frequency: Audio, amplitudes: Audio, phases: Audio) -> Audio:
    """Sum of partials below 16 kHz along a frequency contour `(frames,)`, read from one tabulated cycle."""
    numbers = np.arange(1, amplitudes.size + 1)
    audible = np.where(numbers * float(np.max(frequency)) < 16_000, amplitudes, 0.0)
    size = 4_096
    spectrum = np.zeros(size // 2 + 1, dtype=np.complex128)
    spectrum[1 : amplitudes.size + 1] = audible * np.exp(1j * phases) * size / 2
    cycle = np.fft.irfft(spectrum)
    position = (np.cumsum(frequency) / SAMPLE_RATE_HZ) % 1.0 * size
    return np.interp(position, np.arange(size + 1), np.append(cycle, cycle[0]))


def _filtered_partials(time_s: Audio, hz: float, count: int, slope: float, cutoff_hz: Audio, odd: bool) -> Audio:
    """Partials whose level follows a moving low pass of 12 dB per octave: an analog-style filter envelope.

    The envelope is evaluated on a coarse grid and interpolated, which is exact enough for decays over 5 ms.
    """
    grid = np.linspace(0, time_s.size - 1, max(4, time_s.size // 128)).astype(int)
    positions = np.arange(time_s.size)
    phase = 2 * np.pi * hz * time_s
    out = np.zeros_like(time_s)
    for number in range(1, count + 1):
        partial_hz = hz * number
        if partial_hz > 15_000 or (odd and number % 2 == 0):
            continue
        gain = number**-slope / np.sqrt(1.0 + (partial_hz / cutoff_hz[grid]) ** 4)
        out += np.interp(positions, grid, gain) * np.sin(number * phase + 0.7 * number)
    return out


@dataclass(frozen=True)
class BassPatch:
    """Oscillator slope and filter movement of a bass."""

    slope: float
    odd: bool
    base_cutoff_hz: float
    sweep_hz: float
    decay_s: float
    drive_db: float
    sub: float
    plucked: bool


def draw_bass(rng: np.random.Generator, electronic: bool) -> BassPatch:
    """Finger or pick bass for bands, synthesizer bass for electronic styles."""
    return BassPatch(
        slope=float(rng.uniform(0.9, 1.6)),
        odd=bool(rng.random() < 0.3),
        base_cutoff_hz=float(rng.uniform(180, 600)),
        sweep_hz=float(rng.uniform(400, 2_500)),
        decay_s=float(rng.uniform(0.08, 0.4)),
        drive_db=float(rng.uniform(0, 9)),
        sub=float(rng.uniform(0.0, 0.6) if electronic else rng.uniform(0.0, 0.2)),
        plucked=bool(rng.random() < (0.3 if electronic else 0.85)),
    )


def render_bass(rng: np.random.Generator, patch: BassPatch, notes: list[Note], frames: int) -> Audio:
    """Mono bass line `(frames,)`."""
    track = np.zeros(frames)
    for note in notes:
        time_s = _time(note.duration_s + 0.03)
        hz = float(midi_to_hz(note.pitch + rng.normal(0, 0.03)))
        cutoff = patch.base_cutoff_hz + patch.sweep_hz * note.velocity * np.exp(-time_s / patch.decay_s)
        sound = _filtered_partials(time_s, hz, 24, patch.slope, cutoff, patch.odd)
        sound += patch.sub * np.sin(2 * np.pi * hz * time_s)
        if patch.plucked:
            pluck = band_pass(rng.standard_normal(time_s.size), 600, 3_500) * np.exp(-time_s / 0.006)
            sound = sound * np.exp(-time_s / rng.uniform(0.5, 1.4)) + 0.12 * pluck
        _add(track, note.start_s, _fade_ends(note.velocity * sound, 5.0))
    return saturate(track, patch.drive_db)


def render_pad(rng: np.random.Generator, chords: list[list[Note]], frames: int) -> Audio:
    """Detuned saw pad, stereo `(2, frames)`: each voice has its own place and drift."""
    track = np.zeros((2, frames))
    cutoff_hz, slope = float(rng.uniform(900, 4_000)), float(rng.uniform(0.9, 1.4))
    attack_s, detune = float(rng.uniform(0.02, 0.35)), float(rng.uniform(0.03, 0.14))
    numbers = np.arange(1, 25)
    for chord in chords:
        for note in chord:
            time_s = _time(note.duration_s + 0.25)
            envelope = np.minimum(time_s / attack_s, 1.0) * np.clip((note.duration_s + 0.25 - time_s) / 0.25, 0, 1)
            for place in (-0.7, 0.7):
                hz = float(midi_to_hz(note.pitch + rng.normal(0, detune)))
                drift = 1.0 + 0.0008 * np.sin(2 * np.pi * rng.uniform(0.2, 0.7) * time_s + rng.uniform(0, 6.28))
                levels = numbers**-slope / np.sqrt(1.0 + (hz * numbers / cutoff_hz) ** 4)
                sound = _harmonics(hz * drift, levels, rng.uniform(0, 6.28, size=24))
                _add(
                    track,
                    note.start_s,
                    pan(0.12 * note.velocity * envelope * sound, place * rng.uniform(0.5, 1)),
                )
    return track


def render_keys(rng: np.random.Generator, chords: list[list[Note]], frames: int) -> Audio:
    """Two-operator FM electric piano or a struck-string piano, stereo `(2, frames)`, low notes left."""
    track = np.zeros((2, frames))
    index, ratio = float(rng.uniform(0.8, 3.0)), float(rng.choice([1.0, 2.0, 7.0, 14.0]))
    decay_s, piano = float(rng.uniform(0.6, 1.8)), bool(rng.random() < 0.5)
    spread = float(rng.uniform(0.1, 0.6))
    for chord in chords:
        for note in chord:
            time_s = _time(min(note.duration_s + 0.3, 4.0))
            hz = float(midi_to_hz(note.pitch))
            level = note.velocity * np.exp(-time_s / decay_s) * np.clip((time_s[-1] - time_s) / 0.2, 0, 1)
            if piano:
                cutoff = 500 + 5_000 * note.velocity * np.exp(-time_s / 0.35)
                sound = 0.6 * _filtered_partials(time_s, hz, 20, 0.9, cutoff, False)
                sound += 0.05 * band_pass(rng.standard_normal(time_s.size), 800, 5_000) * np.exp(-time_s / 0.008)
            else:
                depth = index * note.velocity * np.exp(-time_s / (0.3 if ratio < 3 else 0.06))
                sound = np.sin(2 * np.pi * hz * time_s + depth * np.sin(2 * np.pi * ratio * hz * time_s))
            place = spread * float(np.clip((note.pitch - 60) / 12, -1, 1))
            _add(track, note.start_s, pan(_fade_ends(0.3 * level * sound), place))
    return track


def _string(rng: np.random.Generator, hz: float, seconds: float, brightness: float, damping: float) -> Audio:
    """Karplus–Strong string: a noise burst in a delay line with a two-point average, computed period by period."""
    frames = int(seconds * SAMPLE_RATE_HZ)
    period = max(2, round(SAMPLE_RATE_HZ / hz - 0.5))
    burst = np.zeros(max(period, frames))
    burst[:period] = rng.uniform(-1, 1, size=period)
    burst = low_pass(burst, 1_200 + 9_000 * brightness, order=1)
    periods = -(-burst.size // period)
    line = np.zeros(periods * period)
    line[: burst.size] = burst
    previous, last = np.zeros(period), 0.0
    for index in range(periods):
        current = line[index * period : (index + 1) * period]
        current += damping / 2 * (previous + np.concatenate(([last], previous[:-1])))
        previous, last = current, previous[-1]
    return _fade_ends(line[:frames].copy(), 2.0)


def render_guitar(rng: np.random.Generator, chords: list[list[Note]], frames: int) -> Audio:
    """Strummed strings, clean or distorted; double-tracked left and right, stereo `(2, frames)`."""
    drive_db = float(rng.choice([0.0, 3.0, 14.0, 24.0]))
    brightness, damping = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.990, 0.998))
    power_chord = drive_db > 10
    sides = []
    for _ in range(2):
        track = np.zeros(frames)
        for chord in chords:
            strings = chord[:1] + [Note(n.start_s, n.duration_s, chord[0].pitch + 7, n.velocity) for n in chord[:1]]
            strings = strings if power_chord else chord
            for order, note in enumerate(strings):
                hz = float(midi_to_hz(note.pitch - (12 if power_chord else 0) + rng.normal(0, 0.04)))
                sound = _string(rng, hz, min(note.duration_s + 0.1, 3.0), brightness, damping)
                start = note.start_s + order * 0.012 + float(abs(rng.normal(0, 0.006)))
                _add(track, start, 0.5 * note.velocity * sound)
        if drive_db > 0:
            track = low_pass(saturate(high_pass(track, 90.0), drive_db), rng.uniform(4_000, 6_500))
        sides.append(track)
    place = float(rng.uniform(0.3, 1.0))
    return pan(sides[0], -place) + pan(sides[1], place)


def render_plucks(rng: np.random.Generator, notes: list[Note], frames: int) -> Audio:
    """Arpeggio of short filtered tones alternating around the center, stereo `(2, frames)`."""
    track = np.zeros((2, frames))
    decay_s, slope = float(rng.uniform(0.06, 0.25)), float(rng.uniform(0.8, 1.5))
    sweep_hz, odd, spread = (
        float(rng.uniform(1_500, 6_000)),
        bool(rng.random() < 0.4),
        float(rng.uniform(0, 0.7)),
    )
    for index, note in enumerate(notes):
        time_s = _time(min(note.duration_s, 6 * decay_s) + 0.05)
        cutoff = 300 + sweep_hz * note.velocity * np.exp(-time_s / decay_s)
        sound = _filtered_partials(time_s, float(midi_to_hz(note.pitch)), 16, slope, cutoff, odd)
        sound = _fade_ends(0.35 * note.velocity * sound * np.exp(-time_s / (2 * decay_s)))
        _add(track, note.start_s, pan(sound, spread * (1 if index % 2 else -1)))
    return track
