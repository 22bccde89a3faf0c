"""The REST surface: one blueprint per resource, a view is parse → call → envelope. Web process."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Hang every route and the error handlers on the app."""
    from app.views import (
        account,
        audit,
        backtest,
        bars,
        code,
        config,
        equity,
        errors,
        events,
        fronts,
        health,
        login,
        market,
        openapi,
        orders,
        page,
        positions,
        risk,
        settlement,
        strategy,
    )

    for module in (
        *(login, account, market, orders, positions, bars, config, events, equity, settlement, risk),
        *(strategy, code, backtest, audit, health, openapi, page, fronts),
    ):
        app.register_blueprint(module.blueprint)
    errors.register(app)
    health.register_checks(app)
