"""What a bundle does otherwise when it plays than in training: said once, given to contract, targets and card."""

import json

import pytest

from crafx2.config import ConfigError, load_config
from crafx2.contract import STEMS, default_targets, sha256_of
from crafx2.export import BundleInfo, export_bundle
from crafx2.played import CARD_TITLE, Played, noted, renormalize
from crafx2.recipe import Effect, Recipe

PLAYED = Played({"kind": "tributary", "dynamics": 0.25}, {"vocals": -20.0, "other": -18.5})
INFO = BundleInfo(
    "Test",
    "nothing",
    default_targets(),
    card="# Test\n\n**Normalization.** Recipe.\n\n**Network.** A.\n\nLicense: MIT.\n",
)


def test_only_what_is_named_differs():
    trained = Recipe(width=Effect(amount=0.5))
    recipe = PLAYED.recipe_after(trained)
    assert (recipe.kind, recipe.dynamics, recipe.width) == ("tributary", Effect(True, 0.25), trained.width)
    assert Played().recipe_after(trained) == trained
    targets = default_targets()
    after = PLAYED.targets_after(targets)
    levels = {stem: after["stems"][stem].pop("loudness_lufs") for stem in STEMS}
    before = {stem: targets["stems"][stem].pop("loudness_lufs") for stem in STEMS}
    assert levels == {**before, "vocals": -20.0, "other": -18.5}
    assert after == targets


def test_a_bundle_is_renormalized_in_place_and_says_so_once(tiny_random, tmp_path):
    bundle = tmp_path / "bundle"
    export_bundle(tiny_random, bundle, INFO)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    for _ in range(2):
        renormalize(bundle, bundle, PLAYED)
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert after.keys() == before.keys() and changed == {"contract.json", "targets.json", "CARD.md"}
    contract = json.loads(after["contract.json"])
    assert contract["targets"]["sha256"] == sha256_of(bundle / "targets.json")
    assert contract["recipe"]["kind"] == "tributary"
    assert contract["recipe"]["dynamics"] == {"enabled": True, "amount": 0.25}
    old = json.loads(before["contract.json"])
    assert {**contract, "targets": 0, "recipe": 0} == {**old, "targets": 0, "recipe": 0}
    renormalize(bundle, bundle, Played(mask_share=0.25))
    assert json.loads((bundle / "contract.json").read_text())["network"]["mask_share"] == 0.25
    assert "25 % of their way" in (bundle / "CARD.md").read_text()
    renormalize(bundle, bundle, Played())
    assert "mask_share" not in json.loads((bundle / "contract.json").read_text())["network"]
    parts = after["CARD.md"].decode().split("\n\n")
    assert [part.startswith(CARD_TITLE) for part in parts] == [False, False, True, False, False]
    assert noted(parts, Played()) == [part for part in parts if not part.startswith(CARD_TITLE)]


def test_what_nobody_would_read_is_refused(tmp_path):
    def load(text):
        path = tmp_path / "own.toml"
        path.write_text(f'name = "own"\n{text}', encoding="utf-8")
        return load_config(str(path))

    assert load("[played.loudness_lufs]\nbass = -21").played.loudness_lufs == {"bass": -21}
    for wrong in (
        "[played]\nlevels = {}",
        "[played.loudness_lufs]\npiano = -20",
        "[played.recipe]\ntempo = 1",
        '[played.recipe.reverb]\nimpulse_response = "hall.wav"',
        '[played.loudness_lufs]\nbass = "loud"',
    ):
        with pytest.raises(ConfigError, match="played"):
            load(wrong)
