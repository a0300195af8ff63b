"""Films read back from their files."""

import gc
import warnings
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np


def decode(path: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The pictures of a film, and what its file says of itself.

    imageio leaves the pipes of its ffmpeg to the garbage collector.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with imageio.get_reader(path) as reader:
            facts = reader.get_meta_data()
            pictures = [np.asarray(picture)[..., :3] for picture in reader]
        del reader
        gc.collect()
    return pictures, facts
