"""How a bundle normalizes when it plays, where that differs from what its network was trained on.

A network hears normalized stems, and what it learned holds for stems that are normalized a little otherwise. So a
better recipe need not wait for the next training, as long as measurements say that it is better with the network there
is. A configuration's `[played]` holds what differs; `crafx2 renormalize` gives it to a bundle that exists.
"""

from __future__ import annotations

import copy
import shutil
import textwrap
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .contract import STEMS, file_reference, read_json, replaced_folder, write_json
from .recipe import Recipe, check_names

#: What opens the paragraph that the card gets; one that is there already is replaced.
CARD_TITLE = "**Played.**"


@dataclass(frozen=True)
class Played:
    """What differs from training; empty: nothing."""

    #: Entries of `[recipe]`, amounts as numbers or tables.
    recipe: dict[str, object] = field(default_factory=dict)
    #: Loudness targets of stems in LUFS.
    loudness_lufs: dict[str, float] = field(default_factory=dict)
    #: How far the network's masks go from neutral, in the logarithm, 0.05 to 1.
    mask_share: float = 1.0

    def __post_init__(self) -> None:
        check_names("played.loudness_lufs", self.loudness_lufs, STEMS)
        if not 0.05 <= self.mask_share <= 1.0:
            raise ValueError(f"[played] mask_share is {self.mask_share}; expected 0.05 to 1")
        self._read()

    def recipe_after(self, trained: Recipe) -> Recipe:
        """The recipe in the bundle's contract."""
        return replace(trained, **{name: getattr(self._read(), name) for name in self.recipe})

    def written_after(self, trained: dict[str, Any]) -> dict[str, Any]:
        """The same for a recipe as a contract holds it."""
        own = asdict(self._read())
        own["reverb"].pop("impulse_response")
        return {**trained, **{name: own[name] for name in self.recipe}}

    def _read(self) -> Recipe:
        read = Recipe.from_dict(self.recipe)
        if read.reverb.impulse_response is not None:
            raise ValueError("[played.recipe] cannot name an impulse response: a bundle holds its own")
        return read

    def targets_after(self, trained: dict[str, Any]) -> dict[str, Any]:
        """The bundle's targets."""
        targets = copy.deepcopy(trained)
        for stem, level in self.loudness_lufs.items():
            targets["stems"][stem]["loudness_lufs"] = level
        return targets

    def paragraph(self) -> str:
        """What the card says of it; nothing where nothing differs."""
        said = [f"{name} {_words(value)}" for name, value in self.recipe.items()]
        if self.loudness_lufs:
            levels = "/".join(f"{self.loudness_lufs.get(stem, float('nan')):g}" for stem in STEMS)
            said.append(f"loudness {levels} LUFS for vocals/bass/drums/other")
        sentences = []
        if said:
            sentences.append(f"Otherwise than in training, plug-in and command line normalize with {', '.join(said)}.")
        if self.mask_share < 1.0:
            share = f"{100 * self.mask_share:g} %"
            sentences.append(f"The network's masks go {share} of their way from neutral, in the logarithm.")
        return textwrap.fill(" ".join([CARD_TITLE, *sentences]), 120) if sentences else ""


def _words(value: object) -> str:
    """A value as a card says it; a table in brackets."""
    if isinstance(value, dict):
        # "generated" is a word for songs on a card.
        said = {"generated": "room"}
        return "(" + ", ".join(f"{said.get(name, name)} {_words(entry)}" for name, entry in value.items()) + ")"
    return str(value)


def renormalize(source: Path, target: Path, played: Played) -> None:
    """Write the bundle at `source` to `target` (which may be the same) with another recipe and other levels.

    The network and its parity vectors stay: they begin behind the normalization. The averages over training songs, from
    which a stream starts, stay as well; they are forgotten within seconds.
    """
    contract = read_json(source / "contract.json")
    with replaced_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        name = contract["targets"]["file"]
        write_json(folder / name, played.targets_after(read_json(source / name)))
        contract["targets"] = file_reference(folder, name)
        contract["recipe"] = played.written_after(contract["recipe"])
        limit_masks(contract["network"], played.mask_share)
        write_json(folder / "contract.json", contract)
        card = folder / "CARD.md"
        if card.is_file():
            parts = card.read_text(encoding="utf-8").rstrip().split("\n\n")
            card.write_text("\n\n".join(noted(parts, played)) + "\n", encoding="utf-8")


def limit_masks(network: dict[str, Any], share: float) -> None:
    """Write into a contract's network how far its masks go; nothing for all the way."""
    network.pop("mask_share", None)
    if share < 1.0:
        network["mask_share"] = share


def noted(parts: list[str], played: Played) -> list[str]:
    """A card's paragraphs with the one on what is played, behind the one on what the network was trained on."""
    kept = [part for part in parts if not part.startswith(CARD_TITLE)]
    paragraph = played.paragraph()
    if paragraph:
        trained = next((at for at, part in enumerate(kept) if part.startswith("**Normalization.**")), len(kept) - 1)
        kept.insert(trained + 1, paragraph)
    return kept
