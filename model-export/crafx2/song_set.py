"""Generated songs on disk: one by one, so that an interrupted run continues, and never of two kinds in one folder.

`generator.json` in the folder says which generator wrote its songs, and what it was asked for.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from . import generator
from .contract import read_json, write_json
from .errors import UserError
from .generator import Tracks, write_tracks

STAMP = "generator.json"


def generate(folder: Path, seeds: Sequence[int], make: partial[Tracks], workers: int) -> None:
    """Write the tracks that `make` makes of each seed as `song-<seed>`; songs that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    _stamp(folder, {"generator": _version(), "made": make.func.__name__, **make.keywords})
    write = partial(_write_one, folder=folder, make=make)
    with ProcessPoolExecutor(workers) as pool:
        for count, _ in enumerate(pool.map(write, seeds), start=1):
            if count % 10 == 0 or count == len(seeds):
                print(f"{count} of {len(seeds)} songs", file=sys.stderr, flush=True)


def _stamp(folder: Path, origin: dict[str, Any]) -> None:
    path = folder / STAMP
    if any(folder.glob("song-*")) and (not path.is_file() or read_json(path) != origin):
        raise UserError(
            f"the songs in {folder} were made otherwise – by another version of the generator, or of another length or "
            "kind; remove that folder and what was normalized and trained from it, or name another one"
        )
    write_json(path, origin)


def _version() -> str:
    """Checksum of the generator's files."""
    here = Path(generator.__file__)
    sources = [here, *sorted(path for path in (here.parent / "songs").iterdir() if path.suffix in (".py", ".json"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _write_one(seed: int, folder: Path, make: partial[Tracks]) -> None:
    target = folder / f"song-{seed}"
    if target.is_dir():
        return
    temporary = folder / f".song-{seed}"
    write_tracks(make(seed), temporary, seed)
    temporary.rename(target)
