"""For the unit tests: passwords cost next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.counter import accounts
from app.host import taken_passwords


@pytest.fixture(scope="module", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """A hash is made to take tens of milliseconds, and nearly every test of the counter logs somebody in."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (accounts, taken_passwords):
            patch.setattr(module, "COST", {"n": 2, "r": 1, "p": 1})
        yield
