"""How the embedded PostgreSQL is set: for one small machine that must not lose an acknowledged step."""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1024 * 1024
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_bytes() -> int:
    """Return the memory that this machine or its container may use, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def settings(memory: int, *, socket_folder: Path) -> dict[str, str]:
    """Return the server's settings for a machine with `memory` bytes.

    `synchronous_commit` and `fsync` stay on: what the platform acknowledged is on the disk. No TCP: only processes of
    this machine that may enter `socket_folder` can connect.
    """
    buffers = max(64, min(memory // 8 // MIB, 512))  # the system's cache holds the rest, and gives it back when asked
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder),
        "max_connections": "100",
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(128, memory // 2 // MIB)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{max(64, min(memory // 16 // MIB, 512))}MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "synchronous_commit": "on",
        "wal_compression": "on",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
    }


def arguments(values: dict[str, str]) -> list[str]:
    """Return `values` as arguments of the `postgres` program."""
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
