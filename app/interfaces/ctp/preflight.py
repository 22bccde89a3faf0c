"""What has to be right before the vendor's library is called, each with its remedy. Gateway process, and
`run.py doctor`.

The library and its binding do not say what they lack: without the locale the first Chinese text ends the
process, an empty library file does so at import, a text that is too long overwrites memory.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from app.lib import fronts

LOCALE = "zh_CN.GB18030"
LIBRARIES = ("libthosttraderapi_se.so", "libthostmduserapi_se.so")
LONGEST = {"brokerid": 10, "userid": 15, "password": 40, "new_password": 40, "appid": 32, "auth_code": 16}
"""Bytes that the library's fields hold: the binding copies without looking."""
WORDS = {
    "brokerid": "期货公司编号",
    "userid": "投资者代码",
    "password": "密码",
    "new_password": "新密码",
    "appid": "appid",
    "auth_code": "auth_code",
}


class Finding(NamedTuple):
    """The result of one check; `problem` is "" where all is well."""

    name: str
    detail: str
    problem: str = ""
    remedy: str = ""
    code: str = ""


def of_this_machine() -> Iterator[Finding]:
    """Binding, vendor libraries, locale."""
    yield _binding()
    yield from _libraries()
    yield _locale()


def of_login(info: dict[str, Any]) -> Iterator[Finding]:
    """The account's front, addresses, lengths, authentication, flow directory. `info` as BackendApp has
    it.
    """
    if info.get("barred"):
        yield Finding(
            "前置", "", "账户以前登录的是另一组前置，没有连接这一组", info["barred"], "FRONT_NOT_ALLOWED"
        )
    for side, word in (("td", "交易前置"), ("md", "行情前置")):
        yield from (address(word, part) for part in fronts.split(info[f"{side}_address"]))
    for name, longest in LONGEST.items():
        if len(info.get(name, "").encode()) > longest:
            yield Finding(
                WORDS[name], "", f"超过 {longest} 字节", "请核对：CTP 的这一项没有这么长", "FIELD_TOO_LONG"
            )
    if bool(info["auth_code"]) != bool(info["appid"]):
        missing = "appid" if info["auth_code"] else "auth_code"
        yield Finding(
            "终端认证",
            "",
            f"缺少 {missing}",
            "appid 与 auth_code 须一并给出（向期货公司申请），或都不给",
            "AUTH_FIELDS",
        )
    yield writable(Path(info["flow_dir"]))


def of_loading(load: Callable[[], object]) -> Iterator[Finding]:
    """Whether the binding and the libraries that it is bound to can be loaded: made for another Python, they
    cannot.
    """
    try:
        load()
    except (ImportError, OSError) as error:
        yield Finding("ctpbee_api", "", f"载入失败：{error}", "请重新执行 make ctp", "VENDOR_LIBRARY")


def first_problem(info: dict[str, Any], load: Callable[[], object] = lambda: None) -> Finding | None:
    """What keeps this login from being tried, if anything. `load` loads the binding; it is called once all
    else is well.
    """
    findings: list[Callable[[], Iterator[Finding]]] = [
        lambda: of_login(info),
        of_this_machine,
        lambda: of_loading(load),
    ]
    return next((finding for source in findings for finding in source() if finding.problem), None)


def has_locale() -> bool:
    """Whether the C library knows the locale that the binding decodes text with. Nothing is changed by
    asking.
    """
    if sys.platform == "win32":
        return True
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    library.newlocale.restype = ctypes.c_void_p
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.freelocale.argtypes = (ctypes.c_void_p,)
    locale = library.newlocale(1 << 0, LOCALE.encode(), None)  # LC_CTYPE_MASK
    if locale:
        library.freelocale(locale)
    return bool(locale)


def _locale() -> Finding:
    if has_locale():
        return Finding("locale", LOCALE)
    remedy = f"Debian/Ubuntu：apt-get install locales && localedef -i zh_CN -f GB18030 {LOCALE}"
    return Finding("locale", "", f"系统没有 {LOCALE}，ctpbee_api 解码中文时会崩溃", remedy, "LOCALE_MISSING")


def _folder() -> Path | None:
    spec = find_spec("ctpbee_api")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "ctp"


def _binding() -> Finding:
    folder = _folder()
    if folder is None:
        return Finding("ctpbee_api", "", "没有安装", "请执行 make ctp", "INTERFACE_UNAVAILABLE")
    for name in ("vnctptd", "vnctpmd"):
        if not any(folder.glob(f"{name}*.so")) and not any(folder.glob(f"{name}*.pyd")):
            return Finding("ctpbee_api", str(folder), f"缺少 {name}", "请重新执行 make ctp", "VENDOR_LIBRARY")
    return Finding("ctpbee_api", str(folder))


def _libraries() -> Iterator[Finding]:
    folder = _folder()
    if folder is None or sys.platform != "linux":
        return
    for name in LIBRARIES:
        path = folder / name
        if not path.is_file() or path.stat().st_size == 0:
            problem = "是空文件" if path.is_file() else "不存在"
            yield Finding(
                name,
                str(path),
                problem,
                "请重新执行 make ctp；ctp_mini 的行情库在 ctpbee_api 0.48 中就是空的",
                "VENDOR_LIBRARY",
            )
        else:
            yield Finding(name, f"{path.stat().st_size} 字节")


def address(word: str, text: str) -> Finding:
    """Whether this is a front's address; `word` says which front's."""
    if fronts.is_address(text):
        return Finding(word, text)
    return Finding(word, text, f"地址 {text!r} 不合规", f"应形如 {fronts.EXAMPLE}", "FRONT_ADDRESS")


def writable(folder: Path, name: str = "流文件目录") -> Finding:
    """Whether files can be made there; the folder is made where it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        remedy = f"请让运行服务的用户（uid {os.getuid()}）能写它" if hasattr(os, "getuid") else "请改权限"
        return Finding(name, str(folder), f"不能写：{error.strerror}", remedy, "FLOW_DIRECTORY")
    return Finding(name, str(folder))
