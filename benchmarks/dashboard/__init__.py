"""What the dashboard costs the browser that shows it, beside TensorBoard.

    python -m benchmarks.dashboard [--layers N] [--frames N] [--times N] [--seconds N]
                                   [--minutes N] [--no-tensorboard] [--short] [--json]

TensorBoard stands in the dependency group `bench`; where it is missing it is left out, and the
output says so.

A server in a process of its own, on loopback, takes the frames of a network that is made up: its
levels drift, a few layers run over, and some of them come back, so that findings are open, and open
and close. Chromium, without windows and drawing by software, shows the page of that run. All share
the machine's cores. What is looked at:

    opening    each time in a browser context that has been nowhere, from the begin of the
               navigation: until values are painted, until a click on a strip is answered and no
               task above 50 ms follows within half a second (interactive), and until heatmap and
               the worst layer's curve are painted, scrolled to as far as they fit the window
    work       what the page's main thread does from the begin of the task that receives one frame
               of the feed to that of the next, at 10 frames a second: the durations of all tasks
               (`RunTask` of Chromium's trace), whatever they did. CPU: the part of it in which the
               thread had a core, which matters where other programs want them too. Drawn: the same
               from one drawn frame to the next
    views      the page as opened; scrolled to the console; to heatmap and curves; at the console
               again, which is scrolled while the pointer moves over the heatmap in turns; and once
               more when memory was measured
    memory     what scripts hold, with the buffers behind typed arrays, after a forced collection,
               and what the page's process holds. It counts as flat if the line through the
               measurements, the first fifth left out, rises by less than 5 % of their mean
    size       all that a run's page loads, and all there is, compressed by Brotli
"""

import os

# Before TensorFlow is imported, by whatever imports it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.dashboard.command import main

__all__ = ["main"]
