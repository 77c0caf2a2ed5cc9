"""The stems of a song as hosts want them: stereo, float32, equally long."""

import sys
from pathlib import Path

import numpy as np
import soundfile

STEMS = ("vocals", "bass", "drums", "other")
RATE_HZ = 44_100


def read_stems(folder: Path) -> dict[str, np.ndarray]:
    """Return the stems of a song at 44.1 kHz, each (frames, 2), float32, all as long as the longest."""
    stems = {}
    for stem in STEMS:
        [path] = [path for path in folder.iterdir() if path.stem == stem and path.suffix in (".wav", ".flac")]
        audio, rate = soundfile.read(path, always_2d=True, dtype="float32")
        if rate != RATE_HZ or audio.shape[1] not in (1, 2):
            sys.exit(f"error: {path} is not a mono or stereo file at {RATE_HZ} Hz")
        stems[stem] = np.repeat(audio, 3 - audio.shape[1], axis=1)[:, :2]
    longest = max(len(audio) for audio in stems.values())
    return {stem: np.pad(audio, ((0, longest - len(audio)), (0, 0))) for stem, audio in stems.items()}
