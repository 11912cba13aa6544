"""Who hears what: the rule is that of the pages, and nobody's slowness is another's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from chengshu.live import hub as hubs
from chengshu.live.hub import Happening, Hub, Stream, TooMany
from chengshu.live.tickets import Ticket

CITY, WEST, EAST, UNIT, OTHER = 1, 2, 3, 50, 51
LEADER = Ticket(1, 10, "李", "leader", "area", CITY, WEST, None, "a")
HANDLER = Ticket(2, 20, "王", "handler", "unit", CITY, WEST, UNIT, "b")
HELPER = Ticket(3, 30, "赵", "handler", "unit", CITY, WEST, OTHER, "c")
CASE = Happening(
    id=UUID(int=5), number="HZ-1", seq=3, state="dispatched", closed=False, move="dispatch", label="派遣", label_en="Dispatch",
    role="dispatcher", who="钱", places=frozenset({CITY, WEST}), reporter=None, units=frozenset({UNIT}), left=frozenset(),
)  # fmt: skip


def run(work: Callable[[Hub], Awaitable[None]]) -> None:
    async def main() -> None:
        await work(Hub())

    asyncio.run(main())


def joined(hub: Hub, ticket: Ticket, number: str = "") -> Stream:
    stream = Stream(ticket, number)
    hub.join(stream)
    return stream


async def heard(stream: Stream) -> list[tuple[str, dict[str, object]]]:
    """The events that wait for a stream: name and data."""
    blocks = (await stream.next(0.01)).decode().split("\n\n")
    pairs = [block.split("\n", 1) for block in blocks if block]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]


def test_each_hears_of_what_they_see() -> None:
    async def work(hub: Hub) -> None:
        leader, handler, helper = joined(hub, LEADER), joined(hub, HANDLER), joined(hub, HELPER)
        hub.happened([CASE])
        [(name, data)] = await heard(leader)
        assert (name, data["number"], data["seq"], data["who"]) == ("case", "HZ-1", 3, "钱")
        assert await heard(handler) == [(name, data)]
        assert await heard(helper) == []
        hub.happened([replace(CASE, places=frozenset({CITY, EAST}))])
        assert await heard(leader) == []

    run(work)


def test_a_unit_that_lost_a_case_hears_that_and_no_more() -> None:
    async def work(hub: Hub) -> None:
        handler = joined(hub, HANDLER)
        hub.happened([replace(CASE, units=frozenset({OTHER}), left=frozenset({UNIT}))])
        assert await heard(handler) == [("case", {"number": "HZ-1", "id": str(CASE.id), "gone": True})]

    run(work)


def test_people_at_one_case_know_of_each_other() -> None:
    async def work(hub: Hub) -> None:
        leader, handler = joined(hub, LEADER, "HZ-1"), joined(hub, HANDLER, "HZ-1")
        assert (await heard(leader))[-1][1]["people"] == [{"name": "王", "role": "handler", "writing": False}]
        assert (await heard(handler))[-1][1]["people"] == [{"name": "李", "role": "leader", "writing": False}]
        hub.write(HANDLER, "HZ-1", True)
        assert (await heard(leader))[-1][1]["people"] == [{"name": "王", "role": "handler", "writing": True}]
        hub.leave(handler)
        assert (await heard(leader))[-1][1]["people"] == []
        hub.leave(leader)
        assert not hub.watching and not hub.writing and not hub.streams

    run(work)


def test_two_pages_of_one_person_are_one_person() -> None:
    async def work(hub: Hub) -> None:
        leader, first, second = joined(hub, LEADER, "HZ-1"), joined(hub, HANDLER, "HZ-1"), joined(hub, HANDLER, "HZ-1")
        hub.write(HANDLER, "HZ-1", True)
        hub.leave(first)
        [(_name, last)] = (await heard(leader))[-1:]
        assert last["people"] == [{"name": "王", "role": "handler", "writing": True}]
        assert [data["people"] for _name, data in await heard(second)][-1] == [
            {"name": "李", "role": "leader", "writing": False}
        ]

    run(work)


def test_who_has_not_opened_a_case_does_not_write_in_it() -> None:
    async def work(hub: Hub) -> None:
        leader = joined(hub, LEADER, "HZ-1")
        await heard(leader)
        hub.write(HANDLER, "HZ-1", True)
        hub.write(HANDLER, "HZ-2", True)
        assert await heard(leader) == []
        assert "HZ-2" not in hub.writing

    run(work)


def test_a_slow_reader_is_ended_and_the_others_hear_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "QUEUE", 5)

    async def work(hub: Hub) -> None:
        async def reader() -> None:
            stream = joined(hub, LEADER)
            slow.append(stream)
            try:
                await asyncio.sleep(60)  # as one that waits for its socket
            finally:
                hub.leave(stream)

        slow: list[Stream] = []
        task = asyncio.create_task(reader())
        await asyncio.sleep(0)
        quick = joined(hub, HANDLER)
        for _ in range(6):
            hub.happened([CASE])
            await heard(quick)
        assert slow[0].ended
        with pytest.raises(asyncio.CancelledError):
            await task
        hub.happened([CASE])
        assert len(await heard(quick)) == 1
        assert hub.streams == {quick}

    run(work)


def test_one_account_has_so_many_pages_and_no_more() -> None:
    async def work(hub: Hub) -> None:
        for _ in range(hubs.MOST_OF_ONE):
            joined(hub, LEADER)
        with pytest.raises(TooMany):
            joined(hub, LEADER)
        joined(hub, HANDLER)

    run(work)


def test_a_ticket_that_is_not_good_any_more_hears_nothing_more() -> None:
    async def work(hub: Hub) -> None:
        async def reader(ticket: Ticket) -> None:
            stream = joined(hub, ticket)
            try:
                await asyncio.sleep(60)
            finally:
                hub.leave(stream)

        gone, kept = asyncio.create_task(reader(LEADER)), asyncio.create_task(reader(HANDLER))
        await asyncio.sleep(0)
        hub.end({LEADER})
        await asyncio.sleep(0.01)
        assert gone.cancelled() and not kept.done()
        kept.cancel()

    run(work)
