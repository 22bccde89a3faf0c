"""The page, at `/`, and the interface's description, at `/docs`: the files that `make page` built. Web
process.

It is one document with a hash router: `/market`, `/code` and their like are the API's. Nothing here needs a
token: the page has no data of anybody.
"""

from __future__ import annotations

from html import escape

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import NotFound

from app.global_var import G
from app.views.described import described
from app.views.envelope import fail_plainly, ours, succeed
from app.web.built_page import DOCS, INDEX, BuiltPage, File, read_build, read_failure

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load and do: its own files and this server. No inline script or style, no eval, no frame
around it. `'self'` is the WebSocket of the same host too.
"""

DOCUMENT_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
NOT_BUILT = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>ctpbee_backend</title>
<h1>网页还没有构建</h1>
<p>服务器在运行，接口都可用；网页要先构建一次：在项目目录执行 <code>make page</code>
（从 PyPI 取 Node，从 npm 取依赖，约一分钟），再刷新本页。
连不上 npm 时用镜像：<code>npm_config_registry=https://镜像 make page</code>。
装成命令的：在源码里执行，再重新安装。</p>
{why}<h2 lang="en">The page has not been built</h2>
<p lang="en">The server runs and its API works. Run <code>make page</code> in the project's folder, then
reload this page. Where npm cannot be reached, name a mirror:
<code>npm_config_registry=https://mirror make page</code>.
Where the command was installed: run it in the source, and install anew.</p>
<p><a href="readyz">/readyz</a> · <a href="openapi.json">/openapi.json</a></p></html>
"""
YEAR = 365 * 24 * 3600

blueprint = Blueprint("page", __name__)


@blueprint.get("/")
@ours
def index() -> Response:
    """GET /: the page's document; while it has not been built, what to do about that. Open."""
    return _document(INDEX)


@blueprint.get("/docs")
@ours
def docs() -> Response:
    """GET /docs: /openapi.json drawn for people. Open."""
    return _document(DOCS)


def _document(name: str) -> Response:
    built = _built()
    if built is not None and name in built.files:
        return _send(built.files[name])
    if "text/html" not in request.headers.get("Accept", ""):
        return fail_plainly(503, "网页还没有构建：在项目目录执行 make page", "PAGE_NOT_BUILT")
    failure = "" if G.settings.is_public else read_failure()  # it has paths and addresses of this machine
    why = f"<h2>上次构建没有成功</h2><pre>{escape(failure)}</pre>" if failure else ""
    text = NOT_BUILT.format(why=why)
    return Response(text, 503, DOCUMENT_HEADERS, content_type="text/html; charset=utf-8")


@blueprint.get("/assets/<name>")
@ours
def asset(name: str) -> Response:
    """GET /assets/…: a script or style of this build, by its exact name. Open."""
    return _file(f"assets/{name}")


@blueprint.get("/favicon.svg")
@ours
def icon() -> Response:
    """GET /favicon.svg. Open."""
    return _file("favicon.svg")


@blueprint.get("/build.json")
@ours
@described("现在提供的是网页的哪一次构建", data=dict[str, str])
def build() -> Response:
    """GET /build.json: `{"build"}`, by which an open page sees that another one is served now. Open."""
    built = _built()
    return succeed({"build": built.build if built is not None else ""})


def _built() -> BuiltPage | None:
    """Read when first asked for, by this process once."""
    known = current_app.extensions
    if known.get("page") is None:  # built after the start: found with the next request
        known["page"] = read_build()
    return known["page"]


def _file(name: str) -> Response:
    built = _built()
    if built is None or name not in built.files:
        raise NotFound
    return _send(built.files[name])


def _send(file: File) -> Response:
    response = Response(file.body, content_type=file.media_type)
    if file.zipped:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"]:
            response.set_data(file.zipped)
            response.headers["Content-Encoding"] = "gzip"
    response.set_etag(file.etag, weak=bool(file.zipped))  # the same for both encodings
    caching = f"public, max-age={YEAR}, immutable" if file.immutable else "no-cache"
    response.headers["Cache-Control"] = caching
    if file.media_type.startswith("text/html"):
        response.headers.update(DOCUMENT_HEADERS)
    response.make_conditional(request)
    return response
