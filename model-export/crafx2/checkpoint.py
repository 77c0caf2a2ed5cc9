"""Training state on disk: weights, averaged weights, optimizer, constructor arguments – written all or nothing.

Loaded with `weights_only`, so a checkpoint is data and can run no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .contract import replaced_file
from .errors import UserError
from .model import CRAFx2, NetworkSize

FORMAT = 1


class CheckpointError(UserError):
    """What is wrong with a checkpoint, in one sentence."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside `path`, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary, temporary.open("wb") as stream:
        torch.save({"format": FORMAT, **state}, stream)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of format {FORMAT}")
    return state


def network_from_checkpoint(path: Path, *, averaged: bool = True) -> tuple[CRAFx2, dict[str, Any]]:
    """The network of a checkpoint in evaluation mode, and the checkpoint itself."""
    state = load_checkpoint(path)
    network = CRAFx2(NetworkSize.from_dict(state["size"]))
    network.load_state_dict(state["averaged"] if averaged and state.get("averaged") else state["network"])
    return network.eval(), state
