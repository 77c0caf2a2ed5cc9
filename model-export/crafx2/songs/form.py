"""The bars of a song: which sections follow each other, on which chords, how loud, and who plays in them.

A short song is an excerpt: it begins anywhere in its form, so that twelve seconds hold a turn from verse to chorus as
often as a full song does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .score import Arrangement, Bar
from .styles import RESTING, SECTIONS, Style

#: Common four-chord loops as scale degrees (0 = tonic), for major and minor keys.
MAJOR_LOOPS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (5, 3, 0, 4),
    (0, 3, 5, 4),
    (0, 2, 3, 4),
    (3, 4, 0, 5),
    (1, 4, 0, 0),
    (0, 0, 3, 4),
    (0, 1, 4, 0),
    (0, 3, 0, 4),
    (2, 5, 1, 4),
)
MINOR_LOOPS = (
    (0, 5, 2, 6),
    (0, 3, 5, 6),
    (0, 6, 5, 6),
    (5, 6, 0, 0),
    (0, 3, 6, 2),
    (0, 5, 3, 4),
    (0, 2, 5, 6),
    (0, 0, 5, 6),
    (0, 6, 0, 3),
    (0, 3, 4, 0),
    (3, 0, 5, 6),
)
#: Part of a song's sections in which a stem rests, in sparse ones rather than in full ones: with these, spectra that
#: count silence come out at the level of the published averages (`crafx2 calibrate`).
RESTS = {"vocals": 0.14, "bass": 0.2, "drums": 0.3, "other": 0.15}
#: How much likelier a stem rests where a section asks for it, per unit of `RESTING`.
ASKED = 6.0
#: Sections that have the second of a song's loops where it has two.
LIFTED = ("lift", "chorus", "drop", "solo")
#: A song or an excerpt has this many sections at least where its length allows.
LEAST_SECTIONS = 3


def write_bars(rng: np.random.Generator, arrangement: Arrangement, style: Style, duration_s: float, full: bool) -> None:
    """Fill `arrangement.bars` for `duration_s` and a bar more. `full`: all stems play, but for the voice at first."""
    loops = MINOR_LOOPS if arrangement.scale[2] == 3 else MAJOR_LOOPS
    drawn = [loops[int(at)] for at in rng.choice(len(loops), size=3, replace=False)]
    verse, lifted, bridge = drawn[0], drawn[1] if rng.random() < 0.6 else drawn[0], drawn[2]
    count = int(np.ceil(duration_s / arrangement.bar_s)) + 1
    length = int(rng.choice([2, 4, 4, 8]))
    while length > 2 and -(-count // length) < LEAST_SECTIONS:
        length //= 2
    sections = _excerpt(rng, style.forms[int(rng.integers(len(style.forms)))], -(-count // length))
    energies = np.array([rng.uniform(*SECTIONS[section]) for section in sections])
    players = draw_players(rng, energies, full, sections)
    seventh = rng.random() < style.seventh
    for index in range(count):
        at, place = divmod(index, length)
        section, closes = sections[at], place == length - 1
        loop = lifted if section in LIFTED else bridge if section == "bridge" else verse
        degree = loop[index % len(loop)]
        chord = tuple(arrangement.degree(degree + step) for step in ((0, 2, 4, 6) if seventh else (0, 2, 4)))
        energy = float(energies[at])
        if section == "build":
            energy = min(1.0, energy + 0.35 * place / length)
        fill = closes and rng.random() < 0.6
        arrangement.bars.append(
            Bar(index * arrangement.bar_s, chord, energy, players[at], fill, section, place == 0, closes)
        )


def _excerpt(rng: np.random.Generator, form: tuple[str, ...], count: int) -> list[str]:
    """So many sections of a form from anywhere in it; a longer song has all of it and goes round once more."""
    if count >= len(form):
        repeats = [form[1 + index % (len(form) - 2)] for index in range(count - len(form))]
        return [*form[:-1], *repeats, form[-1]]
    at = int(rng.integers(0, len(form) - count + 1))
    return list(form[at : at + count])


def draw_players(
    rng: np.random.Generator, energies: NDArray[np.float64], full: bool, sections: Sequence[str] = ()
) -> list[frozenset[str]]:
    """Who plays in every section. Rests are counted, not tossed for, so that sets of few songs have their share too."""
    playing = [set(RESTS) for _ in energies]
    if full:
        playing[0].discard("vocals")
        return [frozenset(stems) for stems in playing]
    for stem, share in RESTS.items():
        asked = np.array([RESTING.get(section, {}).get(stem, 0.0) for section in sections] or np.zeros(len(energies)))
        sparse = (1.6 - energies) * (1.0 + ASKED * asked)
        number = int(share * len(playing) + rng.random())
        for at in rng.choice(len(playing), size=number, replace=False, p=sparse / np.sum(sparse)):
            playing[int(at)].discard(stem)
    return [frozenset(stems or ("drums", "other")) for stems in playing]
