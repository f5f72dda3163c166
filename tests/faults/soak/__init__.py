"""A server under many trainers and viewers, for long: its memory is flat, and nothing is lost.

    python -m tests.faults.soak [--minutes N] [--trainers N] [--viewers N] [--seed N] [--json]

Each trainer samples 100 layers every 10 s, one of them ten times a second, through a spool and an
uplink of its own and over a connection that is cut now and then. Its runs last a minute or a few;
what was appended to one that has ended is compared with what is stored of it, before the server's
retention deletes the run a few minutes later. Of the viewers every fourth reads one message a
second, of the busiest run. Exits with 1 where something was lost or the server's memory grew.
"""
