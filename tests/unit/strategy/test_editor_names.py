"""What the page's editor offers to complete is there in ctpbee."""

from __future__ import annotations

import json
from pathlib import Path

from ctpbee import CtpbeeApi, constant
from ctpbee.center import Center
from ctpbee.level import Action
from ctpbee.record import Recorder

NAMES = json.loads((Path(__file__).parents[3] / "page/src/editor/names.json").read_text("utf-8"))
OF_AN_INSTANCE = {"extension_name", "instrument_set", "app", "path"}
"""Set when a strategy is made: docs/strategy_api.md."""


def missing(names: object, owner: type) -> set[str]:
    known = {name for part in owner.__mro__ for name in getattr(part, "__annotations__", {})}
    return {name for name in names if not hasattr(owner, name)} - known


def test_each_name_that_the_editor_offers_is_ctpbees() -> None:
    assert missing(NAMES["self"], CtpbeeApi) == OF_AN_INSTANCE
    assert not missing(NAMES["center"], Center)
    assert not missing(NAMES["recorder"], Recorder)
    assert not missing(NAMES["callbacks"], CtpbeeApi)
    for row in NAMES["data"].values():
        assert not missing(row["fields"].split(), getattr(constant, row["type"]))
    for name, members in NAMES["constants"].items():
        assert set(members.split()) <= set(getattr(constant, name).__members__)


def test_each_call_of_the_action_that_the_editor_offers_is_ctpbees() -> None:
    assert missing(NAMES["action"], Action) <= {"buy_open", "sell_open", "buy_close", "sell_close"}
    assert {"buy", "short", "cover", "sell"} <= NAMES["action"].keys()
