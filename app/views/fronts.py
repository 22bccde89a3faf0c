"""/fronts: what a login form has to know before anybody has logged in. Web process."""

from __future__ import annotations

from importlib.util import find_spec

from flask import Blueprint, Response

from app.global_var import G
from app.lib.program import version
from app.views import answers
from app.views.described import described
from app.views.envelope import ours, succeed

blueprint = Blueprint("fronts", __name__)


@blueprint.get("/fronts")
@ours
@described("可登录的柜台：前置名单上的名字等，登录页用", data=answers.Offer)
def fronts() -> Response:
    """GET /fronts: which counters can be logged in to. Open: names of fronts alone, no addresses."""
    settings = G.settings
    offer: answers.Offer = {
        "interface": settings.interface,
        "paper": settings.max_paper_accounts > 0,
        "fronts": sorted(settings.fronts),
        "free_addresses": not settings.fronts and not settings.is_public,
        "ctp": find_spec("ctpbee_api") is not None,
        "public": settings.is_public,
        "default_code": G.authorization.is_default,
        "settlement_confirm": settings.settlement_confirm,
        "version": version(),
    }
    return succeed(offer)
