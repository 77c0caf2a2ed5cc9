"""A network that is not CRAFx2: how loud each stem is decides how loud it may be. The engine needs no more than this.

`crafx2 export-module examples/balance.py -o BUNDLE` makes a bundle of it; `docs/training.md` says what is asked of one.
"""

import torch
from torch import nn

WINDOW = {"context_frames": 44_096, "hop_frames": 11_008, "lookahead_frames": 4_416, "crossfade_frames": 1_024}


class Balance(nn.Module):
    """Stems `(1, 8, frames)` to the mix `(1, 2, frames)`; gains between 0 and 2, one per channel and 64 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.AvgPool1d(64)
        self.judge = nn.Sequential(nn.Conv1d(8, 24, 33, padding=16), nn.ReLU(), nn.Conv1d(24, 8, 33, padding=16))

    def forward(self, stems: torch.Tensor) -> torch.Tensor:
        """Sum of the stems under their gains."""
        gains = 2.0 * torch.sigmoid(self.judge(torch.log(self.level(stems.abs()) + 1e-4)))
        wet = stems * gains.repeat_interleave(64, dim=2)
        return torch.tanh(torch.stack([wet[:, 0::2].sum(dim=1), wet[:, 1::2].sum(dim=1)], dim=1))


def build() -> nn.Module:
    """What `crafx2 export-module` calls."""
    torch.manual_seed(1)
    return Balance()
