"""The server's HTTP interface, as the command line uses it."""

import json
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

from gainstage.places import serve_command

TIMEOUT = 10.0


class ServerError(RuntimeError):
    """The server could not be asked, or said no; its text says which."""


class Client:
    """Reads from the server at `url`, with the read token `token` where it wants one."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def runs(self, **filters: str) -> list[dict[str, Any]]:
        """The runs, newest first."""
        return self._get("/api/v1/runs", filters, "runs")

    def run(self, run: str) -> dict[str, Any]:
        """One run."""
        return self._get(f"/api/v1/runs/{quote(run)}", {})

    def findings(self, run: str) -> list[dict[str, Any]]:
        """What was found in a run, open findings first."""
        return self._get(f"/api/v1/runs/{quote(run)}/findings", {}, "findings")

    def delete(self, run: str) -> None:
        """Have a run that is not live deleted, with all that is stored of it."""
        self._open(f"{self._url}/api/v1/runs/{quote(run)}", "DELETE").close()

    def archive(self, run: str) -> HTTPResponse:
        """The run's archive, for the caller to read and to close."""
        return self._open(f"{self._url}/api/v1/runs/{quote(run)}/archive")

    def _get(self, path: str, query: dict[str, str], part: str | None = None) -> Any:
        """What the server answers, or the `part` of it."""
        url = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            with self._open(url) as answer:
                told = json.load(answer)
                return told if part is None else told[part]
        except (OSError, HTTPException) as error:
            raise ServerError(f"{self._url} broke off its answer ({error}). Ask again.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"{self._url} is no Gainstage server: its answer cannot be read. Check --url."
            ) from error

    def _open(self, url: str, method: str = "GET") -> HTTPResponse:
        """The server's answer, whose status is good."""
        request = urllib.request.Request(url, headers=self._headers, method=method)  # noqa: S310
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
        except urllib.error.HTTPError as error:
            try:
                detail = json.load(error)["detail"]
            except (ValueError, KeyError, TypeError):
                detail = error.reason
            if error.code == HTTPStatus.UNAUTHORIZED:
                detail = f"{detail} Give it as --token, or in GAINSTAGE_TOKEN."
            raise ServerError(f"{self._url} answered {error.code}: {detail}") from error
        except (OSError, HTTPException) as error:
            command = serve_command(self._url)
            start = f" Start one with: {command}" if command else ""
            raise ServerError(f"No server at {self._url} ({error}).{start}") from error
