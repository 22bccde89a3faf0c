"""Imports point inward, and only the web knows the web: read from the source, nothing is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
CORE = ("gateway", "counter", "lib", "model", "strategy")
WEB = {
    "flask",
    "flask_socketio",
    "flask_cors",
    "flask_limiter",
    "werkzeug",
    "socketio",
    "engineio",
    "eventlet",
    "gevent",
}
NATIVE = {"ctpbee_api"}


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((APP / folder).rglob("*.py"))]
    assert found
    return found


def imported(path: Path, only_at_import: bool = False) -> Iterator[str]:
    """The modules that a file imports, relative ones resolved; those for type checkers alone are left out."""
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
            elif (
                isinstance(child, ast.If)
                and "TYPE_CHECKING" in ast.dump(child.test)
                or only_at_import
                and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            ):
                continue
            else:
                yield from walk(child)

    yield from walk(ast.parse(path.read_text("utf-8")))


def of_ours(names: Iterator[str]) -> set[str]:
    """What of `app` is imported, by its first part: `views`, `lib`, `settings`…"""
    return {name.split(".")[1] for name in names if name.startswith("app.")}


def sentence(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(*CORE), ids=sentence)
def test_no_process_but_the_web_knows_flask_or_green_threads(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported(path)} & WEB


@pytest.mark.parametrize("path", modules("lib"), ids=sentence)
def test_lib_imports_nothing_of_the_layers_around_it(path: Path) -> None:
    names = [name for name in imported(path) if name.startswith("app.")]
    assert {name for name in names if not name.startswith("app.lib")} <= {
        "app.model.store",
        "app.model.store.Bar",
    }  # a plain tuple


@pytest.mark.parametrize("path", modules("model"), ids=sentence)
def test_the_store_imports_nothing_but_lib(path: Path) -> None:
    assert of_ours(imported(path)) <= {"lib", "model"}


@pytest.mark.parametrize("path", modules("counter"), ids=sentence)
def test_the_counter_knows_of_the_gateway_only_how_to_speak_and_be_found(path: Path) -> None:
    seen = {name for name in imported(path) if name.startswith("app.gateway.")}
    assert {".".join(name.split(".")[:3]) for name in seen} <= {"app.wire.channel", "app.wire.registry"}
    assert not of_ours(imported(path)) & {"views", "ext", "auth", "global_var"}


@pytest.mark.parametrize("path", modules("gateway"), ids=sentence)
def test_the_gateway_knows_nothing_of_the_web_and_of_the_counter_only_its_words(path: Path) -> None:
    names = list(imported(path))
    assert not of_ours(iter(names)) & {
        "views",
        "ext",
        "auth",
        "global_var",
        "push",
        "sockets",
        "engine",
        "supervisor",
    }
    assert {".".join(name.split(".")[:3]) for name in names if name.startswith("app.counter.")} <= {
        "app.wire.frames"
    }


@pytest.mark.parametrize("path", modules("views"), ids=sentence)
def test_views_reach_the_gateways_through_the_client_and_its_messages_alone(path: Path) -> None:
    seen = {".".join(name.split(".")[:3]) for name in imported(path) if name.startswith("app.gateway.")}
    assert seen <= {"app.web.gateways", "app.wire.messages", "app.wire.registry"}


def test_the_package_itself_imports_nothing_heavy_since_gateways_import_it_too() -> None:
    assert set(imported(APP / "__init__.py", only_at_import=True)) <= {
        "__future__",
        "__future__.annotations",
        "typing",
        "typing.TYPE_CHECKING",
    }


def test_run_py_imports_next_to_nothing_before_the_web_is_patched() -> None:
    heads = {name.partition(".")[0] for name in imported(ROOT / "run.py", only_at_import=True)}
    assert heads <= {"__future__", "collections", "contextlib", "pathlib", "sys", "typing", "click", "app"}
    assert of_ours(imported(ROOT / "run.py", only_at_import=True)) == {"lib"}
    assert set(imported(APP / "async_mode.py", only_at_import=True)) <= {
        "__future__",
        "__future__.annotations",
        "os",
        "tomllib",
        "pathlib",
        "pathlib.Path",
    }


@pytest.mark.parametrize("path", sorted(APP.rglob("*.py")), ids=sentence)
def test_no_module_prints_and_the_native_part_is_never_needed_at_import(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [
        function.lineno for function in calls if isinstance(function, ast.Name) and function.id == "print"
    ]
    assert not {name.partition(".")[0] for name in imported(path, only_at_import=True)} & NATIVE


@pytest.mark.parametrize("path", sorted(APP.rglob("*.py")), ids=sentence)
def test_every_module_says_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), (
        "a module's first lines say what lives there and which process runs it"
    )
