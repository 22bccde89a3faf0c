"""Logging an account out, whoever asks for it. Web process, inside an authenticated request."""

from __future__ import annotations

from app import ext
from app.global_var import G
from app.lib.errors import NotFound


def log_out(account: str, by: str = "") -> str:
    """Ends the account's gateway and every token of it; `by`: who does so by force, and why. Returns what
    became of its orders, in words.
    """
    try:
        working = G.gateways.log_out(account, by).working_orders
    except NotFound:
        working = 0  # its gateway has gone before; the tokens are still to be ended
    G.tokens.revoke_account(account)
    ext.disconnect_account(account)
    if working < 0:
        return "未成交委托仍然有效，笔数未知"
    return f"{working} 笔未成交委托仍然有效" if working else "没有未成交委托"
