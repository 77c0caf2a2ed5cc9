"""How far the generated set lies from the published averages, and the corrections that close the gap.

The numbers are those of `tributary analyze` by the published rules: the published averages count a song's silence, so
ours are measured likewise, on songs long enough to have pauses. `refine` makes a set, measures it and corrects
`songs/calibration.json`, some rounds long.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contract import STEMS, default_targets, read_json, write_json
from .dataset import DatasetError
from .songs.calibration import TABLE, thirds
from .third_octaves import CENTERS_HZ

#: Part of a measured error that one round corrects.
STEP = 0.9
#: First guess of what `accents_db` and `drive_db` do to mean peak and loudness, in dB per unit; rounds correct it.
SENSITIVITY = np.array([[-0.8, 0.0], [-0.8, 0.35]])
#: Bounds of the corrections.
TONE_LIMIT_DB, PHI_LIMIT = 12.0, 0.2
MOVE_LIMITS = np.array([[0.0, -12.0], [7.0, 18.0]])
#: Largest change of the two in one round.
MOVE_STEPS = np.array([2.0, 4.0])


#: The published rules without their panning, whose ratios have no bound: where one side of a bin all but cancels, a
#: burst makes a stem 60 dB louder, and one such song would outweigh all others in the mean loudness.
RULES = {"kind": "published", "panning": {"enabled": False, "amount": 0.0}}
#: What its gains of 0.3 and 0.7 do to the loudness of a centered stem, dB.
PANNED_DB = 10.0 * np.log10((0.3**2 + 0.7**2) / 2.0)


def measure(tributary: str, songs: Path, output: Path) -> dict[str, Any]:
    """`tributary analyze` on a folder of songs, by the rules that the published averages were made with."""
    rules = output.with_suffix(".recipe.json")
    write_json(rules, RULES)
    command = [tributary, "analyze", str(songs), "-o", str(output), "--recipe", str(rules)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    measured = read_json(output)
    for features in measured["stems"].values():
        features["loudness_lufs"] += PANNED_DB
    return measured


def refine(make: Callable[[Path], None], tributary: str, work: Path, rounds: int) -> dict[str, Any]:
    """Correct the table `rounds` times; `make` writes the wet songs of a round. Returns the last measurement.

    Raises `DatasetError` where `work` holds songs already: they may be of another table or of other seeds.
    """
    targets, moves = default_targets(), {stem: _Moves() for stem in STEMS}
    measured: dict[str, Any] = {}
    for number in range(rounds + 1):
        folder = work / f"round-{number}"
        if folder.exists():
            raise DatasetError(f"{folder} holds songs of another run; name a folder of its own with --work")
        make(folder)
        measured = measure(tributary, folder, work / f"round-{number}.json")
        print(report(differences(measured, targets)), file=sys.stderr, flush=True)
        if number < rounds:
            table = json.loads(TABLE.read_text(encoding="utf-8"))
            for stem in STEMS:
                _correct(table["stems"][stem], measured["stems"][stem], targets["stems"][stem], moves[stem])
            TABLE.write_text(_compact(table), encoding="utf-8")
    return measured


def _compact(table: dict[str, Any]) -> str:
    """JSON with one line per list."""
    text = json.dumps(table, indent=2)
    return re.sub(r"\[[^\]]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def _correct(entry: dict[str, Any], measured: dict[str, Any], target: dict[str, Any], moves: _Moves) -> None:
    for name, feature, limit, digits in (("tone_db", "spectrum", TONE_LIMIT_DB, 1), ("phi", "phi", PHI_LIMIT, 3)):
        error = thirds(target[feature]) - thirds(measured[feature])
        if feature == "spectrum":
            # Stems are brought to one loudness before their spectra are measured: only the shape can be corrected.
            error -= np.mean(error[COMPARED])
        values = np.clip(np.array(entry[name]) + STEP * error, -limit, limit)
        entry[name] = [round(float(value), digits) for value in values]
    error = np.array([target[name] - measured[name] for name in ("peak_db", "loudness_lufs")])
    moved = moves.next(np.array([entry["accents_db"], entry["drive_db"]]), error)
    entry["accents_db"], entry["drive_db"] = (round(float(value), 3) for value in moved)


class _Moves:
    """Broyden's method for two unknowns: how the corrections move mean peak and loudness is learned on the way."""

    def __init__(self) -> None:
        self.sensitivity = SENSITIVITY.copy()
        self.last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def next(self, at: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.last is not None:
            step, change = at - self.last[0], self.last[1] - error
            if np.sum(step**2) > 1e-6:
                self.sensitivity += np.outer(change - self.sensitivity @ step, step) / np.sum(step**2)
        self.last = (at, error)
        wanted = np.linalg.lstsq(self.sensitivity, error, rcond=0.05)[0]
        return np.clip(at + np.clip(STEP * wanted, -MOVE_STEPS, MOVE_STEPS), *MOVE_LIMITS)


#: How far a set's averages may lie from the published ones.
TOLERANCES = {"spectrum": 1.0, "phi": 0.03, "loudness_lufs": 0.5, "peak_db": 0.5}
#: The third octaves that are compared: 63 Hz to 12.7 kHz of the corrections' 31.5 Hz to 16 kHz.
COMPARED = slice(3, 27)
THIRD_OCTAVES_HZ = tuple(CENTERS_HZ[COMPARED])


def differences(measured: dict[str, Any], targets: dict[str, Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measured minus target per stem and feature, from two files as `tributary analyze` writes them.

    Curves are compared as means over third octaves from 63 Hz to 12.7 kHz, numbers as they are.
    """
    result: dict[str, dict[str, NDArray[np.float64]]] = {}
    for stem in STEMS:
        ours, theirs = measured["stems"][stem], targets["stems"][stem]
        result[stem] = {
            name: (thirds(ours[name]) - thirds(theirs[name]))[COMPARED]
            if name in ("spectrum", "phi")
            else np.array([ours[name] - theirs[name]])
            for name in TOLERANCES
        }
    return result


def report(found: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """A table: per stem and feature the largest difference, where it is, and whether it is within its tolerance."""
    lines = []
    for stem, features in found.items():
        for name, values in features.items():
            worst = int(np.argmax(np.abs(values)))
            inside = int(np.sum(np.abs(values) <= TOLERANCES[name]))
            where = f" at {THIRD_OCTAVES_HZ[worst]:.0f} Hz" if values.size > 1 else ""
            share = f"{inside} of {values.size} within {TOLERANCES[name]:g}"
            lines.append(f"{stem:7} {name:13} {values[worst]:+7.2f}{where:14} {share}")
    return "\n".join(lines)
