"""What a refusal says, who said it, and what a trader can do about it, by code (docs/domain.md, Error ids).
Pure; any process.

Texts differ between counters in wording and punctuation: match the id, show the counter's own text, add our
line. docs/errors.md is made of these tables: `python -m app.lib.error_page`.
"""

from __future__ import annotations

from typing import NamedTuple

LOGIN, ORDER, CANCEL, QUERY, ANY = "登录", "报单", "撤单", "查询", "各处"


class Known(NamedTuple):
    """Of one of the counter's ids: our words where it sends none, what is refused with it, and our line."""

    text: str
    where: str
    advice: str


COUNTER: dict[int, Known] = {
    1: Known("柜台未同步，请稍后再试", LOGIN, "柜台正在同步数据，请稍后再试"),
    2: Known("会话信息不一致", LOGIN, "与密码无关；登录过的账户会自动再试"),
    3: Known("不合法的登录：用户名或密码错误", LOGIN, "请核对用户名和密码；多次输错账户会被锁定"),
    4: Known("用户不活跃", LOGIN, "与密码无关；登录过的账户会自动再试"),
    5: Known("重复的登录", LOGIN, "前置还没有收到柜台对上一次登录的答复；登录过的账户会自动再试"),
    6: Known("还没有登录", ANY, "会话已失效，请等待重新登录"),
    7: Known("柜台还没有初始化，请稍后再试", LOGIN, "柜台还没有初始化（结算中或未开市），请稍后再试"),
    8: Known("前置不活跃", LOGIN, "交易前置不活跃，请稍后再试或更换前置"),
    9: Known("无权限", ANY, "账户没有此项权限，请联系期货公司"),
    12: Known("找不到该经纪公司", LOGIN, "请核对期货公司编号"),
    13: Known("找不到该投资者", LOGIN, "请核对投资者代码"),
    15: Known("报单字段有误", ORDER, "请检查价格、手数、类型等字段"),
    16: Known("找不到合约", ORDER, "请检查合约代码和交易所"),
    17: Known("合约不能交易", ORDER, "该合约当前不能交易，请看交易时段和到期日"),
    20: Known("未在该交易所开户", ORDER, "账户未在该交易所开户，请联系期货公司"),
    21: Known("席位未连接到交易所", ORDER, "柜台与交易所断开，请稍后再试"),
    22: Known("不允许重复报单", ORDER, "报单引用重复，请重新下单"),
    24: Known("撤单已报送，不允许重复撤单", CANCEL, "撤单已在途中，请等待结果"),
    25: Known("撤单找不到相应报单", CANCEL, "柜台没有这张报单，请刷新委托列表"),
    26: Known("报单已全成交或已撤销，不能再撤", CANCEL, "报单已经结束，无需再撤"),
    27: Known("不支持的功能", ANY, "柜台不支持该功能"),
    28: Known("没有报单交易权限", ANY, "账户没有此项权限，请联系期货公司"),
    29: Known("只能平仓", ORDER, "该合约或账户只能平仓"),
    30: Known("平仓量超过持仓量", ORDER, "可平手数不足，请检查持仓和冻结"),
    31: Known("资金不足", ORDER, "可用资金不足，请减少手数、撤掉挂单或入金"),
    35: Known("柜台未同步，请稍后再试", LOGIN, "柜台正在同步数据，请稍后再试"),
    40: Known("报单过于频繁，被流控", ANY, "报单过快，请放慢"),
    41: Known("报单过于频繁，被流控", ANY, "报单过快，请放慢"),
    42: Known("结算结果未确认", ORDER, "请先确认结算单"),
    49: Known("不合法的登录 IP 地址", LOGIN, "本机 IP 不在许可范围内，请联系期货公司"),
    50: Known("平今仓位不足", ORDER, "今仓可平不足，请改用平昨或减少手数"),
    51: Known("平昨仓位不足", ORDER, "昨仓可平不足，请改用平今或减少手数"),
    57: Known("动态令牌错误", LOGIN, "动态令牌不正确，请核对"),
    60: Known("用户在线会话超出上限", LOGIN, "登录会话数已到上限，请退出其他终端"),
    63: Known("客户端认证失败", LOGIN, "客户端认证失败，请核对 appid 和 auth_code"),
    64: Known("客户端认证失败", LOGIN, "客户端认证失败，请核对 appid 和 auth_code"),
    75: Known(
        "连续登录失败次数超限，登录被禁止", LOGIN, "登录失败次数过多，账户已被锁定，请联系期货公司，不要再试"
    ),
    78: Known("发送失败", ANY, "发送失败，请检查网络后核对委托列表"),
    79: Known("发送失败", ANY, "发送失败，请检查网络后核对委托列表"),
    80: Known("交易所不支持的价格类型", ORDER, "该交易所不支持此价格类型，请改用限价"),
    90: Known("查询未就绪，请稍后再试", QUERY, "柜台查询未就绪，请稍后再试"),
    91: Known("交易所返回的错误", ORDER, "交易所拒绝，原因见原文"),
    95: Known("不支持的价格", ORDER, "该品种不支持此价格，请改用限价"),
    101: Known("没有相应的交易权限", ANY, "账户没有此项权限，请联系期货公司"),
    106: Known("超出持仓限额", ORDER, "超过持仓限额"),
    116: Known("报单过于频繁，被流控", ORDER, "报单过快，请放慢"),
    131: Known("必须先修改密码", LOGIN, "须先修改密码才能登录"),
    140: Known("必须先修改密码", LOGIN, "须先修改密码才能登录"),
    141: Known("必须先修改密码", LOGIN, "须先修改密码才能登录"),
    142: Known("新旧密码不能相同", LOGIN, "新密码不能与旧密码相同"),
    143: Known("登录 IP 被禁止", LOGIN, "IP 已被禁止，请联系期货公司，不要再试"),
    144: Known("登录 IP 被禁止", LOGIN, "IP 已被禁止，请联系期货公司，不要再试"),
    145: Known("终端没有认证权限", LOGIN, "终端没有认证权限，请联系期货公司"),
    147: Known("交易所代码有误", ORDER, "请检查交易所代码"),
    148: Known("交易所代码有误", ORDER, "请检查交易所代码"),
    150: Known("交易所代码有误", ORDER, "请检查交易所代码"),
    154: Known("查询忙，请稍后再试", QUERY, "柜台忙，请稍后再试"),
    157: Known("该交易所不支持撤销未知单", CANCEL, "交易所尚未确认这张报单，请稍后再撤"),
    3039: Known("API 版本与前置不符", LOGIN, "API 版本与前置不符"),
    4040: Known("API 版本与前置不符", LOGIN, "API 版本与前置不符"),
    4042: Known("客户端未授权", LOGIN, "终端授权不正确，请联系期货公司"),
    4043: Known("客户端未授权", LOGIN, "终端授权不正确，请联系期货公司"),
    4060: Known("认证失败次数过多", LOGIN, "认证失败次数过多，已被锁定，请联系期货公司，不要再试"),
    5002: Known("系统忙", LOGIN, "柜台忙；登录过的账户会自动再试"),
}

LOCKED = {75, 143, 144, 4060}
"""Lock-outs of the account or the address: never tried again, and our own limit of attempts comes before
them.
"""


class Own(NamedTuple):
    """Of a code that is not the counter's: who refuses with it, and what it means."""

    by: str
    text: str


US, EXCHANGE, COUNTER_SIDE = "us", "exchange", "counter"
BY_TEXT = {US: "本服务", EXCHANGE: "交易所", COUNTER_SIDE: "柜台"}

OWN: dict[str, Own] = {
    "EXCHANGE_REJECT": Own(
        EXCHANGE, "交易所拒绝，原因是回报里的状态信息（StatusMsg）：价格越界、不合最小变动价位、时段不对等"
    ),
    "NEVER_ARRIVED": Own(
        COUNTER_SIDE,
        "发出后断线，重新登录后两次查询都没有它，也没有同样的：没有到达，或到达时被拒；可以重新下单",
    ),
    "ORDER_ALIKE": Own(
        COUNTER_SIDE,
        "发出后没有回音，柜台没有这个编号的，却有一张同样的：可能就是它（清流重启后编号会变）；勿重复下单",
    ),
    "ORDER_FORGOTTEN": Own(
        COUNTER_SIDE, "柜台受理过，重新登录后两次查询都没有：结局不明，不再冻结；请向期货公司核对，勿重复下单"
    ),
    "ENDED_WITH_DAY": Own(
        US,
        "换交易日时还没有回音，新交易日的两次查询都没有它：已随其交易日结束，不会再成交；当日是否成交过，"
        "请核对持仓",
    ),
    "NEVER_SENT": Own(US, "与前置的连接已断开，报单没有发出"),
    "NEVER_SENT_NETWORK": Own(US, "CTP 库答 -1：网络连接失败，没有发出"),
    "NEVER_SENT_UNANSWERED": Own(US, "CTP 库答 -2：未答复的请求已到上限，没有发出；稍后再试"),
    "NEVER_SENT_TOO_FAST": Own(US, "CTP 库答 -3：每秒请求数已到上限，没有发出；放慢"),
    "NEVER_SENT_TOO_LATE": Own(
        US, "网关停顿或过忙，轮到这张报单时已过时限（2 秒），没有发出；请看过行情再下，换一个 client_order_id"
    ),
    "LOADING": Own(US, "刚登录，账户正在载入，还读不到列表；几秒后再试"),
    "NOT_READY": Own(US, "交易前置未就绪（断线、载入、休市，原因写在文字里），没有发出"),
    "JOURNAL_FAILED": Own(US, "报单日志写不进磁盘，没有发出"),
    "NOT_TRADABLE": Own(US, "合约不在交易（已到期、未上市），或是期权、套利合约，没有发出"),
    "NO_MARKET_ORDERS": Own(
        US, "这个交易所没有市价单，没有发出：改用限价，或设置 `market_orders`（docs/ctp.md）"
    ),
    "UNKNOWN_SYMBOL": Own(US, "合约表里没有这个合约，没有发出"),
    "ORDER_NOT_FOUND": Own(US, "本账户当日没有这张报单，撤单没有发出"),
    "ORDER_ENDED": Own(US, "要撤的报单已经结束（全部成交、已撤销、拒单、已触发），撤单没有发出"),
    "CLIENT_ORDER_ID_REUSED": Own(
        US,
        "client_order_id 已用于另一张报单 order_id，或在以前的交易日用过（trading_day 是那天，end 是结局），"
        "或已作废，没有发出；请换一个编号",
    ),
    "CLOSABLE_EXCEEDED": Own(US, "平仓手数超过可平，没有发出"),
    "NO_LAST_PRICE": Own(US, "没有买卖盘，也没有最新价，定不出平仓价，没有发出：请自己报限价"),
    "NO_FRESH_PRICE": Own(
        US, "没有这个合约当日的行情，没有发出：行情前置就绪、合约已订阅并收到行情之后再试，或自己报限价"
    ),
    "STRATEGY_LIMIT": Own(US, "超出 PUT /strategy/limits 给策略的限制，没有发出"),
    "RISK_HALTED": Own(US, "账户或策略暂停交易（谁、何时、为何在文字里），没有发出；撤单照常"),
    "RISK_REDUCE_ONLY": Own(US, "账户或策略只可平仓，开仓没有发出；平仓与撤单照常"),
    "RISK_SELF_TRADE": Own(US, "会与自己的挂单成交（自成交），没有发出：先撤那一张，或改价"),
    "RISK_DUPLICATE": Own(US, "一秒内相同的报单太多（重复报单），没有发出；规则 repeat"),
    "RISK_LIMIT": Own(US, "风控规则的数已到上限，开仓没有发出；平仓与撤单照常"),
    "RISK_ORDER": Own(US, "这一笔超过风控规则的手数、价值或价格偏离，没有发出"),
    "RISK_FLOW": Own(US, "按流控规则排队，到时限还轮不到，或已撤回，没有发出"),
    "FRONT_UNREACHABLE": Own(US, "限定时间内前置没有应答：核对地址与网络，`python3 run.py doctor` 可试连"),
    "OUT_OF_HOURS": Own(US, "不在交易时段，前置不可用：网关留着，到点自动登录"),
    "FRONT_ADDRESS": Own(US, "前置地址不是 tcp://主机:端口（几个用逗号隔开）"),
    "FIELD_TOO_LONG": Own(US, "登录的某一项比 CTP 的字段长"),
    "AUTH_FIELDS": Own(US, "appid 与 auth_code 只给了一个"),
    "FLOW_DIRECTORY": Own(US, "流文件目录不能写"),
    "LOCALE_MISSING": Own(US, "系统没有 zh_CN.GB18030"),
    "VENDOR_LIBRARY": Own(US, "CTP 的库缺失或是空文件"),
    "INTERFACE_UNAVAILABLE": Own(US, "没有安装 ctpbee_api（`make ctp`），或这个接口没有此项功能"),
    "PASSWORD_DIFFERS": Own(US, "账户已登录，密码与登录时不同"),
    "FRONT_DIFFERS": Own(US, "账户已登录在另一组前置上，请先注销"),
    "FRONT_NOT_LISTED": Own(US, "这组前置不在本服务的名单（设置 `fronts`）里，没有连接它"),
    "FRONT_NOT_ALLOWED": Own(
        US, "账户以前登录的是另一组前置，没有连接这一组：确要换，在服务器上 `python3 run.py fronts allow`"
    ),
    "FRONTS_UNSET": Own(US, "对外服务没有写明可登录的期货公司前置（设置 `fronts`），没有连接任何前置"),
    "ACCOUNT_KEY_TAKEN": Own(US, "另一账户正以同一个旧名字的目录登录，没有连接前置；等它登录完再试"),
    "AUTH_CODE_UNSET": Own(US, "对外服务还没有授权码：在服务器上 `python3 run.py auth-code`"),
    "AUTH_CODE_BY_COMMAND": Own(US, "对外服务的授权码不能从网页修改：在服务器上 `python3 run.py auth-code`"),
    "NO_SETTLEMENT": Own(COUNTER_SIDE, "柜台没有（这一天的）结算单"),
    "HOST_DOWN": Own(US, "网关管理进程没有应答；稍后再试"),
    "GATEWAY_FAILED": Own(US, "账户的网关没能启动，原因在它的日志里"),
    "GATEWAY_FROZEN": Own(
        US,
        "网关停顿或过忙，几秒没有应答（状态 frozen）：报单、平仓没有交给它，没有发出；恢复后再试。撤单照交",
    ),
    "GATEWAY_TIMEOUT": Own(US, "网关没有在限定时间内应答：读列表可再试，报单与撤单先核对委托列表"),
    "COUNTER_FAILED": Own(US, "内置柜台没能启动，原因在日志 counter 里"),
    "BAD_JSON": Own(US, "请求体不是一个 JSON 对象"),
    "TOO_MANY_FIELDS": Own(US, "表单的字段太多"),
    "BAD_CODE": Own(US, "策略代码有错，不能启动；`line` 是行号"),
    "NO_NAME": Own(US, "策略代码里 ext 的第一个参数不是文字"),
    "UNKNOWN_STRATEGY": Own(US, "没有这个策略"),
    "UNKNOWN_VERSION": Own(US, "策略没有这个版本"),
    "STRATEGY_NOT_STARTED": Own(US, "策略的进程起不来，原因在文字里"),
    "CODE_NOT_WRITTEN": Own(US, "策略文件写不进磁盘，没有保存"),
    "UNREADABLE_FILE": Own(US, "策略文件读不出来"),
    "TOO_MANY_STRATEGIES": Own(US, "账户自己的策略，或同时运行的，已到上限 `max_strategies`"),
    "SHARED_STRATEGY": Own(US, "共享的策略各账户都能运行，只能由管理员在服务器上删除；要改，存一份自己的"),
    "STRATEGIES_OFF": Own(
        US, "这里不运行策略：设置如此，或须隔离而没有可用的 bubblewrap（docs/strategies.md）"
    ),
    "NOT_THIS_STRATEGY": Own(US, "有进程以一个策略的名义连接网关，而密钥不对"),
    "NOT_FOR_STRATEGIES": Own(US, "策略的连接只能订阅、报单、撤单、查自己的报单与写日志"),
    "UNSAFE_FILE": Own(US, "策略文件不是策略目录里的普通文件"),
}
"""Codes of our own. What belongs to one route alone may stand in docs/api.md instead."""


def counter_text(error_id: int) -> str:
    """Our own words for one of the counter's ids, where it sends none."""
    known = COUNTER.get(error_id)
    return known.text if known is not None else f"柜台返回错误 {error_id}"


def advice_of(code: str) -> str:
    """Our line for `CTP_31` or `31`; "" where we have nothing to add."""
    number = code.removeprefix("CTP_")
    known = COUNTER.get(int(number)) if number.isdecimal() else None
    return known.advice if known is not None else ""


def refused_by(code: str) -> str:
    """Who said no: `counter`, `exchange`, or `us`, in which case nothing was sent."""
    if code.startswith("CTP_"):
        return COUNTER_SIDE
    own = OWN.get(code)
    return own.by if own is not None else US


def error_id_of(code: str) -> str:
    """The counter's own id, `31` of `CTP_31`; "" for a code of ours or the exchange's, which has none."""
    number = code.removeprefix("CTP_")
    return number if number != code and number.isdecimal() else ""


def refusal_text(code: str, text: str) -> str:
    """The counter's own text with our line behind it, when there is one."""
    advice = advice_of(code)
    text = text.strip() or f"柜台拒绝（{code}）"
    return f"{text}。{advice}" if advice and advice not in text else text
