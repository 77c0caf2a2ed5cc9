"""Mix a song through the built VST3 in DawDreamer, by its four sidechains.

With a CLAP as well, that is loaded into the same process before: on Linux the two are one file, which the loader takes
for one library, and the VST3 must mix as it does alone. Writes a 32-bit float WAV as long as the song.

usage: dawdreamer_mix.py PLUGIN.vst3 STEMS OUT.wav [PLUGIN.clap]
"""

import ctypes
import sys
from pathlib import Path

import dawdreamer
import numpy as np
import soundfile
from stems import RATE_HZ, read_stems

BLOCK_FRAMES = 512


def main() -> None:
    """Render a song and write it."""
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    clap = ctypes.CDLL(sys.argv[4]) if len(sys.argv) == 5 else None
    stems = {stem: audio.T for stem, audio in read_stems(Path(sys.argv[2])).items()}
    frames = max(audio.shape[1] for audio in stems.values())
    engine = dawdreamer.RenderEngine(RATE_HZ, BLOCK_FRAMES)
    plugin = engine.make_plugin_processor("tributary", sys.argv[1])
    latency = plugin.get_latency_samples()
    inputs = {"main": np.zeros((2, frames), np.float32)} | stems
    silence = np.zeros((2, latency + BLOCK_FRAMES), np.float32)
    players = [engine.make_playback_processor(bus, np.hstack([audio, silence])) for bus, audio in inputs.items()]
    engine.load_graph([(player, []) for player in players] + [(plugin, list(inputs))])
    engine.render((frames + latency + BLOCK_FRAMES) / RATE_HZ)
    mix = engine.get_audio()[:, latency : latency + frames]
    if not np.isfinite(mix).all() or np.abs(mix).max() == 0.0:
        sys.exit("error: what DawDreamer rendered is silent or not finite")
    soundfile.write(sys.argv[3], mix.T, RATE_HZ, subtype="FLOAT")
    del clap


if __name__ == "__main__":
    main()
