"""What a training run says about itself: `report.json` beside the checkpoints, and the card of the bundle."""

from __future__ import annotations

import math
import os
import platform
import textwrap
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .checkpoint import CheckpointError
from .config import CONFIG_FOLDER, Config, DataSettings, TrainSettings, load_config
from .contract import CEILING_DBTP, NOT_STATED, STEMS, Window, default_targets, read_json, write_json
from .dataset import DatasetError
from .export import BundleInfo
from .played import Played, noted
from .recipe import Recipe
from .songs.sources import SOURCES
from .train import TrainResult


def start_report(
    folder: Path, config: Config, data: str | None, songs: int, held_out: int, device: str, processes: int
) -> None:
    """Write what a run is made of, before its first step. `data` is the name of the set, `None` for generated songs.

    A run that goes on does not turn from one into the other, or its report would claim too much.
    """
    path = folder / "report.json"
    if (folder / "last.pt").is_file() and path.is_file():
        before = read_json(path)["data"]
        if (before is None) != (data is None):
            raise DatasetError(f"{folder} holds a run on {before or 'generated songs'}; give this one another folder")
    hardware = f"{os.cpu_count()} {platform.machine()} cores, shared" if device == "cpu" else f"{processes} GPU"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "config": config.name,
            "data": data,
            "songs": songs,
            "held_out": held_out,
            "device": device.partition(":")[0],
            "hardware": hardware,
            "processes": processes,
        },
    )


def add_results(folder: Path, result: TrainResult) -> None:
    """Add to the report what the run reached: plain numbers for the card."""
    results = {
        "steps": result.steps,
        "best_step": result.best_step,
        "minutes": round(result.seconds / 60.0, 1),
        "losses": {name: round(value, 4) for name, value in result.losses.items()},
        "history": result.history,
        "skipped_steps": result.skipped_steps,
    }
    if result.held_db is not None:
        results["held_db"] = round(result.held_db, 3)
    path = folder / "report.json"
    write_json(path, {**read_json(path), **results})


def note_seeds(runs: dict[int, Path]) -> int:
    """Of runs, folders by seed, the seed with the lowest held-out loss; its report then names the losses of all."""
    reports = {seed: read_json(folder / "report.json") for seed, folder in runs.items()}
    losses = {seed: report["losses"]["trained"] for seed, report in reports.items()}
    best = min(losses, key=lambda seed: losses[seed])
    write_json(runs[best] / "report.json", {**reports[best], "seeds": losses})
    return best


def keep_targets(folder: Path, targets: Path | None) -> None:
    """Copy the targets that the data were normalized with beside the checkpoints, for the export."""
    if targets is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "targets.json", read_json(targets))


def bundle_info(checkpoint: Path, state: dict[str, Any], license: str | None = None) -> BundleInfo:
    """What the contract and the card say, from a checkpoint and the report beside it.

    A checkpoint does not know its data: without the report they are not stated, nor is the license unless given.
    """
    config = state["config"]
    if config["train"]["objective"] == "stems":
        raise CheckpointError(f"{checkpoint} is a pre-trained front end, which cannot mix; give it to --front-end")
    path = checkpoint.with_name("report.json")
    report = read_json(path) if path.is_file() else {}
    name = "Tributary default" if config["name"] == "default" else f"Tributary {config['name']}"
    license = license or ("MIT" if _is_generated(report) else NOT_STATED)
    targets = _targets(checkpoint, config)
    played = Played(**config.get("played", {}))
    if not _has_own_levels(config, targets):
        # The run was given targets: its levels are the user's, in training and when it plays.
        played = replace(played, loudness_lufs={})
    card = _card(name, config, state, report, targets, license)
    return BundleInfo(
        name=name,
        trained_on=f"{_songs_text(report, config)}; {state['step']} steps.",
        targets=played.targets_after(targets),
        recipe=played.recipe_after(Recipe.from_dict(config["recipe"])),
        mask_share=played.mask_share,
        window=Window(**config["window"]),
        license=license,
        card="\n\n".join(noted(card.split("\n\n"), played)),
        notes={"step": state["step"], "seed": config["train"]["seed"]},
    )


def _is_generated(report: dict[str, Any]) -> bool:
    """Whether the run is known to have heard generated songs only."""
    return "data" in report and report["data"] is None


def _songs_text(report: dict[str, Any], config: dict[str, Any]) -> str:
    """The data in a few words."""
    if "data" not in report:
        return NOT_STATED
    if _is_generated(report):
        return f"{report['songs']} generated songs of {config['data']['duration_s']:.0f} s, no recordings"
    return f"{report['data']} ({report['songs']} songs)"


def _own_targets(config: dict[str, Any]) -> dict[str, Any]:
    """The targets that the configuration makes of the published averages."""
    return default_targets(None, config["loudness_lufs"], config.get("similarity"))


def _targets(checkpoint: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The targets that the run was given, just as its data were normalized with them; else the configuration's."""
    given = checkpoint.with_name("targets.json")
    return default_targets(given) if given.is_file() else _own_targets(config)


def _has_own_levels(config: dict[str, Any], targets: dict[str, Any]) -> bool:
    """Whether the targets hold the loudness that the configuration sets; a user's may not."""
    levels: dict[str, float] = config["loudness_lufs"]
    return bool(levels) and all(targets["stems"][stem]["loudness_lufs"] == level for stem, level in levels.items())


def _card(
    name: str,
    config: dict[str, Any],
    state: dict[str, Any],
    report: dict[str, Any],
    targets: dict[str, Any],
    license: str,
) -> str:
    data, train = DataSettings(**config["data"]), TrainSettings(**config["train"])
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
    effects = {key: value for key, value in config["recipe"].items() if isinstance(value, dict)}
    amounts = ", ".join(f"{key} {value['amount']:g}" for key, value in effects.items())
    start = "the transparent start" if config["start"] == "transparent" else "its start"
    front = f"The filter bank is {'frozen at' if train.freeze_front_end else 'trained from'} {start}."
    network = ", ".join(f"{key} {value}" for key, value in config["network"].items())
    origin = "Trained on synthetic music with one way of mixing, and chosen" if _is_generated(report) else "Chosen"
    text = f"""# {name}

A CRAFx2 model. {_description(report, config)}

{_data_text(report, data)}

**Normalization.** Recipe `{config["recipe"]["kind"]}` ({amounts}). Targets: {targets["name"]} for spectrum,
panning and dynamics, {leveled}.

**Network.** {network}. {front}

{_training_text(report, state, train)}

**Quality.** The weights of step {state["step"]} were kept because they had the lowest held-out loss `{train.loss}`
({_held_out_text(train)}; lower is better){_losses_text(report, config["start"])}

{_checks(report)}**Limiter.** A true-peak limiter at {CEILING_DBTP:g} dBTP stands behind the network; the
contract asks for it.

**Limits.** {origin} by its own loss, not by
listening. It sets levels per band over time: {_cannot_text(config)}.

{_again_text(report, config, targets)}

Weights differ in the last digits between processors.

License: {license}.
"""
    return _wrapped(text)


def _wrapped(text: str) -> str:
    """Markdown with its paragraphs wrapped; tables and commands stay as they are."""
    parts = text.strip().split("\n\n")
    kept = ("|", "#", "    ")
    filled = [part if part.startswith(kept) else textwrap.fill(part, 120, break_on_hyphens=False) for part in parts]
    return "\n\n".join(filled) + "\n"


def _description(report: dict[str, Any], config: dict[str, Any]) -> str:
    """The configuration's, unless it speaks of generated songs and the run had others."""
    if "generated songs" in config["description"] and not _is_generated(report):
        return f"Trained with the settings of `{config['name']}`."
    return config["description"]


def _data_text(report: dict[str, Any], data: DataSettings) -> str:
    if "data" not in report:
        return "**Data.** Not stated."
    if not _is_generated(report):
        return f"**Data.** {report['data']}: {report['songs']} songs, and {report['held_out']} that are held out."
    if data.sampled:
        packages = "; ".join(
            f"{item.what} (Debian's {item.package} {item.version}, {item.license})" for item in SOURCES
        )
        made_of = f"They are played by samples, and a third of them was written by people: {packages}."
    else:
        made_of = "No recording of any kind was used."
    return (
        f"**Data.** {report['songs']} songs of {data.duration_s:.0f} s from this repository's generator, "
        f"seeds from {data.first_seed}; {report['held_out']} more with the seeds just below are held out. {made_of} "
        "The stems are dry mono, dry stereo or already processed; the mixtures are "
        + ("their sum, normalized, with what the generator's engineer moved." if data.remixed else "the generator's.")
    )


def _training_text(report: dict[str, Any], state: dict[str, Any], train: TrainSettings) -> str:
    """The report's figures; those of the checkpoint while a run goes on."""
    processes = f" on {report['processes']} process(es)" if "processes" in report else ""
    hardware = f" on {report['device']} ({report['hardware']})" if "device" in report else ""
    return (
        f"**Training.** {report.get('steps', state['step'])} steps (batch {train.batch} × {train.crop_s:g} s"
        f"{processes}{_long_text(train)}), {report.get('skipped_steps', state['skipped'])} of them skipped because a "
        f"gradient was not finite; seed {train.seed}{_seeds_text(report)}, "
        f"{report.get('minutes', round(state['seconds'] / 60.0, 1))} min{hardware}."
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


def _losses_text(report: dict[str, Any], start: str) -> str:
    """The end of a sentence: a table, when the run has ended."""
    if "losses" not in report:
        return "."
    rows = {
        "plain_sum": "plain sum of the normalized stems",
        "untrained": "the untrained transparent start" if start == "transparent" else "the untrained network",
        "still": "this model with each mask held at its mean over time",
        "trained": "this model",
    }
    losses = report["losses"]
    table = "\n".join(f"| {row} | {losses[key]:.4f} |" for key, row in rows.items() if key in losses)
    return f":\n\n| | loss |\n|---|---|\n{table}{_held_text(report)}"


def _held_text(report: dict[str, Any]) -> str:
    """A paragraph on what does not move, where it was measured."""
    if "held_db" not in report:
        return ""
    return (
        f"\n\n**Held against sum.** With each mask held at its mean the mix differs from the sum of the stems by "
        f"{report['held_db']:.2f} dB in the mean over third octaves of middle and side: the part of this model that "
        "does not move."
    )


def _cannot_text(config: dict[str, Any]) -> str:
    """What is out of the network's reach; how fine its bands are is known of the transparent bank only."""
    if config["start"] != "transparent" or not config["train"]["freeze_front_end"]:
        return "it cannot add reverberation or correct pitch"
    # A channel's bands share its range; 16 of them are 0.7 kHz wide at the bottom (`front_end.BAND_EDGES_HZ`).
    finest_khz = 0.7 * 128 / config["network"]["filters"]
    return f"it cannot add reverberation, correct pitch, or equalize finely below about {finest_khz:.1f} kHz"


def _is_shipped(config: dict[str, Any]) -> bool:
    """Whether `configs/` has this very configuration under its name, and `make` would train from its seed."""
    path = CONFIG_FOLDER / f"{config['name']}.toml"
    if not path.is_file():
        return False
    shipped = asdict(load_config(str(path)))
    seeds = shipped["seeds"] or (shipped["train"]["seed"],)
    train = {**config["train"], "seed": shipped["train"]["seed"]}
    return config["train"]["seed"] in seeds and {**config, "seeds": shipped["seeds"], "train": train} == shipped


def _again_text(report: dict[str, Any], config: dict[str, Any], targets: dict[str, Any]) -> str:
    """The command that makes the model, and what it takes that is not in the repository."""
    name, source, needs = config["name"], "--tributary ../target/release/tributary", []
    if not _is_shipped(config):
        needs.append(f"its configuration (`{name}`, seed {config['train']['seed']}; not in `configs/`) in CONFIG.toml")
        name = "CONFIG.toml"
    if not _is_generated(report):
        source = "--data SONGS --held-out HELD-OUT"
        needs.append(f"its songs ({report.get('data', NOT_STATED)}), normalized, in SONGS and HELD-OUT")
        if config.get("augmentation", {}).get("foreign_stem"):
            source += " --originals ORIGINALS"
            needs.append("the same songs before normalization in ORIGINALS")
    if targets != _own_targets(config):
        source += " --targets TARGETS.json"
        needs.append("its targets in TARGETS.json")
    processes = report.get("processes", 1)
    python = "python" if processes == 1 else f"torchrun --nproc-per-node {processes}"
    takes = f", with {'; '.join(needs)}" if needs else ""
    return (
        f"**Make it again**, in `model-export`{takes}:\n\n"
        f"    {python} -m crafx2 make {name} -o BUNDLE --work FOLDER {source}"
    )
