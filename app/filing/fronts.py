"""Whether a front is known to be one for tests: real orders are sent there. Pure.

Known are the dated rows of test_fronts.toml alone. What is in the setting `fronts` is where the owner trades:
it is named in the refusal, and known to be a test front no more than any other.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app.lib.brokers import Brokers, Front
from app.lib.errors import BadInput

FILE = Path(__file__).with_name("test_fronts.toml")


def known_test_hosts(path: Path = FILE) -> dict[str, str]:
    """Host → whose it is."""
    rows = tomllib.loads(path.read_text("utf-8"))["front"]
    return {host: row["name"] for row in rows for host in row["hosts"]}


def check_is_for_tests(front: Front, listed: Mapping[str, str], i_know: bool) -> str:
    """What the front is, in words. Raises BadInput for one that is not known to be for tests, unless somebody
    has said that he knows: then nothing is sent anywhere.
    """
    known = known_test_hosts()
    hosts = {urlsplit(address).hostname or "" for address in (*front.td, *front.md)}
    unknown = sorted(hosts - known.keys())
    if not unknown:
        return "、".join(sorted({known[host] for host in hosts}))
    broker = Brokers(listed).name_of(front)
    if i_know:
        return f"{broker or '、'.join(unknown)}（交易者以 --i-know 声明为测试前置）"
    which = f"，它是设置 fronts 里的 {broker}" if broker else ""
    raise BadInput(
        "td",
        f"不知道 {'、'.join(unknown)} 是不是测试前置{which}：本命令会在那里真的报单、撤单。"
        f"已知的测试前置只有 {'、'.join(sorted(set(known.values())))}；确是期货公司给的测试环境，加 --i-know",
    )
