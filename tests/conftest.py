"""For all tests: what the developer's own environment says about his servers is not for them."""

from __future__ import annotations

import os

for _name in ("MONGO_URI", "SOURCE_MONGO_URI"):  # with it every server of a test would write to his database
    os.environ.pop(_name, None)
