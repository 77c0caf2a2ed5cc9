"""Many processes and much data: the same steps as one process, and only the crop is read."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import TINY

from crafx2.config import load_config
from crafx2.dataset import CropSampler, SongFiles, StepPlan, find_songs, load_steps, read_crop
from crafx2.distributed import Crew
from crafx2.train import Trainer


def loss_curve(root: Path, folder: Path, batch: int, crew: Crew | None = None) -> list[float]:
    """Held-out losses after each of three steps of a tiny network; the mean over all processes."""
    smoke = load_config("smoke")
    train = replace(smoke.train, steps=3, batch=batch, crop_s=0.15, long_every=0, validate_every=1)
    train = replace(train, validation_crop_s=0.3, learning_rate=5e-3, warmup_steps=1, average_decay=0.0)
    found = find_songs(root)
    config = replace(smoke, network=replace(TINY, filters=16, lstm_hidden=8), train=train)
    return [value for _, value in Trainer(config, found, found, folder, crew=crew).run().history]


def in_two_processes(arguments: list[str]) -> list[subprocess.Popen]:
    """Python with these arguments as `torchrun --nproc-per-node 2` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]


def test_two_processes_make_several_runs_with_one_command(songs, tmp_path):
    """Pre-training and two seeds, one after the other, as `make` has them; the bundle is written once."""
    tiny = (
        "batch = 1\ncrop_s = 1.6\nlong_every = 0\nvalidate_every = 1\nvalidation = 'crops'\nvalidation_crop_s = 1.6\n"
    )
    sizes = f"[network]\nfilters = 16\nlstm_hidden = 8\n[train]\n{tiny}workers = 0\nprecision = 'float32'\n"
    front_end, mixing = tmp_path / "front-end.toml", tmp_path / "mixing.toml"
    front_end.write_text(f"base = 'pretrain'\n{sizes}schedule = [[2, 1e-3]]\nepoch_steps = 1\n")
    top = f"base = 'smoke'\nname = 'mixing'\nstart = 'random'\npretrain = '{front_end}'\nseeds = [3, 5]\n"
    mixing.write_text(f"{top}{sizes}steps = 2\n")
    command = ["-m", "crafx2", "make", str(mixing), "--data", str(songs), "--held-out", str(songs)]
    processes = in_two_processes([*command, "--work", str(tmp_path), "-o", str(tmp_path / "bundle")])
    printed = [process.communicate(timeout=400)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [text.count("wrote") for text in printed] == [1, 0]
    assert (tmp_path / "pretrain" / "best.pt").is_file()
    assert "2 seeds; 3: " in (tmp_path / "bundle" / "CARD.md").read_text()


def test_two_processes_make_the_steps_of_one_with_the_doubled_batch(songs, tmp_path):
    processes = in_two_processes([__file__, str(songs), str(tmp_path / "two")])
    alone = loss_curve(songs, tmp_path / "one", batch=4)
    printed = [process.communicate(timeout=400)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    curves = [[float(value) for value in text.splitlines()[-1].split()] for text in printed]
    assert curves[0] == curves[1]
    assert curves[0] == pytest.approx(alone, rel=2e-5)
    assert loss_curve(songs, tmp_path / "half", batch=2) != pytest.approx(alone, rel=2e-4)
    assert abs(alone[-1] - alone[0]) > 1e-3 * alone[0]
    assert sorted(path.name for path in (tmp_path / "two").glob("*.pt")) == ["best.pt", "last.pt"]


def test_processes_share_the_crops_of_a_step(songs):
    sampler = CropSampler(find_songs(songs), 3)
    (whole, _) = next(load_steps(sampler, StepPlan(4, 640, 1, 1_280, 0), range(5, 6)))
    half = StepPlan(2, 640, 1, 1_280, 0)
    parts = [next(load_steps(sampler, half, range(5, 6), rank=rank, world=2))[0] for rank in range(2)]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("world", [1, 2])
def test_crops_are_counted_across_long_steps(songs, world):
    """Steps of 2, 2 and 1 crops a process: no number comes twice or never, so every song has its turn in a round."""
    sampler, plan, read = CropSampler(find_songs(songs), 3), StepPlan(2, 640, 1, 1_280, 3), []

    def note(number, _frames):
        read.append(number)
        return np.zeros((8, 1), np.float32), np.zeros((2, 1), np.float32)

    sampler._item = note
    ranks = [load_steps(sampler, plan, range(7), rank=rank, world=world) for rank in range(world)]
    for steps in zip(*ranks, strict=True):
        assert len({stems.shape for stems, _ in steps}) == 1
    assert read == list(range(12 * world))


def test_reading_ahead_changes_nothing(songs):
    sampler, plan = CropSampler(find_songs(songs), 3), StepPlan(2, 640, 1, 1_280, 2)
    plain = list(load_steps(sampler, plan, range(3, 7)))
    ahead = list(load_steps(sampler, plan, range(3, 7), workers=1))
    assert [item[0].shape for item in plain] == [(1, 8, 1_280), (2, 8, 640)] * 2
    assert all(torch.equal(a, b) for one, two in zip(plain, ahead, strict=True) for a, b in zip(one, two, strict=True))


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


@pytest.mark.parametrize(("extension", "subtype"), [("wav", "FLOAT"), ("flac", "PCM_16")])
def test_reading_a_crop_touches_only_the_crop(tmp_path, extension, subtype):
    """Counted by the system: of 8 MB a second's crop may cost little more than itself, wherever it lies."""
    if not Path("/proc/self/io").is_file():
        print("SKIPPED: this system does not count what a process reads", file=sys.stderr)
        return
    path, frames = tmp_path / f"mixture.{extension}", 1_000_000
    rng = np.random.default_rng(5)
    audio = 0.1 * rng.standard_normal((frames, 2))
    soundfile.write(path, audio, 44_100, subtype=subtype)
    song = SongFiles("long", {"bass": path}, path, frames)
    before = bytes_read()
    stems, _ = read_crop(song, 700_000, 4_410)
    spent = bytes_read() - before
    assert np.allclose(stems[2], audio[700_000:704_410, 0], atol=1e-4)
    crop = 2 * 2 * 4_410 * 4
    assert spent < crop + 400_000 < path.stat().st_size / 2
    before = bytes_read()
    soundfile.read(path)
    assert bytes_read() - before > path.stat().st_size / 2  # the positive control


if __name__ == "__main__":
    torch.set_num_threads(1)
    member = Crew.join("cpu")
    print(*loss_curve(Path(sys.argv[1]), Path(sys.argv[2]), batch=2, crew=member))
    member.leave()
