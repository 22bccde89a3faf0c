"""/account: the account's funds. Web process."""

from __future__ import annotations

from flask import Blueprint, Response

from app.auth import auth_required
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import ours, succeed
from app.wire.messages import ReadAccount

blueprint = Blueprint("account", __name__)


@blueprint.get("/account")
@auth_required
@ours
@described("资金，同 account 与 account_detail 事件的 data", data=answers.Funds)
def read_account() -> Response:
    """GET /account → `{account, account_detail, as_of}`. Token."""
    return succeed(ask(ReadAccount()))
