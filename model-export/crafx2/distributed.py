"""One run on many processes (`torchrun`): who am I, and sums over everybody.

Every process computes the same step on its own part of the batch; gradients are averaged in one all-reduce. PyTorch's
own wrapper would overlap that with the backward pass, but it takes over the module's forward, which the cheap frozen
front end goes around, and 11 MB of gradients a step are nothing beside seconds of convolutions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from .errors import UserError


@dataclass(frozen=True)
class Crew:
    """Number of this process and number of all; one process alone needs no set-up."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: str) -> Crew:
        """Join the processes that `torchrun` started; alone without it. NCCL on GPUs, Gloo on processors."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @staticmethod
    def device(name: str) -> str:
        """`cuda` becomes the GPU that belongs to this process on its machine."""
        own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" else name
        try:
            device = torch.device(own)
        except RuntimeError as error:
            raise UserError(f"PyTorch knows no device {name!r}; use cpu, cuda, or cuda:1 for the second GPU") from error
        if device.type != "cuda":
            return own
        if name != "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(f"{name} is one GPU for many processes; --device cuda gives each its own")
        if not torch.cuda.is_available():
            raise UserError("PyTorch finds no GPU or no driver for it: mend that, or train with --device cpu")
        if (device.index or 0) >= torch.cuda.device_count():
            raise UserError(f"there is no GPU {own}: PyTorch finds {torch.cuda.device_count()}, counted from cuda:0")
        return own

    def leave(self) -> None:
        """Take leave of the others, where there are any."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, items: list) -> list:
        """The part of a list that belongs to this process; everybody has the whole list."""
        return items[self.rank :: self.world]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Mean over all processes, in place; a value that is not finite anywhere is so everywhere afterwards."""
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def mean(self, total: float, count: int, device: torch.device) -> float:
        """Sum of `total` over the sum of `count`, over all processes."""
        if self.world == 1:
            return total / count
        values = torch.tensor([total, count], dtype=torch.float64, device=device)
        distributed.all_reduce(values)
        return float(values[0] / values[1])

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether it is true for anybody: decisions that depend on a clock must be common ones."""
        if self.world == 1:
            return flag
        value: Tensor = torch.tensor(float(flag), device=device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value)


@contextmanager
def processes(device: str, threads: int | None) -> Iterator[tuple[Crew, str]]:
    """All processes of a command and this one's device, joined once however many runs the command makes."""
    if threads:
        torch.set_num_threads(threads)
    device = Crew.device(device)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    crew = Crew.join(device)
    try:
        yield crew, device
    finally:
        crew.leave()
