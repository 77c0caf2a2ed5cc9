"""How much of what an engineer moves does a bundle move? Levels over time, stem by stem, against the recorded truth.

A bundle is streamed over remixed songs (`remix.py`), as it is played. How far each stem's level changes in it from tick
to tick is compared with the engineer's moves, in three groups of bands. What a stem's level is in the mean over a song
is no movement; it is told apart, as the error of the balance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .contract import STEMS
from .dataset import DatasetError
from .front_end import FRAME_RATIO
from .remix import Stems, read_stems, stem_powers
from .songs.effects import Audio
from .songs.moves import MOVES_FILE, TICKS_PER_S, Moves
from .streaming import Stream, open_stream
from .third_octaves import CENTERS_HZ

#: Groups of third octaves by name and upper edge in Hz: where bass and kick meet, where voices do, and the top.
GROUPS = (("low", 250.0), ("middle", 4_000.0), ("high", np.inf))
#: A tick counts where the stem is within so many dB of its loudest one in the group.
SOUNDING_DB = 30.0
#: Of the stem's own power, a group that has less than this share is left out, dB: nobody hears what moves there.
FAINT_GROUP_DB = -40.0
#: How late a movement is looked for, ticks either way: half a second.
MOST_LAG = TICKS_PER_S // 2
#: Movement of less than this, dB (root mean square over a song), is none that could be followed.
LEAST_DB = 0.05


@dataclass
class Tally:
    """Pairs of trajectories of one stem and group, song by song: what the engineer moved and what the bundle did, dB.

    Both without their means, of the ticks at which the stem sounds.
    """

    pairs: list[tuple[Audio, Audio]] = field(default_factory=list)

    def truth_db(self) -> float:
        """Root mean square of the engineer's movement."""
        return float(np.sqrt(np.mean(np.concatenate([truth for truth, _ in self.pairs]) ** 2)))

    def made_db(self) -> float:
        """Root mean square of the bundle's."""
        return float(np.sqrt(np.mean(np.concatenate([made for _, made in self.pairs]) ** 2)))

    def explained(self) -> float:
        """R²: 1 is all of the movement, 0 as good as none; negative where resting would have been nearer."""
        lacking = sum(float(np.sum((truth - made) ** 2)) for truth, made in self.pairs)
        return 1.0 - lacking / sum(float(np.sum(truth**2)) for truth, _ in self.pairs)

    def lag_ms(self) -> float:
        """By how much the bundle's movement is late, where the two are most alike; `nan` where they are not at all."""
        alike = np.zeros(2 * MOST_LAG + 1)
        for truth, made in self.pairs:
            for place, lag in enumerate(range(-MOST_LAG, MOST_LAG + 1)):
                count = truth.size - abs(lag)
                if count > 0:
                    first, second = (truth[:count], made[lag:]) if lag >= 0 else (truth[-lag:], made[:count])
                    alike[place] += float(np.sum(first * second))
        return (int(np.argmax(alike)) - MOST_LAG) * 1_000.0 / TICKS_PER_S if np.max(alike) > 0.0 else np.nan


@dataclass
class Movement:
    """What `movement` found: tallies by stem and group, and how far each song's balance is off, dB."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    balance_db: list[float] = field(default_factory=list)


def movement(bundle: Path, root: Path) -> Movement:
    """Stream a bundle over all remixed songs of a folder; `DatasetError` where none has moves."""
    stream, found = open_stream(bundle), Movement()
    folders = sorted(path for path in root.iterdir() if path.is_dir() and (path / MOVES_FILE).is_file())
    if not folders:
        raise DatasetError(f"{root} holds no song with moves: `crafx2 remix` makes them of generated songs")
    for folder in folders:
        stems = read_stems(folder)
        moves = Moves.read(folder / MOVES_FILE)
        compare(found, moves, stem_powers(stems, moves.ticks), stem_powers(_made(stream, stems), moves.ticks))
    return found


def _made(stream: Stream, stems: Stems) -> Stems:
    """What each stem contributes to the bundle's mix."""
    frames = next(iter(stems.values())).shape[1] // FRAME_RATIO * FRAME_RATIO
    together = np.zeros((2 * len(STEMS), frames), np.float32)
    for stem, audio in stems.items():
        at = 2 * STEMS.index(stem)
        together[at : at + 2] = audio[:, :frames]
    made = stream.run(together, share=stream.network.get("mask_share", 1.0)).contributions
    return {stem: made[stem].astype(np.float64) for stem in stems}


def compare(found: Movement, moves: Moves, before: Audio, after: Audio) -> None:
    """Add a song to what was found; `before` and `after` are the stems' powers at the moves' ticks."""
    wanted = before * 10.0 ** (moves.gains_db / 10.0)
    means = []
    for index, stem in enumerate(STEMS):
        total = float(np.sum(before[index]))
        if total <= 0.0:
            continue
        means.append(_db(np.sum(after[index]), total))
        for name, group in _groups():
            power, goal, made = (part[index][..., group].sum(axis=(0, 2)) for part in (before, wanted, after))
            if _db(np.sum(power), total) < FAINT_GROUP_DB:
                continue
            sounding = power > np.max(power) * 10.0 ** (-SOUNDING_DB / 10.0)
            truth, moved = (_db(part[sounding], power[sounding]) for part in (goal, made))
            truth, moved = truth - np.mean(truth), moved - np.mean(moved)
            if np.sqrt(np.mean(truth**2)) >= LEAST_DB:
                found.tallies.setdefault((stem, name), Tally()).pairs.append((truth, moved))
    if means:
        found.balance_db.append(float(np.mean(np.abs(np.array(means) - np.mean(means)))))


def _db(power: Audio, reference: Audio | float) -> Audio:
    return 10.0 * np.log10(np.maximum(power, 1e-20) / np.maximum(reference, 1e-20))


def _groups() -> Iterator[tuple[str, slice]]:
    start = 0
    for name, edge_hz in GROUPS:
        end = int(np.searchsorted(CENTERS_HZ, edge_hz))
        yield name, slice(start, end)
        start = end


def table(found: Movement) -> str:
    """A Markdown table with a line for each stem and group in which the engineer moves, and the balance below."""
    lines = ["| stem | bands | engineer ± dB | model ± dB | R² | lag, ms |", "|---|---|---|---|---|---|"]
    for (stem, group), tally in sorted(found.tallies.items(), key=lambda item: STEMS.index(item[0][0])):
        lag = tally.lag_ms()
        late = "–" if np.isnan(lag) else f"{lag:+.0f}"
        explained = f"{tally.explained():.2f}".replace("-", "−")
        lines.append(f"| {stem} | {group} | {tally.truth_db():.2f} | {tally.made_db():.2f} | {explained} | {late} |")
    songs = len(found.balance_db)
    lines.append(f"\nMean balance error {np.mean(found.balance_db):.2f} dB; {songs} songs.")
    return "\n".join(lines)
