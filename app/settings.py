"""What can be set, and where it is read from: defaults, then a TOML file, then the environment, then the command line. Any process.

One flat table of keys, the same in all three places: `port = 5000` in the file, `CTPBEE_BACKEND_PORT=5000` in the environment,
`--port 5000` for those that have an option. An unknown key or a bad value is a SettingsError that names it. A process hands
its settings to those it starts by `to_environment()`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.lib.errors import SettingsError

PREFIX = "CTPBEE_BACKEND_"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Settings(BaseModel):
    """All settings, typed. `description` is the settings table of the README."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    host: str = Field("127.0.0.1", description="监听地址；不是回环地址即视为 public")
    port: int = Field(5000, ge=0, le=65535, description="监听端口；0 为任选空闲端口")
    data_dir: Path = Field(Path("data"), description="数据目录：数据库、密钥、日志、运行中进程的登记")
    interface: Literal["sim", "ctp", "ctp_se"] = Field("sim", description="登录未给 interface 时用哪个接口；sim 为内置柜台")
    public: bool = Field(False, description="对外服务：拒绝默认授权码，须写明 origins")
    origins: list[str] = Field([], description="允许跨域的来源；缺省为同源与本机")
    proxies: int = Field(0, ge=0, le=5, description="前面有几层可信反向代理（X-Forwarded-*）")
    async_mode: Literal["eventlet", "gevent", "gevent_uwsgi", "threading"] = Field("eventlet", description="Socket.IO 的运行方式")
    token_hours: float = Field(168.0, gt=0, le=24 * 366, description="令牌有效小时数")
    login_timeout: float = Field(20.0, gt=0, le=600, description="登录时等前置应答的秒数")
    order_timeout: float = Field(3.0, gt=0, le=60, description="下单后等柜台应答的秒数，过后答“未确认”")
    max_body: int = Field(1024 * 1024, ge=1024, description="请求体上限，字节")
    login_per_address: int = Field(20, ge=1, description="每个地址每分钟登录次数上限")
    login_per_account: int = Field(5, ge=1, description="每个账户每 10 分钟密码错误次数上限")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="日志级别")
    counter_capital: float = Field(1_000_000.0, gt=0, le=1e12, description="模拟账户的初始资金，元")
    counter_hours: Literal["always", "exchange"] = Field("always", description="内置柜台的交易时段：全天，或按交易所")
    counter_quotes: Literal["generated", "replay"] = Field("generated", description="内置柜台的行情：生成，或回放 counter_replay")
    counter_seed: int = Field(1, description="生成行情的随机种子")
    counter_replay: Path | None = Field(None, description="要回放的行情文件（CTP 原始 tick、wt tick、1 分钟 K 线 csv，可 .gz）")
    counter_speed: float = Field(1.0, gt=0, le=1e6, description="回放速度，1 为原速")
    counter_clock: str = Field("", description="内置柜台时钟的起点，如 2025-06-06T21:00:00；空为当前时间")

    @property
    def is_public(self) -> bool:
        return self.public or self.host not in LOOPBACK

    @classmethod
    def load(cls, config: Path | None = None, environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
        """The settings in force. `options` are the command line's; None there means not given. Raises SettingsError."""
        values: dict[str, Any] = {}
        if config is not None:
            try:
                values |= tomllib.loads(config.read_text("utf-8"))
            except FileNotFoundError:
                raise SettingsError(f"配置文件不存在：{config}", parameter="config") from None
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise SettingsError(f"配置文件 {config} 不是合法的 TOML：{error}", parameter="config") from None
        for name, text in (os.environ if environment is None else environment).items():
            if name.startswith(PREFIX):
                key = name.removeprefix(PREFIX).lower()
                field = cls.model_fields.get(key)
                if field is None:
                    raise SettingsError(f"不认识的环境变量 {name}", parameter=name)
                values[key] = [part for part in text.split(",") if part] if key == "origins" else text
        values |= {key: value for key, value in options.items() if value is not None}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            reason = "不认识的设置项" if first["type"] == "extra_forbidden" else f"设置项 {key} 的值 {first['input']!r} 不合法：{first['msg']}"
            raise SettingsError(f"{reason}：{key}" if first["type"] == "extra_forbidden" else reason, parameter=key) from None
        return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})

    def to_environment(self) -> dict[str, str]:
        """This environment with these settings in it, for a process that we start."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        for key, value in self.model_dump().items():
            if value is not None:
                environment[PREFIX + key.upper()] = ",".join(value) if isinstance(value, list) else str(value)
        return environment
