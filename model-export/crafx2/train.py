"""The training loop: crops in, checkpoints out, with averaged weights, validation, resume and many processes.

A step depends only on the configuration and its number, so a run that is stopped and resumed makes the same steps as
one that is not, and N processes with batch B make those of one with batch N · B.
"""

from __future__ import annotations

import copy
import math
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import load_checkpoint, network_from_checkpoint, save_checkpoint
from .config import Config, frames_of
from .dataset import CropSampler, SongFiles, StepPlan, load_steps, validation_crops
from .distributed import Crew
from .errors import Interrupted
from .frozen import FrozenBank
from .interruption import StopRequest
from .losses import make_loss, plain_sum
from .model import CRAFx2, transparent_network
from .monitor import Monitor, Progress
from .moving import LessonSampler, MoveLoss, held, resting
from .pretrain import load_front_end, reconstruct
from .schedule import learning_rate_at, total_steps
from .validation import held_against_sum_db, mean_loss, read_track, run_track

#: Steps between two lines of the log.
LOG_EVERY = 10
#: Seconds of sound kept per validation.
AUDIO_S = 10.0


@dataclass
class TrainResult:
    """What a run reached: losses are averages over the held-out songs, `history` is (step, loss).

    `held_db` is how far a mix whose masks are held at their means is from the sum of the stems, see
    `validation.held_against_sum_db`; `None` for a front end, which cannot mix.
    """

    checkpoint: Path
    steps: int
    best_step: int
    losses: dict[str, float]
    history: list[tuple[int, float]]
    skipped_steps: int
    seconds: float
    held_db: float | None = None


def start_network(config: Config, front_end: Path | None = None) -> CRAFx2:
    """The seeded network before the first step; `front_end` is the checkpoint of a pre-training run."""
    if config.start == "transparent":
        return transparent_network(config.network, config.train.seed)
    torch.manual_seed(config.train.seed)
    network = CRAFx2(config.network)
    if front_end is not None:
        load_front_end(network, front_end)
    return network


class Trainer:
    """One training run in one folder: `last.pt` (resume) and `best.pt` (lowest held-out loss, averaged weights)."""

    def __init__(
        self,
        config: Config,
        songs: list[SongFiles],
        held_out: list[SongFiles],
        folder: Path,
        device: str = "cpu",
        *,
        front_end: Path | None = None,
        crew: Crew | None = None,
    ) -> None:
        # Tiny activations of silent passages turn into denormals, which cost a hundred times a normal product.
        torch.set_flush_denormal(True)
        self.config, self.folder, self.device, self.crew = config, folder, torch.device(device), crew or Crew()
        train = config.train
        self.steps = total_steps(train)
        self.start = start_network(config, front_end).eval()
        self.network = copy.deepcopy(self.start).to(self.device)
        self.averaged = copy.deepcopy(self.network).eval()
        self.network.jitter(norms=train.norm_jitter, gate=train.gate_jitter)
        self.trained = self._choose_trained()
        # Frozen, the front end keeps its structure, which makes a step several times cheaper.
        shared = train.freeze_front_end and config.start == "transparent" and train.objective != "stems"
        self.bank = FrozenBank(self.network) if shared else None
        self.optimizer = torch.optim.Adam(
            self.trained, lr=train.learning_rate, amsgrad=True, weight_decay=train.weight_decay
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=train.precision == "float16")
        self.loss = MoveLoss() if train.objective == "moves" else make_loss(train.loss).to(self.device)
        self.held_out = self.crew.share(held_out)
        self.sampler: CropSampler | LessonSampler = CropSampler(songs, train.seed, config.augmentation)
        if train.objective == "moves":
            self.sampler = LessonSampler(songs, train.seed, self._shared_bank(), config.augmentation.leading_silence)
        self._crops: list[tuple[Tensor, Tensor]] | None = None
        self.step, self.best, self.best_step, self.fruitless = 0, math.inf, 0, 0
        self.history: list[tuple[int, float]] = []
        self.skipped, self.seconds = 0, 0.0

    def _shared_bank(self) -> FrozenBank:
        assert self.bank is not None, "the configuration was checked: the front end is the shared bank"
        return self.bank

    def _choose_trained(self) -> list[nn.Parameter]:
        """The front end alone in pre-training; all but it when frozen; else everything. No gate is taught by moves."""
        train, network = self.config.train, self.network
        front_end = {id(network.conv_1.weight), id(network.conv_2.weight)}
        gate = {id(parameter) for part in (network.squeeze, network.excite) for parameter in part.parameters()}
        for parameter in network.parameters():
            if train.objective == "moves":
                parameter.requires_grad_(id(parameter) not in front_end | gate)
            elif train.objective == "stems":
                parameter.requires_grad_(id(parameter) in front_end)
            else:
                parameter.requires_grad_(not train.freeze_front_end or id(parameter) not in front_end)
        return [parameter for parameter in network.parameters() if parameter.requires_grad]

    def plan(self) -> StepPlan:
        """Crops per step; a long crop takes the place of as many short ones as it is long."""
        train = self.config.train
        long_batch = max(1, round(train.batch * train.crop_s / train.long_crop_s))
        return StepPlan(
            train.batch, frames_of(train.crop_s), long_batch, frames_of(train.long_crop_s), train.long_every
        )

    def forward(self, network: CRAFx2, stems: Tensor) -> Tensor:
        """Output of the objective in the configured precision: a mix `(batch, 2, …)`, or stems `(batch, 8, …)`.

        Where moves are learned, `stems` are latents `(batch, filters, N)`, of which masks of that shape are made.
        """
        kind = getattr(torch, self.config.train.precision)
        full = kind == torch.float32
        with nullcontext() if full else torch.autocast(self.device.type, dtype=kind):
            if self.config.train.objective == "stems":
                return reconstruct(network, stems)
            if self.config.train.objective == "moves":
                return network.mask(stems)
            return network(stems) if self.bank is None else self.bank.forward(network, stems)

    def train_step(self, stems: Tensor, mixture: Tensor) -> tuple[float, float]:
        """One optimizer step on `(batch, 8, frames)` and `(batch, 2, frames)`; returns loss and gradient norm.

        Where moves are learned, on latents and their goals, see `LessonSampler`.

        A step whose gradient is not finite – anywhere – changes nothing and is counted.
        """
        train = self.config.train
        # Dropout and jitter depend on nothing that ran before.
        torch.manual_seed(train.seed * 1_000_003 + self.step * self.crew.world + self.crew.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(train, self.step)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        stems, mixture = stems.to(self.device), mixture.to(self.device)
        output = self.forward(self.network, stems)
        loss = self.loss(output.float(), stems if train.objective == "stems" else mixture)
        self.scaler.scale(loss).backward()
        self.crew.average_gradients(self.trained)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.trained, train.gradient_norm)
        if bool(torch.isfinite(norm)):
            self.scaler.step(self.optimizer)
        else:
            self.skipped += 1
        self.scaler.update()
        self._update_average()
        self.step += 1
        return float(loss.detach()), float(norm)

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, so that the average does not hang on to the start.
        decay = min(self.config.train.average_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)

    def held_out_loss(self, forward: Callable[[Tensor], Tensor]) -> float:
        """Mean loss over the held-out songs of all processes."""
        train = self.config.train
        if train.validation == "crops":
            if self._crops is None:
                self._crops = self._held_out_crops(frames_of(train.validation_crop_s))
            pairs = [tuple(item.to(self.device) for item in pair) for pair in self._crops]
            total = mean_loss(forward, self.loss, [(s, s if train.objective == "stems" else m) for s, m in pairs])
        else:
            total = 0.0
            for song in self.held_out:
                stems, mixture = (item.to(self.device) for item in read_track(song, train.validation_limit_s))
                made = run_track(forward, stems, frames_of(train.crop_s), batch=train.batch)[None]
                target = (stems if train.objective == "stems" else mixture)[None]
                total += mean_loss(lambda _stems, made=made: made, self.loss, [(stems, target)])
        return self.crew.mean(total, len(self.held_out), self.device)

    def _held_out_crops(self, frames: int) -> list[tuple[Tensor, Tensor]]:
        if self.config.train.objective == "moves":
            return LessonSampler(self.held_out, 0, self._shared_bank(), 0.0).middles(frames)
        return validation_crops(self.held_out, frames)

    def validate(self) -> float:
        """Held-out loss of the averaged weights; keeps the best in `best.pt`.

        With a frozen front end the cheap form decides; what is reported at the end comes from the plain network.
        """
        value = self.held_out_loss(lambda stems: self.forward(self.averaged, stems))
        self.history.append((self.step, value))
        self.fruitless += 1
        if value < self.best:
            self.best, self.best_step, self.fruitless = value, self.step, 0
            if self.crew.leads:
                save_checkpoint(self.folder / "best.pt", self.state())
        return value

    def run(self, *, until_s: float | None = None) -> TrainResult:
        """Train to the configured number of steps, until patience ends, or until a time budget is spent.

        A run that has ended makes no further step. SIGINT and SIGTERM are heeded after a whole step.
        """
        if self._is_out_of_patience() or (math.isfinite(self.best) and self._is_late(until_s)):
            return self._result()
        train, began, smooth = self.config.train, time.monotonic(), math.nan
        carried, crew = self.seconds, self.crew
        monitor, progress = Monitor(self.folder) if crew.leads else None, Progress(self.steps, self.step)
        remaining = range(self.step, self.steps)
        with StopRequest() as request, closing(progress), closing(monitor) if monitor else nullcontext():
            batches = load_steps(
                self.sampler, self.plan(), remaining, rank=crew.rank, world=crew.world, workers=train.workers
            )
            for stems, mixture in batches:
                value, norm = self.train_step(stems, mixture)
                smooth = value if math.isnan(smooth) else 0.95 * smooth + 0.05 * value
                self.seconds = carried + time.monotonic() - began
                done = self.step == self.steps or self._is_late(until_s)
                if self.step % train.validate_every == 0 or done:
                    found = self.validate()
                    done = done or self._is_out_of_patience()
                    self._keep(monitor, found)
                if monitor is not None:
                    if self.step % LOG_EVERY == 0:
                        rate = learning_rate_at(train, self.step - 1)
                        values = {"loss": value, "gradient norm": norm, "learning rate": rate, "skipped": self.skipped}
                        monitor.scalars(self.step, values)
                    progress.show(self.step, f"loss {smooth:.4f}  held-out best {self.best:.4f}")
                self._stop_if_asked(request)
                if done:
                    break
        return self._result()

    def _stop_if_asked(self, request: StopRequest) -> None:
        """Leave between two steps, after the validation where one was due; all processes alike."""
        if not self.crew.any(request.number is not None, self.device):
            return
        last = self.folder / "last.pt"
        if self.crew.leads:
            save_checkpoint(last, self.state())
        sentence = f"stopped after step {self.step} of {self.steps}; the same command goes on from {last}"
        raise Interrupted(sentence, request.number or signal.SIGTERM)

    def _is_late(self, until_s: float | None) -> bool:
        return self.crew.any(until_s is not None and self.seconds > until_s, self.device)

    def _is_out_of_patience(self) -> bool:
        return 0 < self.config.train.patience <= self.fruitless

    def _keep(self, monitor: Monitor | None, found: float) -> None:
        if monitor is None:
            return
        save_checkpoint(self.folder / "last.pt", self.state())
        monitor.scalars(self.step, {"held-out loss": found})
        if self.config.train.objective == "mix" and self.held_out:
            stems, mixture = read_track(self.held_out[0], AUDIO_S)
            with torch.no_grad():
                mix = self.forward(self.averaged, stems[None].to(self.device))[0]
            sounds = {"mix": mix}
            if len(self.history) == 1:
                # What it lies between never changes.
                sounds |= {"plain sum": plain_sum(stems[None])[0], "mixture": mixture}
            for name, sound in sounds.items():
                monitor.audio(self.step, name, sound)

    def _result(self) -> TrainResult:
        best = self.folder / "best.pt"
        if self.crew.world > 1:
            torch.distributed.barrier()
        network = network_from_checkpoint(best)[0].to(self.device)
        losses, held_db = {}, None
        match self.config.train.objective:
            case "stems":
                losses["trained"] = self.held_out_loss(partial(reconstruct, network))
            case "moves":
                losses["trained"] = self.held_out_loss(network.mask)
                losses["still"] = self.held_out_loss(lambda latent: held(network.mask(latent)))
                losses["untrained"] = self.held_out_loss(resting)
            case "mix":
                losses["trained"] = self.held_out_loss(network)
                losses["still"] = self.held_out_loss(partial(network, still=True))
                losses["plain_sum"] = self.held_out_loss(plain_sum)
                losses["untrained"] = self.held_out_loss(self.start.to(self.device))
        if self.config.train.objective != "stems":
            held_db = self._held_against_sum(network)
        return TrainResult(best, self.step, self.best_step, losses, self.history, self.skipped, self.seconds, held_db)

    def _held_against_sum(self, network: CRAFx2) -> float:
        """How far the network with every mask at its mean is from the sum of the stems, dB, on held-out songs."""
        crops = validation_crops(self.held_out, frames_of(self.config.train.validation_crop_s))
        total = sum(held_against_sum_db(network, stems.to(self.device)) for stems, _ in crops)
        return self.crew.mean(total, len(crops), self.device)

    def state(self) -> dict[str, Any]:
        """All that a resumed run and an export need."""
        return {
            "size": self.config.network.to_dict(),
            "config": asdict(self.config),
            "songs": [song.name for song in self.sampler.songs],
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "best": self.best,
            "best_step": self.best_step,
            "fruitless": self.fruitless,
            "history": self.history,
            "skipped": self.skipped,
            "seconds": self.seconds,
        }

    def resume(self) -> bool:
        """Continue from `last.pt` when there is one; says what has changed since."""
        path = self.folder / "last.pt"
        if not path.is_file():
            return False
        state = load_checkpoint(path)
        for what, was, now in (
            ("configuration", state["config"], asdict(self.config)),
            ("list of songs", state["songs"], [song.name for song in self.sampler.songs]),
        ):
            if was != now and self.crew.leads:
                print(f"the {what} is not the one this run began with; it goes on with the new one", file=sys.stderr)
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.best, self.best_step = state["step"], state["best"], state["best_step"]
        self.fruitless, self.history = state["fruitless"], [tuple(item) for item in state["history"]]
        self.skipped, self.seconds = state["skipped"], state["seconds"]
        return True
