"""For all tests: what the developer's own environment says about his servers is not for them, and what they
leave in the temp directory goes with them (pytest's own folders stay, as pytest has it).
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

from app.lib import memory
from tests.support.recorded import DATA

for _name in ("MONGO_URI", "SOURCE_MONGO_URI"):  # with it every server of a test would write to his database
    os.environ.pop(_name, None)
# Hundreds of processes are started: each would compile app/ anew, which is two thirds of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False  # execnet tells it to the workers

# A busy machine's pauses are no fault, and what was green stays green: the examples are the same each time.
# `--hypothesis-profile=search` looks for others.
hypothesis.settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "search",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=1000,
    print_blob=True,
)
hypothesis.settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # of xdist: it has the folder of who started it
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = tempfile.mkdtemp(prefix="ct-")  # short: sockets lie in there
    os.chmod(folder, 0o1777)  # as the temp directory is: some tests run as another user
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def unbounded() -> Iterator[None]:
    """A command that a test calls in its own process would bound that one, with all tests that come after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "bound", lambda *_: None)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not DATA.is_dir():
        absent = pytest.mark.skip(reason="the recorded market data (../shared/data) is not here")
        for item in items:
            if "recorded" in item.keywords:
                item.add_marker(absent)


def pytest_collection_finish() -> None:
    """Thousands of tests live to the end of the run: the collector need not walk through them each time."""
    gc.collect()
    gc.freeze()
