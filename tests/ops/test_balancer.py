"""The balancer of docker-compose.yml: a real Caddy in front of two servers over one PostgreSQL."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from tests.ops.programs import caddy, free_port
from tests.postgresql import cluster
from tests.server.trainer import Trainer, wait_until

from gainstage import wire
from gainstage.served import served
from gainstage.spool import Spool
from gainstage.uplink import Uplink

CADDYFILE = Path(__file__).parents[2] / "server/gainstage_server/ops/Caddyfile"
FRAMES = 40

Program = Callable[..., str]


@contextmanager
def balancer(program: str, folder: Path, servers: list[str]) -> Iterator[str]:
    """Its address; the checked-in configuration, on another port."""
    address = f"127.0.0.1:{free_port()}"
    text = CADDYFILE.read_text().replace(":8421", address)
    behind = " ".join(url.removeprefix("http://") for url in servers)
    with caddy(program, text, folder, SERVERS=behind):
        wait_until(lambda: _answers(f"http://{address}"))
        yield f"http://{address}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def trainers(url: str) -> int:
    found = re.search(r"^gainstage_trainers (\d+)", httpx.get(f"{url}/metrics").text, re.M)
    return int(found[1]) if found else 0


def test_trainer_is_led_to_the_other_server_when_its_own_goes_away(
    program: Program, tmp_path: Path
) -> None:
    trainer = Trainer()
    spool = Spool(tmp_path / "canonical.0.a1.spool")

    def append(*messages: bytes) -> None:
        for data in messages:
            message = wire.decode_header(data)
            spool.append(message.seq, data, frame=isinstance(message, wire.Frame))
        uplink.notify()

    with ExitStack() as stack:
        database = stack.enter_context(stack.enter_context(cluster()).database())
        own = [ExitStack(), ExitStack()]
        servers = [
            one.enter_context(served(tmp_path / name, database=database, disk_floor="0"))
            for one, name in zip(own, "ab", strict=True)
        ]
        for one in own:
            stack.push(one)
        url = stack.enter_context(balancer(program("caddy"), tmp_path, servers))
        uplink = Uplink(spool, url, None)
        append(*trainer.opening(), *(trainer.loud(step) for step in range(FRAMES // 2)))
        uplink.drain(20)
        (first,) = [place for place, server in enumerate(servers) if trainers(server)]

        own[first].close()
        append(*(trainer.loud(step) for step in range(FRAMES // 2, FRAMES)), trainer.run_end())
        uplink.drain(40)
        uplink.close()

        assert len(spool) == 0
        run = httpx.get(f"{url}/api/v1/runs/canonical").json()
        assert (run["frames"], run["status"]) == (FRAMES, "ended")
        assert not _answers(servers[first])


def test_configuration_that_caddy_cannot_read_is_noticed(program: Program, tmp_path: Path) -> None:
    def judged(text: str) -> int:
        file = tmp_path / "Caddyfile"
        file.write_text(text)
        command = [program("caddy"), "validate", "--config", file, "--adapter", "caddyfile"]
        environment = os.environ | {"SERVERS": "server:8420 server-2:8420", "HOME": str(tmp_path)}
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    text = CADDYFILE.read_text()

    assert judged(text) == 0
    assert judged(text.replace("lb_policy", "lb_polity")) != 0
