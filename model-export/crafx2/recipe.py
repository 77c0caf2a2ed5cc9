"""How stems are normalized for a model: the recipe of `dsp/src/recipe.rs`, in the same words and with all its fields.

A configuration's table `[recipe]` has a number per effect. The reverb is a number too, or a table of its own:

    [recipe.reverb]
    amount = 0.5                        # level of all sends, 0 to 1
    levels_db = { drums = -12.0, other = "off" }
    low_shelf_hz = 600.0
    high_shelf_hz = 8500.0
    generated = "studio"                # or impulse_response = "room.wav": a file, copied to the recipe or the bundle
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .contract import STEMS, file_reference

ROOMS = ("chamber", "hall", "church", "studio")


@dataclass(frozen=True)
class Effect:
    """Switch and strength (0…1) of one normalization effect."""

    enabled: bool = True
    amount: float = 1.0


OFF = Effect(enabled=False, amount=0.0)


@dataclass(frozen=True)
class SendLevels:
    """How loudly each stem is sent to the reverb, −60 to 12 dB; `None`: not sent. The defaults are the paper's."""

    vocals: float | None = 0.0
    bass: float | None = None
    drums: float | None = None
    other: float | None = 0.0


@dataclass(frozen=True)
class Reverb:
    """The send before the chain: level of all sends (0…1, linear), of each stem's, shelves in Hz, and the room."""

    enabled: bool = False
    amount: float = 0.0
    levels_db: SendLevels = field(default_factory=SendLevels)
    low_shelf_hz: float = 600.0
    high_shelf_hz: float = 8_500.0
    generated: str = "hall"
    #: WAV or FLAC file that is sent to instead of the generated room.
    impulse_response: str | None = None

    def __post_init__(self) -> None:
        if self.generated not in ROOMS:
            raise ValueError(f"the reverb's room is {self.generated!r}; known are {', '.join(ROOMS)}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Reverb:
        """A configuration's table, or what `asdict` made; `"off"` stands for a stem that is not sent."""
        check_names("recipe.reverb", values, tuple(item.name for item in fields(cls)))
        levels = dict(values.get("levels_db", {}))
        check_names("recipe.reverb.levels_db", levels, STEMS)
        levels = {stem: None if level == "off" else level for stem, level in levels.items()}
        enabled = values.get("enabled", values.get("amount", 1.0) > 0.0)
        return cls(**{"amount": 1.0, **values, "enabled": enabled, "levels_db": SendLevels(**levels)})


@dataclass(frozen=True)
class Recipe:
    """How stems are normalized for the model; the same in training and in the plug-in."""

    kind: str = "paper"
    equalization: Effect = field(default_factory=lambda: Effect(amount=0.3))
    dynamics: Effect = field(default_factory=lambda: Effect(amount=0.5))
    panning: Effect = OFF
    #: A side for stems that are narrower than the average.
    width: Effect = OFF
    loudness: Effect = field(default_factory=Effect)
    reverb: Reverb = field(default_factory=Reverb)
    #: How loudly a fault must speak, in spreads of the data set, before it is mended; for rules of kind `tributary`.
    tolerance: float = 3.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """A configuration's table – amounts as numbers, or tables – or what `asdict` made."""
        check_names("recipe", values, tuple(item.name for item in fields(cls)))
        parts: dict[str, Any] = {}
        for name, value in values.items():
            if name in ("kind", "tolerance"):
                parts[name] = value
                continue
            table = value if isinstance(value, dict) else {"enabled": float(value) > 0.0, "amount": float(value)}
            parts[name] = Reverb.from_dict(table) if name == "reverb" else Effect(**table)
        return cls(**parts)

    def written(self, folder: Path) -> dict[str, Any]:
        """The recipe as Tributary reads it; its impulse response is copied to `folder`, where the recipe will lie."""
        values = asdict(self)
        if self.reverb.impulse_response is None:
            del values["reverb"]["impulse_response"]
        else:
            source = Path(self.reverb.impulse_response)
            shutil.copyfile(source, folder / source.name)
            values["reverb"]["impulse_response"] = file_reference(folder, source.name)
        return values


def check_names(where: str, values: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuse what nobody would read."""
    for name in values:
        if name not in known:
            raise ValueError(f"[{where}] has no entry {name!r}; known are {', '.join(sorted(known))}")
