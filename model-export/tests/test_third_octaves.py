"""Third octaves: neighbors that share no bin and leave none out."""

import numpy as np

from crafx2.third_octaves import CENTERS_HZ, bands


def test_bands_are_neighbors_around_their_centers():
    hz = np.fft.rfftfreq(65_536, 1 / 44_100)
    found = bands(hz)
    assert [band.start for band in found[1:]] == [band.stop for band in found[:-1]]
    for band, center in zip(found, CENTERS_HZ, strict=True):
        assert hz[band.start] < center < hz[band.stop - 1]
        assert 0.9 < 3 * np.log2(hz[band.stop] / hz[band.start]) < 1.1
    assert bands(hz, np.array([0.1])) == [slice(1, 1)]
