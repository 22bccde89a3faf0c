"""docs/errors.md, made of the tables of advice.py: `python -m app.lib.error_page > docs/errors.md`. Pure; a
developer's command.
"""

from __future__ import annotations

import sys

from app.lib.advice import BY_TEXT, COUNTER, LOCKED, OWN
from app.lib.errors import AppError

HEAD = """# 错误码

登录、报单、撤单被拒时，`error` 是下列码之一，`msg` 是柜台或交易所的原文，后面加我们的一句建议；\
报单类的应答另有 `refused_by`：
`us`（本服务，没有发出）、`counter`（柜台）、`exchange`（交易所）。按码判断，不要按文字：各家柜台的措辞与标点不同。

本页由 `app/lib/advice.py` 生成（`.venv/bin/python -m app.lib.error_page > docs/errors.md`），测试会比对。

## 柜台（CTP_编号）

| 码 | 含义 | 见于 | 建议 |
| --- | --- | --- | --- |
"""
LOCK_NOTE = "**锁定，绝不重试。** "
OWN_HEAD = """
## 交易所与本服务

| 码 | 谁 | 含义 |
| --- | --- | --- |
"""
KINDS_HEAD = """
## 其余的类

不属上面任何一种时，`error` 是错误的类：

| 码 | HTTP（真实状态码下） |
| --- | --- |
"""


def _is_listed(kind: type[AppError]) -> bool:
    return kind.__module__ == AppError.__module__ and kind.default_code not in OWN


def page() -> str:
    """The whole page."""
    counter = "".join(
        f"| CTP_{number} | {known.text} | {known.where} | "
        f"{LOCK_NOTE if number in LOCKED else ''}{known.advice} |\n"
        for number, known in COUNTER.items()
    )
    own = "".join(f"| {code} | {BY_TEXT[known.by]} | {known.text} |\n" for code, known in OWN.items())
    kinds = {kind.default_code: kind.status for kind in AppError.kinds.values() if _is_listed(kind)}
    rest = "".join(f"| {code} | {status} |\n" for code, status in sorted(kinds.items()))
    return f"{HEAD}{counter}{OWN_HEAD}{own}{KINDS_HEAD}{rest}"


if __name__ == "__main__":
    sys.stdout.write(page())
