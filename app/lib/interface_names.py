"""The interfaces by their names: what a login may say. `ctp_se` is what older pages send for `ctp`. Pure."""

from __future__ import annotations

from importlib.util import find_spec

from app.lib.errors import BadInput

CTP_INTERFACES = ("ctp", "ctp_se")


def check_interface(name: str) -> None:
    """Raises BadInput for an interface that nobody knows; code INTERFACE_UNAVAILABLE for one that is not
    served here.
    """
    if name == "sim":
        return
    if name not in CTP_INTERFACES:
        raise BadInput("interface", f"不认识的接口 {name!r}：可用 sim, {', '.join(CTP_INTERFACES)}")
    if find_spec("ctpbee_api") is None:
        message = f"接口 {name} 需要 ctpbee_api，本机没有安装：请先执行 make ctp"
        raise BadInput("interface", message, code="INTERFACE_UNAVAILABLE")
