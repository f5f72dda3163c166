"""What is the address of a server, and what is none."""

import pytest

from gainstage.uplink import ingest_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8420", "ws://127.0.0.1:8420/api/v1/ingest"),
        ("https://gainstage.example/", "wss://gainstage.example/api/v1/ingest"),
        ("http://host/under/here/", "ws://host/under/here/api/v1/ingest"),
        ("http://[::1]:8420", "ws://[::1]:8420/api/v1/ingest"),
    ],
)
def test_address_of_the_server_is_where_messages_are_taken_in(url: str, address: str) -> None:
    assert ingest_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8420",
        "ws://localhost",
        "ftp://host",
        "http://",
        "http://:8420",
        "http://host/?run=1",
        "http://host/#a",
        "http://[::1",
        "http://host:port",
        "http://host:99999",
        "8420",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="address of a Gainstage server, such as") as error:
        ingest_url(url)

    assert repr(url) in str(error.value)


@pytest.mark.parametrize("url", ["http://me@host", "http://me:secret@host"])
def test_address_must_not_hold_a_password_and_the_error_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match="pass `token=` instead") as error:
        ingest_url(url)

    assert "secret" not in str(error.value)
