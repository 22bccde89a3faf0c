"""The trader at the terminal: with --guided each check waits for him, and he can give pictures of his own.
Command's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

PICTURES = (".png", ".jpg", ".jpeg")
HEADS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}


class Guide:
    """`is_guided` False: nobody is asked anything."""

    def __init__(
        self,
        is_guided: bool,
        ask: Callable[[str], str] = lambda text: click.prompt(text, default="", show_default=False),
    ) -> None:
        self.is_guided = is_guided
        self._ask = ask

    def wait(self, text: str) -> None:
        """Until he presses Enter."""
        if self.is_guided:
            self._ask(f"{text}，按回车继续")

    def says_yes(self, text: str) -> bool:
        return self.is_guided and self._ask(f"{text}（y 是，回车否）").strip().lower() == "y"

    def picture(self, of: str) -> Path | None:
        """A picture that he has made; None when he has none. One that is no picture is asked for again."""
        while self.is_guided:
            answer = self._ask(
                f"{of}：请给出你自己截图的文件（png、jpg，画面上要有时间），没有则回车"
            ).strip()
            if not answer:
                return None
            path = Path(answer).expanduser()
            if is_picture(path):
                return path
            click.echo(f"{path} 不是能读的 png、jpg 文件", err=True)
        return None


def is_picture(path: Path) -> bool:
    """By what is in it, and by its name."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return False
    return path.suffix.lower() in PICTURES and any(head.startswith(known) for known in HEADS)
