"""/config: the account's eight settings. Web process."""

from __future__ import annotations

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib import account_config
from app.views.asking import ask, parameters
from app.views.envelope import succeed
from app.wire.messages import ReadConfig, WriteConfig

blueprint = Blueprint("config", __name__)


@blueprint.get("/config")
@auth_required
def read_config() -> Response:
    """GET /config: the eight keys. Token."""
    return succeed(ask(ReadConfig()))


@blueprint.put("/config")
@auth_required
def write_config() -> Response:
    """PUT /config: any of the eight keys, all or nothing; in force at once. Token."""
    ask(WriteConfig(account_config.checked(parameters().given(account_config.DEFAULTS))))
    return succeed(msg="修改成功")
