"""What a run keeps to be looked at and listened to."""

import io
import json

import numpy as np
import soundfile
import torch
from tensorboardX.proto.event_pb2 import Event

from crafx2.monitor import Monitor


def events(folder):
    """What TensorBoard would read: records of length, checksum, event, checksum."""
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 8], "little")
            yield Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length


def test_scalars_and_stereo_audio_are_kept_for_tensorboard_and_without_it(tmp_path):
    monitor = Monitor(tmp_path)
    monitor.scalars(1, {"loss": 0.5})
    monitor.scalars(2, {"loss": 0.25})
    sound = torch.stack([torch.full((100,), 0.5), torch.full((100,), -0.25)])
    monitor.audio(2, "mix", sound)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]
    found = [(event.step, value) for event in events(tmp_path / "tensorboard") for value in event.summary.value]
    assert [(step, value.tag, value.simple_value) for step, value in found[:2]] == [(1, "loss", 0.5), (2, "loss", 0.25)]
    monitor.close()
    step, value = found[2]
    assert (step, value.tag, value.audio.num_channels, value.audio.sample_rate) == (2, "mix", 2, 44_100)
    for file in (io.BytesIO(value.audio.encoded_audio_string), tmp_path / "audio" / "mix.wav"):
        assert np.allclose(soundfile.read(file)[0].T, sound, atol=1e-4)
