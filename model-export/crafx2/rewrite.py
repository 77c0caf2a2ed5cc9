"""A bundle's front and back end written anew from its own graphs: `crafx2 rewrite`, for bundles without a checkpoint.

The weights are read from the bundle's `front.onnx`; what `ends.py` finds in them makes the new graphs, which must agree
with the old ones before anything is written. Everything else stays to the byte, but for the contract's checksums, the
drive of the final tanh if one is asked for – the parity vectors then hold what the old graphs make with it – and a
paragraph on the card.
"""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contract import (
    MARGIN_FRAMES,
    PARITY_TOLERANCE,
    STEMS,
    drive_gain,
    file_reference,
    read_json,
    replaced_folder,
    write_json,
)
from .ends import EndWeights
from .errors import ParityError, UserError
from .export import worst_difference, write_ends
from .front_end import FRAME_RATIO
from .runtime import of_contract, run_split, run_stepped

Array = NDArray[np.float32]
#: Frames over which old and new graphs are compared.
COMPARED_FRAMES = 64 * FRAME_RATIO
#: What opens the paragraph that the card gets; one that is there already is replaced.
CARD_TITLE = "**Graphs.**"


def rewrite_bundle(source: Path, target: Path, output_drive_db: float | None = None) -> dict[str, float]:
    """Write the bundle at `source` to `target` (which may be the same) with new ends; return what they differ by.

    `output_drive_db` sets the contract's; `None` keeps it.
    """
    contract = read_json(source / "contract.json")
    network = contract["network"]
    if network["kind"] not in ("split", "incremental"):
        raise UserError(f"{source} is of kind {network['kind']}, whose ends are no graphs of their own")
    weights = EndWeights.read(source / network["front"]["file"], 2 * len(STEMS))
    driven = output_drive_db is not None and output_drive_db != network.get("output_drive_db", 0.0)
    if driven:
        network["output_drive_db"] = output_drive_db
        if arguments := contract.get("notes", {}).get("network_arguments"):
            arguments["output_drive_db"] = output_drive_db
    gain = drive_gain(network.get("output_drive_db", 0.0))
    with replaced_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        for end, written in zip(("front", "back"), write_ends(weights, folder), strict=True):
            (folder / written).replace(folder / network[end]["file"])
        differences = _compare_ends(source, folder, network)
        if "parity" in contract:
            differences["parity"] = _check_parity(source, folder, contract, gain, renew=driven)
        for name, difference in differences.items():
            if not difference <= PARITY_TOLERANCE:
                raise ParityError(f"the new graphs differ from the old ones by {difference:.2e} ({name})")
        for end in ("front", "back"):
            network[end] = file_reference(folder, network[end]["file"])
        write_json(folder / "contract.json", contract)
        _note_on_card(folder / "CARD.md", weights, network.get("output_drive_db", 0.0))
    return differences


def _compare_ends(source: Path, folder: Path, network: dict[str, Any]) -> dict[str, float]:
    """Largest differences of both ends, old and new, on noise with real samples around it, by output."""
    rng, filters = np.random.default_rng(1), network["filters"]

    def noise(rows: int, frames: int) -> Array:
        return 0.1 * rng.standard_normal((1, rows, frames), np.float32)

    mask = 10.0 * np.abs(noise(filters, COMPARED_FRAMES // FRAME_RATIO + 2))
    feeds = {
        "front": {"stems": noise(2 * len(STEMS), COMPARED_FRAMES + 2 * MARGIN_FRAMES)},
        "back": {"bands": noise(filters, COMPARED_FRAMES + 2 * FRAME_RATIO), "mask": mask},
    }
    found: dict[str, float] = {}
    for end, feed in feeds.items():
        old, new = (of_contract(place, network)(end) for place in (source, folder))
        for output in old.get_outputs():
            before, after = (graph.run([output.name], feed)[0] for graph in (old, new))
            # Latents are of any size; what the network makes of them depends on their error beside it.
            found[output.name] = worst_difference(after, before) / max(1.0, float(np.max(np.abs(before))))
    return found


def _check_parity(source: Path, folder: Path, contract: dict[str, Any], gain: float, *, renew: bool) -> float:
    """By how much the new graphs differ from the parity vectors.

    `renew` first writes these anew: what the old graphs make with another drive.
    """
    parity, network = contract["parity"], contract["network"]
    stems = np.fromfile(source / parity["input"], "<f4").reshape(2 * len(STEMS), parity["frames"])

    def run(place: Path) -> Array:
        if network["kind"] == "incremental":
            return run_stepped(place, network, stems, gain)
        return run_split(of_contract(place, network), stems, gain)

    if renew:
        run(source).astype("<f4").tofile(folder / parity["output"])
    return worst_difference(run(folder), np.fromfile(folder / parity["output"], "<f4").reshape(2, -1))


def _note_on_card(card: Path, weights: EndWeights, output_drive_db: float) -> None:
    """Say on the card what was done to the graphs, once."""
    if weights.shared_bank() is None:
        found = "every filter has weights of its own, so it is the dense form"
    else:
        found = "all stems share one bank of filters for middle and side, which is computed as such"
    text = f"{CARD_TITLE} Front and back end were rewritten exactly by `crafx2 rewrite`: {found}."
    if output_drive_db:
        text += f" The final tanh is driven at {output_drive_db:g} dB, with as much gain behind it."
    old = card.read_text(encoding="utf-8") if card.is_file() else ""
    kept = [part for part in old.rstrip().split("\n\n") if not part.startswith(CARD_TITLE)]
    # Before the last paragraph, which names the license.
    kept.insert(max(1, len(kept) - 1), textwrap.fill(text, 120))
    card.write_text("\n\n".join(kept) + "\n", encoding="utf-8")
