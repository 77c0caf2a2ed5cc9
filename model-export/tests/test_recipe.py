"""Recipes carry every field that Tributary reads, from a configuration to the contract of a bundle."""

import json
import os
import subprocess
from dataclasses import asdict

import pytest

from crafx2.config import ConfigError, load_config
from crafx2.contract import default_targets, sha256_of
from crafx2.export import BundleInfo, export_bundle
from crafx2.generator import write_tracks
from crafx2.recipe import Recipe

TABLE = """
name = "hall of mirrors"
[recipe]
kind = "paper"
equalization = 0.25
width = 1
[recipe.reverb]
amount = 0.5
levels_db = { drums = -12.0, other = "off" }
low_shelf_hz = 550.0
high_shelf_hz = 9000.0
generated = "studio"
"""


def read(tmp_path, text: str) -> Recipe:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(str(path)).recipe


def test_a_configuration_gives_every_field_of_the_reverb(tmp_path):
    recipe = read(tmp_path, TABLE)
    assert recipe.written(tmp_path) == {
        "kind": "paper",
        "equalization": {"enabled": True, "amount": 0.25},
        "dynamics": {"enabled": True, "amount": 0.5},
        "panning": {"enabled": False, "amount": 0.0},
        "width": {"enabled": True, "amount": 1.0},
        "loudness": {"enabled": True, "amount": 1.0},
        "reverb": {
            "enabled": True,
            "amount": 0.5,
            "levels_db": {"vocals": 0.0, "bass": None, "drums": -12.0, "other": None},
            "low_shelf_hz": 550.0,
            "high_shelf_hz": 9_000.0,
            "generated": "studio",
        },
        "tolerance": 3.0,
    }
    # As a checkpoint keeps it, and as one without the newer fields kept it.
    assert Recipe.from_dict(asdict(recipe)) == recipe
    short = {"kind": "published", "reverb": {"enabled": True, "amount": 0.3}}
    assert Recipe.from_dict(short) == Recipe.from_dict({"kind": "published", "reverb": 0.3})


def test_the_impulse_response_travels_with_the_bundle(tiny_transparent, tmp_path):
    room = tmp_path / "my room.wav"
    room.write_bytes(b"a response")
    text = TABLE.replace('generated = "studio"', f'impulse_response = "{room}"')
    info = BundleInfo("Test", "nothing", default_targets(), recipe=read(tmp_path, text))
    export_bundle(tiny_transparent, tmp_path / "bundle", info)
    contract = json.loads((tmp_path / "bundle" / "contract.json").read_text(encoding="utf-8"))
    assert contract["recipe"]["reverb"]["impulse_response"] == {"file": room.name, "sha256": sha256_of(room)}
    assert (tmp_path / "bundle" / room.name).read_bytes() == room.read_bytes()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TABLE.replace("low_shelf_hz", "low_hz"), "recipe.reverb.*low_hz.*low_shelf_hz"),
        (TABLE.replace("drums = -12", "piano = -12"), "levels_db.*piano.*drums"),
        (TABLE.replace("studio", "bathroom"), "bathroom.*chamber"),
        (TABLE.replace("width", "depth"), "recipe.*depth.*width"),
    ],
)
def test_what_nobody_would_read_is_refused(tmp_path, text, names):
    with pytest.raises(ConfigError, match=names):
        read(tmp_path, text)


@pytest.mark.skipif("TRIBUTARY" not in os.environ, reason="needs the program `tributary`; `cargo xtask test` has it")
def test_tributary_reads_what_is_written(song, tmp_path):
    """A reverb on drums alone is heard there and nowhere else."""
    write_tracks(song.tracks(), tmp_path / "set" / "one", song.seed)
    effects = "equalization = 0\ndynamics = 0\nloudness = 0\nwidth = 0\n"
    wet = TABLE.replace("equalization = 0.25\nwidth = 1\n", effects).replace(
        "levels_db = {", 'levels_db = { vocals = "off",'
    )
    made = {}
    for name, text in (("dry", wet.replace("amount = 0.5", "amount = 0")), ("wet", wet)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "recipe.json").write_text(json.dumps(read(tmp_path, text).written(folder)), encoding="utf-8")
        command = [os.environ["TRIBUTARY"], "normalize", str(tmp_path / "set"), "-o", str(folder / "out")]
        subprocess.run([*command, "--recipe", str(folder / "recipe.json")], check=True, capture_output=True)
        made[name] = {path.stem: path.read_bytes() for path in (folder / "out" / "one").glob("*.wav")}
    differs = {stem for stem in made["dry"] if made["dry"][stem] != made["wet"][stem]}
    assert differs == {"drums"}
