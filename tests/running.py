"""One real city for all tests that look from outside: started with the first of them, stopped when the run ends."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import cache

from benchmarks.city import City, temporary_home


@cache
def city() -> City:
    """The running city, with the packs of Hangzhou and Boston and nothing replayed."""
    stack = ExitStack()
    home = stack.enter_context(temporary_home())
    running = City(home=home, packs="hangzhou boston")
    stack.callback(running.stop)
    atexit.register(stack.close)
    running.start()
    return running


@cache
def token(username: str, role: str) -> str:
    """An API token of a demo account of that city."""
    return city().token(username, role)
