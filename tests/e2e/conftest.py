"""One real server per module for the tests that leave it standing, a fresh one for those that kill parts of
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.server import BackendServer, Trader


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., BackendServer]]:
    servers: list[BackendServer] = []

    def make(name: str = "data", **settings: object) -> BackendServer:
        servers.append(BackendServer(tmp_path / name, **settings))
        return servers[-1]

    yield make
    for server in servers:
        server.clean()


@pytest.fixture
def server(make_server: Callable[..., BackendServer]) -> BackendServer:
    return make_server().start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendServer]:
    made = BackendServer(tmp_path_factory.mktemp("server")).start()
    yield made
    made.clean()


@pytest.fixture(scope="module", params=["sim", pytest.param("ctp", marks=pytest.mark.full)])
def either_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendServer]:
    """The same server over the built-in counter's frames and over the vendor's binding: what is true of one
    is true of the other.
    """
    if request.param == "ctp":
        from tests.e2e.ctp_server import CtpServer  # needs ctpbee_api and a compiler

        made: BackendServer = CtpServer(tmp_path_factory.mktemp("ctp"))
    else:
        made = BackendServer(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.clean()


@pytest.fixture
def trader(server: BackendServer) -> Iterator[Trader]:
    made = Trader(server).log_in()
    yield made
    made.close_page()
