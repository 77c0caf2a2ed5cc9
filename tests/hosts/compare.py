"""Say whether a mix is the expected one, sample for sample, however late it comes.

Prints one line. Exits with 1 unless every frame of the expected mix is in the other one, equal to the bit and in order.

usage: compare.py EXPECTED.wav MIX.wav
"""

import sys

import numpy as np
import soundfile


def lag_of(mix: np.ndarray, expected: np.ndarray) -> int:
    """Return by how many frames `mix` is late, by the greatest cross-correlation; both (frames,)."""
    size = 1 << (len(mix) + len(expected)).bit_length()
    product = np.fft.rfft(mix, size) * np.conj(np.fft.rfft(expected, size))
    return int(np.argmax(np.fft.irfft(product)[: len(mix)]))


def main() -> None:
    """Compare two files."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    (expected, rate), (mix, other_rate) = (
        soundfile.read(path, always_2d=True, dtype="float32") for path in sys.argv[1:]
    )
    if rate != other_rate or expected.shape[1] != mix.shape[1]:
        sys.exit("error: the files differ in rate or channels")
    lag = lag_of(mix.sum(axis=1, dtype=np.float64), expected.sum(axis=1, dtype=np.float64))
    there = mix[lag : lag + len(expected)]
    if len(there) < len(expected):
        sys.exit(f"error: {len(expected) - len(there)} frames of the mix are missing at its end ({lag} frames late)")
    if np.array_equal(there, expected):
        print(f"equal to the bit, {lag} frames late" if lag else "equal to the bit")
        return
    difference = (there - expected).astype(np.float64)
    ratio = np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2)
    sys.exit(f"error: differs by {10 * np.log10(ratio):.1f} dB of the mix ({lag} frames late)")


if __name__ == "__main__":
    main()
