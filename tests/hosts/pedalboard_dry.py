"""Load the built VST3 in pedalboard, which knows the main input only, and play noise with Mix at 0 %.

What comes out must be what went in: pedalboard makes up for the latency. Prints one line.

usage: pedalboard_dry.py PLUGIN.vst3
"""

import sys

import numpy as np
import pedalboard

RATE_HZ = 44_100
FRAMES = 4 * RATE_HZ
BLOCK_FRAMES = 512
TOLERANCE = 1e-6


def main() -> None:
    """Compare the output with the input."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    plugin = pedalboard.load_plugin(sys.argv[1])
    plugin.mix = 0
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, FRAMES)).astype(np.float32)
    output = plugin(noise, RATE_HZ, BLOCK_FRAMES)
    if output.shape != noise.shape:
        sys.exit(f"error: {output.shape[1]} frames came out for {FRAMES}")
    error = float(np.abs(output - noise).max())
    if error > TOLERANCE:
        sys.exit(f"error: with Mix at 0 % the output differs from the input by {error:.2g}")
    print(f"{len(plugin.parameters)} parameters; with Mix at 0 % the input comes back within {error:.1g}")


if __name__ == "__main__":
    main()
