"""How fast a city starts, and how much memory it takes."""

from __future__ import annotations

from benchmarks import lifecycle, store
from benchmarks.city import City, temporary_home
from benchmarks.load import gather
from benchmarks.results import Result

STARTS = 3


def start_time() -> list[Result]:
    """Seconds until the first page can be served: of the very first start, and of later ones with the packs loaded."""
    with temporary_home() as home:
        city = City(home=home, packs="hangzhou boston")
        first = city.start()
        city.stop()
        later = []
        for _ in range(STARTS):
            later.append(city.start())
            city.stop()
    middle = sorted(later)[STARTS // 2]
    return [
        Result(name="start_time_first", value=first, unit="s", n=1),
        Result(
            name="start_time", value=middle, unit="s", n=STARTS, compared_to=f"the first start, {first:.3g} s",
            ratio=middle / first, details={"each": later},
        ),
    ]  # fmt: skip


def memory() -> list[Result]:
    """Bytes of all processes after some thousand requests on the large store; shared pages are counted once."""
    with store.city("large", 1_000_000) as (city, stored):
        at_rest = city.memory()
        gather(lifecycle.CLIENTS, lifecycle.WARM_UP, lifecycle.clients(city, "m"))
        used = city.memory()
    mib = {part: size / 2**20 for part, size in used.items()}
    rest = sum(at_rest.values()) / 2**20
    return [
        Result(
            name="memory", value=sum(mib.values()), unit="MiB", n=sum(map(bool, mib.values())),
            compared_to=f"{rest:.4g} MiB before the first request", ratio=sum(mib.values()) / rest,
            details={"parts": mib, "stored": stored},
        )
    ]  # fmt: skip
