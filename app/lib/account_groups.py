"""Which accounts of this server belong together, as the administrator has named them. Pure; settings and
gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,120}")


def account_groups(rows: Iterable[str]) -> list[tuple[str, ...]]:
    """The setting's rows, `sim-9999-a+sim-9999-b`. Raises ValueError for what is none."""
    groups = []
    for row in rows:
        accounts = tuple(part.strip() for part in row.split("+"))
        if len(accounts) < 2 or not all(_ACCOUNT.fullmatch(account) for account in accounts):
            raise ValueError(f"{row!r} 应形如 sim-9999-a+sim-9999-b：至少两个账户，名字同 accounts/ 下的目录")
        if len(set(accounts)) < len(accounts):
            raise ValueError(f"{row!r} 里同一个账户写了两次")
        groups.append(accounts)
    return groups


def members_beside(account: str, rows: Iterable[str]) -> list[str]:
    """All others that are in a group with this account."""
    together = {other for group in account_groups(rows) if account in group for other in group}
    return sorted(together - {account})
