"""How often the diagnosis is right, how early, how often it is wrong, and what its patches do.

    python -m benchmarks.diagnosis [--half HALF | --families NAME ...] [--seeds N] [--jobs N]
                                   [--kept FOLDER] [--trials] [--json]

Each case of each family is trained once with a monitor, and its frames are recorded; the diagnosis
runs over the recordings. Where the first finding has a patch, the case is trained once more with
it. With `--kept`, recordings that the folder holds are not made again. Of the families, one half is
there to choose thresholds on; only figures of the other half say how good the diagnosis is.
"""

import os

# Before TensorFlow is imported, by whatever imports Keras.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.diagnosis.command import main

__all__ = ["main"]
