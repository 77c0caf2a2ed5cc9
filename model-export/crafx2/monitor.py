"""What a run shows while it runs: a progress line with the time left, and scalars and audio for later.

Both go to `tensorboard` in the run's folder, which `tensorboard --logdir` shows. So that nothing needs a browser,
scalars are in `log.jsonl` too, one JSON object a line, and the latest sounds lie in `audio`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import soundfile
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from torch import Tensor

from .contract import SAMPLE_RATE_HZ

BAR_WIDTH = 24


class Monitor:
    """Scalars and audio of one run, by step. Everything is on disk when a call returns; a full disk is an `OSError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        events = folder / "tensorboard"
        events.mkdir(parents=True, exist_ok=True)
        # Not the package's usual writer: that one has a thread, whose errors nobody sees until its full queue blocks.
        self.events = EventsWriter(str(events / "events"), f".{os.getpid()}")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Numbers of a step."""
        for name, value in values.items():
            self._write(step, summary.scalar(name, value))
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")

    def audio(self, step: int, name: str, sound: Tensor) -> None:
        """One stereo sound `(2, frames)`; those of earlier steps stay in TensorBoard's files."""
        frames = sound.detach().float().cpu().clamp(-1.0, 1.0).numpy().T
        self._write(step, summary.audio(name, frames, SAMPLE_RATE_HZ))
        (self.folder / "audio").mkdir(exist_ok=True)
        soundfile.write(self.folder / "audio" / f"{name}.wav", frames, SAMPLE_RATE_HZ)

    def close(self) -> None:
        """End the file of events."""
        self.events.close()

    def _write(self, step: int, values: Summary) -> None:
        self.events.write_event(Event(wall_time=time.time(), step=step, summary=values))
        self.events.flush()


class Progress:
    """One line on standard error: bar, losses, speed and the time left, from the steps of this sitting only."""

    def __init__(self, steps: int, first_step: int, every: int = 10) -> None:
        self.steps, self.first_step, self.every = steps, first_step, every
        self.began = time.monotonic()

    def show(self, step: int, text: str) -> None:
        """Print, if it is time to."""
        if step % self.every and step != self.steps:
            return
        rate_s = (time.monotonic() - self.began) / max(1, step - self.first_step)
        filled = BAR_WIDTH * step // max(1, self.steps)
        line = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {step}/{self.steps}  {text}  {rate_s:.2f} s a step"
        line += f"  {_clock(rate_s * (self.steps - step))} left"
        print(line, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    @staticmethod
    def close() -> None:
        """End the line."""
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
