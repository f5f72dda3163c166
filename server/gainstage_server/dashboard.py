"""Serves the dashboard as Vite built it."""

from html import escape
from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

STATIC = Path(__file__).parent / "static"

# Vite names these files by a hash of what they hold.
_FOREVER = "public, max-age=31536000, immutable"
_PACKED = ".br"  # what Vite writes beside a file, compressed by Brotli
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Gainstage</title>
<h1>Gainstage</h1>
<p>The server is running; its dashboard has not been built. Build it with
<code>make dashboard</code>, or install a release, which holds it.
The data is at <a href="/api/v1/runs">/api/v1/runs</a>.</p>
"""


def _file(root: Path, path: str) -> Path | None:
    """The file below `root` that `path` names, if there is one."""
    try:
        file = (root / path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # too long, or with a zero in it
        return None


def _sent(file: Path, request: Request, kept: str) -> Response:
    """The file, compressed where the build has it so and the browser takes it."""
    headers = {"cache-control": kept, "vary": "accept-encoding"}
    packed = file.with_name(f"{file.name}{_PACKED}")
    if not packed.is_file() or not _takes_brotli(request.headers.get("accept-encoding", "")):
        return FileResponse(file, headers=headers)
    media_type, _ = guess_type(file.name)
    return FileResponse(packed, headers=headers | {"content-encoding": "br"}, media_type=media_type)


def _takes_brotli(accepted: str) -> bool:
    """Whether an Accept-Encoding names Brotli, and not as what is not wanted."""
    for name in accepted.split(","):
        coding, _, quality = name.replace(" ", "").partition(";q=")
        if coding == "br":
            return quality.strip("0.") != "" or quality == ""
    return False


def dashboard_router(static: Path = STATIC) -> APIRouter:
    """Routes for all paths that are not the interface's."""
    router = APIRouter(include_in_schema=False)
    root = static.resolve()

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    def page(path: str, request: Request) -> Response:
        """A file of the dashboard; its paths of runs and layers all mean its one page."""
        if path.split("/", 1)[0] == "api":
            raise HTTPException(
                404,
                f"There is nothing at {escape('/' + path[:256])}. "
                "/api/v1/openapi.json lists what there is.",
            )
        file = _file(root, path)
        index = root / "index.html"
        if file is None and path.startswith("assets/"):
            # A page of an earlier build asks for what it was built with.
            raise HTTPException(404, "There is no such file in this build. Load the page again.")
        if file is not None:
            forever = file.parent == root / "assets"
            return _sent(file, request, _FOREVER if forever else "no-cache")
        if index.is_file():
            return FileResponse(index, headers={"cache-control": "no-cache"})
        return HTMLResponse(_NOT_BUILT)

    return router
