"""A thousand runs at a time, for as long as it is said, with compaction and retention at work.

    python -m tests.faults.load [--servers 1|2] [--minutes N] [--runs N] [--layers N] [--every N]
                                [--burst N] [--json]

One server over SQLite; or two over one PostgreSQL, of which one is killed (SIGKILL) and started
again every `--kill` seconds, each in its turn. Every run samples 1,000 layers x 40 statistics each
10 s. It ends after 30 frames, and another begins: they end evenly, so that from the first moment
there are frames to compact, and soon old runs to delete (`GAINSTAGE_KEEP_BYTES`). All trainers are
in one process, each with a WebSocket, the library's own delivery state and a queue in memory.

What runs held when they ended is looked up in the store: each seq in one chunk or in none, and of
one run in eight, and of all that is stored at the end, each byte. For the last `--burst` seconds
each run sends its next frame as soon as its last one was acknowledged. Exits with 1 where a frame
is missing, there twice or other than it was sent; where the servers did not keep up; and, for one
server, where the burst was less than five times what came before.
"""
