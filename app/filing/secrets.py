"""What must not be in a pack: passwords, authentication codes, tokens. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "〔已隐去〕"


class Secrets:
    """They are known as they come up; what is written is cleaned of all of them."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        for secret in known:
            self.add(secret)

    def add(self, secret: str) -> None:
        if secret:
            self._known.add(secret)

    def hide(self, text: str) -> str:
        """The text without them. A secret counts where it stands by itself: a password of six digits is no
        reason to blacken the middle of a hash.
        """
        for secret in sorted(self._known, key=len, reverse=True):
            text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])", HIDDEN, text)
        return text

    def found_in(self, text: str) -> bool:
        return self.hide(text) != text
