"""Sessions as they are: stems that lack, microphones that hear each other, recordings that went wrong."""

import numpy as np

from crafx2.songs import effects as fx
from crafx2.songs import recording

FRAMES = 44_100
NAMES = ("vocals", "bass", "drums", "other")


def stems(**gains: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: gains.get(name, 0.1) * rng.standard_normal((2, FRAMES)) for name in NAMES}


def test_some_songs_lack_stems_and_two_remain():
    counts = []
    for seed in range(200):
        left = recording.leave_out(np.random.default_rng(seed), stems())
        counts.append(sum(bool(np.any(audio)) for audio in left.values()))
    assert min(counts) == 2
    assert {2, 3, 4} == set(counts)
    assert 0.05 < np.mean(np.array(counts) < 4) < 0.3
    alone = recording.leave_out(np.random.default_rng(1), stems(vocals=0.0, bass=0.0))
    assert sum(bool(np.any(audio)) for audio in alone.values()) == 2


def test_a_silent_stem_stays_silent_and_leaks_lie_far_below(monkeypatch):
    monkeypatch.setattr(recording, "LEAKING", 1.0)
    monkeypatch.setattr(recording, "HUMMING", 1.0)
    monkeypatch.setattr(recording, "ROOMY", 0.0)
    for seed in range(6):
        played = stems(vocals=0.0)
        recorded = recording.record(np.random.default_rng(seed), played)
        assert not np.any(recorded["vocals"])
        for name in NAMES[1:]:
            added = recorded[name] - played[name]
            below = fx.loudness_lufs(played[name]) - fx.loudness_lufs(added)
            assert 20.0 < below < 60.0


def test_nothing_is_added_where_nothing_leaks(monkeypatch):
    for chance in ("LEAKING", "HUMMING", "ROOMY"):
        monkeypatch.setattr(recording, chance, 0.0)
    played = stems()
    recorded = recording.record(np.random.default_rng(1), played)
    assert all(np.array_equal(recorded[name], played[name]) for name in NAMES)


def test_a_spoiled_recording_is_another_one_and_not_louder_by_much(monkeypatch):
    monkeypatch.setattr(recording, "BAD", 1.0)
    audio = stems()["other"]
    for seed in range(20):
        spoiled = recording.spoil(np.random.default_rng(seed), audio)
        assert not np.array_equal(spoiled, audio)
        assert abs(fx.loudness_lufs(spoiled) - fx.loudness_lufs(audio)) < 9.0
    monkeypatch.setattr(recording, "BAD", 0.0)
    assert np.array_equal(recording.spoil(np.random.default_rng(1), audio), audio)
