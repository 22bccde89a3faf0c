"""What a route says of itself, beside its view: a summary, the model of its parameters, the shape of its
answer. /openapi.json walks these. Web process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from flask.globals import request_ctx

from app.views.parameters import Request
from app.views.parse import sent_values


class Description(NamedTuple):
    """Of one view. `data` are the types that the answer's `data` may have, `added` a TypedDict, or a struct
    of the wire, of the top-level keys beside the three. `bare`: the media type of an answer without an
    envelope.
    """

    summary: str
    takes: type[Request] | None
    data: tuple[Any, ...]
    added: Any
    bare: str


def described(
    summary: str, takes: type[Request] | None = None, *, data: Any = str, added: Any = None, bare: str = ""
) -> Callable[..., Any]:
    """Describes a view; one with a model of parameters is called with what was sent. Raises BadInput."""
    description = Description(summary, takes, data if isinstance(data, tuple) else (data,), added, bare)

    def describe(view: Callable[..., Any]) -> Callable[..., Any]:
        if takes is None:
            view.description = description  # type: ignore[attr-defined]
            return view

        @wraps(view)
        def reading() -> Any:
            sent = sent_values(request_ctx.request)  # the proxy `request` looks it up anew at every use
            return view(takes.of(sent))

        reading.description = description  # type: ignore[attr-defined]
        return reading

    return describe
