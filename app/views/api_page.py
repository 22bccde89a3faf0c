"""The table of parameters in docs/api.md, made of the views' models: `.venv/bin/python -m app.views.api_page`
writes it anew between its two marks. A developer's command, a process of its own.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from app.views.openapi import Operation, Parameter, bare_app, operations

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
BEGIN = "<!-- 以下由 .venv/bin/python -m app.views.api_page 生成，测试会比对 -->\n"
END = "<!-- 以上由 .venv/bin/python -m app.views.api_page 生成 -->\n"
HEAD = "| 路由 | 参数 | 值 | 说明 |\n| --- | --- | --- | --- |\n"


def table() -> str:
    """A line for each parameter; methods of a route that take the same share theirs."""
    lines = []
    with_parameters = [one for one in operations(bare_app()) if one.parameters]
    for (path, _takes), same in groupby(with_parameters, key=lambda one: (one.path, one.description.takes)):
        route = list(same)
        for at, parameter in enumerate(route[0].parameters):
            lines.append(_line("" if at else _name(route, path), parameter))
    return HEAD + "".join(lines)


def page(text: str) -> str:
    """The document with the table anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def _name(route: list[Operation], path: str) -> str:
    return f"{', '.join(one.method for one in route)} {path}"


def _line(route: str, parameter: Parameter) -> str:
    name = f"`{parameter.name}`{'（必填）' if parameter.required else ''}"
    return f"| {route} | {name} | {_value(parameter)} | {parameter.what} |\n"


def _value(parameter: Parameter) -> str:
    """What it may be, in words."""
    schema = parameter.schema
    default = schema.get("default")
    behind = f"，缺省 {default:g}" if isinstance(default, int) and default else ""
    if isinstance(default, str):
        behind = f"，缺省 {default}"
    if "enum" in schema:
        return " ".join(f"`{word}`" for word in schema["enum"]) + behind
    if schema["type"] == "boolean":
        return "1 或 0"
    if schema["type"] == "string":
        if "examples" in schema:
            return f"形如 `{schema['examples'][0]}`"
        least = schema.get("minLength", 0)
        return f"文字，{f'{least} 至' if least > 1 else '最多'} {schema['maxLength']} 字"
    if schema["type"] == "object":
        return "JSON 对象"
    if schema["type"] == "array":
        return f"对象的列表，至多 {schema['maxItems']} 个"
    kind = "整数" if schema["type"] == "integer" else "数字"
    if "exclusiveMinimum" in schema:
        return f"{kind}，大于 {schema['exclusiveMinimum']:g}，最大 {schema['maximum']:.17g}{behind}"
    return f"{kind}，{schema['minimum']:.17g} 至 {schema['maximum']:.17g}{behind}"


if __name__ == "__main__":
    DOCUMENT.write_text(page(DOCUMENT.read_text("utf-8")), "utf-8")
