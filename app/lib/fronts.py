"""The addresses of a side's fronts as users write them: one, or several with commas between. Pure; any
process.
"""

from __future__ import annotations

import re

PATTERN = r"tcp://[A-Za-z0-9.\-]{1,253}:[0-9]{1,5}"
EXAMPLE = "tcp://180.168.146.187:10201，可以有几个，用逗号隔开"
LONGEST = 1000  # characters of the whole list
_PORT = re.compile(PATTERN.replace("[0-9]{1,5}", "([0-9]{1,5})"), re.ASCII)


def split(text: str) -> list[str]:
    """The parts of a list, whatever they are, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",")))


def is_address(text: str) -> bool:
    """Whether it is one front's address."""
    match = _PORT.fullmatch(text)
    return match is not None and 0 < int(match[1]) < 65536
