"""`run.py backtest-cluster`: how Dask's programs are started."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.backtest_cluster import scheduler, worker
from app.lib.errors import SettingsError
from app.settings import Settings


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    return tmp_path


def settings(address: str, tls: Path | None = None) -> Settings:
    return Settings.load(None, {}, backtest_scheduler=address, backtest_tls=tls)


def test_with_tls_all_have_the_certificates_and_no_page_is_open_to_others(tls: Path) -> None:
    for line in (
        scheduler(settings("tls://10.0.0.5:8786", tls)),
        worker(settings("tls://10.0.0.5:8786", tls), 3),
    ):
        assert line[line.index("--tls-ca-file") + 1] == str(tls / "ca.pem")
        assert line[line.index("--tls-key") + 1] == str(tls / "key.pem")
        assert line[line.index("--dashboard-address") + 1] == "127.0.0.1:0"


def test_a_scheduler_listens_at_its_address_alone(tls: Path) -> None:
    line = scheduler(settings("tls://10.0.0.5:8786", tls))
    assert line[line.index("--host") + 1] == "10.0.0.5"
    assert line[line.index("--protocol") + 1] == "tls"


def test_without_tls_a_worker_is_this_machines_own() -> None:
    line = worker(settings("tcp://127.0.0.1:8786"), 2)
    assert line[line.index("--host") + 1] == "127.0.0.1"
    assert "--tls-key" not in line
    assert line[line.index("--nthreads") + 1] == "1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://10.0.0.5:8786", "只能用 tls://"),
        ("tcp://0.0.0.0:8786", "只能用 tls://"),
        ("tcp://example.com:8786", "只能用 tls://"),
        ("10.0.0.5:8786", "应形如"),
        ("tls://10.0.0.5", "应形如"),
        ("tls://10.0.0.5:99999", "应形如"),
        ("ucx://10.0.0.5:8786", "应形如"),
        ("tls://10.0.0.5:8786", "backtest_tls"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(address)


def test_certificates_that_are_missing_are_named(tls: Path) -> None:
    (tls / "key.pem").unlink()
    with pytest.raises(SettingsError, match=r"没有 key\.pem"):
        settings("tls://10.0.0.5:8786", tls)
