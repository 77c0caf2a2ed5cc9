"""What a training run says about itself: `report.json` beside the checkpoints, and the card of the bundle."""

from __future__ import annotations

import json
import math
import os
import platform
import textwrap
from pathlib import Path
from typing import Any

from .checkpoint import CheckpointError
from .config import Config, DataSettings, TrainSettings
from .contract import CEILING_DBTP, STEMS, Window, default_targets, write_json
from .export import BundleInfo
from .recipe import Recipe
from .train import TrainResult


def write_report(
    folder: Path,
    config: Config,
    result: TrainResult,
    data: str | None,
    songs: int,
    held_out: int,
    device: str,
    processes: int,
) -> None:
    """Write `report.json`: plain numbers for the card. `data` is the name of the set, `None` for generated songs."""
    hardware = f"{os.cpu_count()} {platform.machine()} cores, shared" if device == "cpu" else f"{processes} GPU"
    write_json(
        folder / "report.json",
        {
            "config": config.name,
            "data": data,
            "songs": songs,
            "held_out": held_out,
            "steps": result.steps,
            "best_step": result.best_step,
            "minutes": round(result.seconds / 60.0, 1),
            "device": device.partition(":")[0],
            "hardware": hardware,
            "processes": processes,
            "losses": {name: round(value, 4) for name, value in result.losses.items()},
            "history": result.history,
            "skipped_steps": result.skipped_steps,
        },
    )


def note_seeds(runs: dict[int, Path]) -> int:
    """Of runs, folders by seed, the seed with the lowest held-out loss; its report then names the losses of all."""
    reports = {seed: json.loads((folder / "report.json").read_text(encoding="utf-8")) for seed, folder in runs.items()}
    losses = {seed: report["losses"]["trained"] for seed, report in reports.items()}
    best = min(losses, key=lambda seed: losses[seed])
    write_json(runs[best] / "report.json", {**reports[best], "seeds": losses})
    return best


def keep_targets(folder: Path, targets: Path | None) -> None:
    """Copy the targets that the data were normalized with beside the checkpoints, for the export."""
    if targets is not None:
        write_json(folder / "targets.json", json.loads(targets.read_text(encoding="utf-8")))


def bundle_info(checkpoint: Path, state: dict[str, Any]) -> BundleInfo:
    """What the contract and the card say, from a checkpoint and the report beside it."""
    config = state["config"]
    if config["train"]["objective"] != "mix":
        raise CheckpointError(f"{checkpoint} is a pre-trained front end, which cannot mix; give it to --front-end")
    path = checkpoint.with_name("report.json")
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    # Checkpoints of earlier versions do not name their songs.
    songs = report.get("songs") or len(state.get("songs", ())) or config["data"]["songs"]
    if report.get("data"):
        trained_on = f"{report['data']} ({songs} songs); {state['step']} steps."
    else:
        trained_on = (
            f"{songs} generated songs of {config['data']['duration_s']:.0f} s, no recordings; {state['step']} steps."
        )
    name = "Tributary default" if config["name"] == "default" else f"Tributary {config['name']}"
    targets = _targets(checkpoint, config)
    return BundleInfo(
        name=name,
        trained_on=trained_on,
        targets=targets,
        recipe=Recipe.from_dict(config["recipe"]),
        window=Window(**config["window"]),
        card=_card(name, config, state, report, targets),
        notes={"step": state["step"], "seed": config["train"]["seed"]},
    )


def _targets(checkpoint: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The targets that the run was given, just as its data were normalized with them; else the configuration's."""
    own = checkpoint.with_name("targets.json")
    if own.is_file():
        return default_targets(own)
    return default_targets(None, config["loudness_lufs"], config.get("similarity"))


def _has_own_levels(config: dict[str, Any], targets: dict[str, Any]) -> bool:
    """Whether the targets hold the loudness that the configuration sets; a user's may not."""
    levels: dict[str, float] = config["loudness_lufs"]
    return bool(levels) and all(targets["stems"][stem]["loudness_lufs"] == level for stem, level in levels.items())


def _card(
    name: str, config: dict[str, Any], state: dict[str, Any], report: dict[str, Any], targets: dict[str, Any]
) -> str:
    data, train = DataSettings(**config["data"]), TrainSettings(**config["train"])
    losses = report.get("losses", {})
    rows = "\n".join(f"| {row} | {losses[key]:.4f} |" for key, row in _LOSS_ROWS if key in losses)
    levels = "/".join(f"{config['loudness_lufs'].get(s, math.nan):g}" for s in STEMS)
    leveled = (
        f"but loudness {levels} LUFS for vocals/bass/drums/other, so that the plain sum of the normalized stems is "
        "already balanced near −14 LUFS and the masks (+5.6/−6.9 dB) have range to spare"
        if _has_own_levels(config, targets)
        else "and loudness"
    )
    if config.get("similarity") and _has_own_levels(config, targets):
        similar = "/".join(f"{config['similarity'].get(s, math.nan):g}" for s in STEMS)
        leveled += f"; and φ {similar}, since the published φ counts faint bins like loud ones"
    amounts = ", ".join(f"{key} {value['amount']:g}" for key, value in config["recipe"].items() if key != "kind")
    start = "the transparent start" if config["start"] == "transparent" else "its start"
    front = f"The filter bank is {'frozen at' if train.freeze_front_end else 'trained from'} {start}."
    network = ", ".join(f"{key} {value}" for key, value in config["network"].items())
    generated = not report.get("data")
    origin = "Trained on synthetic music with one way of mixing, and chosen" if generated else "Chosen"
    source = "--tributary ../target/release/tributary" if generated else "--data FOLDER --held-out FOLDER"
    # A channel's bands share its range; 16 of them are 0.7 kHz wide at the bottom (`front_end.BAND_EDGES_HZ`).
    finest_khz = 0.7 * 128 / config["network"]["filters"]
    text = f"""# {name}

A CRAFx2 model. {config["description"]}

{_data_text(report, data)}

**Normalization.** Recipe `{config["recipe"]["kind"]}` ({amounts}). Targets: {targets["name"]} for spectrum,
panning and dynamics, {leveled}.

**Network.** {network}. {front}

**Training.** {report.get("steps", state["step"])} steps (batch {train.batch} × {train.crop_s:g} s on
{report.get("processes", 1)} process(es){_long_text(train)}), {report.get("skipped_steps", 0)} of them skipped because a
gradient was not finite;
seed {train.seed}{_seeds_text(report)}, {report.get("minutes", "–")} min
on {report.get("device", "cpu")}
({report.get("hardware", "unknown hardware")}).

**Quality.** The weights of step {state["step"]} were kept because they had the lowest held-out loss `{train.loss}`
({_held_out_text(train)}; lower is better):

| | loss |
|---|---|
{rows}

{_checks(report)}**Limiter.** A true-peak limiter at {CEILING_DBTP:g} dBTP stands behind the network; the
contract asks for it.

**Limits.** {origin} by its own loss, not by
listening. It sets levels per band over time: it cannot add reverberation, correct pitch, or equalize finely below about
{finest_khz:.1f} kHz.

**Make it again**, in `model-export`:

    python -m crafx2 make {config["name"]} -o BUNDLE --work FOLDER {source}

Weights differ in the last digits between processors.

License: MIT.
"""
    return _wrapped(text)


def _wrapped(text: str) -> str:
    """Markdown with its paragraphs wrapped; tables and commands stay as they are."""
    parts = text.strip().split("\n\n")
    kept = ("|", "#", "    ")
    filled = [part if part.startswith(kept) else textwrap.fill(part, 120, break_on_hyphens=False) for part in parts]
    return "\n\n".join(filled) + "\n"


def _data_text(report: dict[str, Any], data: DataSettings) -> str:
    held_out = report.get("held_out", data.held_out)
    if report.get("data"):
        return f"**Data.** {report['data']}: {report['songs']} songs, and {held_out} that are held out."
    return (
        f"**Data.** {report.get('songs', data.songs)} songs of {data.duration_s:.0f} s from this repository's\n"
        "generator, "
        f"seeds from {data.first_seed}; {held_out} more with the seeds just below are held out. No recording of any\n"
        "kind was used. The stems are dry mono, dry stereo or already processed; the mixtures are the generator's."
    )


def _seeds_text(report: dict[str, Any]) -> str:
    """How the run was chosen, where several seeds were trained."""
    losses: dict[str, float] = report.get("seeds", {})
    if len(losses) < 2:
        return ""
    reached = ", ".join(f"{seed}: {loss:.4f}" for seed, loss in losses.items())
    return f" (the lowest held-out loss of {len(losses)} seeds; {reached})"


def _long_text(train: TrainSettings) -> str:
    return f", every {train.long_every}th on {train.long_crop_s:g} s" if train.long_every else ""


def _held_out_text(train: TrainSettings) -> str:
    if train.validation == "tracks":
        return f"whole held-out songs, up to {train.validation_limit_s:g} s"
    return f"the middle {train.validation_crop_s:g} s of the held-out songs"


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
