"""What a caller sent, as it came: form fields, query string or JSON body under the same names. Web process.

What the values may be is said in parameters.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import Request

from app.lib.errors import BadInput

MOST_FIELDS = 200  # 340,000 empty ones in a megabyte took a second of everybody's time


def sent_values(request: Request) -> Mapping[str, Sequence[Any]]:
    """All values of each name in this request, wherever they stand. Raises BadInput("body") for JSON that is
    no object, for no UTF-8.
    """
    values: dict[str, list[Any]] = {}
    if request.query_string:
        values.update((name, [*texts]) for name, texts in request.args.lists())
    if request.mimetype == "application/x-www-form-urlencoded":
        members: Iterable[tuple[str, Any]] = read_form(request.get_data())
    elif request.is_json:
        members = read_json_object(request.get_data())
    else:
        members = request.form.items(multi=True)
    for name, value in members:
        if name in values:
            values[name].append(value)
        else:
            values[name] = [value]
    return values


def read_form(body: bytes) -> Sequence[tuple[str, str]]:
    """The fields of an urlencoded form, those without a value too. Raises BadInput("body") for one that is
    not UTF-8, or has too many.
    """
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise BadInput("body", "请求体不是 UTF-8", code="NOT_UTF8") from None
    except ValueError:
        raise BadInput("body", f"请求体的字段多于 {MOST_FIELDS} 个", code="TOO_MANY_FIELDS") from None


class _Members(tuple[tuple[str, Any], ...]):
    """A JSON object as its members, so that a name given twice is seen."""


def read_json_object(body: bytes) -> Iterable[tuple[str, Any]]:
    """The members of a JSON object; an empty body has none. Raises BadInput("body")."""
    if not body.strip():
        return ()
    try:
        document = json.loads(body, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        raise BadInput("body", "请求体不是合法的 JSON", code="BAD_JSON") from None
    if not isinstance(document, _Members):
        raise BadInput("body", "请求体应为一个 JSON 对象", code="BAD_JSON")
    return document
