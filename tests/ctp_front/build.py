"""Builds the stand-in for CTP's libraries: one shared library, cached below build/ by what it is made of.

It goes before the vendor's libraries by LD_PRELOAD (`environment`), against the headers that the installed
ctpbee_api ships.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "ctp_front"
TD, MD = "tcp://127.0.0.1:41205", "tcp://127.0.0.1:41213"  # no port is opened: the stand-in looks them up
FLAGS = [
    "-std=c++17",
    "-O1",
    "-g",
    "-fPIC",
    "-shared",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-fvisibility=hidden",
]


def headers() -> Path:
    """The vendor's headers. Raises ImportError when ctpbee_api is not installed (`make ctp`)."""
    from importlib.util import find_spec

    spec = find_spec("ctpbee_api")
    if spec is None or spec.origin is None:
        raise ImportError("ctpbee_api is not installed: make ctp")
    return Path(spec.origin).parent / "ctp" / "include" / "new" / "ctp"


def library() -> Path:
    """The shared library, built when its sources, the headers or the compiler's flags have changed. Needs
    g++.
    """
    sources = sorted([*HERE.glob("*.cpp"), *HERE.glob("*.hpp")])
    include = headers()
    digest = hashlib.sha256("\0".join(FLAGS).encode())
    for path in [*sources, *sorted(include.glob("*.h")), Path(__file__)]:
        digest.update(path.read_bytes())
    target = CACHE / digest.hexdigest()[:16] / "libctpfront.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / "not_served.inc").write_text(_not_served(include))
        made = target.with_suffix(f".{os.getpid()}")  # another test run may be building the same one
        units = [str(path) for path in sources if path.suffix == ".cpp"]
        command = ["g++", *FLAGS, "-I", str(target.parent), "-isystem", str(include), *units, "-o", str(made)]
        subprocess.run(command, check=True, timeout=300)
        made.rename(target)
    return target


def environment(
    counter: str | Path, td: str = TD, md: str = MD, queries: int = 1, retry_ms: int = 200
) -> dict[str, str]:
    """What a process needs in its environment so that CTP's fronts `td` and `md` are the counter at this
    address (`unix:/path`).

    `queries`: how many a second and at once in flight, as CTP has it; 0 for no limit. `retry_ms`: between two
    attempts to connect.
    """
    path = Path(str(counter).removeprefix("unix:"))
    front_map = path.parent / "ctp_fronts.map"
    write_map(front_map, {td: path, md: path})
    return {
        "LD_PRELOAD": str(library()),
        "CTP_FRONT_MAP": str(front_map),
        "CTP_FRONT_QUERIES": str(queries),
        "CTP_FRONT_RETRY_MS": str(retry_ms),
    }


def write_map(front_map: Path, fronts: Mapping[str, Path]) -> None:
    """Which front is which socket, from the next attempt to connect on; a front left out cannot be
    reached.
    """
    temporary = front_map.with_suffix(".new")
    temporary.write_text("".join(f"{front} {path}\n" for front, path in fronts.items()))
    temporary.replace(front_map)


def _not_served(include: Path) -> str:
    """The trader's requests that trader.cpp does not implement."""
    header = (include / "ThostFtdcTraderApi.h").read_text("gb18030")
    declared = re.findall(r"virtual int (Req\w+)\((\w+)\s*\*\s*\w+,\s*int nRequestID\)\s*=\s*0;", header)
    served = set(re.findall(r"int (Req\w+)\(", (HERE / "trader.cpp").read_text()))
    return "".join(f"NOT_SERVED({name}, {field})\n" for name, field in declared if name not in served)


if __name__ == "__main__":
    sys.stdout.write(f"{library()}\n")
