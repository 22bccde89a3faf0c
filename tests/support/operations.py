"""What the routes say of themselves, for tests that go over all of them."""

from __future__ import annotations

from app.views.openapi import Operation, Parameter, bare_app, operations

OPERATIONS: list[Operation] = operations(bare_app())

__all__ = ["OPERATIONS", "Operation", "Parameter"]
