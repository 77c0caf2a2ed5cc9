"""Generated songs on disk: kept where they are the same, refused where they are not."""

from functools import partial

import numpy as np
import pytest
import soundfile

from crafx2 import song_set
from crafx2.errors import UserError
from crafx2.generator import Tracks
from crafx2.song_set import STAMP, generate
from crafx2.songs.moves import MOVES_FILE, Moves


def tone(seed: int, duration_s: float):
    """A stand-in for the generator."""
    return Tracks({"vocals": np.full((1, round(44_100 * duration_s)), 0.01 * seed)}, Moves.none(10))


def test_songs_that_exist_are_kept_and_others_are_added(tmp_path):
    make = partial(tone, duration_s=0.1)
    generate(tmp_path, [1], make, workers=1)
    first = tmp_path / "song-1" / "vocals.wav"
    soundfile.write(first, np.zeros(100), 44_100)
    generate(tmp_path, [1, 2], make, workers=1)
    assert soundfile.info(first).frames == 100
    assert soundfile.info(tmp_path / "song-2" / "vocals.wav").frames == 4_410
    assert Moves.read(tmp_path / "song-2" / MOVES_FILE).ticks == Moves.none(10).ticks


@pytest.mark.parametrize("changed", ["length", "generator", "unknown"])
def test_songs_of_another_kind_are_not_mixed_in(tmp_path, monkeypatch, changed):
    make = partial(tone, duration_s=0.1)
    generate(tmp_path, [1], make, workers=1)
    match changed:
        case "length":
            make = partial(tone, duration_s=0.2)
        case "generator":
            monkeypatch.setattr(song_set, "_version", lambda: "another")
        case "unknown":
            (tmp_path / STAMP).unlink()
    with pytest.raises(UserError, match="made otherwise"):
        generate(tmp_path, [1, 2], make, workers=1)
    assert not (tmp_path / "song-2").exists()
    generate(tmp_path / "elsewhere", [1], make, workers=1)
