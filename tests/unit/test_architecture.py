"""The house: which room may know which, read from the source; nothing is imported for it.

`ALLOWED` is the whole law of imports. docs/architecture.md prints it, and is held to it here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

# A room is a folder of app/, a folder of one of HOUSES, or a file of app/ that is a room of its own.
# `app` is app/__init__.py, `backtest` what lies in no folder of app/backtest.
ALLOWED: dict[str, set[str]] = {
    # pure, and what everything may use
    "lib": set(),
    "files": set(),
    "settings": {"lib"},
    "logs": {"settings"},
    "data_dir": {"files", "lib"},
    # shared by processes
    "model": {"data_dir", "files", "lib"},
    "wire": {"files", "lib", "logs", "model"},
    "process": {"files", "lib", "settings", "wire"},
    "bee": {"lib", "wire"},
    # the processes
    "counter": {"files", "lib", "logs", "process", "settings", "wire"},
    "workshop": {"lib", "process", "settings"},
    "interfaces": {"bee", "lib", "model", "process", "wire"},
    "default_settings": {"bee", "lib"},
    "gateway": {
        "bee",
        "data_dir",
        "default_settings",
        "interfaces",
        "lib",
        "logs",
        "model",
        "process",
        "settings",
        "wire",
    },
    "strategy": {"bee", "data_dir", "files", "lib", "logs", "process", "settings", "wire"},
    "host": {"data_dir", "files", "lib", "logs", "model", "process", "settings", "wire", "workshop"},
    # a run of the past, from what it runs over to the server's queue
    "backtest/market_data": {"counter", "files", "lib", "wire"},
    "backtest/engine": {
        *("backtest/market_data", "bee", "counter", "gateway", "interfaces", "lib", "strategy", "wire"),
    },
    "backtest/report": {"backtest/engine", "backtest/market_data", "counter", "lib"},
    "backtest/child": {
        *("backtest/engine", "backtest/market_data", "backtest/report"),
        *("counter", "files", "lib", "process", "strategy"),
    },
    "backtest": {"backtest/child", "backtest/engine", "backtest/market_data", "process", "strategy"},
    "backtest/running": {"backtest/engine", "lib", "process", "settings", "strategy", "workshop"},
    "backtest/search": {"backtest/report", "backtest/running", "lib"},
    "backtest/jobs": {
        *(
            "backtest/engine",
            "backtest/market_data",
            "backtest/report",
            "backtest/running",
            "backtest/search",
        ),
        *("counter", "data_dir", "files", "gateway", "lib", "logs", "model", "process", "settings", "wire"),
        "workshop",
    },
    "filing": {"data_dir", "files", "gateway", "host", "lib", "model", "process", "settings", "wire"},
    # the web's
    "web": {"files", "lib", "logs", "model", "settings", "wire"},
    "global_var": {"model", "settings", "web", "workshop"},
    "auth": {"global_var", "lib"},
    "ext": {"settings", "web"},
    "views": {"auth", "ext", "global_var", "lib", "logs", "model", "web", "wire"},
    "app": {"ext", "model", "settings", "views", "web", "workshop"},
    # the commands, which start all of it
    "commands": {
        *(
            "app",
            *("backtest/engine", "backtest/jobs", "backtest/market_data", "backtest/report"),
            *("backtest/running", "backtest/search"),
            "counter",
            "data_dir",
            "ext",
            "files",
            "filing",
            "gateway",
            "host",
            "interfaces",
            "lib",
            "logs",
            "model",
        ),
        *("process", "settings", "web", "wire", "workshop"),
    },
    "run": {"commands"},
}

HOUSES = {"backtest"}  # folders whose folders are rooms; what lies directly in one is a room too
FLASK = {"flask", "flask_socketio", "flask_cors", "flask_limiter", "werkzeug", "socketio", "engineio"}
GREEN = {"eventlet", "gevent"}
OF_THE_WEB = {"app", "auth", "commands", "ext", "global_var", "run", "views", "web"}
NATIVE = {"ctpbee_api"}
CLUSTER = {"dask", "distributed"}  # of those alone who have set up a cluster
LONGEST = 60  # lines of a function

FILES = [ROOT / "run.py", *sorted(APP.rglob("*.py"))]


@cache
def parsed(path: Path) -> ast.Module:
    """Its tree, which nobody changes."""
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


def called(call: ast.Call) -> str:
    """The last name of what is called: `c` of `a.b.c()`."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@cache
def imported(path: Path, only_at_import: bool = False) -> tuple[str, ...]:
    """The modules that a file imports, relative ones resolved; those for type checkers too. An import is a
    statement: expressions are not looked into.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = ".".join(package[: len(package) - child.level + 1]) if child.level else ""
                module = ".".join(part for part in (base, child.module or "") if part)
                yield module
                yield from (f"{module}.{alias.name}" for alias in child.names)
            elif not isinstance(child, ast.expr) and not (only_at_import and is_for_later(child)):
                yield from walk(child)

    return tuple(walk(parsed(path)))


def is_for_later(node: ast.AST) -> bool:
    """Whether what stands there is not run by the import of its module."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


@cache
def room_of(path: Path) -> str:
    if path == ROOT / "run.py":
        return "run"
    first, *further = path.relative_to(APP).with_suffix("").parts
    if first in HOUSES and len(further) > 1:
        return f"{first}/{further[0]}"
    return "app" if first == "__init__" else first


ROOMS = {room_of(path) for path in FILES}


def rooms_in(names: Iterable[str]) -> set[str]:
    """The rooms of the imported modules: `app.lib.book` is lib, `app.create_app` is app."""
    found = set()
    for name in names:
        head, _, rest = name.partition(".")
        if head == "run":
            found.add("run")
        elif head == "app" and rest:
            first, second, *_ = *rest.split("."), ""
            inner = f"{first}/{second}"
            found.add(inner if inner in ROOMS else first if first in ROOMS else "app")
    return found


def sentence(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_is_in_the_table_and_the_table_names_no_other() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms == set(ALLOWED)
    assert set.union(*ALLOWED.values()) <= set(ALLOWED)


def test_the_architectures_page_prints_the_table() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    printed = page.partition("<!-- ALLOWED -->\n")[2].partition("<!-- /ALLOWED -->")[0]
    rows = "".join(
        f"| `{room}` | {' '.join(f'`{other}`' for other in sorted(knows)) or '—'} |\n"
        for room, knows in ALLOWED.items()
    )
    table = f"| 模块 | 可以 import |\n| --- | --- |\n{rows}"
    assert printed == table, f"between its markers docs/architecture.md should have:\n{table}"


def test_no_room_knows_one_that_knows_it() -> None:
    assert list(TopologicalSorter(ALLOWED).static_order()), "a CycleError names the circle"


@pytest.mark.parametrize("path", FILES, ids=sentence)
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    room = room_of(path)
    assert rooms_in(imported(path)) - {room} <= ALLOWED[room]


def test_the_wire_has_one_client_which_looks_at_the_protocols_version() -> None:
    def connects(path: Path) -> bool:
        calls = (node for node in nodes(path) if isinstance(node, ast.Call))
        return any(called(call).endswith("RpcClient") for call in calls)

    assert [path for path in FILES if connects(path)] == [APP / "wire/peer.py"]


@pytest.mark.parametrize("name", ["accounts", "holdings", "orders", "refusals", "statement"])
def test_what_helps_the_counters_core_takes_values_and_does_not_know_the_core(name: str) -> None:
    assert "app.counter.core" not in set(imported(APP / f"counter/{name}.py"))


def test_no_room_holds_more_than_a_fifth() -> None:
    lines: dict[str, int] = {}
    for path in FILES:
        lines[room_of(path)] = lines.get(room_of(path), 0) + len(path.read_text("utf-8").splitlines())
    total = sum(lines.values())
    assert {room: count for room, count in lines.items() if count > total / 5} == {}


@pytest.mark.parametrize(
    ("path", "name", "most"), [("host/host.py", "Host", 150), ("gateway/gateway.py", "Gateway", 200)]
)
def test_what_assembles_and_dispatches_does_nothing_else(path: str, name: str, most: int) -> None:
    tree = parsed(APP / path)
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    assert (found.end_lineno or 0) - found.lineno < most


def long_functions() -> Iterator[str]:
    """`file:function` of those that have over 60 lines and do not say why on the line of their `def`."""
    for path in FILES:
        lines = path.read_text("utf-8").splitlines()
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                head = "".join(lines[node.lineno - 1 : node.body[0].lineno])
                if (node.end_lineno or 0) - node.lineno >= LONGEST and "# long: " not in head:
                    yield f"{sentence(path)}:{node.name}"


def test_no_function_has_more_than_sixty_lines_without_saying_why() -> None:
    assert set(long_functions()) == set()


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) not in OF_THE_WEB], ids=sentence)
def test_no_process_but_the_web_knows_flask_or_green_threads(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported(path)} & (FLASK | GREEN)


def test_the_package_itself_imports_nothing_heavy_since_gateways_import_it_too() -> None:
    assert set(imported(APP / "__init__.py", only_at_import=True)) <= {
        "__future__",
        "__future__.annotations",
        "typing",
        "typing.TYPE_CHECKING",
    }


def test_next_to_nothing_is_imported_before_the_web_is_patched() -> None:
    before = [
        ROOT / "run.py",
        *(APP / f"commands/{name}.py" for name in ("__init__", "main", "common", "web")),
    ]
    before += [APP / "lib/__init__.py", APP / "lib/errors.py", APP / "lib/program.py"]
    names = {name for path in before for name in imported(path, only_at_import=True)}
    assert {name.partition(".")[0] for name in names} - {"__future__"} <= {
        *("app", "click", "collections", "contextlib", "importlib", "os", "pathlib", "shlex", "sys", "typing")
    }
    ours = {
        f"app.{path.relative_to(APP).with_suffix('').as_posix().replace('/', '.')}" for path in before[1:]
    }
    modules = {name for name in names if name.startswith("app.") and name.rpartition(".")[0] not in ours}
    assert modules <= ours
    assert not set(imported(APP / "web/__init__.py")), "async_mode comes before everything else of the web"
    assert set(imported(APP / "web/async_mode.py", only_at_import=True)) <= {
        "__future__",
        "__future__.annotations",
        "os",
        "tomllib",
        "pathlib",
        "pathlib.Path",
    }


@pytest.mark.parametrize("path", FILES[1:], ids=sentence)
def test_no_module_prints_and_the_native_part_is_never_needed_at_import(path: Path) -> None:
    calls = [node.func for node in nodes(path) if isinstance(node, ast.Call)]
    assert not [
        function.lineno for function in calls if isinstance(function, ast.Name) and function.id == "print"
    ]
    assert not {name.partition(".")[0] for name in imported(path, only_at_import=True)} & (NATIVE | CLUSTER)


@pytest.mark.parametrize("path", FILES, ids=sentence)
def test_every_module_says_what_lives_there(path: Path) -> None:
    text = ast.get_docstring(parsed(path)) or ""
    assert re.search(r"process|pure|child", text, re.I), (
        "a module's first lines say what lives there and which process runs it"
    )
