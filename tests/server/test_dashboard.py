"""The dashboard's files, and nothing else from the disk."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gainstage_server.dashboard import dashboard_router


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Gainstage</title>")
    (folder / "assets" / "app-3f2a.js").write_text("draw()")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


class Client:
    """Asks for paths exactly as they are written."""

    def __init__(self, static: Path) -> None:
        app = FastAPI()
        app.include_router(dashboard_router(static))
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, method: str = "GET", accept: str = "") -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport) as client:
                url = httpx.URL("http://x").copy_with(raw_path=path.encode())
                return await client.request(method, url, headers={"Accept-Encoding": accept})

        return asyncio.run(ask())


@pytest.fixture
def client(static: Path) -> Client:
    return Client(static)


def test_files_are_served_and_those_named_by_hash_kept_for_ever(client: Client) -> None:
    page, script = client.get("/"), client.get("/assets/app-3f2a.js")

    assert page.text == "<title>Gainstage</title>"
    assert page.headers["cache-control"] == "no-cache"
    assert script.text == "draw()"
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]


def test_what_the_build_has_compressed_is_sent_so_to_whom_takes_it(
    static: Path, client: Client
) -> None:
    (static / "assets" / "app-3f2a.js.br").write_bytes(b"packed")

    packed = client.get("/assets/app-3f2a.js", "HEAD", accept="gzip, br;q=0.9")
    plain = client.get("/assets/app-3f2a.js", accept="gzip")
    unwanted = client.get("/assets/app-3f2a.js", accept="gzip, br;q=0.0")

    assert packed.headers["content-encoding"] == "br"
    assert packed.headers["content-length"] == str(len(b"packed"))
    assert "javascript" in packed.headers["content-type"]
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert plain.text == unwanted.text == "draw()"


def test_a_program_may_ask_whether_the_page_is_there(client: Client) -> None:
    asked = client.get("/", method="HEAD")

    assert (asked.status_code, asked.text) == (200, "")


def test_a_script_of_an_earlier_build_is_missed_and_not_answered_with_the_page(
    client: Client,
) -> None:
    assert client.get("/assets/app-0000.js").status_code == 404


@pytest.mark.parametrize("path", ["/runs/canonical", "/runs/canonical/dense_1", "/x.y.z"])
def test_paths_of_the_dashboard_mean_its_one_page(client: Client, path: str) -> None:
    assert client.get(path).text == "<title>Gainstage</title>"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/link.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
    ],
)
def test_nothing_outside_the_folder_is_served(client: Client, path: str) -> None:
    answer = client.get(path)

    assert "secret" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/x%00y", "/" + "a" * 5_000])
def test_a_path_that_no_file_can_have_means_the_page(client: Client, path: str) -> None:
    assert client.get(path).text == "<title>Gainstage</title>"


def test_without_a_build_a_page_says_how_to_build_it(tmp_path: Path) -> None:
    assert "make dashboard" in Client(tmp_path / "none").get("/").text
