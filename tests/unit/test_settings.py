"""Where settings come from, what is refused, and that a child gets exactly what its parent has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.lib.errors import SettingsError
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]


def load(config: Path | None = None, environment: dict[str, str] | None = None, **options: Any) -> Settings:
    return Settings.load(
        config, {PREFIX + name: value for name, value in (environment or {}).items()}, **options
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_without_anything_it_serves_this_machine_with_the_built_in_counter() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.interface, settings.is_public) == (
        "127.0.0.1",
        5000,
        "sim",
        False,
    )


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    config = write(tmp_path / "设置 1.toml", "port = 1\nlogin_timeout = 1.5\ntoken_hours = 3")
    settings = load(config, {"PORT": "2", "LOGIN_TIMEOUT": "2.5"}, port="3", host=None)
    assert (settings.port, settings.login_timeout, settings.token_hours) == (3, 2.5, 3.0)


def test_the_environment_may_name_the_file_and_the_command_line_another(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.toml", "port = 1"), write(tmp_path / "b.toml", "port = 2")
    assert load(None, {"CONFIG": str(first)}).port == 1
    assert load(second, {"CONFIG": str(first)}).port == 2


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ({"options": {"port": "abc"}}, "port"),
        ({"options": {"port": 70000}}, "port"),
        ({"options": {"port": -1}}, "port"),
        ({"options": {"interface": "ctpp"}}, "interface"),
        ({"options": {"data_dir": ""}}, "data_dir"),
        ({"environment": {"PROT": "5000"}}, PREFIX + "PROT"),
        ({"environment": {"PUBLIC": "perhaps"}}, "public"),
        ({"environment": {"ORIGINS": "https://a.example, b.example"}}, "origins"),
        ({"environment": {"ORIGINS": "https://a.example/page"}}, "origins"),
        ({"environment": {"FRONTS": "simnow=tcp://a:1"}}, "fronts"),
        ({"file": '[fronts]\nsimnow = { td = "tcp://a:1", md = "a:2" }'}, "fronts 的值"),
        ({"environment": {"MARKET_ORDERS": "SHFE"}}, "market_orders"),
        ({"environment": {"ACCOUNT_GROUPS": "sim-9999-a"}}, "account_groups"),
        ({"environment": {"ACCOUNT_GROUPS": "sim-9999-a+../b"}}, "account_groups"),
        ({"environment": {"ACCOUNT_GROUPS": "sim-9999-a+sim-9999-a"}}, "account_groups"),
        ({"environment": {"MARKET_ORDERS": "SHFE=any, NYSE=any"}}, "market_orders"),
        ({"environment": {"COUNTER_CAPITAL": "nan"}}, "counter_capital"),
        ({"environment": {"COUNTER_CAPITAL": "0"}}, "counter_capital"),
        ({"environment": {"TOKEN_HOURS": "inf"}}, "token_hours"),
        ({"environment": {"COUNTER_CLOCK": "yesterday"}}, "counter_clock"),
        ({"environment": {"COUNTER_CLOCK": "2025-06-06T21:00:00+08:00"}}, "counter_clock"),
        ({"environment": {"COUNTER_QUOTES": "replay"}}, "counter_replay"),
        ({"file": "prot = 5000"}, "prot"),
        ({"file": "[server]\nport = 5000"}, "server"),
        ({"file": "port = "}, "TOML"),
        ({"file": 'origins = "https://a.example"'}, "origins"),
    ],
)
def test_an_unknown_key_or_a_bad_value_is_an_error_that_names_it(
    tmp_path: Path, where: dict[str, Any], named: str
) -> None:
    config = write(tmp_path / "config.toml", where["file"]) if "file" in where else None
    with pytest.raises(SettingsError, match=re.escape(named)):
        load(config, where.get("environment"), **where.get("options", {}))


def test_what_is_wrong_is_said_in_chinese() -> None:
    with pytest.raises(SettingsError, match="^设置项 port 的值 'abc' 不合法：应为整数$"):
        load(port="abc")
    with pytest.raises(SettingsError, match="应不大于 65535$"):
        load(port="65536")
    with pytest.raises(SettingsError, match="应为 'sim', 'ctp' or 'ctp_se' 之一$"):
        load(interface="x")


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    config = tmp_path / "config.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(str(config))):
        load(config)


def test_foreign_environment_variables_do_not_matter() -> None:
    assert Settings.load(None, {"PORT": "1", "CTPBEE_OTHER": "x"}).port == 5000


def test_a_child_gets_exactly_these_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = write(tmp_path / "行情 1.csv", "")
    settings = load(
        data_dir=tmp_path / "数据 目录",
        port=0,
        public=True,
        origins=["https://a.example", "http://10.0.0.1:8080"],
        token_hours=0.1,
        fronts={
            "某期货": {"td": ["tcp://a:1", "tcp://b:2"], "md": "tcp://c:3"},
            "simnow": {"td": "tcp://d:4", "md": "tcp://e:5"},
        },
        counter_quotes="replay",
        counter_replay=replay,
        counter_clock="2025-06-06T21:00:00",
    )
    monkeypatch.setenv(PREFIX + "PORT", "1234")  # what the parent was told otherwise does not reach the child
    monkeypatch.setenv(PREFIX + "CONFIG", "gone.toml")
    monkeypatch.setenv("COUNTER_TEST_SOCKET", "unix:x")
    environment = settings.to_environment()
    assert Settings.load(None, environment) == settings
    assert environment["COUNTER_TEST_SOCKET"] == "unix:x"
    replay.unlink()  # a gateway of a real account, which is started again, has no use for it
    assert Settings.load(None, environment) == settings


def test_paths_are_absolute_since_children_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(data_dir="here").data_dir == tmp_path.resolve() / "here"
    assert load().data_dir == tmp_path.resolve() / "data"
    assert load(None, {"COUNTER_REPLAY": "ticks.csv"}).counter_replay == tmp_path.resolve() / "ticks.csv"
    assert load(None, {"COUNTER_REPLAY": ""}).counter_replay is None


@pytest.mark.parametrize(
    ("host", "public"),
    [("127.0.0.1", False), ("127.0.0.2", False), ("::1", False), ("localhost", False)]
    + [("0.0.0.0", True), ("", True), ("10.0.0.1", True), ("example.com", True)],
)
def test_whatever_is_not_loopback_is_public(host: str, public: bool) -> None:
    assert load(host=host).is_public is public


def test_a_public_server_wants_a_code_of_its_own_and_origins_by_name() -> None:
    with pytest.raises(SettingsError, match="000000"):
        load(public=True, origins=["https://a.example"]).check_public(default_code=True)
    for origins in ([], ["*"]):
        with pytest.raises(SettingsError, match="origins"):
            load(host="0.0.0.0", origins=origins).check_public(default_code=False)
    load(host="0.0.0.0", origins=["https://a.example"]).check_public(default_code=False)
    load().check_public(default_code=True)


def test_a_public_server_for_ctp_lists_its_fronts() -> None:
    public: dict[str, Any] = {"public": True, "origins": ["https://a.example"], "interface": "ctp"}
    with pytest.raises(SettingsError, match="fronts"):
        load(**public).check_public(default_code=False)
    load(environment={"FRONTS": "simnow=tcp://a:1 tcp://b:2"}, **public).check_public(default_code=False)
    load(interface="ctp").check_public(default_code=True)


def test_the_example_file_shows_every_setting_with_its_default() -> None:
    lines = (ROOT / "config.example.toml").read_text("utf-8").splitlines()
    shown = tomllib.loads("\n".join(line[2:] for line in lines if re.match(r"# \w+ = ", line)))
    values = {"data_dir": Path("data")}
    defaults = {
        name: field.get_default(call_default_factory=True, validated_data=values)
        for name, field in Settings.model_fields.items()
    }
    assert shown == {
        name: str(value) if isinstance(value, Path) else "" if value is None else value
        for name, value in defaults.items()
    }


def test_the_reference_s_name_for_the_mongodb_uri_counts_and_ours_goes_before_it(tmp_path: Path) -> None:
    theirs, ours = "mongodb://theirs/", "mongodb://ours/"
    config = tmp_path / "config.toml"
    config.write_text('mongo_uri = "mongodb://file/"')
    assert Settings.load(environment={"MONGO_URI": theirs}).mongo_uri == theirs
    assert Settings.load(config, environment={"MONGO_URI": theirs}).mongo_uri == theirs
    assert (
        Settings.load(environment={"MONGO_URI": theirs, "CTPBEE_BACKEND_MONGO_URI": ours}).mongo_uri == ours
    )
    assert Settings.load(environment={"MONGO_URI": ""}).mongo_uri == ""


def test_a_bad_mongodb_uri_is_refused_and_neither_it_nor_a_good_one_is_shown() -> None:
    with pytest.raises(SettingsError, match="mongo_uri") as caught:
        Settings.load(environment={"MONGO_URI": "http://trader:s3cret@host/"})
    assert "s3cret" not in caught.value.message
    assert "s3cret" not in repr(Settings(mongo_uri="mongodb://trader:s3cret@host/"))
    with pytest.raises(SettingsError, match="mongo_database"):
        Settings.load(environment={}, mongo_database="a.b/c")


@pytest.mark.parametrize(
    ("place", "expected"),
    [("/home/me/.data", "/home/me/.data"), ("", "~/.local/share"), ("relative", "~/.local/share")],
)
def test_an_installed_package_keeps_its_data_in_the_user_s_place_for_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, expected: str
) -> None:
    monkeypatch.setattr("app.lib.program.ROOT", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", place)
    folder = Path(expected).expanduser() / "ctpbee-backend"
    settings = Settings.load(environment={})
    assert (settings.data_dir, settings.strategies_dir) == (folder / "data", folder / "data-strategies")


def test_strategies_lie_beside_the_data_directory_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    assert load(data_dir=str(tmp_path / "数据")).strategies_dir == tmp_path.resolve() / "数据-strategies"
    assert load(strategies_dir="mine").strategies_dir == ROOT / "mine"


# ── commands that messages name ──


def test_a_command_is_named_with_the_file_and_the_data_directory_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "我的 设置.toml", "host = '0.0.0.0'")
    monkeypatch.chdir(tmp_path)
    read = load(Path(file.name), data_dir=Path("data 1"))
    monkeypatch.chdir(ROOT)
    line = f"python3 run.py --config '{file}' --data-dir '{tmp_path}/data 1' auth-code"
    assert read.command("auth-code") == line
    with pytest.raises(SettingsError) as refused:
        read.check_public(default_code=True)
    assert line in refused.value.message


def test_a_command_for_what_is_usual_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load().command("stop") == "python3 run.py stop"
