"""Music that people wrote: the pieces of Freedoom, read from the lumps of its WAD files.

A WAD is a header, lumps of bytes, and a directory of their places and names; a lump that begins as MIDI files do is a
piece. The same piece stands for several levels and in both files: it counts once.
"""

from __future__ import annotations

import struct
from functools import cache

from ..errors import UserError
from . import sources
from .midi import Piece, read

#: Shorter files are jingles of a few seconds.
LEAST_BYTES = 2_000


class WadError(UserError):
    """What is wrong with a WAD file, in one sentence."""


def lumps(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a WAD's lumps, in order. Raises `WadError`."""
    if len(data) < 12 or data[:4] not in (b"IWAD", b"PWAD"):
        raise WadError("not a WAD file")
    count, directory = struct.unpack("<ii", data[4:12])
    if count < 0 or directory < 12 or directory + 16 * count > len(data):
        raise WadError(f"a WAD's directory of {count} lumps at {directory} does not fit into it")
    found = []
    for at in range(directory, directory + 16 * count, 16):
        place, size, name = struct.unpack("<ii8s", data[at : at + 16])
        if place < 0 or size < 0 or place + size > len(data):
            raise WadError(f"a lump of {size} bytes at {place} does not fit into its WAD")
        found.append((name.rstrip(b"\0").decode("ascii", "replace"), data[place : place + size]))
    return found


@cache
def _written() -> dict[str, bytes]:
    """The files of all pieces by name, `freedoom1/D_E1M1`, in the order of their lumps."""
    found: dict[bytes, str] = {}
    for source in (sources.PIECES_1, sources.PIECES_2):
        path = sources.path_of(source)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        for name, lump in lumps(data):
            if lump.startswith(b"MThd") and len(lump) >= LEAST_BYTES:
                found.setdefault(lump, f"{path.stem}/{name}")
    return {name: lump for lump, name in found.items()}


def names() -> list[str]:
    """All pieces of the sources. Raises `UserError` where one of these lacks."""
    return list(_written())


def piece(name: str) -> Piece:
    """One of `names()`."""
    return read(_written()[name])
