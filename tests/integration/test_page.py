"""The page's files over HTTP: `/`, its assets, what keeps a browser from being fooled by them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.views import page
from app.web.built_page import read_build

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def built(app: Flask, tmp_path: Path) -> Path:
    """A build that the app serves, in place of what may lie in page/dist."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>x</title>", "utf-8")
    (folder / "docs.html").write_text("<!doctype html><title>docs</title>", "utf-8")
    (folder / "assets" / "index-1.js").write_text("1;" * 1000, "utf-8")
    (folder / "assets" / "index-1.js.gz").write_bytes(gzip.compress(b"1;" * 1000))
    app.extensions["page"] = read_build(folder)
    return folder


@pytest.fixture
def unbuilt(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "read_build", lambda: None)
    monkeypatch.setattr(page, "read_failure", lambda: "npm error <script>alert(1)</script>")


@pytest.mark.parametrize(("path", "title"), [("/", "x"), ("/docs", "docs")])
@pytest.mark.usefixtures("built")
def test_a_document_loads_its_own_files_alone_and_stands_in_no_frame(
    client: Any, path: str, title: str
) -> None:
    answer = client.get(path, headers=BROWSER)
    assert f"<title>{title}</title>" in answer.text
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.usefixtures("built")
def test_the_document_is_asked_for_anew_and_its_assets_are_kept(client: Any) -> None:
    document = client.get("/")
    assert document.headers["Cache-Control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": document.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    script = client.get("/assets/index-1.js")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.content_type == "text/javascript; charset=utf-8"


def test_what_is_no_file_of_the_page_is_never_kept(client: Any) -> None:
    for path in ("/healthz", "/build.json", "/nothing", "/assets/nothing.js"):
        assert client.get(path).headers["Cache-Control"] == "no-store", path


@pytest.mark.usefixtures("built")
def test_who_can_unpack_gets_it_packed(client: Any) -> None:
    plain = client.get("/assets/index-1.js", headers={"Accept-Encoding": "identity"})
    packed = client.get("/assets/index-1.js", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_files_are_had_by_their_names_alone(client: Any, built: Path) -> None:
    (built.parent / "secret.js").write_text("secret", "utf-8")
    paths = (
        "../secret.js",
        "..%2fsecret.js",
        "%2e%2e/secret.js",
        "..\\secret.js",
        "index-1.js/",
        "",
        "INDEX-1.js",
        "index-1.js.gz",
    )
    for path in paths:
        answer = client.get(f"/assets/{path}")
        assert (answer.status_code, answer.json["error"]) == (404, "NOT_FOUND"), path


def test_an_open_page_sees_that_another_build_is_served(app: Flask, client: Any, built: Path) -> None:
    before = client.get("/build.json").json["data"]["build"]
    (built / "index.html").write_text("<!doctype html><title>y</title>", "utf-8")
    assert client.get("/build.json").json["data"]["build"] == before, "what is served belongs together"
    app.extensions["page"] = read_build(built)
    assert client.get("/build.json").json["data"]["build"] not in ("", before)


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.usefixtures("unbuilt")
def test_while_it_is_not_built_a_person_reads_what_to_do(client: Any, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 503
    assert "make page" in answer.text
    assert "npm error &lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
    assert client.get("/build.json").json["data"] == {"build": ""}


@pytest.mark.usefixtures("unbuilt")
def test_a_public_server_does_not_show_everybody_what_its_build_said(make_app: Any) -> None:
    client = make_app(public=True, origins=["https://example.com"]).test_client()
    answer = client.get("/", headers=BROWSER)
    assert "make page" in answer.text
    assert "npm error" not in answer.text


@pytest.mark.usefixtures("unbuilt")
def test_while_it_is_not_built_a_program_gets_the_envelope(client: Any) -> None:
    answer = client.get("/", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.json["error"]) == (503, "PAGE_NOT_BUILT")


def test_a_login_form_knows_which_counters_there_are(client: Any) -> None:
    offer = client.get("/fronts").json["data"]
    assert offer["interface"] == "sim"
    assert (offer["paper"], offer["fronts"], offer["free_addresses"], offer["public"]) == (
        True,
        [],
        True,
        False,
    )


def test_it_knows_whether_the_code_is_still_the_default_and_asking_costs_no_hash(
    app: Flask, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered() -> Any:
        return client.get("/fronts").json["data"]["default_code"]

    code = app.config["AUTHORIZATION"]
    assert offered() is True
    code.change("particular")
    tried = []
    monkeypatch.setattr(code, "_fits", lambda *how: tried.append(how) or False)
    assert [offered() for _ in range(5)] == [False] * 5
    assert len(tried) == 1


def test_a_public_server_without_a_list_takes_no_addresses_and_may_take_no_paper(make_app: Any) -> None:
    client = make_app(public=True, origins=["https://example.com"], max_paper_accounts=0).test_client()
    offer = client.get("/fronts").json["data"]
    assert (offer["paper"], offer["free_addresses"], offer["public"]) == (False, False, True)


def test_a_listed_front_is_told_by_its_name_and_not_by_its_address(make_app: Any) -> None:
    client = make_app(
        fronts={"mine": {"td": "tcp://10.1.2.3:41205", "md": "tcp://10.1.2.3:41213"}}
    ).test_client()
    answer = client.get("/fronts")
    assert (answer.json["data"]["fronts"], answer.json["data"]["free_addresses"]) == (["mine"], False)
    assert "10.1.2.3" not in answer.text
