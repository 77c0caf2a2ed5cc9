"""Training configurations: small TOML files in `configs/`, checked on reading."""

from __future__ import annotations

import builtins
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .augment import Augmentation
from .contract import REPOSITORY, SAMPLE_RATE_HZ, Window, default_targets
from .errors import UserError
from .front_end import FRAME_RATIO
from .losses import LEAST_GUARDED_FRAMES
from .model import NetworkSize
from .played import Played
from .recipe import Recipe, check_names

T = TypeVar("T")
CONFIG_FOLDER = REPOSITORY / "model-export" / "configs"


def frames_of(seconds: float) -> int:
    """Whole latent frames nearest to a time."""
    return max(FRAME_RATIO, round(seconds * SAMPLE_RATE_HZ / FRAME_RATIO) * FRAME_RATIO)


@dataclass(frozen=True)
class TrainSettings:
    """How to train; times in seconds of audio, batches per process."""

    #: `mix`: stems to mixture. `moves`: stems to what the engineer of generated songs moved, in the latent mixer alone.
    #: `stems`: the front end alone, stems to stems (pre-training).
    objective: str = "mix"
    steps: int = 1_000
    batch: int = 2
    crop_s: float = 3.0
    #: Every `long_every`-th step uses crops of `long_crop_s`, because norms and gate average over the crop; 0: never.
    long_crop_s: float = 6.0
    long_every: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 30
    #: Stairs instead: pairs of epochs (of `epoch_steps` steps) and learning rate; then `steps` is not read.
    schedule: tuple[tuple[float, float], ...] = ()
    epoch_steps: int = 1_600
    weight_decay: float = 1e-7
    gradient_norm: float = 0.2
    #: `float32`, `bfloat16` or `float16` (with a gradient scaler); BLSTM and losses always compute in float32.
    precision: str = "float32"
    #: Memory of the averaged weights that are validated and exported; 0: the last weights themselves.
    average_decay: float = 0.98
    #: How wrong the averages of norms and gate are made in training, see `CRAFx2.jitter`; 0: not at all.
    norm_jitter: float = 0.0
    gate_jitter: float = 0.0
    freeze_front_end: bool = True
    loss: str = "mix"
    #: Every so many steps the held-out loss is taken; the lowest one chooses the weights that are kept.
    validate_every: int = 100
    #: `crops`: the middle of each song. `tracks`: whole songs, made in windows that overlap by two guards.
    validation: str = "crops"
    validation_crop_s: float = 6.0
    validation_limit_s: float = 240.0
    #: Stop after so many validations without a lower loss; 0: never.
    patience: int = 0
    #: Processes that read ahead; 0 reads when a step asks.
    workers: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        known = {
            "objective": ("mix", "moves", "stems"),
            "precision": ("float32", "bfloat16", "float16"),
            "loss": ("La", "Lb", "mix", "moves", "l1"),
            "validation": ("crops", "tracks"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is {getattr(self, name)!r}; known are {', '.join(values)}")
        for objective, loss in (("stems", "l1"), ("moves", "moves")):
            if (self.objective == objective) != (self.loss == loss):
                raise ValueError(f"the objective {objective!r} and the loss {loss!r} belong together")
        if self.objective == "moves" and not (self.freeze_front_end and self.validation == "crops"):
            raise ValueError("the objective 'moves' needs freeze_front_end, and validation on crops")
        if not 0.0 <= self.gate_jitter <= 1.0:
            raise ValueError(f"gate_jitter is {self.gate_jitter}; it is a share, from 0 to 1")
        loss, tracks = self.loss not in ("mix", "moves"), self.validation == "tracks"
        guarded = {
            "crop_s": loss or tracks,
            "long_crop_s": loss and self.long_every != 0,
            "validation_crop_s": loss and not tracks,
            "validation_limit_s": tracks,
        }
        for name, matters in guarded.items():
            given_s, least_s = getattr(self, name), LEAST_GUARDED_FRAMES / SAMPLE_RATE_HZ
            if matters and frames_of(given_s) < LEAST_GUARDED_FRAMES:
                raise ValueError(f"{name} is {given_s}; less than {least_s:.2f} leaves nothing between guards")


@dataclass(frozen=True)
class DataSettings:
    """What the data are; generated songs unless `crafx2 train` is given folders.

    `sampled` songs are played by soundfonts and one-shots, some of them written by people; they need the packages of
    `songs/sources.py`. Others are synthesized.
    """

    songs: int = 160
    held_out: int = 16
    duration_s: float = 14.0
    first_seed: int = 100_000
    sampled: bool = False
    #: Whether mixtures are made anew from the normalized stems, of the engineer's moves alone (`remix.py`).
    remixed: bool = False


@dataclass(frozen=True)
class Config:
    """A whole configuration."""

    name: str
    description: str = ""
    #: `transparent` (the sum of the stems, see `CRAFx2.transparent_initialize`) or `random` (as published).
    start: str = "transparent"
    #: Name of the configuration that pre-trains the front end, for `make`; empty: none.
    pretrain: str = ""
    #: Seeds that `make` trains from, one after the other, to keep the network with the lowest held-out loss; empty: the
    #: seed in [train] alone.
    seeds: tuple[int, ...] = ()
    network: NetworkSize = field(default_factory=NetworkSize)
    train: TrainSettings = field(default_factory=TrainSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    window: Window = field(default_factory=Window)
    recipe: Recipe = field(default_factory=Recipe)
    #: Targets that differ from the data set's averages: loudness and left/right similarity φ of stems.
    loudness_lufs: dict[str, float] = field(default_factory=dict)
    similarity: dict[str, float] = field(default_factory=dict)
    #: What the bundle does otherwise when it plays.
    played: Played = field(default_factory=Played)

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds names one twice: {list(self.seeds)}")
        if self.train.objective == "moves" and not (self.data.remixed and self.start == "transparent"):
            raise ValueError("the objective 'moves' needs songs that are remixed ([data]), and the transparent start")

    def targets(self, averages: Path | None = None) -> dict[str, Any]:
        """Averages as `default_targets` reads them, MUSDB18's by default, with this configuration's own on top."""
        return default_targets(averages, self.loudness_lufs, self.similarity)


class ConfigError(UserError):
    """What is wrong with a configuration, in one sentence."""


def _fits(value: object, hint: object) -> bool:
    """Whether a value from TOML is of an entry's type; a list does for a tuple of any length."""
    inner = get_args(hint)
    match get_origin(hint) or hint:
        case builtins.tuple:
            return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
        case builtins.dict:
            return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
        case builtins.float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case builtins.int:
            return isinstance(value, int) and not isinstance(value, bool)
        case kind:
            return isinstance(value, kind)


def _read(kind: type[T], table: object, where: str) -> T:
    if not isinstance(table, dict):
        raise ConfigError(f"[{where}] is {table!r}; expected a table")
    entries, hints = fields(kind), get_type_hints(kind)  # type: ignore[arg-type]
    try:
        check_names(where, table, tuple(hints))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for name, value in table.items():
        if not _fits(value, hints[name]):
            raise ConfigError(f"[{where}] {name} is {value!r}, which is of the wrong kind")
    for item in entries:
        if item.name not in table and item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"[{where}] lacks the entry {item.name!r}")
    try:
        return kind(**table)
    except ValueError as error:
        raise ConfigError(f"[{where}] {error}") from error


def _table(name: str) -> dict[str, Any]:
    """The entries of a file, or of the configuration of that name in `configs/`, on top of those of its `base`."""
    path = Path(name)
    if not path.is_file():
        path = CONFIG_FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in CONFIG_FOLDER.glob("*.toml")))
        raise ConfigError(f"no configuration {name!r}; known are {known}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not readable TOML: {error}") from error
    base = _table(str(table.pop("base"))) if "base" in table else {}
    for entry, value in table.items():
        below = base.get(entry)
        base[entry] = {**below, **value} if isinstance(value, dict) and isinstance(below, dict) else value
    return base


def load_config(name: str) -> Config:
    """Read a file, or the configuration of that name in `configs/`; `base` names one that it differs from."""
    table = _table(name)
    sections = {
        "network": NetworkSize,
        "train": TrainSettings,
        "data": DataSettings,
        "augmentation": Augmentation,
        "window": Window,
    }
    parts = {section: _read(kind, table.pop(section, {}), section) for section, kind in sections.items()}
    parts["played"] = _read(Played, table.pop("played", {}), "played")
    try:
        recipe = Recipe.from_dict(table.pop("recipe", {}))
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    own = {name: table.pop(name, {}) for name in ("loudness_lufs", "similarity")}
    if table.get("start", "transparent") not in ("transparent", "random"):
        raise ConfigError(f"start is {table['start']!r}; known are transparent and random")
    return _read(Config, {**table, **parts, "recipe": recipe, **own}, "top level")
