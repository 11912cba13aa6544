"""Who looked at a person's data, for that person: contacts of the cases they reported or joined, scorecards of their work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from chengshu.cases.following import account_digest
from chengshu.cases.models import Case, Contact
from chengshu.parties.models import Access, Post
from chengshu.parties.roles import STAFF

CASE, SCORECARD = "case:", "scorecard:person:"  # how `Access.subject` begins
MOST = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One reading. `post` tells as what somebody read; `number` the case, or `period` the days of a scorecard."""

    at: datetime
    post: Post | None
    reader: str
    number: str
    period: tuple[str, str] | None
    purpose: str


def about(account: int) -> list[Reading]:
    """The newest readings of an account's data. Who read is named to colleagues of the staff only, not to citizens.

    A scorecard of people shows everybody who works where its reader answers for people, so it counts for all of them.
    """
    numbers = _cases(account)
    asked = Q(subject__in=[f"{CASE}{case}" for case in numbers]) | _scorecards(account)
    found = Access.objects.filter(asked).exclude(account=account)
    rows = found.select_related("account", "post__department", "post__division").order_by("-at")[:MOST]
    return [_reading(row, numbers) for row in rows]


def _cases(account: int) -> dict[UUID, str]:
    """The cases that somebody reported or joined, with their numbers."""
    joined = Contact.objects.filter(secret=account_digest(account)).values("report__case")
    cases = Case.objects.filter(Q(reporter=account) | Q(pk__in=joined))
    return dict(cases.values_list("pk", "number"))


def _scorecards(account: int) -> Q:
    """Scorecards of this person, and of all people in a jurisdiction in which they hold or held a staff post."""
    posts = Post.objects.filter(account=account, role__in=STAFF).select_related("division")
    above = {place for post in posts for place in post.division.path}
    everybody = Q(subject__regex=rf"^{SCORECARD}\d{{4}}-", post__division__in=above)
    return everybody | Q(subject__startswith=f"{SCORECARD}{account}:")


def _reading(row: Access, numbers: dict[UUID, str]) -> Reading:
    of_case = row.subject.startswith(CASE)
    first, _slash, last = row.subject.rpartition(":")[2].partition("/")
    return Reading(
        at=row.at,
        post=row.post,
        reader="" if of_case else row.account.name,
        number=numbers[UUID(row.subject.removeprefix(CASE))] if of_case else "",
        period=None if of_case else (first, last),
        purpose=row.purpose,
    )
