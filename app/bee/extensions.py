"""ctpbee's extensions as this project's apps have them: how its recorder calls them, and the base of our own.
Gateway and strategy processes, event thread.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ctpbee import CtpbeeApi
from ctpbee.constant import Event

log = logging.getLogger(__name__)


class Everything(set[str]):
    """An `instrument_set` for an extension that hears all contracts, whatever INSTRUMENT_INDEPEND says."""

    def __contains__(self, _symbol: object) -> bool:
        return True

    def __len__(self) -> int:
        return 1


class OwnExtension(CtpbeeApi):
    """Base of the project's own extensions: hears every contract, and keeps nothing in `folder`."""

    def __init__(self, name: str, app: Any, folder: Path) -> None:
        super().__init__(name, app, cache_path=str(folder))
        self.instrument_set = Everything()

    @staticmethod
    def get_dir(path: str) -> str:
        """ctpbee makes a folder for every extension there."""
        return path


class Called:
    """An extension as ctpbee's recorder sees it: the base's on_tick, which raises TypeError, is not called.
    What else goes wrong comes through.
    """

    def __init__(self, extension: CtpbeeApi) -> None:
        self._extension = extension

    @property
    def instrument_set(self) -> Any:
        return self._extension.instrument_set

    def __call__(self, event: Event) -> None:
        if self._extension.map.get(event.type) is not CtpbeeApi.on_tick:
            self._extension(event)

    def on_realtime(self) -> None:
        self._extension.on_realtime()


class Guarded(Called):
    """Likewise, but what goes wrong in it is logged: it stops nobody else."""

    def __call__(self, event: Event) -> None:
        """As the base's, without calling it: this is on the way of every tick."""
        try:
            if self._extension.map.get(event.type) is not CtpbeeApi.on_tick:
                self._extension(event)
        except Exception:  # the edge of an extension's handler
            log.exception("extension %s failed on %s", self._extension.extension_name, event.type)

    def on_realtime(self) -> None:
        try:
            super().on_realtime()
        except Exception:  # the edge of an extension's handler
            log.exception("extension %s failed on timer", self._extension.extension_name)


class Extensions(dict[str, CtpbeeApi]):
    """ctpbee's table of extensions. Who runs through it gets each as a `Called` or `Guarded`, of a copy that
    may change meanwhile.
    """

    def __init__(self, seen_as: type[Called]) -> None:
        super().__init__()
        self._seen_as = seen_as

    def values(self) -> Any:
        seen_as = self._seen_as
        return [seen_as(extension) for extension in super().values()]
