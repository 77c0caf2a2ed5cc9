"""Host the built VST3 in DawDreamer and measure with which gain each sidechain reaches the output.

The model must be the plain sum with all effects off (TRIBUTARY_MODEL names it), so each of the four gains is one, the
main input does not sound, and nothing else is left. Exits non-zero with one sentence when that is not so.

usage: vst3_buses.py PLUGIN.vst3
"""

import sys

import dawdreamer
import numpy as np

RATE_HZ = 44_100
FRAMES = 2 * RATE_HZ
BUSES = ("main", "vocals", "bass", "drums", "other")
GAIN_TOLERANCE = 1e-5
RESIDUAL_LIMIT_DB = -120.0


def signals() -> dict[str, np.ndarray]:
    """Return different noise for each bus, each (2, frames), float32."""
    random = np.random.default_rng(1)
    return {bus: random.uniform(-0.2, 0.2, (2, FRAMES)).astype(np.float32) for bus in BUSES}


def render(path: str, block: int, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """Play all buses through the plug-in; return its output (2, frames), latency trimmed, and the latency in frames."""
    engine = dawdreamer.RenderEngine(RATE_HZ, block)
    plugin = engine.make_plugin_processor("tributary", path)
    channels = plugin.get_num_input_channels()
    if channels != 2 * len(BUSES):
        sys.exit(f"error: the plug-in shows {channels} input channels instead of {2 * len(BUSES)}")
    latency = plugin.get_latency_samples()
    silence = np.zeros((2, latency + block), np.float32)
    players = [engine.make_playback_processor(bus, np.hstack([inputs[bus], silence])) for bus in BUSES]
    engine.load_graph([(player, []) for player in players] + [(plugin, list(BUSES))])
    engine.render((FRAMES + latency + block) / RATE_HZ)
    return engine.get_audio()[:, latency : latency + FRAMES], latency


def check(path: str, block: int) -> None:
    """Measure all gains by least squares and exit with a sentence when one is wrong."""
    inputs = signals()
    output, latency = render(path, block, inputs)
    if not np.isfinite(output).all() or np.abs(output).max() == 0.0:
        sys.exit(f"error: the output is silent or not finite at blocks of {block} frames")
    for side, name in enumerate(("left", "right")):
        matrix = np.stack([inputs[bus][side] for bus in BUSES], 1).astype(np.float64)
        heard = output[side].astype(np.float64)
        gains = np.linalg.lstsq(matrix, heard, rcond=None)[0]
        rest = heard - matrix @ gains
        residual_db = 10 * np.log10(np.sum(rest**2) / np.sum(heard**2) + 1e-30)
        shown = ", ".join(f"{bus} {gain:+.6f}" for bus, gain in zip(BUSES, gains, strict=True))
        print(f"VST3, blocks of {block}, latency {latency}, {name}: {shown}; residual {residual_db:.1f} dB")
        wanted = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
        if np.abs(gains - wanted).max() > GAIN_TOLERANCE:
            sys.exit("error: a bus does not arrive with the gain it must have (main 0, each sidechain 1)")
        if residual_db > RESIDUAL_LIMIT_DB:
            sys.exit(f"error: {residual_db:.1f} dB of the output come from none of the buses")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for frames in (512, 64, 1000):
        check(sys.argv[1], frames)
