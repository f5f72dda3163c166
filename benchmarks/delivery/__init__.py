"""How fast frames are stored, how soon a viewer has them, and what one costs the training.

    python -m benchmarks.delivery [--seconds N] [--trainers N] [--layers N] [--runs N]
                                  [--folder PATH] [--with-others [PYTHON]] [--short] [--json]

A real server in a process of its own, on loopback and an empty store, shares the cores with what
sends to it. Frames are of 1,000 layers and 40 of the 58 statistics, among them all that the
diagnosis reads: 160 kB. The levels are those of a network of which one layer in eighty runs over,
so that there are findings, and the diagnosis has something to judge.

    ingest     frames acknowledged in so many seconds, by trainers that send as fast as the window
               of the library's uplink lets them; then the same bytes into a fresh store in the
               same batches, with no server, by the store's own inserts
    viewer     so many runs that send a frame a second each, through a spool and an uplink of their
               own, /metrics read every 2 s: from when a frame was made to when it was received
               by a WebSocket, as a browser opens it
    training   to encode a frame, append it to the spool and wake the uplink, which is sending
    others     the same values into MLflow's tracking server (four clients, SQLite, requests of the
               1,000 values that it takes at most), trackio (local) and W&B offline (one call of
               `log` a frame for both), from the first to when all is stored; as installed in this
               or another interpreter by the dependency group `bench`
"""

from benchmarks.delivery.command import main

__all__ = ["main"]
