"""What a request carries: its body as the values that were sent, each name's."""

from __future__ import annotations

import pytest

from app.lib.errors import BadInput
from app.views.parse import read_form, read_json_object


def test_json_members_given_twice_are_both_seen() -> None:
    assert [name for name, _ in read_json_object(b'{"volume":1,"volume":2}')] == ["volume", "volume"]


@pytest.mark.parametrize("body", [b"", b"  "])
def test_an_empty_body_has_no_members(body: bytes) -> None:
    assert list(read_json_object(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b"null",
        b'"text"',
        b"3",
        b"\xff\xfe{",
        b"{'a':1}",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        read_json_object(body)
    assert refused.value.extra["parameter"] == "body"


def test_a_form_of_hundreds_of_fields_is_refused_before_they_are_looked_at() -> None:
    assert len(read_form(b"&".join([b"a=1"] * 200))) == 200
    with pytest.raises(BadInput) as refused:
        read_form(b"&".join([b"="] * 340_000))
    assert (refused.value.code, refused.value.extra["parameter"]) == ("TOO_MANY_FIELDS", "body")
