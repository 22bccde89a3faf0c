"""What can be set, and where it is read from: defaults, then a TOML file, then the environment, then the
command line. Any process.

One flat table of keys, the same in all three places: `port = 5000` in the file, `CTPBEE_BACKEND_PORT=5000` in
the environment, `--port 5000` for those that have an option. The file is the one given, or the one that
`CTPBEE_BACKEND_CONFIG` names. An unknown key or a bad value is a SettingsError that names it. A process hands
its settings to those it starts by `to_environment()`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from app.lib import thresholds
from app.lib.account_groups import account_groups
from app.lib.brokers import listed
from app.lib.errors import SettingsError
from app.lib.market_orders import market_orders
from app.lib.program import ROOT, command, is_checkout

PREFIX = "CTPBEE_BACKEND_"
CONFIG = PREFIX + "CONFIG"  # the one name in the environment that is not a setting: where the file is
LISTS = (
    "origins",
    "account_groups",
    "market_orders",
    "strategy_paths",
)  # settings of several values: in the environment they stand with commas between
FRONTS_UNSET = (
    "须写明可登录的期货公司前置（设置 fronts，见 docs/ctp.md）：前置由登录的人任填，"
    "就能用他自己的前置冒充别人的账户"
)
MONGO = "MONGO_URI"  # the reference's name for mongo_uri, which goes before it


def _usual_data_dir() -> Path:
    """`data` in a checkout; where the package is installed, the user's place for data (the XDG base directory
    specification).
    """
    if is_checkout():
        return Path("data")
    place = os.environ.get("XDG_DATA_HOME", "")
    return (Path(place) if place.startswith("/") else Path("~/.local/share")) / "ctpbee-backend" / "data"


def usual_strategies_dir(data_dir: Path) -> Path:
    """Beside the data directory and named after it: what cleans a checkout or replaces an installed package
    leaves it alone, and two data directories in one folder do not share their traders' strategies.
    """
    return data_dir.with_name(f"{data_dir.name}-strategies")


class Settings(BaseModel):
    """All settings, typed. `description` is the settings table of the README."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    host: str = Field("127.0.0.1", description="监听地址；不是回环地址即视为 public")
    port: int = Field(5000, ge=0, le=65535, description="监听端口；0 为任选空闲端口")
    instance: int = Field(
        0, ge=0, le=99, description="几个网页进程同用一个数据目录时各自的编号；0 为唯一的一个"
    )
    data_dir: Path = Field(
        default_factory=_usual_data_dir,
        validate_default=True,
        description="数据目录：数据库、密钥、日志、运行中进程的登记",
    )
    strategies_dir: Path = Field(
        default_factory=lambda values: usual_strategies_dir(values["data_dir"]),
        validate_default=True,
        description="策略文件的目录；缺省为 <数据目录>-strategies，在它旁边；相对路径从本项目的目录算起",
    )
    strategy_memory: int = Field(
        1024,
        ge=64,
        le=1024 * 1024,
        description="每个策略（含它的子进程）的内存上限，MB；超过即结束并标为异常",
    )
    strategies: Literal["auto", "contained", "uncontained", "off"] = Field(
        "auto",
        description="策略怎样运行：auto 为有 bubblewrap 就隔离运行，没有时 public 不运行、否则不隔离；见 "
        "docs/strategies.md",
    )
    strategy_network: Literal["auto", "on", "off"] = Field(
        "auto", description="隔离运行的策略能否访问网络；auto 为 public 时、集群用 tcp:// 时不能，否则能"
    )
    strategy_paths: list[Path] = Field(
        [], description="隔离运行的策略还可以读哪些目录与文件；缺省只有系统的、Python 的与它自己的"
    )
    max_strategies: int = Field(
        50, ge=1, le=1000, description="每个账户至多多少个自己的策略；同时运行的也至多这么多"
    )
    backtest_jobs: int = Field(
        1, ge=0, le=64, description="同时跑几个回测（各一个进程，优先级低于交易）；0 为本服务不回测"
    )
    backtest_memory: int = Field(
        1024, ge=128, le=1024 * 1024, description="每个回测进程的内存上限，MB；超过即结束并标为失败"
    )
    backtest_minutes: int = Field(
        720, ge=1, le=60 * 24 * 30, description="一次回测至多跑多少分钟，有进展也算；搜索里的每一次各算各的"
    )
    backtest_kept: int = Field(
        100, ge=1, le=10_000, description="每个账户至多留多少个回测的结果，合计至多 1 GB；超出时先删最旧的"
    )
    backtest_files: Path | None = Field(
        None, description="回测可用的行情文件的目录；空为数据目录里的 backtest/files"
    )
    backtest_scheduler: str = Field(
        "",
        description="把回测分到一个 Dask 集群（docs/cluster.md），如 tls://10.0.0.5:8786；空为在本机",
    )
    backtest_tls: Path | None = Field(
        None, description="集群的证书所在的目录：ca.pem、cert.pem、key.pem；tls:// 必须写"
    )
    run_code: bool = Field(True, description="提供 /run_code：在沙箱里试运行贴进来的代码；public 时总是关闭")
    interface: Literal["sim", "ctp", "ctp_se"] = Field(
        "sim", description="登录未给 interface 时用哪个接口；sim 为内置柜台"
    )
    public: bool = Field(False, description="对外服务：拒绝默认授权码，须写明 origins")
    fronts: dict[str, str] = Field(
        {},
        description="可登录的期货公司前置，按名字（见 docs/ctp.md）；写了就只能登录这些，public 而用 CTP "
        "时必须写；空为不限",
    )
    origins: list[str] = Field(
        [], description="允许跨域的来源；空为同源与本机，写了就只有同源与所写的（要本机的也须写上）"
    )
    proxies: int = Field(0, ge=0, le=5, description="前面有几层可信反向代理（X-Forwarded-*）")
    async_mode: Literal["eventlet", "gevent", "gevent_uwsgi", "threading"] = Field(
        "eventlet", description="Socket.IO 的运行方式"
    )
    journal_days: int = Field(400, ge=0, le=36500, description="报单、成交与事件流水保留多少天；0 为一直保留")
    equity_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="权益曲线每分钟一点的保留多少个交易日；0 为一直保留；每日一点的总是保留",
    )
    record_ticks: bool = Field(
        False, description="录下各账户收到的每一笔行情，按交易日，供回测与回放；见 docs/replay.md"
    )
    record_ticks_days: int = Field(30, ge=0, le=3650, description="录下的行情保留多少个交易日；0 为一直保留")
    record_ticks_mb: int = Field(
        5000, ge=0, le=10_000_000, description="每个账户录下的行情至多多少 MB，多了删去最早的；0 为不限"
    )
    token_hours: float = Field(168.0, gt=0, le=24 * 366, description="令牌有效小时数")
    login_timeout: float = Field(20.0, gt=0, le=600, description="登录时等前置应答的秒数")
    order_timeout: float = Field(3.0, gt=0, le=60, description="下单后等柜台应答的秒数，过后答“未确认”")
    mongo_uri: str = Field(
        "", repr=False, description="MongoDB 的连接串，也可写在环境变量 MONGO_URI；空为 SQLite"
    )
    mongo_database: str = Field(
        "ctpbee_backend", min_length=1, max_length=38, description="MongoDB 的库名；每个数据目录一个"
    )
    calendar_file: Path | None = Field(
        None, description="交易日历的更正（TOML，见 docs/ctp.md）；改了几秒内生效"
    )
    risk_thresholds: Path | None = Field(
        None,
        description="交易所异常交易标准、申报费等数字的更正（TOML，见 docs/api.md 风控）；重新登录后生效",
    )
    account_groups: list[str] = Field(
        [],
        description="同一实际控制的账户，一组一项，如 sim-9999-a+sim-9999-b：彼此的报单不会成交（docs/api.md "
        "风控）；重新登录后生效",
    )
    ctp_query_interval: float = Field(
        1.0, ge=0, le=60, description="CTP 两次查询之间的秒数（前置一般每秒只受理一次）"
    )
    ctp_hours: Literal["exchange", "always"] = Field(
        "exchange",
        description="CTP 何时在线：按交易日历在交易时段前后在线，或一直在线（如 SimNow 的 7×24 前置）",
    )
    market_orders: list[str] = Field(
        [], description="市价单的写法与缺省不同的交易所，如 SHFE=any（见 docs/ctp.md）；空为都用缺省"
    )
    settlement_confirm: bool = Field(
        True, description="CTP 登录后自动确认结算单；false 则须 POST /settlement，之前报单被拒（42）"
    )
    max_body: int = Field(1024 * 1024, ge=1024, description="请求体上限，字节")
    login_per_address: int = Field(20, ge=1, description="每个地址每分钟登录次数上限")
    login_per_account: int = Field(
        5, ge=1, description="每个账户在每个地址每 10 分钟密码错误次数上限；近 30 天没有登录过的地址合计两倍"
    )
    max_accounts: int = Field(
        20, ge=1, le=10_000, description="同时登录的账户数上限，真实的与模拟的合计；每个是一个约 60 MB 的进程"
    )
    max_paper_accounts: int = Field(10, ge=0, le=10_000, description="其中模拟账户的上限")
    paper_idle_hours: float = Field(
        12.0,
        ge=0,
        le=24 * 366,
        description="模拟账户无人过问（页面、请求）且无持仓、挂单、运行中的策略，多少小时后登出；0 为不登出",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="日志级别")
    log_format: Literal["text", "json"] = Field("text", description="日志的每一行：文字，或一个 JSON 对象")
    log_to: Literal["files", "stdout"] = Field(
        "files", description="日志写到数据目录的轮转文件，或各进程的标准输出"
    )
    metrics_token: str = Field("", description="取 /metrics 要出示的 Bearer 令牌；空为只许本机直接取")
    counter_capital: float = Field(1_000_000.0, gt=0, le=1e12, description="模拟账户的初始资金，元")
    counter_hours: Literal["always", "exchange"] = Field(
        "always", description="内置柜台的交易时段：全天，或按交易所"
    )
    counter_quotes: Literal["generated", "replay"] = Field(
        "generated", description="内置柜台的行情：生成，或回放 counter_replay"
    )
    counter_seed: int = Field(1, description="生成行情的随机种子")
    counter_replay: Path | None = Field(
        None, description="要回放的行情文件：tick 或 1 分钟 K 线，格式见 docs/replay.md"
    )
    counter_speed: float = Field(1.0, gt=0, le=1e6, description="回放速度，1 为原速")
    counter_clock: str = Field("", description="内置柜台时钟的起点，如 2025-06-06T21:00:00；空为当前时间")

    # Paths are made absolute, since the processes that get these settings run in another directory.

    _config: Path | None = PrivateAttr(None)  # the file that was read for them, in this process

    @field_validator("data_dir")
    @classmethod
    def _a_data_dir_is_absolute(cls, path: Path) -> Path:
        if path == Path():
            raise ValueError("不能为空")
        return path.expanduser().resolve()

    @field_validator("strategies_dir")
    @classmethod
    def _strategies_are_the_projects(cls, path: Path) -> Path:
        if path == Path():
            raise ValueError("不能为空")
        return (ROOT / path.expanduser() if is_checkout() else path.expanduser()).resolve()

    @field_validator("strategy_paths")
    @classmethod
    def _what_strategies_may_read_is_absolute(cls, paths: list[Path]) -> list[Path]:
        absolute = [path.expanduser() for path in paths]
        if not all(path.is_absolute() for path in absolute):
            raise ValueError("应为绝对路径")
        return absolute

    @field_validator("counter_replay", "calendar_file", "risk_thresholds", "backtest_files", "backtest_tls")
    @classmethod
    def _a_file_is_absolute(cls, path: Path | None) -> Path | None:
        return None if path is None or path == Path() else path.expanduser().resolve()

    @model_validator(mode="after")
    def _a_replay_needs_its_file(self) -> Settings:
        """Whether the file is there is asked where it is read: the gateway of a real account has these
        settings too.
        """
        if self.counter_quotes == "replay" and self.counter_replay is None:
            raise ValueError("回放需要 counter_replay 指明行情文件，现在是空")
        return self

    @model_validator(mode="after")
    def _a_cluster_is_reached_safely(self) -> Settings:
        """Who reaches a scheduler without TLS runs code on all of its machines."""
        if self.backtest_scheduler:
            problem = scheduler_problem(self.backtest_scheduler, self.backtest_tls)
            if problem:
                raise ValueError(f"backtest_scheduler {problem}，现在是 {self.backtest_scheduler!r}")
        return self

    @field_validator("risk_thresholds")
    @classmethod
    def _thresholds_can_be_read(cls, path: Path | None) -> Path | None:
        if path is not None:
            thresholds.load(path)
        return path

    @field_validator("origins")
    @classmethod
    def _an_origin_is_scheme_and_host(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if origin != "*" and (
                parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query
            ):
                raise ValueError(f"{origin!r} 应形如 https://example.com 或 http://192.168.1.5:8080")
        return origins

    @field_validator("fronts", mode="before")
    @classmethod
    def _fronts_are_brokers_by_name(cls, value: Any) -> dict[str, str]:
        return listed(value)

    @field_validator("market_orders")
    @classmethod
    def _a_market_order_is_said_in_a_known_way(cls, rows: list[str]) -> list[str]:
        market_orders(rows)
        return rows

    @field_validator("account_groups")
    @classmethod
    def _a_group_is_of_accounts(cls, rows: list[str]) -> list[str]:
        account_groups(rows)
        return rows

    @field_validator("mongo_uri")
    @classmethod
    def _a_mongo_uri_has_its_scheme(cls, uri: str) -> str:
        if uri and not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("应形如 mongodb://用户:密码@主机:27017/")
        return uri

    @field_validator("mongo_database")
    @classmethod
    def _a_database_has_a_plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError("只能有字母、数字、_ 与 -")
        return name

    @field_validator("counter_clock")
    @classmethod
    def _a_clock_is_naive_exchange_time(cls, text: str) -> str:
        if text and datetime.fromisoformat(text).tzinfo is not None:
            raise ValueError("写交易所时间，不带时区")
        return text

    @property
    def is_public(self) -> bool:
        """Whether more than this machine can reach the server."""
        return self.public or not _is_loopback(self.host)

    @property
    def web_name(self) -> str:
        """What the web of these settings is called in the registry, its lock and its log file."""
        return f"web-{self.instance}" if self.instance else "web"

    def check_public(self, default_code: bool) -> None:
        """Refuse to serve others unsafely. `default_code`: whether the authorization code is still the
        documented one.
        """
        if not self.is_public:
            return
        if default_code:
            raise SettingsError(
                f"对外服务不能使用默认授权码 000000：请先运行 {self.command('auth-code')} 修改，"
                "或只监听 127.0.0.1",
                parameter="public",
            )
        if not self.origins or "*" in self.origins:
            raise SettingsError(
                '对外服务须写明允许的网页来源，如 origins = ["https://example.com"]', parameter="origins"
            )
        if self.interface != "sim" and not self.fronts:
            raise SettingsError(f"对外服务而用 CTP，{FRONTS_UNSET}", parameter="fronts")

    @classmethod
    def load(
        cls, config: Path | None = None, environment: Mapping[str, str] | None = None, **options: Any
    ) -> Settings:
        """The settings in force. `options` are the command line's; None there means not given. Raises
        SettingsError.
        """
        environment = os.environ if environment is None else environment
        if config is None and environment.get(CONFIG):
            config = Path(environment[CONFIG])
        values = cls._from_file(config) if config is not None else {}
        if environment.get(MONGO):
            values["mongo_uri"] = environment[MONGO]
        for name, text in environment.items():
            if name.startswith(PREFIX) and name != CONFIG:
                key = name.removeprefix(PREFIX).lower()
                if key not in cls.model_fields:
                    raise SettingsError(f"不认识的环境变量 {name}", parameter=name)
                values[key] = (
                    [part.strip() for part in text.split(",") if part.strip()] if key in LISTS else text
                )
        values |= {key: value for key, value in options.items() if value is not None}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                raise SettingsError(f"不认识的设置项 {key}", parameter=key) from None
            shown = "" if key == "mongo_uri" else f" {first['input']!r} "  # a password may stand in it
            where = f"设置项 {key} 的值{shown}不合法：" if key else ""
            raise SettingsError(where + _reason(first), parameter=key or "counter_replay") from None
        settings._config = config.expanduser().resolve() if config is not None else None
        return settings

    @staticmethod
    def _from_file(config: Path) -> dict[str, Any]:
        try:
            return tomllib.loads(config.expanduser().read_text("utf-8"))
        except FileNotFoundError:
            raise SettingsError(f"配置文件不存在：{config}", parameter="config") from None
        except OSError as error:
            raise SettingsError(f"配置文件 {config} 无法读取：{error.strerror}", parameter="config") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"配置文件 {config} 不是合法的 TOML：{error}", parameter="config") from None

    def to_environment(self) -> dict[str, str]:
        """This environment with these settings in it, for a process that we start."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        for key, value in self.model_dump().items():
            if value is not None:
                environment[PREFIX + key.upper()] = _as_text(value)
        return environment

    def command(self, rest: str) -> str:
        """A command of this program as it is typed for these settings: with their file and data directory.
        For the terminal and the log alone: it says where things lie on this machine.
        """
        given = [f"--config {shlex.quote(str(self._config))}"] if self._config is not None else []
        if self.data_dir != _usual_data_dir().expanduser().resolve():
            given.append(f"--data-dir {shlex.quote(str(self.data_dir))}")
        return command(" ".join([*given, rest]))


_REASONS = {
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "int_from_float": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "string_type": "应为文字",
    "list_type": "应为列表",
    "literal_error": "应为 {expected} 之一",
    "string_too_short": "不能为空",
    "string_too_long": "至多 {max_length} 个字符",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than_equal": "应不大于 {le}",
}


def _as_text(value: Any) -> str:
    """A value as the environment has it."""
    if isinstance(value, dict):
        return ";".join(f"{name}={text}" for name, text in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _reason(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":  # what our own validators say
        return str(context["error"])
    return _REASONS.get(error["type"], error["msg"]).format(**context)


def scheduler_problem(address: str, tls: Path | None) -> str:
    """What is wrong with a cluster's address, and the folder of its certificates; empty when nothing is."""
    parts = urlsplit(address)
    try:
        is_whole = bool(parts.hostname) and bool(parts.port) and not (parts.path or parts.query)
    except ValueError:
        is_whole = False
    if parts.scheme not in ("tls", "tcp") or not is_whole:
        return "应形如 tls://10.0.0.5:8786"
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname or ""):
        return "不是本机的只能用 tls://：tcp:// 没有验证，谁连得上谁就能在集群的机器上运行代码"
    if parts.scheme == "tls" and tls is None:
        return "用 tls:// 时要写 backtest_tls，证书所在的目录"
    missing = [name for name in ("ca.pem", "cert.pem", "key.pem") if tls and not (tls / name).is_file()]
    if parts.scheme == "tls" and missing:
        return f"的证书目录 {tls} 里没有 {'、'.join(missing)}"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
