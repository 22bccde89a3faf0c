"""What is said once everything runs: where it is, what to do next, and what was found running already. The
supervisor's process.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from app.commands.common import to_stop
from app.lib.calendar import SHANGHAI
from app.lib.program import version
from app.settings import Settings
from app.wire.registry import Entry

SHOWN_LATER = ("host", "port", "interface")  # of the settings those that one is likely to give anew


def greeting(
    settings: Settings, address: str, default_code: bool, with_page: bool, now: datetime
) -> Iterator[str]:
    """The block, line by line. `address`: where the web is; `with_page`: whether there is a page to open;
    `now`: aware.
    """
    moment = now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    code = "000000" if default_code else "授权码"
    who = "-d userid=demo -d password=my-secret"
    who += "" if settings.interface == "sim" else " -d interface=sim"
    yield f"ctpbee_backend {version()} 已启动，{moment}（北京时间，UTC+8）"
    yield f"  地址    {address}"
    if with_page:
        yield f"  打开    {address}/ 在浏览器里登录、看盘、交易；接口说明在 {address}/docs"
        yield "  或者    不用网页：登录内置柜台，得到令牌（模拟账户：用户与密码任意，首次登录即建立）："
    else:
        yield f"  打开    {address}/readyz 在浏览器里看各部分是否就绪；网页还没有构建，见 {address}/"
        yield "  下一步  登录内置柜台，得到令牌（模拟账户：用户与密码任意，首次登录即建立）："
    yield f"          curl -s {address}/login -d authorization={code} {who}"
    yield "          然后订阅、下单、接入前端：README.md"
    yield f"  数据    {settings.data_dir}"
    if settings.log_to == "files":
        yield f"  日志    {settings.data_dir / 'logs'}（警告也显示在这里）"
    yield f"  停止    Ctrl-C；在别的终端：{to_stop(settings)}"
    if default_code:
        yield f"  授权码是缺省的 000000，可用 {settings.command('auth-code')} 修改"


def taken_over(settings: Settings, found: list[Entry]) -> Iterator[str]:
    """About processes that an earlier start left running, and what of the settings is not for them."""
    if not found:
        return
    web = next((entry for entry in found if entry.kind == "web"), None)
    yield "接管了仍在运行的：" + named(found) + (f"；网页服务仍在 {web.address}" if web is not None else "")
    given = "、".join(f"{name} = {getattr(settings, name)}" for name in _without_effect(settings, web))
    yield (
        f"它们仍按各自启动时的设置运行{f'，这次给的 {given} 没有用上' if given else ''}；"
        f"要换设置，先停止（{to_stop(settings)}），再启动"
    )


def named(entries: list[Entry]) -> str:
    return "、".join(f"{entry.name}（pid {entry.pid}）" for entry in entries)


def _without_effect(settings: Settings, web: Entry | None) -> list[str]:
    """The settings that were given, and that what runs does not have, as far as it can be told."""
    given = settings.model_fields_set
    if web is None:
        return [name for name in ("interface",) if name in given]
    host, _, port = web.bound.rpartition(":")
    same = {name for name, runs in (("host", host), ("port", port)) if str(getattr(settings, name)) == runs}
    same |= {"port"} if settings.port == 0 else set()  # any would do
    return [name for name in SHOWN_LATER if name in given and name not in same]
