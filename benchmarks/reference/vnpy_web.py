"""vnpy_webtrader's own app under uvicorn, imported where its event loop runs already. Runs under a Python
that has vnpy.

The app takes hold of the event loop when it is imported; `uvicorn vnpy_webtrader.web:app` of today imports it
before there is one, and nothing that it pushes arrives then (tried with uvicorn 0.54).
"""

from __future__ import annotations

import asyncio
import sys


async def main(port: int) -> None:
    import uvicorn  # type: ignore[import-not-found]
    from vnpy_webtrader.web import app  # type: ignore[import-not-found]

    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning")).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
