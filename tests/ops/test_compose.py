"""docker-compose.yml and the Dockerfile, as far as they can be judged without a Docker engine.

The schema says whether Compose can read the file; the table below, whether its services are locked
down. Building the image and starting the containers needs an engine, which no test here has.
"""

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "server/gainstage_server/Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
OPS = ROOT / "server/gainstage_server/ops"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]

Service = dict[str, Any]


def pinned(image: str) -> bool:
    """Whether `image` names one release: name:1.2 or longer, not name, name:latest or name:1."""
    return re.search(r":v?\d+(\.\d+)+[\w.-]*$", image) is not None


# Name of a rule -> (whether a service keeps it, a change that breaks it).
RULES: dict[str, tuple[Callable[[Service], bool], Service]] = {
    "its image is pinned": (lambda s: pinned(s["image"]), {"image": "prom/prometheus:latest"}),
    "it does not run as root": (
        lambda s: int(s.get("user", "0").split(":")[0]) > 0,
        {"user": "0:0"},
    ),
    "its root is read-only": (lambda s: s.get("read_only") is True, {"read_only": False}),
    "what it writes besides its volumes is in memory": (
        lambda s: bool(s.get("tmpfs")),
        {"tmpfs": []},
    ),
    "it has no capabilities": (lambda s: s.get("cap_drop") == ["ALL"], {"cap_drop": ["NET_RAW"]}),
    "none is given back but that of listening on low ports": (
        lambda s: set(s.get("cap_add", [])) <= {"NET_BIND_SERVICE"},
        {"cap_add": ["SYS_ADMIN"]},
    ),
    "it has no way to more privileges": (
        lambda s: "no-new-privileges:true" in s.get("security_opt", []) and not s.get("privileged"),
        {"security_opt": []},
    ),
    "its ports are open on this machine only": (
        lambda s: all(port.startswith("127.0.0.1:") for port in s.get("ports", [])),
        {"ports": ["8420:8420"]},
    ),
    "its health is checked, with time to start": (
        lambda s: "start_period" in s.get("healthcheck", {}),
        {"healthcheck": {"test": "true"}},
    ),
    "it waits until what it needs is healthy": (
        lambda s: all(
            need["condition"] == "service_healthy"
            for need in dict(s.get("depends_on", {})).values()
        ),
        {"depends_on": {"server": {"condition": "service_started"}}},
    ),
    "its data is in named volumes, and what it reads of ours is read-only": (
        lambda s: all(
            volume.endswith(":ro") or not volume.startswith((".", "/")) for volume in s["volumes"]
        ),
        {"volumes": ["./data:/data"]},
    ),
    "no secret has a default": (
        lambda s: all(
            # None: passed on where it is set.
            value is None or re.fullmatch(r"\$\{\w+(:\?.+|:-)\}", str(value))
            for name, value in s.get("environment", {}).items()
            if name.endswith(("TOKEN", "PASSWORD", "SECRET"))
        ),
        {"environment": {"GAINSTAGE_READ_TOKEN": "${GAINSTAGE_READ_TOKEN:-secret}"}},
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", SERVICES)
def test_service_is_locked_down(name: str, rule: str) -> None:
    keeps, _ = RULES[rule]

    assert keeps(SERVICES[name])


@pytest.mark.parametrize("rule", RULES)
def test_rule_notices_a_service_that_breaks_it(rule: str) -> None:
    keeps, change = RULES[rule]

    assert not keeps(SERVICES["prometheus"] | change)


def test_only_the_server_starts_without_a_profile() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["server"]


@pytest.mark.parametrize(("servers", "profiles"), [("one", {None}), ("two", {None, "scale"})])
def test_prometheus_scrapes_the_servers_that_are_started(
    servers: str, profiles: set[str | None]
) -> None:
    (scraped,) = yaml.safe_load((OPS / "targets" / f"{servers}.yml").read_text())
    started = [
        f"{name}:8420"
        for name, service in SERVICES.items()
        if service["image"].startswith("gainstage/")
        and service.get("profiles", [None])[0] in profiles
    ]

    assert scraped["targets"] == started


def test_settings_of_two_servers_name_services_that_are_started() -> None:
    settings = dict(
        line.split("=", 1) for line in (OPS / "scale.env").read_text().splitlines() if "=" in line
    )

    assert (OPS / "targets" / f"{settings['GAINSTAGE_SERVERS']}.yml").is_file()
    password, address = (
        settings["GAINSTAGE_DATABASE"].removeprefix("postgresql://gainstage:").split("@")
    )
    database = SERVICES["database"]
    assert database["environment"]["POSTGRES_PASSWORD"] == password.replace("}", ":-}")
    assert database["environment"]["POSTGRES_USER"] == "gainstage"
    assert address == "database:5432/gainstage"
    assert SERVICES["balancer"]["environment"]["SERVERS"] == "server:8420 server-2:8420"


def test_prometheus_finds_the_token_in_a_file_that_it_alone_can_read(tmp_path: Path) -> None:
    (script,) = SERVICES["prometheus"]["command"]
    here = script.replace("$$", "$").replace("/run/gainstage", str(tmp_path))
    started = here.replace("exec /bin/prometheus", "exec echo")

    ran = subprocess.run(
        ["/bin/sh", "-euc", started],
        env={"GAINSTAGE_READ_TOKEN": "a $token"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (tmp_path / "token").read_text() == "a $token"
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert ran.stdout.split()[0] == "--config.file=/etc/prometheus/prometheus.yml"
    assert len(ran.stdout.splitlines()) == 1


def test_alertmanager_finds_its_secrets_which_nobody_needs_to_set() -> None:
    read = re.findall(r"_file: /run/secrets/(\w+)", (OPS / "alertmanager.yml").read_text())
    files = {
        name: secret["file"]
        for name, secret in yaml.safe_load(COMPOSE.read_text())["secrets"].items()
    }
    page = (ROOT / "docs/operations.md").read_text()

    assert sorted(SERVICES["alertmanager"]["secrets"]) == sorted(files) == sorted(read)
    for name, file in files.items():
        assert file == f"${{GAINSTAGE_{name.upper()}_FILE:-/dev/null}}"
        assert f"`GAINSTAGE_{name.upper()}_FILE`" in page


def check_schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False
    )


def test_compose_file_follows_the_compose_specification() -> None:
    checked = check_schema(COMPOSE)

    assert checked.returncode == 0, checked.stdout


def test_schema_refuses_a_misspelt_key(tmp_path: Path) -> None:
    broken = copy.deepcopy(SERVICES)
    broken["server"]["readonly"] = broken["server"].pop("read_only")
    file = tmp_path / "docker-compose.yml"
    file.write_text(yaml.safe_dump({"services": broken}))

    checked = check_schema(file)

    assert checked.returncode != 0
    assert "readonly" in checked.stdout


def test_what_compose_mounts_and_builds_exists() -> None:
    mounted = [
        volume.replace("${GAINSTAGE_SERVERS:-one}", servers).split(":")[0]
        for service in SERVICES.values()
        for volume in service["volumes"]
        for servers in ("one", "two")
        if volume.startswith(".")
    ]

    assert mounted
    assert all((ROOT / path).is_file() for path in mounted)
    assert ROOT / SERVICES["server"]["build"]["dockerfile"] == DOCKERFILE


def test_dockerfile_copies_what_exists_and_the_ignore_file_lets_through() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE)

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {source.split("/")[0] for source in sources} == set(let_through)


def test_dockerfile_builds_on_pinned_images_and_runs_as_the_composed_user() -> None:
    lines = DOCKERFILE.read_text().splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]

    assert all(pinned(image) for image in images)
    assert f"USER {SERVICES['server']['user']}" in lines
    assert any(line.startswith("HEALTHCHECK --start-period") for line in lines)
