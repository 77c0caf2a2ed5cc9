"""Where sampled sounds and written music come from: which files of which packages, under which licenses.

A model is trained on what these hold, so a set of songs is made of these very files or not at all: each is known by its
checksum, which holds on every system. Nothing of them is in the repository or in a bundle.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import UserError

#: Names a folder with unpacked packages, where they are not installed.
FOLDER_VARIABLE = "TRIBUTARY_SOUNDS"


@dataclass(frozen=True)
class Source:
    """A file, or the files of a folder without those whose names begin like one `left_out`, of a Debian package.

    `sha256` is that of the file; of a folder, that of its files' lines `checksum  name`, sorted by name.
    """

    what: str
    package: str
    version: str
    path: str
    sha256: str
    license: str
    left_out: tuple[str, ...] = ()


FLUID = Source(
    what="FluidR3 GM, a soundfont by Frank Wen and others",
    package="fluid-soundfont-gm",
    version="3.1-5.3",
    path="usr/share/sounds/sf2/FluidR3_GM.sf2",
    sha256="74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0",
    license="MIT",
)
GENERAL = Source(
    what="MuseScore General HQ, a soundfont by S. Christian Collins and others",
    package="musescore-general-soundfont",
    version="0.2.1-1",
    path="usr/share/sounds/sf3/MuseScore_General_Full.sf3",
    sha256="f9a37b36655f23e167c66ec91bef6097c8e99be29286219a54062919eb41aeae",
    license="MIT, parts public domain or CC0 1.0",
)
#: Without the loops of the Amen break: who uploaded them as CC0 is not who played them.
SHOTS = Source(
    what="one-shots from freesound.org that come with Sonic Pi",
    package="sonic-pi-samples",
    version="3.2.2~repack-8",
    path="usr/share/sonic-pi/samples",
    sha256="658d7d3e4c0cc5344a6d5b51b843282edd3731898cb32f9cd866f582c7277d03",
    license="CC0 1.0",
    left_out=("loop_", "README"),
)
PIECES_1 = Source(
    what="music of Freedoom: Phase 1",
    package="freedoom",
    version="0.12.1-2",
    path="usr/share/games/doom/freedoom1.wad",
    sha256="84c3a912f2973892a8025d09d65f5053b1ee2304968a5a172526d683a185b885",
    license="three-clause BSD",
)
PIECES_2 = Source(
    what="music of Freedoom: Phase 2",
    package="freedoom",
    version="0.12.1-2",
    path="usr/share/games/doom/freedoom2.wad",
    sha256="c72de2af7e2d0c17f6213e751a167e2f1913278aaf37ae6957854fe3cd6588ca",
    license="three-clause BSD",
)
SOURCES = (FLUID, GENERAL, SHOTS, PIECES_1, PIECES_2)


def path_of(source: Source) -> Path:
    """Where a source lies: in the folder that `TRIBUTARY_SOUNDS` names, else in the system."""
    return Path(os.environ.get(FOLDER_VARIABLE, "/")) / source.path


def files_of(source: Source) -> list[Path]:
    """The files of a source, sorted by name; none where it is absent."""
    path = path_of(source)
    if path.is_dir():
        return sorted(file for file in path.iterdir() if not file.name.startswith(source.left_out))
    return [path] if path.is_file() else []


@cache
def missing() -> tuple[str, ...]:
    """What keeps songs from being made of the sources, in one sentence each; nothing when all is as it must be."""
    from .player import is_there

    faults = [] if is_there() else ["FluidSynth 2, which plays the soundfonts, is not there (Debian: libfluidsynth3)"]
    for source in SOURCES:
        if not (files := files_of(source)):
            faults.append(f"{path_of(source)} is not there ({source.what}; Debian: {source.package})")
        elif _checksum(files) != source.sha256:
            faults.append(f"{path_of(source)} is not that of {source.package} {source.version}")
    return tuple(faults)


def require() -> None:
    """Raise `UserError` with all that is missing, and with the line that brings it."""
    if faults := missing():
        packages = " ".join(sorted({"libfluidsynth3", *(source.package for source in SOURCES)}))
        raise UserError(
            "sampled songs cannot be made here: "
            + "; ".join(faults)
            + f". On Debian 12: apt-get install --no-install-recommends {packages}. Elsewhere unpack these packages "
            f"into a folder and name it in {FOLDER_VARIABLE}"
        )


def _checksum(files: list[Path]) -> str:
    if len(files) == 1:
        return hashlib.sha256(files[0].read_bytes()).hexdigest()
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
