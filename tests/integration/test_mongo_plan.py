"""How MongoDB itself reads a range of bars. FerretDB's SQLite backend scans for every range, so that its
plans mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from app.lib.bars import Bar
from app.model import open_store
from app.settings import Settings
from tests.support.mongodb import GIVEN, new_database

pytestmark = pytest.mark.full


@pytest.fixture
def client() -> Iterator[MongoClient[dict[str, Any]]]:
    if not GIVEN:
        pytest.skip("needs a MongoDB by TEST_MONGO_URI")
    with MongoClient(GIVEN) as connected:
        if any(name.startswith("ferretdb") for name in connected.server_info()):
            pytest.skip("TEST_MONGO_URI is a FerretDB")
        yield connected


def stages(plan: dict[str, Any]) -> list[str]:
    """From the outside in; servers with the slot-based engine wrap the plan once more."""
    plan = plan.get("queryPlan", plan)
    return [plan["stage"], *(stages(plan["inputStage"]) if "inputStage" in plan else [])]


def test_a_range_of_bars_is_read_by_index(client: MongoClient[dict[str, Any]], tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, mongo_uri=GIVEN, mongo_database=new_database())
    store = open_store(settings, "sim-9999-demo")
    store.save_bars(
        "rb2510.SHFE", "1m", [Bar(minute * 60_000, 1.0, 1.0, 1.0, 1.0, 1) for minute in range(1000)]
    )
    assert store.flush(30)
    store.close()
    bars = client[settings.mongo_database]["bars.sim-9999-demo.rb2510.SHFE.1m"]
    explained = bars.find({"_id": {"$gte": 60_000, "$lt": 180_000}}).sort("_id", -1).explain()
    found = stages(explained["queryPlanner"]["winningPlan"])
    assert "COLLSCAN" not in found
    assert {"IXSCAN", "CLUSTERED_IXSCAN"} & set(found)
