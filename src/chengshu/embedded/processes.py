"""What a process owes its parent: to end with it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when the thread that made it ends."""

# Looked up once, here: between fork and exec nothing may be imported or loaded.
_PRCTL = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def ends_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn`: the new process gets `with_signal` as soon as this process is gone, even by kill -9.

    Call `Popen` from a thread that lives as long as the child shall: the kernel watches the thread.
    """
    parent, number = os.getpid(), int(with_signal)

    def bind() -> None:
        if _PRCTL is None:
            return
        _PRCTL(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended in between
            os.kill(os.getpid(), number)

    return bind
