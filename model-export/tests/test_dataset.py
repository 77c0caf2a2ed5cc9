"""Songs on disk: which folders are songs, and crops by number."""

import shutil

import torch

from crafx2.dataset import CropSampler, find_songs


def test_folders_that_are_no_songs_are_left_out_and_named(songs, tmp_path, capsys):
    shutil.copytree(songs, tmp_path, dirs_exist_ok=True)
    for number in range(7):
        (tmp_path / f"empty-{number}").mkdir()
    (tmp_path / "song-0" / "mixture.wav").unlink()
    assert [song.name for song in find_songs(tmp_path)] == ["song-1", "song-2"]
    said = capsys.readouterr().err
    assert "left out for having no stems or no mixture: 8 folders, empty-0, empty-1, " in said
    assert said.endswith(", …\n")
    assert len(find_songs(tmp_path, mixtures=False)) == 3
    find_songs(songs)
    find_songs(tmp_path, quiet=True)
    assert capsys.readouterr().err.count("left out") == 1


def test_crops_depend_on_seed_and_number_only(songs):
    found = find_songs(songs)
    one, same, other = CropSampler(found, 1), CropSampler(found, 1), CropSampler(found, 2)
    one.batch(0, 2, 6_400)
    assert torch.equal(one.batch(3, 2, 6_400)[0], same.batch(3, 2, 6_400)[0])
    assert not torch.equal(same.batch(3, 2, 6_400)[1], other.batch(3, 2, 6_400)[1])
