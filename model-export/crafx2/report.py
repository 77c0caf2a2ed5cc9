"""What a training run says about itself: `report.json` beside the checkpoints, and the card of the bundle."""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path
from typing import Any

from .config import Config, DataSettings, TrainSettings
from .contract import Effect, Recipe, Window, default_targets, write_json
from .export import BundleInfo
from .train import TrainResult


def write_report(folder: Path, config: Config, result: TrainResult, *, songs: int, held_out: int, device: str) -> None:
    """Write `report.json`: plain numbers for the card."""
    write_json(
        folder / "report.json",
        {
            "config": config.name,
            "songs": songs,
            "held_out": held_out,
            "steps": result.steps,
            "best_step": result.best_step,
            "minutes": round(result.seconds / 60.0, 1),
            "device": device,
            "hardware": f"{os.cpu_count()} {platform.machine()} cores, shared" if device == "cpu" else "one GPU",
            "losses": {name: round(value, 4) for name, value in result.losses.items()},
            "history": result.history,
            "skipped_steps": result.skipped_steps,
        },
    )


def _recipe(values: dict[str, Any]) -> Recipe:
    effects = {name: Effect(**value) for name, value in values.items() if name != "kind"}
    return Recipe(kind=values["kind"], **effects)


def bundle_info(checkpoint: Path, state: dict[str, Any]) -> BundleInfo:
    """What the contract and the card say, from a checkpoint and the report beside it."""
    config = state["config"]
    path = checkpoint.with_name("report.json")
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    trained_on = (
        f"{report.get('songs', config['data']['songs'])} generated songs of {config['data']['duration_s']:.0f} s, "
        f"no recordings; {state['step']} steps."
    )
    name = "Tributary default" if config["name"] == "default" else f"Tributary {config['name']}"
    return BundleInfo(
        name=name,
        trained_on=trained_on,
        targets=default_targets(None, config["loudness_lufs"]),
        recipe=_recipe(config["recipe"]),
        window=Window(**config["window"]),
        card=_card(name, config, state, report),
        notes={"step": state["step"], "seed": config["train"]["seed"]},
    )


def _card(name: str, config: dict[str, Any], state: dict[str, Any], report: dict[str, Any]) -> str:
    data, train = DataSettings(**config["data"]), TrainSettings(**config["train"])
    losses = report.get("losses", {})
    rows = "\n".join(f"| {row} | {losses[key]:.4f} |" for key, row in _LOSS_ROWS if key in losses)
    levels = "/".join(
        f"{config['loudness_lufs'].get(stem, math.nan):g}" for stem in ("vocals", "bass", "drums", "other")
    )
    amounts = ", ".join(f"{key} {value['amount']:g}" for key, value in config["recipe"].items() if key != "kind")
    front = "frozen at" if train.freeze_front_end else "trained from"
    network = ", ".join(f"{key} {value}" for key, value in config["network"].items())
    return f"""# {name}

A first, small CRAFx2 model. {config["description"]}

**Data.** {report.get("songs", data.songs)} songs of {data.duration_s:.0f} s from this repository's generator,
seeds from {data.first_seed}; {report.get("held_out", data.held_out)} more with the seeds just below are held out. No
recording of any kind was used. The stems are dry mono, dry stereo or already processed; the mixtures are the
generator's.

**Normalization.** Recipe `{config["recipe"]["kind"]}` ({amounts}). Targets: published MUSDB18 averages for spectrum,
panning and dynamics, but loudness {levels} LUFS for vocals/bass/drums/other, so that the plain
sum of the normalized stems is already balanced near −14 LUFS and the masks (+5.6/−6.9 dB) have range to spare.

**Network.** {network}. The filter bank of the transparent start is {front} its initial value.

**Training.** {report.get("steps", state["step"])} steps (batch {train.batch} × {train.crop_s:g} s, every
{train.long_every}th on {train.long_crop_s:g} s), best at step {state["step"]}, averaged weights, seed {train.seed},
{report.get("minutes", "–")} min on {report.get("device", "cpu")} ({report.get("hardware", "unknown hardware")}).

**Quality.** Loss `{train.loss}` on the middle {train.validation_crop_s:g} s of the held-out songs (lower is better):

| | loss |
|---|---|
{rows}

{_checks(report)}**Limits.** Trained on synthetic music with one way of mixing and chosen by its own loss, not by
listening. It sets levels per band over time: it cannot add reverberation, widen a mono stem, correct pitch, or equalize
finely below about 700 Hz. Levels of real songs come out near −14 LUFS, not at it.

**Make it again**, in `model-export`:

    python -m crafx2 make {config["name"]} -o BUNDLE --work FOLDER --tributary ../target/release/tributary

Weights differ in the last digits between processors.

License: MIT.
"""


def _checks(report: dict[str, Any]) -> str:
    """Sections that `crafx2 check --report` added to the run: one table per set of songs."""
    checks: dict[str, str] = report.get("checks", {})
    sections = (f"**{title}** (streamed in live windows)\n\n{text}\n\n" for title, text in checks.items())
    return "".join(sections)


_LOSS_ROWS = (
    ("plain_sum", "plain sum of the normalized stems"),
    ("untrained", "the untrained transparent start"),
    ("trained", "this model"),
)
