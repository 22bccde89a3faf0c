"""ctpbee_backend. `create_app` is the web's factory; nothing heavy is imported here, gateways import this
package too. `create_app` runs in the web process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings
    from app.web.gateways import Gateways


def create_app(settings: Settings, gateways: Gateways | None = None) -> Flask:
    """The web as these settings want it. Without `gateways` it connects to those that run, and goes on
    looking for new ones.
    """
    from flask import Flask
    from werkzeug.middleware.proxy_fix import ProxyFix

    from app import ext, views
    from app.model import SERVER, open_store
    from app.web.attempts import LoginAttempts
    from app.web.credentials import AuthorizationCode, Tokens, signing_key
    from app.web.engine import Joined, encode
    from app.web.gateways import Gateways
    from app.web.hub import Hub
    from app.web.metrics import Metrics
    from app.workshop.workshop import Workshop

    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would not be an envelope
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(settings, SERVER, ship=False)
    hub = Hub(encode, Joined)
    found = gateways or Gateways(
        settings, hub.push, hub.snapshot, ext.loss_handler(app, hub), hub.frozen, hub.accounts
    )
    tokens = Tokens(signing_key(settings.data_dir / "secret.key"), store, settings.token_hours)
    ext.init_app(app, settings, hub, tokens, found)
    app.config.update(
        WORKSHOP=Workshop(settings),
        MAX_CONTENT_LENGTH=settings.max_body,
        MAX_FORM_MEMORY_SIZE=settings.max_body,
        SETTINGS=settings,
        STORE=store,
        GATEWAYS=found,
        TOKENS=tokens,
        AUTHORIZATION=AuthorizationCode(store, settings.is_public),
        METRICS=Metrics(),
        ATTEMPTS=LoginAttempts(
            settings.data_dir / "attempts.db", settings.login_per_address, settings.login_per_account
        ),
    )
    views.register(app)
    if settings.proxies:  # outermost, so that Socket.IO sees the right address too
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    if gateways is None:
        found.start()
    return app
