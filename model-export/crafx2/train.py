"""The training loop: crops in, checkpoints out, with averaged weights, validation, resume and an honest progress line.

A step depends only on the configuration and its number, so a run that is stopped and resumed makes the same steps as
one that is not.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import load_checkpoint, network_from_checkpoint, save_checkpoint
from .config import Config
from .contract import SAMPLE_RATE_HZ
from .dataset import CropSampler, SongFiles, validation_crops
from .front_end import FRAME_RATIO
from .frozen import FrozenBank
from .losses import make_loss
from .model import CRAFx2, transparent_network

WEIGHT_DECAY = 1e-7


@dataclass
class TrainResult:
    """What a run reached: losses are averages over the held-out crops, `history` is (step, loss)."""

    checkpoint: Path
    steps: int
    best_step: int
    losses: dict[str, float]
    history: list[tuple[int, float]]
    skipped_steps: int
    seconds: float


def frames_of(seconds: float) -> int:
    """Whole latent frames nearest to a time."""
    return max(FRAME_RATIO, round(seconds * SAMPLE_RATE_HZ / FRAME_RATIO) * FRAME_RATIO)


def plain_sum(stems: Tensor) -> Tensor:
    """`(batch, 8, frames)` to the sum of the stems `(batch, 2, frames)`."""
    return stems.reshape(stems.shape[0], -1, 2, stems.shape[-1]).sum(dim=1)


def average_loss(model: Callable[[Tensor], Tensor], crops: list[tuple[Tensor, Tensor]], loss: nn.Module) -> float:
    """Mean loss over crops without gradients."""
    with torch.no_grad():
        return sum(float(loss(model(stems), mixture)) for stems, mixture in crops) / len(crops)


def learning_rate_at(config: Config, step: int) -> float:
    """Linear warm-up, then a half cosine down to 2 % of the peak."""
    train = config.train
    if step < train.warmup_steps:
        return train.learning_rate * (step + 1) / train.warmup_steps
    part = (step - train.warmup_steps) / max(1, train.steps - train.warmup_steps)
    return train.learning_rate * (0.02 + 0.49 * (1.0 + math.cos(math.pi * min(part, 1.0))))


class Trainer:
    """One training run in one folder: `last.pt` (resume) and `best.pt` (lowest held-out loss, averaged weights)."""

    def __init__(
        self,
        config: Config,
        songs: list[SongFiles],
        held_out: list[SongFiles],
        folder: Path,
        device: str = "cpu",
    ) -> None:
        # Tiny activations of silent passages turn into denormals, which cost a hundred times a normal product.
        torch.set_flush_denormal(True)
        self.config, self.folder, self.device = config, folder, torch.device(device)
        seed = config.train.seed
        torch.manual_seed(seed)
        network = transparent_network(config.network, seed) if config.start == "transparent" else CRAFx2(config.network)
        self.network = network.to(self.device)
        self.averaged = copy.deepcopy(self.network).eval()
        frozen = {id(item) for part in (network.conv_1, network.conv_2) for item in part.parameters()}
        for parameter in self.network.parameters():
            parameter.requires_grad_(not (config.train.freeze_front_end and id(parameter) in frozen))
        # Frozen, the front end keeps its structure, which makes a step several times cheaper.
        shared = config.train.freeze_front_end and config.start == "transparent"
        self.bank = FrozenBank(self.network) if shared else None
        self.trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.trained, lr=config.train.learning_rate, amsgrad=True, weight_decay=WEIGHT_DECAY
        )
        self.loss = make_loss(config.train.loss).to(self.device)
        self.sampler = CropSampler(songs, seed)
        frames = frames_of(config.train.validation_crop_s)
        self.crops = [(a.to(self.device), b.to(self.device)) for a, b in validation_crops(held_out, frames)]
        self.step, self.best, self.best_step = 0, math.inf, 0
        self.history: list[tuple[int, float]] = []
        self.skipped, self.seconds = 0, 0.0

    def baselines(self) -> dict[str, float]:
        """Held-out loss of the plain sum and of the untrained start."""
        start = transparent_network(self.config.network, self.config.train.seed).eval().to(self.device)
        return {
            "plain_sum": average_loss(plain_sum, self.crops, self.loss),
            "untrained": average_loss(start, self.crops, self.loss),
        }

    def resume(self) -> bool:
        """Continue from `last.pt` when there is one."""
        path = self.folder / "last.pt"
        if not path.is_file():
            return False
        state = load_checkpoint(path)
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best, self.best_step = state["step"], state["best"], state["best_step"]
        self.history = [tuple(item) for item in state["history"]]
        self.skipped, self.seconds = state["skipped"], state["seconds"]
        return True

    def _state(self) -> dict[str, Any]:
        return {
            "size": self.config.network.to_dict(),
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "best": self.best,
            "best_step": self.best_step,
            "history": self.history,
            "skipped": self.skipped,
            "seconds": self.seconds,
        }

    def train_step(self) -> float:
        """One optimizer step; returns the loss. Steps whose gradient is not finite change nothing and are counted."""
        train = self.config.train
        long = train.long_every > 0 and self.step % train.long_every == train.long_every - 1
        frames = frames_of(train.long_crop_s if long else train.crop_s)
        batch = max(1, round(train.batch * train.crop_s / train.long_crop_s)) if long else train.batch
        stems, mixture = self.sampler.batch(self.step, batch, frames)
        torch.manual_seed(train.seed * 1_000_003 + self.step)  # dropout, independent of what ran before
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.config, self.step)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        stems = stems.to(self.device)
        mix = self.network(stems) if self.bank is None else self.bank.forward(self.network, stems)
        loss = self.loss(mix, mixture.to(self.device))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, train.gradient_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
        else:
            self.skipped += 1
        self._update_average()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, so that the average does not hang on to the start.
        decay = min(self.config.train.average_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)

    def validate(self) -> float:
        """Held-out loss of the averaged weights; keeps the best in `best.pt`.

        With a frozen front end the cheap form decides; what is reported at the end comes from the plain network.
        """
        bank = self.bank
        model = self.averaged if bank is None else lambda stems: bank.forward(self.averaged, stems)
        value = average_loss(model, self.crops, self.loss)
        self.history.append((self.step, value))
        if value < self.best:
            self.best, self.best_step = value, self.step
            save_checkpoint(self.folder / "best.pt", self._state())
        return value

    def run(self, *, until_s: float | None = None) -> TrainResult:
        """Train to the configured number of steps, or until a time budget is spent."""
        train, began, smooth = self.config.train, time.monotonic(), math.nan
        carried = self.seconds
        while self.step < train.steps:
            value = self.train_step()
            smooth = value if math.isnan(smooth) else 0.95 * smooth + 0.05 * value
            self.seconds = carried + time.monotonic() - began
            done = self.step == train.steps or (until_s is not None and self.seconds > until_s)
            if self.step % train.validate_every == 0 or done:
                self.validate()
                save_checkpoint(self.folder / "last.pt", self._state())
            self._report(smooth, began)
            if done:
                break
        print(file=sys.stderr)
        best = self.folder / "best.pt"
        trained = average_loss(network_from_checkpoint(best)[0].to(self.device), self.crops, self.loss)
        return TrainResult(
            best,
            self.step,
            self.best_step,
            {"trained": trained, **self.baselines()},
            self.history,
            self.skipped,
            self.seconds,
        )

    def _report(self, smooth: float, began: float) -> None:
        if self.step % 10 and self.step != self.config.train.steps:
            return
        rate = (time.monotonic() - began) / max(1, self.step)
        left = rate * (self.config.train.steps - self.step)
        line = f"step {self.step}/{self.config.train.steps}  loss {smooth:.4f}  held-out best {self.best:.4f}"
        line += f"  {left / 60:.1f} min left"
        print(line, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
