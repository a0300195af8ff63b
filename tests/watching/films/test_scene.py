"""Words on pictures: in their corners."""

import numpy as np

from hebbax.watching.films.scene import write


def test_words_are_in_their_corners():
    """Title top left, line bottom left, alarm top right and red.

    The picture given stays as it is.
    """
    blank = np.full((100, 300, 3), 255, np.uint8)
    inked = np.any(write(blank, "title", "line") != 255, axis=-1)
    assert inked[:50, :150].any()
    assert inked[50:, :150].any()
    assert not inked[:, 150:].any()
    alarmed = write(blank, "", "", "alarm").astype(int)
    rows, columns = np.nonzero(alarmed[..., 1] < 255)
    assert rows.max() < 50
    assert columns.min() > 150
    assert np.all(alarmed[rows, columns, 0] >= alarmed[rows, columns, 1])
    assert np.all(blank == 255)
