"""A real PostgreSQL for the tests: the one CHENGSHU_DATABASE_URL names, or an embedded one that ends with the run.

Loaded as a plugin before Django reads its settings; the workers of xdist inherit what is set here.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from chengshu.embedded.home import Home
from chengshu.embedded.postgres import EmbeddedPostgres

os.environ.setdefault("CHENGSHU_SECRET_KEY", "tests")

if "CHENGSHU_DATABASE_URL" not in os.environ:
    _folder = tempfile.TemporaryDirectory(prefix="chengshu-tests-")
    os.environ.setdefault("CHENGSHU_HOME", _folder.name)
    Path(_folder.name).chmod(0o711)  # started by root, the database runs as another account, which must pass
    _server = EmbeddedPostgres(Home(Path(_folder.name) / "postgres"))
    os.environ["CHENGSHU_DATABASE_URL"] = _server.start()
    atexit.register(_server.stop)
elif "CHENGSHU_HOME" not in os.environ:
    _folder = tempfile.TemporaryDirectory(prefix="chengshu-tests-")
    os.environ["CHENGSHU_HOME"] = _folder.name
