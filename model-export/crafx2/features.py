"""The published averages file (`features_*.npy`) as targets, read without running anything it holds.

The file is a pickle inside an npy, and a pickle is a program. Here only the four names that an array of numbers needs
are known to it, and they stand for the inert classes below: hostile bytes never reach numpy. What comes out is turned
into the targets JSON of `tributary-dsp`.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from .contract import SAMPLE_RATE_HZ, STEMS
from .errors import UserError

#: The public file has 1 MB.
SIZE_LIMIT_BYTES = 16 * 1024 * 1024
#: Bins of the published 65,536-point analysis.
BINS = 32_769
BIN_HZ = SAMPLE_RATE_HZ / 65_536
#: The published equalizer reads every 32nd bin, and the similarity is smooth over 501: finer curves change nothing.
BIN_STEP = 32
#: Lengths in bins of the moving average that the released code applies once more whenever it loads the file.
SPECTRUM_SMOOTHING = {"vocals": 401, "bass": 151, "drums": 151, "other": 401}
PHI_SMOOTHING = 501
DTYPES = ("f4", "f8", "O8", "O")

Values = NDArray[np.float64]


class FeaturesError(UserError):
    """What is wrong with a features file, in one sentence."""


class _Dtype:
    """Stands for `numpy.dtype`: remembers its name and byte order."""

    def __init__(self, name: object = None, *_rest: object) -> None:
        name = name.decode("ascii") if isinstance(name, bytes) else name
        if name not in DTYPES:
            raise FeaturesError(
                f"the features file holds values of type {str(name)[:20]!r}; expected 4- or 8-byte floats"
            )
        self.name, self.order = str(name), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", "|", "="):
            raise FeaturesError("the features file holds big-endian values, which are not supported")


class _Array:
    """Stands for `numpy.ndarray`: remembers its shape, type and bytes."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self.shape, self.dtype, _fortran, self.content = state

    def values(self) -> Values:
        """One-dimensional numbers."""
        if not isinstance(self.dtype, _Dtype) or self.dtype.name.startswith("O"):
            raise FeaturesError("the features file holds objects where numbers belong")
        content = self.content.encode("latin-1") if isinstance(self.content, str) else self.content
        kind = np.dtype("<" + self.dtype.name)
        if not isinstance(content, bytes) or self.shape != (len(content) / kind.itemsize,):
            raise FeaturesError("an array of the features file does not have the length it claims")
        return np.frombuffer(content, dtype=kind).astype(np.float64)


def _reconstruct(*_arguments: object) -> _Array:
    return _Array()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Old pickles write bytes as text; nothing but that encoding occurs."""
    return text.encode("latin1" if encoding == "latin1" else "ascii")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle._Unpickler):
    """The Python unpickler: the C one allocates whatever memo size a file names."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise FeaturesError(f"the features file asks for {module}.{name}, which no list of numbers needs") from None


def load_features(path: Path) -> dict[str, dict[str, Values]]:
    """`{eq, panning, compression, loudness}` → stem → values, checked for presence, length and finiteness."""
    if not path.is_file():
        raise FeaturesError(f"{path} does not exist")
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise FeaturesError(f"{path} has {path.stat().st_size} bytes; at most {SIZE_LIMIT_BYTES} are read")
    content = path.read_bytes()
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _fortran, dtype = read_header(stream)
        if shape != () or not dtype.hasobject:
            raise FeaturesError(f"{path} does not hold one dictionary, as the published features file does")
        table = _Unpickler(stream).load()
    except FeaturesError:
        raise
    except Exception as error:
        raise FeaturesError(f"{path} is not a readable features file: {error}") from error
    # The outermost array has one element, the dictionary.
    if isinstance(table, _Array) and isinstance(table.content, list) and len(table.content) == 1:
        table = table.content[0]
    lengths = {"eq": BINS, "panning": BINS, "compression": 2, "loudness": 1}
    return {effect: {stem: _entry(table, effect, stem, count) for stem in STEMS} for effect, count in lengths.items()}


def _entry(table: object, effect: str, stem: str, count: int) -> Values:
    stems = table.get(effect) if isinstance(table, dict) else None
    entry = stems.get(stem) if isinstance(stems, dict) else None
    if not isinstance(entry, _Array):
        raise FeaturesError(f"the features file has no entry {effect} for {stem}")
    values = entry.values()
    if values.size != count or not np.all(np.isfinite(values)):
        raise FeaturesError(f"entry {effect} for {stem} has {values.size} values; expected {count} finite ones")
    return values


def targets_from_features(path: Path, name: str | None = None) -> dict[str, Any]:
    """Targets in the format of `tributary-dsp`, with the second smoothing of the released code.

    Curves have 1,025 points, one per 32 bins: the released equalizer reads no others.
    """
    features = load_features(path)
    stems = {}
    for stem in STEMS:
        spectrum = signal.savgol_filter(features["eq"][stem], SPECTRUM_SMOOTHING[stem], 1, mode="mirror")
        phi = signal.savgol_filter(features["panning"][stem], PHI_SMOOTHING, 1, mode="mirror")
        if np.min(spectrum) <= 0.0 or np.min(phi) < 0.0 or np.max(phi) > 1.0 + 1e-6:
            raise FeaturesError(f"the curves of {stem} are no magnitudes and similarities")
        stems[stem] = {
            "loudness_lufs": round(float(features["loudness"][stem][0]), 4),
            "peak_db": round(float(features["compression"][stem][0]), 4),
            "peak_std_db": round(float(features["compression"][stem][1]), 4),
            "spectrum": _points(20.0 * np.log10(spectrum[::BIN_STEP]), 3),
            "phi": _points(np.minimum(phi[::BIN_STEP], 1.0), 4),
        }
        if not math.isfinite(stems[stem]["loudness_lufs"]):
            raise FeaturesError(f"the loudness of {stem} is not a number")
    return {"format": 1, "name": name or path.stem, "source": f"Imported from {path.name}.", "stems": stems}


def _points(values: Values, digits: int) -> list[list[float]]:
    """`[Hz, value]` pairs of every 32nd bin; the first, at 0 Hz, is written at bin 1, since points must be positive."""
    hz = np.maximum(np.arange(values.size) * BIN_STEP, 1) * BIN_HZ
    return [[round(float(a), 4), round(float(b), digits)] for a, b in zip(hz, values, strict=True)]
