"""/openapi.json: what this server understands, for people and programs. Web process; as a command, without a
server: `.venv/bin/python -m app.views.openapi` writes it to its output.

Nothing is said here: it walks the routes, and what each says of itself (described.py), with the models of
their parameters and the shapes of their answers. The description has no secrets and no names of accounts, so
it is open, and it is the one answer without the envelope: tools read it as it stands.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import msgspec
import orjson
from flask import Blueprint, Flask, Response, current_app
from pydantic.json_schema import GenerateJsonSchema

from app import views
from app.lib.program import version
from app.views.described import Description, described
from app.views.envelope import ours
from app.views.parameters import Request
from app.views.pushed import SocketEvents

Schema = dict[str, Any]

blueprint = Blueprint("openapi", __name__)


class Parameter(NamedTuple):
    """One parameter, wherever it stands: query string, form field or member of a JSON body."""

    name: str
    schema: Schema
    what: str
    required: bool


class Operation(NamedTuple):
    """One method of one route."""

    method: str
    path: str
    description: Description
    open: bool
    """Without a token."""

    @property
    def parameters(self) -> list[Parameter]:
        return parameters_of(self.description.takes) if self.description.takes else []


class _Untitled(GenerateJsonSchema):
    """Without a title that repeats the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def parameters_of(model: type[Request]) -> list[Parameter]:
    """A model's fields, in their order."""
    described = model.model_json_schema(schema_generator=_Untitled)
    required = described.get("required", [])
    found = []
    for name, schema in described.get("properties", {}).items():
        what = schema.pop("description")
        if schema.get("default") in (None, "", []):
            schema.pop("default", None)
        if name in required and schema["type"] == "string" and not {"pattern", "enum"} & set(schema):
            schema = {"minLength": 1} | schema
        found.append(Parameter(name, schema, what, name in required))
    return found


def bare_app() -> Flask:
    """Nothing but the routes, to be walked."""
    app = Flask(__name__, static_folder=None)
    views.register(app)
    return app


def operations(app: Flask) -> list[Operation]:
    """All that is served, in the order of the routes, but the page's files, which are for its browser."""
    found = []
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        if not hasattr(view, "description"):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            needs_token = getattr(view, "needs_token", False)
            found.append(Operation(method, rule.rule, view.description, not needs_token))
    return found


ENVELOPE = {
    "type": "object",
    "required": ["success", "msg", "data"],
    "properties": {
        "success": {"type": "boolean"},
        "msg": {"type": "string", "description": "给人看的话"},
        "data": {"description": "失败时为空文字"},
        "error": {
            "type": "string",
            "description": "失败或存疑时的机器码，如 CTP_31、BAD_INPUT、ORDER_STATE_UNKNOWN",
        },
        "parameter": {"type": "string", "description": "哪个参数有误"},
    },
}
DESCRIPTION = (
    "参数可放查询串、表单或 JSON 体，同名；数字与真假也可写成文字；多余的忽略，同一个写两次算错。"
    "令牌以 Authorization: Bearer 出示时用真实状态码；"
    "以 Authorization: JWT 出示时，以及 /login，除 404、405、413、500 外一律 200，看 success。"
)
TAG = "kind"  # of app/wire/messages.py
REF = "#/components/schemas/{name}"


def document(app: Flask) -> Schema:
    """The OpenAPI document."""
    served = operations(app)
    shapes = {SocketEvents} | {
        shape
        for one in served
        for shape in (*one.description.data, one.description.added)
        if shape is not None
    }
    schemas, components = msgspec.json.schema_components(shapes, ref_template=REF)
    of_shape = dict(zip(shapes, schemas, strict=True))
    for name, schema in components.items():
        if schema["properties"].get(TAG) == {"enum": [name]}:  # the wire's own have its tag
            del schema["properties"][TAG]
            schema["required"] = [one for one in schema["required"] if one != TAG]
    paths: dict[str, Schema] = {}
    for one in served:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, of_shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ctpbee_backend", "version": version(), "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {"Envelope": ENVELOPE} | components,
            "securitySchemes": {
                "Bearer": {"type": "http", "scheme": "bearer"},
                "JWT": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "JWT <token>，原页面的写法",
                },
            },
        },
    }


def _operation(one: Operation, of_shape: dict[Any, Schema]) -> Schema:
    described: Schema = {
        "summary": one.description.summary,
        "operationId": f"{one.method.lower()}{one.path.replace('/', '_').replace('.', '_')}",
        "responses": {"200": _answer(one.description, of_shape), "default": _envelope({}, "失败")},
        "security": [] if one.open else [{"Bearer": []}, {"JWT": []}],
    }
    parameters = one.parameters
    if one.method in ("POST", "PUT") and parameters:
        required = [parameter.name for parameter in parameters if parameter.required]
        properties = {
            parameter.name: parameter.schema | {"description": parameter.what} for parameter in parameters
        }
        schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        content = {
            kind: {"schema": schema} for kind in ("application/json", "application/x-www-form-urlencoded")
        }
        described["requestBody"] = {"required": bool(required), "content": content}
    elif parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": "query",
                "required": parameter.required,
                "description": parameter.what,
                "schema": parameter.schema,
            }
            for parameter in parameters
        ]
    return described


def _answer(description: Description, of_shape: dict[Any, Schema]) -> Schema:
    if description.bare:
        schema = {"type": "object" if description.bare == "application/json" else "string"}
        return {"description": "不套统一响应", "content": {description.bare: {"schema": schema}}}
    data = [of_shape[shape] for shape in description.data]
    added = of_shape[description.added] if description.added is not None else None
    return _envelope({"data": data[0] if len(data) == 1 else {"anyOf": data}}, "成功", added)


def _envelope(properties: Schema, what: str, added: Schema | None = None) -> Schema:
    """The answer's one shape, with its own `data` and top-level keys."""
    parts: list[Schema] = [{"$ref": REF.format(name="Envelope")}]
    if properties:
        parts.append({"type": "object", "properties": properties, "required": list(properties)})
    if added is not None:
        parts.append(added)
    schema = parts[0] if len(parts) == 1 else {"allOf": parts}
    return {"description": what, "content": {"application/json": {"schema": schema}}}


@blueprint.get("/openapi.json")
@ours
@described("本说明", bare="application/json")
def openapi() -> Response:
    """GET /openapi.json: this description, without an envelope. Open."""
    extensions = current_app.extensions
    if "openapi" not in extensions:
        extensions["openapi"] = orjson.dumps(document(current_app))
    return Response(extensions["openapi"], mimetype="application/json")


if __name__ == "__main__":
    order = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2  # the same text whenever nothing has changed
    sys.stdout.buffer.write(orjson.dumps(document(bare_app()), option=order) + b"\n")
