"""The command line `crafx2`: generate songs, train, export, or all of it with one command (`make`)."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .checkpoint import network_from_checkpoint
from .config import Config, load_config
from .contract import FORMS, NOT_STATED, REPOSITORY, Form, default_targets, read_json, write_json
from .dataset import DatasetError, find_songs
from .errors import UserError
from .features import targets_from_features
from .generator import VARIANTS, Tracks, generate_song, processed_stems, song_tracks, write_tracks
from .played import renormalize
from .remix import remix
from .song_set import generate
from .songs import sources

if TYPE_CHECKING:
    from .distributed import Crew


@dataclass(frozen=True)
class Data:
    """Folders of normalized songs, of the same songs before normalization (or none), and what they are called."""

    songs: Path
    held_out: Path
    originals: Path | None
    #: `None`: generated songs.
    name: str | None


#: Errors that are the user's to mend.
REPORTED = (UserError, OSError, subprocess.CalledProcessError)
#: Seed and length of the demo song. The one in `assets/demo` stays as it is when the generator changes, so that figures
#: taken from it stay comparable.
DEMO_SEED, DEMO_DURATION_S = 52, 24.0
#: Length of the songs that the generator is calibrated with, seconds: long enough to have pauses, and for the padding
#: that the published rules count (3 s) to weigh little.
CALIBRATION_S = 60.0
SAMPLED_HELP = "played by soundfonts and one-shots of Debian's packages, not synthesized"
LICENSE_HELP = "license of the weights (default: MIT if trained on generated songs, else not stated)"


def write_normalization(config: Config, folder: Path, averages: Path | None = None) -> tuple[Path, Path]:
    """`recipe.json` and `targets.json` of a configuration, as `tributary normalize` reads them.

    `averages` takes the place of MUSDB18's; what the configuration sets itself stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe, targets = folder / "recipe.json", folder / "targets.json"
    write_json(recipe, config.recipe.written(folder))
    write_json(targets, config.targets(averages))
    return recipe, targets


def normalize(config: Config, source: Path, output: Path, tributary: str, work: Path) -> None:
    """Run `tributary normalize` on a set of songs."""
    recipe, targets = write_normalization(config, work)
    command = [tributary, "normalize", str(source), "-o", str(output)]
    subprocess.run([*command, "--recipe", str(recipe), "--targets", str(targets)], check=True)


def _train(
    config: Config,
    data: Data,
    folder: Path,
    arguments: argparse.Namespace,
    crew: Crew,
    device: str,
    front_end: Path | None,
) -> None:
    from .report import add_results, keep_targets, start_report
    from .train import Trainer

    songs = find_songs(data.songs, data.originals, quiet=not crew.leads)
    held_out = find_songs(data.held_out, quiet=not crew.leads)
    trainer = Trainer(config, songs, held_out, folder, device, front_end=front_end, crew=crew)
    if trainer.resume() and crew.leads:
        print(f"resuming at step {trainer.step}", file=sys.stderr)
    if crew.leads:
        # Before the first step: a checkpoint never lies there without what it is made of.
        keep_targets(folder, arguments.targets)
        start_report(folder, config, data.name, len(songs), len(held_out), device, crew.world)
    result = trainer.run(until_s=None if arguments.minutes is None else 60.0 * arguments.minutes)
    if crew.leads:
        add_results(folder, result)
        losses = ", ".join(f"{name} {value:.4f}" for name, value in result.losses.items())
        print(f"held-out loss: {losses}; best at step {result.best_step} of {result.steps}")


def _export(
    checkpoint: Path,
    output: Path,
    license: str | None,
    form: Form = FORMS[0],
    songs: Path | None = None,
    originals: Path | None = None,
) -> None:
    from .report import bundle_info

    from .export import export_bundle, song_statistics  # isort: skip

    network, state = network_from_checkpoint(checkpoint)
    info = bundle_info(checkpoint, state, license)
    if songs is not None:
        info = replace(info, statistics=song_statistics(network, find_songs(songs, originals, mixtures=False)))
    differences = export_bundle(network, output, info, form=form)
    worst = max(differences.values())
    print(f"wrote {output}; ONNX Runtime and PyTorch differ by at most {worst:.1e}")


def _rewrite(arguments: argparse.Namespace) -> None:
    from .rewrite import rewrite_bundle

    worst = max(rewrite_bundle(arguments.bundle, arguments.output, arguments.output_drive).values())
    print(f"wrote {arguments.output}; old and new graphs differ by at most {worst:.1e}")


def _export_module(arguments: argparse.Namespace) -> None:
    from .module import export_module, load_module

    loaded = load_module(arguments.file, arguments.weights)
    config = load_config(arguments.config)
    targets = default_targets(arguments.targets) if arguments.targets else config.targets()
    named = {"name": arguments.name, "license": arguments.license}
    worst = export_module(loaded, arguments.output, recipe=config.recipe, targets=targets, **named)
    print(f"wrote {arguments.output}; ONNX Runtime and PyTorch differ by at most {worst:.1e}")


def _import(arguments: argparse.Namespace) -> None:
    from .export import export_bundle, song_statistics
    from .reference import import_published

    network, info = import_published(arguments.checkpoint, arguments.features, arguments.name)
    if arguments.songs is not None:
        info = replace(info, statistics=song_statistics(network, find_songs(arguments.songs, mixtures=False)))
    worst = max(export_bundle(network, arguments.output, info).values())
    print(f"wrote {arguments.output}; ONNX Runtime and PyTorch differ by at most {worst:.1e}")


def _given(arguments: argparse.Namespace) -> Data:
    """The user's songs."""
    return Data(arguments.data, arguments.held_out, arguments.originals, arguments.data_name)


def _train_one(arguments: argparse.Namespace) -> None:
    from .distributed import processes

    config = load_config(arguments.config)
    if arguments.seed is not None:
        config = replace(config, train=replace(config.train, seed=arguments.seed))
    elif config.seeds:
        seeds = ", ".join(map(str, config.seeds))
        print(f"{config.name} is for seeds {seeds}; --seed names one, `make` trains all", file=sys.stderr)
    data = _given(arguments)
    with processes(arguments.device, arguments.threads) as (crew, device):
        _train(config, data, arguments.output, arguments, crew, device, arguments.front_end)


def _make(arguments: argparse.Namespace) -> None:
    from .distributed import processes
    from .report import note_seeds

    config, work = load_config(arguments.config), arguments.work
    if config.train.objective == "stems":
        raise UserError(f"{config.name} trains a front end, of which no bundle can be made; use `crafx2 train`")
    if (arguments.data is None) != (arguments.held_out is None):
        raise DatasetError("--data and --held-out belong together")
    data = _generated(config, arguments) if arguments.data is None else _given(arguments)
    if arguments.front_end and data.name is None:
        data = replace(data, name="generated songs, after a front end of unstated data")
    front_end, runs = arguments.front_end, {seed: work / f"run-{seed}" for seed in config.seeds or (config.train.seed,)}
    with processes(arguments.device, arguments.threads) as (crew, device):
        if config.pretrain and front_end is None:
            print(f"pre-training the front end: {config.pretrain}", file=sys.stderr)
            _train(load_config(config.pretrain), data, work / "pretrain", arguments, crew, device, None)
            front_end = work / "pretrain" / "best.pt"
        for seed, folder in runs.items():
            if len(runs) > 1 and crew.leads:
                print(f"training from seed {seed} of {', '.join(map(str, runs))}", file=sys.stderr)
            seeded = replace(config, train=replace(config.train, seed=seed))
            _train(seeded, data, folder, arguments, crew, device, front_end)
    if crew.leads:
        best = runs[note_seeds(runs)] / "best.pt"
        _export(best, arguments.output, arguments.license, songs=data.songs, originals=data.originals)


def _tributary(given: str | None) -> str:
    program = given or shutil.which("tributary")
    if program is None:
        raise DatasetError("the program `tributary` is not on the path; give it with --tributary")
    return program


def _generated(config: Config, arguments: argparse.Namespace) -> Data:
    """Generate and normalize the songs of a configuration; what exists is kept."""
    tributary = _tributary(arguments.tributary)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DatasetError("songs are generated by one process: run once without torchrun, or give --data")
    work, data = arguments.work, config.data
    if data.sampled:
        sources.require()
    train_seeds = range(data.first_seed, data.first_seed + data.songs)
    held_seeds = range(data.first_seed - data.held_out, data.first_seed)
    for name, seeds in (("train", train_seeds), ("held-out", held_seeds)):
        make = partial(song_tracks, duration_s=data.duration_s, variant=None, sampled=data.sampled)
        generate(work / "raw" / name, seeds, make, arguments.workers)
        normalize(config, work / "raw" / name, work / "normalized" / name, tributary, work)
        if data.remixed:
            remix(work / "normalized" / name, work / "raw" / name)
    normalized = work / "normalized"
    return Data(normalized / "train", normalized / "held-out", work / "raw" / "train", None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crafx2", description="Songs, training and export for Tributary's network")
    commands = parser.add_subparsers(dest="command", required=True)

    item = commands.add_parser("generate", help="write procedural songs with their mixtures")
    item.add_argument("-o", "--output", type=Path, required=True)
    item.add_argument("--songs", type=int, default=10)
    item.add_argument("--seed", type=int, default=1, help="seed of the first song; the others count up")
    item.add_argument("--duration", type=float, default=14.0, help="seconds")
    item.add_argument("--variant", choices=VARIANTS, help="kind of stems (default: drawn per song)")
    item.add_argument("--sampled", action="store_true", help=SAMPLED_HELP)
    item.add_argument("--workers", type=int, default=2)

    item = commands.add_parser("demo", help="write the demo song of assets/demo")
    item.add_argument("-o", "--output", type=Path, default=REPOSITORY / "assets" / "demo")

    item = commands.add_parser("calibrate", help="compare processed songs with the published averages")
    item.add_argument("--measured", type=Path, help="only compare this file, which `tributary analyze SONGS -o` wrote")
    item.add_argument("--refine", type=int, default=0, metavar="ROUNDS", help="correct songs/calibration.json")
    item.add_argument("--songs", type=int, default=48)
    item.add_argument("--seed", type=int, default=9_000)
    item.add_argument("--work", type=Path, help="folder for songs and measurements")
    item.add_argument("--sampled", action="store_true", help=SAMPLED_HELP)
    item.add_argument("--tributary", help="the `tributary` program (default: from the path)")
    item.add_argument("--workers", type=int, default=2)

    item = commands.add_parser("recipe", help="write recipe.json and targets.json for `tributary normalize`")
    item.add_argument("config")
    item.add_argument("-o", "--output", type=Path, required=True)
    item.add_argument("--averages", type=Path, help="what `tributary analyze` wrote, instead of MUSDB18's averages")

    item = commands.add_parser("train", help="train on normalized songs; resumes; also under torchrun")
    item.add_argument("config", help="name in configs/ or a TOML file")
    item.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    item.add_argument("--seed", type=int, help="instead of the configuration's")
    _add_training(item, required=True)

    item = commands.add_parser("export", help="turn a checkpoint into a model bundle")
    item.add_argument("checkpoint", type=Path)
    item.add_argument("-o", "--output", type=Path, required=True)
    item.add_argument("--songs", type=Path, help="normalized songs whose averages an incremental network starts from")
    item.add_argument("--form", choices=FORMS, default=FORMS[0], help="how the network is cut into graphs")
    item.add_argument("--license", help=LICENSE_HELP)

    item = commands.add_parser("rewrite", help="write a bundle's front and back end anew from its own graphs, exactly")
    item.add_argument("bundle", type=Path)
    item.add_argument("-o", "--output", type=Path, required=True, help="the new bundle; the same folder is replaced")
    item.add_argument("--output-drive", type=float, metavar="DB", help="drive of the final tanh (default: as it is)")

    item = commands.add_parser("renormalize", help="give a bundle what its configuration says of [played]")
    item.add_argument("bundle", type=Path)
    item.add_argument("--config", default="default", help="whose [played] (default: %(default)s)")
    item.add_argument("-o", "--output", type=Path, required=True, help="the new bundle; the same folder is replaced")

    item = commands.add_parser("export-module", help="turn any network, given as a Python file, into a bundle")
    item.add_argument("file", type=Path, help="defines build() -> nn.Module; it is executed (see examples/)")
    item.add_argument("-o", "--output", type=Path, required=True)
    item.add_argument("--weights", type=Path, help="a state dictionary to load into the module")
    item.add_argument(
        "--config", default="default", help="whose recipe and targets its songs had (default: %(default)s)"
    )
    item.add_argument("--targets", type=Path, help="targets.json that its songs were normalized with, if own")
    item.add_argument("--name", help="what the plug-in calls the model (default: the file's name)")
    item.add_argument("--license", default=NOT_STATED, help="license of the weights (default: %(default)s)")

    item = commands.add_parser("import", help="turn a checkpoint of the published FxNorm-Automix code into a bundle")
    item.add_argument("checkpoint", type=Path, help="a *.params file")
    item.add_argument("-o", "--output", type=Path, required=True, help="the bundle")
    item.add_argument("--features", type=Path, help="features_*.npy of its training data (default: MUSDB18's averages)")
    item.add_argument("--name", help="what the plug-in calls the model")
    item.add_argument("--songs", type=Path, help="normalized songs whose averages the network starts from")

    item = commands.add_parser("import-targets", help="turn a published features_*.npy into targets.json")
    item.add_argument("features", type=Path)
    item.add_argument("-o", "--output", type=Path, required=True)
    item.add_argument("--name", help="name of the data set (default: the file's name)")

    item = commands.add_parser("check", help="stream a bundle over normalized songs and report what one would hear")
    item.add_argument("bundle", type=Path)
    item.add_argument("songs", type=Path, help="folder of songs as `tributary normalize` wrote them")
    item.add_argument("--report", type=Path, help="report.json of the run, to put the table on the card")
    item.add_argument("--title", help="what the card calls these songs (default: the folder's name)")

    item = commands.add_parser("remix", help="make the mixtures of normalized generated songs anew, of what moves")
    item.add_argument("songs", type=Path, help="folder of songs as `tributary normalize` wrote them; changed in place")
    item.add_argument("originals", type=Path, help="the same songs as `crafx2 generate` wrote them")

    item = commands.add_parser("movement", help="how much of what an engineer moves a bundle moves, on remixed songs")
    item.add_argument("bundle", type=Path)
    item.add_argument("songs", type=Path, help="folder of songs as `crafx2 remix` left them")
    item.add_argument("--report", type=Path, help="report.json of the run, to put the table on the card")
    item.add_argument("--title", help="what the card calls these songs (default: the folder's name)")

    item = commands.add_parser("make", help="generate, normalize, (pre-)train and export with one command")
    item.add_argument("config")
    item.add_argument("-o", "--output", type=Path, required=True, help="the bundle")
    item.add_argument("--work", type=Path, required=True, help="folder for songs and checkpoints")
    item.add_argument("--tributary", help="the `tributary` program (default: from the path)")
    item.add_argument("--workers", type=int, default=2, help="processes that generate songs")
    item.add_argument("--license", help=LICENSE_HELP)
    _add_training(item, required=False)
    return parser


def _add_training(item: argparse.ArgumentParser, *, required: bool) -> None:
    item.add_argument("--data", type=Path, required=required, help="songs as `tributary normalize` wrote them")
    item.add_argument("--held-out", type=Path, required=required, help="songs that choose the weights, likewise")
    item.add_argument("--originals", type=Path, help="the songs of --data before normalization")
    item.add_argument("--data-name", default="songs of the user", help="what the card calls the data")
    item.add_argument("--targets", type=Path, help="targets.json that --data were normalized with, if own")
    item.add_argument("--front-end", type=Path, help="best.pt of a run with the configuration `pretrain`")
    item.add_argument("--minutes", type=float, help="stop a run after this time, with its best so far")
    item.add_argument("--device", default="cpu", help="cpu or cuda")
    item.add_argument("--threads", type=int, help="processor threads (one is best on a busy machine)")


def _calibrate(arguments: argparse.Namespace) -> None:
    from .calibrate import differences, refine, report

    if arguments.measured:
        measured = read_json(arguments.measured)
    else:
        if arguments.work is None:
            raise DatasetError("calibrate makes songs: say where with --work")
        seeds = range(arguments.seed, arguments.seed + arguments.songs)
        if arguments.sampled:
            sources.require()
        make = partial(processed_stems, duration_s=CALIBRATION_S, sampled=arguments.sampled)
        measured = refine(
            lambda folder: generate(folder, seeds, make, arguments.workers),
            _tributary(arguments.tributary),
            arguments.work,
            arguments.refine,
        )
    print(report(differences(measured, default_targets())))


def _check(arguments: argparse.Namespace) -> None:
    from .evaluate import check_set, table

    _tell(table(check_set(arguments.bundle, arguments.songs)), arguments)


def _movement(arguments: argparse.Namespace) -> None:
    from .movement import movement, table

    _tell(table(movement(arguments.bundle, arguments.songs)), arguments)


def _tell(text: str, arguments: argparse.Namespace) -> None:
    """Print a table, and put it into the run's report where one is named."""
    print(text)
    if arguments.report:
        report = read_json(arguments.report)
        report.setdefault("checks", {})[arguments.title or arguments.songs.name] = text
        write_json(arguments.report, report)


def run(arguments: argparse.Namespace) -> None:
    """Carry out parsed arguments."""
    match arguments.command:
        case "generate":
            seeds = range(arguments.seed, arguments.seed + arguments.songs)
            if arguments.sampled:
                sources.require()
            make = partial(
                song_tracks,
                duration_s=arguments.duration,
                variant=arguments.variant,
                sampled=arguments.sampled,
            )
            generate(arguments.output, seeds, make, arguments.workers)
        case "demo":
            song = generate_song(DEMO_SEED, DEMO_DURATION_S, variant="dry_stereo", full=True)
            write_tracks(Tracks(song.stems), arguments.output, DEMO_SEED, extension="flac")
        case "calibrate":
            _calibrate(arguments)
        case "recipe":
            write_normalization(load_config(arguments.config), arguments.output, arguments.averages)
        case "train":
            _train_one(arguments)
        case "export":
            _export(arguments.checkpoint, arguments.output, arguments.license, arguments.form, arguments.songs)
        case "rewrite":
            _rewrite(arguments)
        case "renormalize":
            renormalize(arguments.bundle, arguments.output, load_config(arguments.config).played)
            print(f"wrote {arguments.output}")
        case "export-module":
            _export_module(arguments)
        case "import":
            _import(arguments)
        case "import-targets":
            write_json(arguments.output, targets_from_features(arguments.features, arguments.name))
        case "check":
            _check(arguments)
        case "remix":
            remix(arguments.songs, arguments.originals)
        case "movement":
            _movement(arguments)
        case "make":
            _make(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; user errors become one sentence and exit status 1, interruptions one and 128 + the signal."""
    try:
        run(_parser().parse_args(argv))
    except REPORTED as error:
        print(f"crafx2: {error}", file=sys.stderr)
        return getattr(error, "status", 1)
    except KeyboardInterrupt:
        print("crafx2: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
