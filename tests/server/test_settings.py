import pytest
from pydantic import ValidationError

from gainstage_server.settings import Settings, read_settings

SCOPES = ("ingest", "read", "admin")


def test_by_default_only_this_machine_can_reach_the_server() -> None:
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "gpu-box.example"])
def test_another_address_without_tokens_is_refused_and_the_way_out_named(host: str) -> None:
    with pytest.raises(ValueError, match=r"Set them, or leave GAINSTAGE_HOST at 127\.0\.0\.1"):
        Settings(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_addresses_need_no_token(host: str) -> None:
    assert [Settings(host=host).tokens(scope) for scope in SCOPES] == [None, None, None]


@pytest.mark.parametrize(
    ("tokens", "missing"), [({"ingest_token": "a"}, "read"), ({"read_token": "a"}, "ingest")]
)
def test_one_token_of_two_is_not_enough_for_another_address(
    tokens: dict[str, str], missing: str
) -> None:
    with pytest.raises(ValueError, match=f"Received none for: {missing}"):
        Settings(host="0.0.0.0", **tokens)


def test_one_token_opens_sending_reading_and_changing() -> None:
    settings = Settings(host="0.0.0.0", token="one")

    assert [settings.tokens(scope) for scope in SCOPES] == [("one",)] * 3


def test_a_token_of_its_own_goes_before_the_common_one() -> None:
    settings = Settings(token="both", read_token="eyes")

    assert (settings.tokens("ingest"), settings.tokens("read")) == (("both",), ("eyes",))


def test_the_admin_token_opens_everything_and_what_no_other_opens_is_not_open_to_all() -> None:
    settings = Settings(ingest_token="in", admin_token="all")

    assert settings.tokens("ingest") == ("in", "all")
    assert settings.tokens("read") == ("all",)
    assert settings.tokens("admin") == ("all",)


def test_the_common_token_changes_nothing_where_there_is_one_for_that() -> None:
    settings = Settings(token="both", admin_token="all")

    assert settings.tokens("read") == ("both", "all")
    assert settings.tokens("admin") == ("all",)


@pytest.mark.parametrize("tokens", [{"read_token": "eyes"}, {"ingest_token": "hands"}])
def test_where_others_have_tokens_changing_is_open_to_no_one_without_its_own(
    tokens: dict[str, str],
) -> None:
    assert Settings(**tokens).tokens("admin") == ()


def test_settings_come_from_the_environment_with_commas_between_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GAINSTAGE_ALLOWED_HOSTS", "Server, gpu-box.example ,")
    monkeypatch.setenv("GAINSTAGE_TOKEN", "")
    monkeypatch.setenv("GAINSTAGE_DATABASE", "/data/runs.db")

    settings = Settings()

    assert settings.hosts >= {"server", "gpu-box.example", "localhost", "[::1]"}
    assert settings.token is None
    assert settings.database.get_secret_value() == "/data/runs.db"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_tokens_are_never_shown() -> None:
    settings = Settings(token="s3cret")

    with pytest.raises(ValueError, match="port") as wrong:
        Settings(token="s3cret", port=-1)

    assert "s3cret" not in f"{settings!r} {wrong.value!s}"


def test_settings_that_are_wrong_get_a_line_each_and_a_token_is_not_shown() -> None:
    with pytest.raises(ValueError, match=r"^--port: .+\n--token: .+$") as wrong:
        read_settings({"port": -1, "token": ["s3cret"]})

    assert "Received: -1." in str(wrong.value)
    assert "s3cret" not in str(wrong.value)
