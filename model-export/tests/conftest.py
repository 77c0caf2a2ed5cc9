"""Shared fixtures: one tiny network, one short song and three of noise, made once."""

import os
import warnings

# On few and busy cores, threads that spin for each other cost more than they bring.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import soundfile
import torch

from crafx2.contract import STEMS
from crafx2.generator import Song, generate_song
from crafx2.model import CRAFx2, NetworkSize, transparent_network
from crafx2.songs import sources

TINY = NetworkSize(
    bottleneck=16, hidden=16, skip=16, repeats=1, blocks=3, lstm_layers=1, lstm_hidden=64, squeeze=32, dropout=0.0
)


@pytest.fixture(scope="session")
def tiny_transparent() -> CRAFx2:
    return transparent_network(TINY, seed=3).eval()


@pytest.fixture()
def tiny_random() -> CRAFx2:
    """All weights random, so that every path of the network matters."""
    torch.manual_seed(5)
    network = CRAFx2(TINY)
    with torch.no_grad():
        network.conv_2.weight.mul_(20.0)
    return network.eval()


@pytest.fixture(scope="session")
def sampled() -> None:
    """For tests of sampled songs: says loudly what is missing, where they cannot be made."""
    if faults := sources.missing():
        warnings.warn(f"NOT TESTED, sampled songs cannot be made here: {'; '.join(faults)}", stacklevel=1)
        pytest.skip("; ".join(faults))


@pytest.fixture(scope="session")
def song() -> Song:
    return generate_song(seed=52, duration_s=5.0, variant="dry_stereo", full=True)


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """Three songs of noise, a second each, as 32-bit float WAV."""
    root, rng, frames = tmp_path_factory.mktemp("noise"), np.random.default_rng(1), 44_100
    for number in range(3):
        (root / f"song-{number}").mkdir()
        for name in (*STEMS, "mixture"):
            audio = 0.1 * rng.standard_normal((frames, 2)) * np.linspace(0.2, 1.0, frames)[:, None]
            soundfile.write(root / f"song-{number}" / f"{name}.wav", audio, 44_100, subtype="FLOAT")
    return root
