"""The web process behind the views: sockets, push, engine, gateways. Nothing is imported here, since
async_mode comes first, before anything is patched.
"""
