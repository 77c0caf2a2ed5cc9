"""Third octaves, the bands in which tone and width are drawn, trained and measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Centers, 31.5 Hz to 16 kHz.
CENTERS_HZ = 1_000.0 * 2.0 ** (np.arange(-15, 13) / 3.0)


def bands(hz: NDArray[np.float64], centers_hz: NDArray[np.float64] = CENTERS_HZ) -> list[slice]:
    """The bins of each band, where `hz` are the rising frequencies of all bins; empty where it holds none."""
    edges = np.searchsorted(hz, centers_hz[:, None] * 2.0 ** np.array([-1 / 6, 1 / 6]))
    return [slice(int(low), int(high)) for low, high in edges]
