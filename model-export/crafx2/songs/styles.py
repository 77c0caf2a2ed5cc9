"""The styles that songs are written in: tempos, grooves, forms, and who is in the band. Tables, no code that plays.

Steps are sixteenths of a bar, 0…15. Layers, kits and basses are names that `band.py` knows; forms are made of the
sections below.
"""

from __future__ import annotations

from dataclasses import dataclass

Steps = tuple[int, ...]

#: Energy 0…1 at which a section is played: its lowest and highest.
SECTIONS = {
    "intro": (0.2, 0.45),
    "verse": (0.35, 0.6),
    "lift": (0.5, 0.75),
    "chorus": (0.75, 1.0),
    "solo": (0.65, 0.9),
    "bridge": (0.3, 0.6),
    "breakdown": (0.15, 0.3),
    "build": (0.45, 0.65),
    "drop": (0.9, 1.0),
    "outro": (0.2, 0.5),
}
#: Who may rest in a section before others do: a chance per stem.
RESTING = {
    "intro": {"vocals": 0.8, "bass": 0.4, "drums": 0.4},
    "breakdown": {"drums": 0.8, "bass": 0.5, "vocals": 0.3},
    "build": {"bass": 0.5, "vocals": 0.4},
    "drop": {"vocals": 0.5},
    "solo": {"vocals": 1.0},
    "outro": {"vocals": 0.6, "drums": 0.3},
}
SONG = ("intro", "verse", "lift", "chorus", "verse", "chorus", "bridge", "chorus", "outro")
BAND = ("intro", "verse", "chorus", "verse", "chorus", "solo", "breakdown", "chorus", "chorus")
CLUB = ("intro", "verse", "build", "drop", "breakdown", "build", "drop", "drop", "outro")
LOOSE = ("intro", "verse", "verse", "solo", "verse", "bridge", "solo", "verse", "outro")


@dataclass(frozen=True)
class Style:
    """One style. Chances and amounts are 0…1; `layers` has one tuple of alternatives for each layer of `other`."""

    tempo_bpm: tuple[float, float]
    minor: float
    kicks: tuple[Steps, ...]
    snares: tuple[Steps, ...]
    hats: tuple[int, ...]
    basses: tuple[Steps, ...]
    kits: tuple[str, ...]
    bass_sounds: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    forms: tuple[tuple[str, ...], ...] = (SONG, BAND)
    swing: tuple[float, ...] = (0.0,)
    ghosts: float = 0.2
    seventh: float = 0.25
    #: How far hands are from the grid, standard deviation in ms: machines, studios, living rooms.
    looseness_ms: float = 6.0


STYLES: dict[str, Style] = {
    "rock": Style(
        tempo_bpm=(96, 160),
        minor=0.45,
        kicks=((0, 8, 10), (0, 6, 8), (0, 7, 8, 10)),
        snares=((4, 12),),
        hats=(2, 2, 4),
        basses=((0, 2, 4, 6, 8, 10, 12, 14), (0, 6, 8, 14)),
        kits=("standard", "room", "power"),
        bass_sounds=("picked", "fingered"),
        layers=(("driven guitars",), ("clean guitar", "organ", "piano"), ("lead guitar", "strings")),
        forms=(BAND, SONG),
    ),
    "metal": Style(
        tempo_bpm=(110, 190),
        minor=0.95,
        kicks=((0, 2, 3, 6, 8, 10, 11, 14), (0, 3, 6, 8, 11, 14), (0, 1, 2, 3, 8, 9, 10, 11)),
        snares=((4, 12), (8,)),
        hats=(2, 4),
        basses=((0, 2, 3, 6, 8, 10, 11, 14), (0, 3, 6, 8, 11, 14)),
        kits=("power", "room"),
        bass_sounds=("driven", "picked"),
        layers=(("driven guitars",), ("driven guitars", "lead guitar"), ("strings", "choir")),
        forms=(BAND,),
        ghosts=0.05,
        seventh=0.0,
        looseness_ms=4.0,
    ),
    "pop": Style(
        tempo_bpm=(84, 128),
        minor=0.45,
        kicks=((0, 8), (0, 6, 10), (0, 3, 8)),
        snares=((4, 12),),
        hats=(1, 2, 2, 4),
        basses=((0, 6, 8, 14), (0, 8), (0, 3, 6, 8, 11, 14)),
        kits=("standard", "electronic", "one-shots"),
        bass_sounds=("fingered", "synthesizer", "pop"),
        layers=(
            ("piano", "electric piano", "synthesizer keys"),
            ("plucks", "clean guitar", "acoustic guitar"),
            ("pad", "strings"),
        ),
        forms=(SONG, CLUB),
    ),
    "house": Style(
        tempo_bpm=(116, 130),
        minor=0.7,
        kicks=((0, 4, 8, 12),),
        snares=((4, 12), ()),
        hats=(2, 1),
        basses=((2, 6, 10, 14), (0, 3, 6, 10, 13), (2, 3, 6, 10, 11, 14)),
        kits=("one-shots", "electronic", "808", "synthesizer"),
        bass_sounds=("synthesizer",),
        layers=(("pad", "piano"), ("plucks", "organ"), ("stabs", "strings")),
        forms=(CLUB,),
        looseness_ms=1.0,
    ),
    "drum and bass": Style(
        tempo_bpm=(160, 176),
        minor=0.8,
        kicks=((0, 10), (0, 2, 10)),
        snares=((4, 12), (4, 12, 15)),
        hats=(2, 1),
        basses=((0, 6, 10), (0, 3, 10, 13), (0,)),
        kits=("one-shots", "electronic", "standard"),
        bass_sounds=("synthesizer", "driven"),
        layers=(("pad", "strings"), ("plucks", "electric piano"), ("stabs",)),
        forms=(CLUB,),
        ghosts=0.7,
        looseness_ms=2.0,
    ),
    "hip hop": Style(
        tempo_bpm=(66, 96),
        minor=0.8,
        kicks=((0, 6, 11), (0, 3, 10), (0, 7, 10)),
        snares=((8,), (4, 12)),
        hats=(2, 1, 1),
        basses=((0,), (0, 11), (0, 6, 10)),
        kits=("808", "one-shots", "synthesizer", "standard"),
        bass_sounds=("synthesizer", "fingered"),
        layers=(("electric piano", "piano", "mallets"), ("plucks", "strings", "flute"), ("pad", "choir")),
        forms=(SONG, CLUB),
        swing=(0.0, 0.12, 0.25),
        seventh=0.6,
        looseness_ms=5.0,
    ),
    "ballad": Style(
        tempo_bpm=(58, 84),
        minor=0.4,
        kicks=((0, 8), (0, 10)),
        snares=((4, 12), (8,)),
        hats=(2, 4),
        basses=((0,), (0, 8), (0, 8, 14)),
        kits=("standard", "brushes", "room"),
        bass_sounds=("fingered", "fretless", "upright"),
        layers=(("piano", "acoustic guitar"), ("strings", "pad"), ("lead guitar", "horns")),
        looseness_ms=9.0,
    ),
    "funk": Style(
        tempo_bpm=(92, 116),
        minor=0.6,
        kicks=((0, 3, 6, 10), (0, 2, 7, 10, 13)),
        snares=((4, 12),),
        hats=(1, 2),
        basses=((0, 3, 6, 7, 10, 13), (0, 2, 6, 10, 11, 14)),
        kits=("standard", "room"),
        bass_sounds=("slapped", "fingered"),
        layers=(("funk guitar", "clean guitar"), ("clavinet", "electric piano", "organ"), ("horns",)),
        forms=(BAND, LOOSE),
        swing=(0.0, 0.12),
        ghosts=0.9,
        seventh=0.7,
    ),
    "disco": Style(
        tempo_bpm=(108, 126),
        minor=0.55,
        kicks=((0, 4, 8, 12),),
        snares=((4, 12),),
        hats=(1, 2),
        basses=((0, 2, 4, 6, 8, 10, 12, 14), (0, 3, 6, 8, 11, 14)),
        kits=("standard", "electronic"),
        bass_sounds=("fingered", "slapped"),
        layers=(("funk guitar",), ("strings",), ("electric piano", "horns", "plucks")),
        seventh=0.5,
    ),
    "reggae": Style(
        tempo_bpm=(66, 92),
        minor=0.5,
        kicks=((8,), (0, 8), (0, 4, 8, 12)),
        snares=((8,), (4, 12)),
        hats=(2,),
        basses=((0, 6, 8, 11), (2, 4, 8, 14), (0, 3, 8, 11)),
        kits=("standard", "room"),
        bass_sounds=("fingered", "upright"),
        layers=(("skank guitar",), ("organ", "piano"), ("horns", "melodica")),
        forms=(BAND, LOOSE),
        swing=(0.0, 0.2),
    ),
    "folk": Style(
        tempo_bpm=(78, 126),
        minor=0.3,
        kicks=((0, 8), (0, 6, 8)),
        snares=((4, 12), ()),
        hats=(2, 4),
        basses=((0, 8), (0,), (0, 6, 8)),
        kits=("brushes", "standard"),
        bass_sounds=("upright", "fingered"),
        layers=(("acoustic guitar",), ("fiddle", "mandolin", "piano"), ("accordion", "strings")),
        forms=(SONG, LOOSE),
        looseness_ms=11.0,
    ),
    "jazz": Style(
        tempo_bpm=(90, 180),
        minor=0.5,
        kicks=((0, 8), (0, 10), (0,)),
        snares=((6, 15), (3, 10), ()),
        hats=(4,),
        basses=((0, 4, 8, 12), (0, 8)),
        kits=("jazz", "brushes"),
        bass_sounds=("upright", "fretless"),
        layers=(("piano", "jazz guitar", "mallets"), ("horns", "flute"), ("organ", "strings")),
        forms=(LOOSE,),
        swing=(0.33, 0.5),
        ghosts=0.6,
        seventh=1.0,
        looseness_ms=10.0,
    ),
    "latin": Style(
        tempo_bpm=(88, 132),
        minor=0.55,
        kicks=((0, 3, 8, 11), (0, 6, 8, 14), (0, 3, 4, 8, 11, 12)),
        snares=((3, 6, 10, 12), (6, 14), (4, 12)),
        hats=(1, 2),
        basses=((0, 6, 8, 14), (0, 6, 12), (0, 3, 8, 11)),
        kits=("standard", "brushes"),
        bass_sounds=("upright", "fingered"),
        layers=(("nylon guitar", "piano"), ("horns", "flute"), ("mallets", "accordion")),
        forms=(LOOSE, SONG),
        seventh=0.6,
    ),
    "synthwave": Style(
        tempo_bpm=(80, 120),
        minor=0.9,
        kicks=((0, 8), (0, 4, 8, 12)),
        snares=((4, 12),),
        hats=(2, 1),
        basses=((0, 2, 4, 6, 8, 10, 12, 14), tuple(range(16))),
        kits=("electronic", "synthesizer", "808"),
        bass_sounds=("synthesizer",),
        layers=(("pad",), ("plucks",), ("synthesizer lead", "lead guitar")),
        forms=(CLUB, SONG),
        looseness_ms=1.0,
    ),
    "soul": Style(
        tempo_bpm=(68, 112),
        minor=0.45,
        kicks=((0, 7, 8), (0, 10), (0, 3, 8)),
        snares=((4, 12),),
        hats=(2, 4),
        basses=((0, 6, 8, 11, 14), (0, 3, 8)),
        kits=("standard", "room"),
        bass_sounds=("fingered", "pop"),
        layers=(("electric piano", "organ", "piano"), ("clean guitar", "funk guitar"), ("horns", "strings", "choir")),
        swing=(0.0, 0.12, 0.2),
        ghosts=0.5,
        seventh=0.7,
        looseness_ms=9.0,
    ),
    "chamber pop": Style(
        tempo_bpm=(70, 118),
        minor=0.5,
        kicks=((0, 8), (0, 6, 8)),
        snares=((4, 12), ()),
        hats=(2, 4),
        basses=((0, 8), (0, 4, 8, 12)),
        kits=("orchestra", "brushes", "standard"),
        bass_sounds=("upright", "picked"),
        layers=(("strings", "pizzicato"), ("piano", "harp", "mallets"), ("horns", "flute", "choir")),
        forms=(SONG,),
        looseness_ms=10.0,
    ),
}
