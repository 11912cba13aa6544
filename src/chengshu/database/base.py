"""The database backend that settings name: Django's for PostgreSQL, changed in two places."""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base

from chengshu.database import PREPARED_AFTER


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection, which may prepare statements and looks after itself without asking the server."""

    def get_connection_params(self) -> dict[str, Any]:
        """Django's parameters; cursors of the ORM bind on the client and so never prepare."""
        params: dict[str, Any] = super().get_connection_params()
        return params | {"prepare_threshold": PREPARED_AFTER}

    def is_usable(self) -> bool:
        """Whether an idle connection still has a server, seen from its socket instead of by a `SELECT 1` per request.

        A server that ends closes the socket, and then there is something to read, as also after a message that nobody
        asked for: both are answered by a new connection.
        """
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
        return not poll.poll(0)
