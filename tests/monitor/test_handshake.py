"""What a trainer's headers say, and what a server makes of them."""

import pytest

from gainstage import handshake

NOW = 1_700_000_000.25


def test_headers_name_time_token_and_stream() -> None:
    assert handshake.headers(NOW, "secret", ("mine", "a1", 2)) == {
        "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "Authorization": "Bearer secret",
        "Gainstage-Stream": "mine a1 2",
    }
    assert [*handshake.headers(NOW, None, None)] == ["Date"]


def test_stream_is_read_where_it_is_told() -> None:
    sent = handshake.headers(NOW, None, ("mine", "a1", 2))

    assert handshake.stream(sent) == ("mine", "a1", 2)
    assert handshake.stream({}) is None
    assert handshake.stream({"Gainstage-Stream": "mine a1 chief"}) is None


@pytest.mark.parametrize(("ahead", "behind"), [(86_400.0, 86_400.25), (-3_600.0, -3_599.75)])
def test_clock_that_is_off_is_put_right(ahead: float, behind: float) -> None:
    assert handshake.behind(handshake.headers(NOW, None, None), NOW + ahead) == behind


@pytest.mark.parametrize("ahead", [0.0, 10.0, -4.0])
def test_clock_that_is_about_right_is_believed(ahead: float) -> None:
    assert handshake.behind(handshake.headers(NOW, None, None), NOW + ahead) == 0.0


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "soon"}, {"Date": "1" * 99}])
def test_trainer_that_does_not_say_is_believed(headers: dict[str, str]) -> None:
    assert handshake.behind(headers, NOW) == 0.0
