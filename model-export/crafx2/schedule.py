"""How long a run is and how fast it learns at each step: the published staircase, or warm-up and half a cosine."""

from __future__ import annotations

import math

from .config import TrainSettings


def total_steps(train: TrainSettings) -> int:
    """Steps of a whole run: the stairs' epochs where there are any, else `steps`."""
    return sum(round(epochs * train.epoch_steps) for epochs, _ in train.schedule) if train.schedule else train.steps


def learning_rate_at(train: TrainSettings, step: int) -> float:
    """Learning rate of a step.

    `schedule` is a list of (epochs, rate); a rate of 0 fills the optimizer's moments before the first move. Without
    one: linear warm-up, then half a cosine down to 2 % of the peak.
    """
    if train.schedule:
        end = 0
        for epochs, rate in train.schedule:
            end += round(epochs * train.epoch_steps)
            if step < end:
                return rate
        return train.schedule[-1][1]
    if step < train.warmup_steps:
        return train.learning_rate * (step + 1) / train.warmup_steps
    part = (step - train.warmup_steps) / max(1, train.steps - train.warmup_steps)
    return train.learning_rate * (0.02 + 0.49 * (1.0 + math.cos(math.pi * min(part, 1.0))))
