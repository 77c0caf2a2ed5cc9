"""What sampled songs are made of: known files under licenses that allow shipping what is trained on them."""

import re
from pathlib import Path

import pytest

from crafx2.cli import main
from crafx2.errors import UserError
from crafx2.songs import sources

#: Songs that models are measured on, and the acts and collections that they come from.
KEPT_FOR_MEASURING = (
    *("dance", "disco", "francium", "hydrogen", "kira", "lithium", "mallory", "potassium", "rubidium", "sodium"),
    *("ichbinsoftware", "everythingisfree", "everythingisremixed", "tesselode", "megami", "sonyresearch", "f90"),
)
MODEL_EXPORT = Path(__file__).parents[1]


@pytest.fixture()
def nothing_installed(tmp_path, monkeypatch):
    monkeypatch.setenv(sources.FOLDER_VARIABLE, str(tmp_path))
    sources.missing.cache_clear()
    yield tmp_path
    sources.missing.cache_clear()


def test_every_source_is_known_to_the_bit_and_free():
    for source in sources.SOURCES:
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256), source
        assert source.license.startswith(("MIT", "CC0", "three-clause BSD")), source
        assert source.version
        assert not source.path.startswith("/")


def test_no_list_that_is_trained_on_names_what_is_measured_on():
    lists = [str(source) for source in sources.SOURCES]
    lists += [file.read_text(encoding="utf-8") for file in (MODEL_EXPORT / "configs").glob("*.toml")]
    lists += [file.read_text(encoding="utf-8") for file in (MODEL_EXPORT / "crafx2" / "songs").glob("*.py")]
    assert len(lists) > 20
    for text in lists:
        # "disco" is a style too; as an act it would be one of a list's names, not a key of the table of styles.
        words = set(re.findall(r"[a-z0-9]+", text.lower())) - ({"disco"} if "STYLES: dict" in text else set())
        assert not words & set(KEPT_FOR_MEASURING), text[:80]


def test_what_is_missing_is_named_with_the_line_that_brings_it(nothing_installed):
    with pytest.raises(UserError) as failure:
        sources.require()
    text = str(failure.value)
    for source in sources.SOURCES:
        assert source.package in text
    assert "apt-get install" in text
    assert sources.FOLDER_VARIABLE in text


def test_another_version_of_a_file_is_not_taken_for_ours(nothing_installed):
    file = nothing_installed / sources.FLUID.path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"RIFF, but not that one")
    assert any("is not that of fluid-soundfont-gm 3.1-5.3" in fault for fault in sources.missing())


def test_loops_are_left_out_of_a_folder(nothing_installed):
    folder = nothing_installed / sources.SHOTS.path
    folder.mkdir(parents=True)
    for name in ("bd_fat.flac", "loop_amen.flac", "loop_amen_full.flac", "README.md"):
        (folder / name).write_bytes(b"")
    assert [file.name for file in sources.files_of(sources.SHOTS)] == ["bd_fat.flac"]


def test_a_run_without_the_packages_stops_before_it_makes_anything(nothing_installed, capsys):
    songs = nothing_installed / "songs"
    assert main(["generate", "--sampled", "--songs", "1", "-o", str(songs)]) == 1
    assert "apt-get install" in capsys.readouterr().err
    assert not songs.exists()
