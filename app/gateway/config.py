"""The account's eight settings: in ctpbee's configuration while the gateway runs, in the store over restarts.
Gateway process, event thread only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from app.lib import account_config, rows
from app.model.store import Store
from app.wire.messages import Done, Json, ReadConfig, WriteConfig

CONFIG_SCOPE = "config"

log = logging.getLogger("account")


class AccountConfig:
    """`values` is ctpbee's, which has others too; `on_written(names)` hears of each change."""

    def __init__(
        self,
        store: Store,
        values: MutableMapping[str, Any],
        on_written: Callable[[set[str]], None],
    ) -> None:
        self._store = store
        self._values = values
        self._on_written = on_written
        stored = store.settings(CONFIG_SCOPE)
        values.update(account_config.DEFAULTS)
        values.update(account_config.checked(stored) if stored else {})

    def current(self) -> dict[str, Any]:
        """The eight, as they are now."""
        return {name: self._values[name] for name in account_config.DEFAULTS}

    def read(self, _request: ReadConfig) -> Json:
        return Json(rows.to_json(self.current()))

    def write(self, request: WriteConfig) -> Done:
        values = account_config.checked(request.values)
        self._store.put_settings(CONFIG_SCOPE, values)
        self._values.update(values)
        self._on_written(set(values))
        log.info("设置已修改：%s", "、".join(f"{name}={value}" for name, value in values.items()))
        return Done()
