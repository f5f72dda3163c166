"""Rules for tests that are not about rules."""

from collections.abc import Sequence
from typing import Any

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.admission import Blocks


class NoFold:
    """Finds nothing."""

    verdicts: Sequence[str] = ()
    findings: Sequence[Finding] = ()

    def begin(self, schema: wire.Schema, like: Any) -> "NoFold":
        return self

    def advance(
        self, state: "NoFold", frame: wire.Frame, blocks: Blocks
    ) -> tuple["NoFold", Sequence[Finding]]:
        return self, ()

    def dump_state(self, state: "NoFold") -> bytes:
        return b""

    def load_state(self, data: bytes, schema: wire.Schema, like: Any) -> "NoFold":
        return self
