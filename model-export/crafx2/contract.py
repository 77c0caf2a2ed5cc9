"""The model bundle on disk: `contract.json`, graphs, targets, card and parity vectors, written all or nothing.

The engine refuses unknown fields, so this file and `engine/src/bundle/contract.rs` describe the same format (1).
Anything else worth saying goes into `notes`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from .errors import UserError

FORMAT = 1
STEMS = ("vocals", "bass", "drums", "other")
SAMPLE_RATE_HZ = 44_100
#: Frames per latent frame (pool width), given by the architecture.
FRAME_RATIO = 64
#: Real samples the split front end needs on both sides of new ones.
MARGIN_FRAMES = 128
#: Largest absolute difference between ONNX Runtime and PyTorch that an export may have.
PARITY_TOLERANCE = 1e-5
#: No true peak of a mix exceeds this: the engine limits behind the network.
CEILING_DBTP = -1.0
#: How far down the mix may be driven into the network's final tanh, dB; `engine/src/bundle/contract/network.rs` says
#: the same.
OUTPUT_DRIVE_RANGE_DB = (-40.0, 0.0)
#: Shares of a hop that computing it may take; `engine/src/bundle/contract/parts.rs` says the same.
COMPUTING_SHARE_RANGE = (0.05, 1.0)
#: How a bundle's network is cut into graphs: `incremental` computes every frame once (what the plug-in runs best),
#: `split` runs the latent mixer on a window at every hop, `whole` is one graph over the window.
Form = Literal["incremental", "split", "whole"]
FORMS: tuple[Form, ...] = get_args(Form)
#: What a contract says of data or a license that nobody named.
NOT_STATED = "not stated"
#: Repository folder with `assets`; the package is used from its checkout.
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Window:
    """Window lengths in frames at the model's rate, all multiples of 64.

    The defaults make 250 ms hops with 232 ms of lookahead. An incremental network remembers by itself: its context only
    says how much may be missed before it must start anew.
    """

    context_frames: int = 22_016
    hop_frames: int = 11_008
    lookahead_frames: int = 10_240
    crossfade_frames: int = 1_024
    #: The share of a hop's time that computing it may take on a slow machine, in every mode. It makes the latency
    #: that a host is told, so it belongs to the bundle and not to the machine. All of a hop if absent.
    computing_share: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.written().items():
            if name != "computing_share" and (value % FRAME_RATIO or value < 0):
                raise ValueError(f"{name} is {value}; it must be a multiple of {FRAME_RATIO}")
        lowest, highest = COMPUTING_SHARE_RANGE
        if self.computing_share is not None and not lowest <= self.computing_share <= highest:
            raise ValueError(f"computing_share is {self.computing_share}; expected {lowest:g} to {highest:g}")
        if self.lookahead_frames < self.crossfade_frames + MARGIN_FRAMES:
            raise ValueError("lookahead_frames must hold crossfade_frames and the front end's margin")

    def written(self) -> dict[str, Any]:
        """The contract's entry `window`."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def drive_gain(output_drive_db: float) -> float:
    """The gain before a final tanh that is driven lower; its inverse stands behind it. 0 dB is exactly 1."""
    lowest, highest = OUTPUT_DRIVE_RANGE_DB
    if not lowest <= output_drive_db <= highest:
        raise ValueError(f"output_drive_db is {output_drive_db}; expected {lowest:g} to {highest:g}")
    return 10.0 ** (output_drive_db / 20.0)


def sha256_of(path: Path) -> str:
    """Lower-case hexadecimal checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_reference(folder: Path, name: str) -> dict[str, str]:
    """A contract's reference to a file of its bundle."""
    return {"file": name, "sha256": sha256_of(folder / name)}


def default_targets(
    source: Path | None = None,
    loudness_lufs: dict[str, float] | None = None,
    similarity: dict[str, float] | None = None,
) -> dict[str, Any]:
    """MUSDB18 averages with other loudness and left/right similarity targets, in the format of `tributary-dsp`.

    What is absent stays as published: about −30 LUFS each, and φ by frequency.
    """
    source = source or REPOSITORY / "assets" / "targets" / "musdb18.json"
    targets = read_json(source)
    for stem, level in (loudness_lufs or {}).items():
        targets["stems"][stem]["loudness_lufs"] = level
    for stem, phi in (similarity or {}).items():
        targets["stems"][stem]["phi"] = [[hz, phi] for hz, _ in targets["stems"][stem]["phi"]]
    if loudness_lufs or similarity:
        targets["name"] = f"{targets['name']}, mix levels"
    return targets


def read_json(path: Path) -> Any:  # noqa: ANN401
    """What a JSON file holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not readable JSON: {error}") from error


def write_json(path: Path, value: object) -> None:
    """Readable JSON with a final newline, written beside `path` and renamed."""
    with replaced_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """A temporary name beside `target` that takes its place when the block ends well, and vanishes otherwise."""
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place when the block ends well, and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        old = target.with_name(f".{target.name}-old-{os.getpid()}")
        if target.exists():
            os.rename(target, old)
        os.rename(temporary, target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
