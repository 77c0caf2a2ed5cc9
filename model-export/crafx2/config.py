"""Training configurations: small TOML files in `configs/`, checked on reading."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from .contract import REPOSITORY, Recipe, Window
from .model import NetworkSize

T = TypeVar("T")
CONFIG_FOLDER = REPOSITORY / "model-export" / "configs"


@dataclass(frozen=True)
class TrainSettings:
    """How to train; times in seconds of audio."""

    steps: int = 1_000
    batch: int = 2
    crop_s: float = 3.0
    #: Every `long_every`-th step uses crops of `long_crop_s`, because norms and gate average over the crop.
    long_crop_s: float = 6.0
    long_every: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 30
    gradient_norm: float = 0.2
    average_decay: float = 0.98
    freeze_front_end: bool = True
    loss: str = "mix"
    validate_every: int = 100
    validation_crop_s: float = 6.0
    seed: int = 1


@dataclass(frozen=True)
class DataSettings:
    """What the data are; generated songs unless `crafx2 train` is given folders."""

    songs: int = 160
    held_out: int = 16
    duration_s: float = 14.0
    first_seed: int = 100_000


@dataclass(frozen=True)
class Config:
    """A whole configuration."""

    name: str
    description: str = ""
    start: str = "transparent"
    network: NetworkSize = field(default_factory=NetworkSize)
    train: TrainSettings = field(default_factory=TrainSettings)
    data: DataSettings = field(default_factory=DataSettings)
    window: Window = field(default_factory=Window)
    recipe: Recipe = field(default_factory=Recipe)
    loudness_lufs: dict[str, float] = field(default_factory=dict)


class ConfigError(ValueError):
    """What is wrong with a configuration, in one sentence."""


def _read(kind: type[T], table: dict[str, Any], where: str) -> T:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise ConfigError(f"[{where}] has no entry {name!r}; known are {', '.join(sorted(known))}")
    return kind(**table)


def load_config(name: str) -> Config:
    """Read a file, or the configuration of that name in `configs/`."""
    path = Path(name)
    if not path.is_file():
        path = CONFIG_FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in CONFIG_FOLDER.glob("*.toml")))
        raise ConfigError(f"no configuration {name!r}; known are {known}")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sections = {"network": NetworkSize, "train": TrainSettings, "data": DataSettings, "window": Window}
    parts = {section: _read(kind, table.pop(section, {}), section) for section, kind in sections.items()}
    recipe = Recipe.from_dict(table.pop("recipe", {}))
    levels = table.pop("loudness_lufs", {})
    return _read(Config, {**table, **parts, "recipe": recipe, "loudness_lufs": levels}, "top level")
