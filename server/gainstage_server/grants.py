"""What whoever asks may do, and which runs there are for them."""

import msgspec
from starlette.requests import HTTPConnection

from gainstage_server.runs import Runs
from gainstage_server.store.records import RunRecord, Scope


class Grant(msgspec.Struct, frozen=True):
    """What a token allows: a scope, in one project or with None in all of them.

    `token` is the id of a token that the store holds; None: of the environment, or there is none.
    """

    scope: Scope
    project: str | None = None
    token: str | None = None

    def opens(self, needed: Scope) -> bool:
        """Whether what needs this scope is open."""
        return self.scope in (needed, "admin")

    def covers(self, project: str | None) -> bool:
        """Whether what belongs to `project` is open; None: nobody knows to which it belongs."""
        return self.project in (None, project)

    def attach(self, connection: HTTPConnection) -> None:
        """Have `grant_of` find this one."""
        connection.state.grant = self


def grant_of(connection: HTTPConnection) -> Grant:
    """What whoever sent this request may do; the guard has decided it."""
    grant = connection.state.grant
    if not isinstance(grant, Grant):
        raise TypeError(f"{connection.url.path} is open to everyone, and so may show no run.")
    return grant


class Visible:
    """The runs that a grant covers; for whoever holds it there are no others."""

    def __init__(self, runs: Runs, grant: Grant) -> None:
        self._runs = runs
        self.grant = grant

    def all(self) -> list[RunRecord]:
        """Each of them, newest first."""
        return [record for record in self._runs.all() if self.grant.covers(record.project)]

    def get(self, run: str) -> RunRecord | None:
        """One of them."""
        record = self._runs.get(run)
        return record if record and self.grant.covers(record.project) else None

    def __contains__(self, run: str) -> bool:
        return self.grant.project is None or self.get(run) is not None
