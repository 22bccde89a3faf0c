"""benchmarks/: what they start is there. Their figures are nobody's here."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_every_part_that_a_benchmark_starts_is_a_module_that_is_there() -> None:
    named = {
        (path.name, str(call.args[0].value))
        for path in FOLDER.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Part.module"
        if isinstance(call.args[0], ast.Constant)
    }
    assert len(named) > 5
    assert {
        (who, name) for who, name in named if not (FOLDER / f"{name.replace('.', '/')}.py").exists()
    } == set()
