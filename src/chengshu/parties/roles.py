"""Roles, what each sees, and why. A post is a role held in a department for a jurisdiction."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Role(StrEnum):
    """The posts of GB/T 30428 and of 12345 practice; the Chinese terms stand in docs/glossary.md."""

    OPERATOR = "operator"
    SHIFT_LEADER = "shift_leader"
    DISPATCHER = "dispatcher"
    HANDLER = "handler"
    GRID_WORKER = "grid_worker"
    VERIFIER = "verifier"
    SUPERVISOR = "supervisor"
    LEADER = "leader"
    STEWARD = "steward"
    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"
    GATEWAY = "gateway"
    CITIZEN = "citizen"
    SYSTEM = "system"


class Scope(StrEnum):
    """Which cases a role sees."""

    AREA = "area"  # those in its jurisdiction
    UNIT = "unit"  # those its department leads or has a task in
    OWN = "own"  # those it reported
    NONE = "none"
    ALL = "all"


SCOPES: dict[Role, Scope] = {
    Role.OPERATOR: Scope.AREA,
    Role.SHIFT_LEADER: Scope.AREA,
    Role.DISPATCHER: Scope.AREA,
    Role.HANDLER: Scope.UNIT,
    Role.GRID_WORKER: Scope.AREA,
    Role.VERIFIER: Scope.AREA,
    Role.SUPERVISOR: Scope.AREA,
    Role.LEADER: Scope.AREA,
    Role.STEWARD: Scope.NONE,
    Role.ANALYST: Scope.AREA,
    Role.ADMINISTRATOR: Scope.NONE,  # keeps the city's configuration, has no business with people's cases
    Role.GATEWAY: Scope.NONE,  # a machine that tells what sensors say
    Role.CITIZEN: Scope.OWN,
    Role.SYSTEM: Scope.ALL,
}

LABELS: dict[Role, Promise] = {
    Role.OPERATOR: _("Operator"),
    Role.SHIFT_LEADER: _("Shift leader"),
    Role.DISPATCHER: _("Dispatcher"),
    Role.HANDLER: _("Unit handler"),
    Role.GRID_WORKER: _("Grid worker"),
    Role.VERIFIER: _("Verifier"),
    Role.SUPERVISOR: _("Supervisor"),
    Role.LEADER: _("Leader"),
    Role.STEWARD: _("Data steward"),
    Role.ANALYST: _("Analyst"),
    Role.ADMINISTRATOR: _("Administrator"),
    Role.GATEWAY: _("Gateway"),
    Role.CITIZEN: _("Citizen"),
    Role.SYSTEM: _("System"),
}

STAFF = frozenset(Role) - {Role.CITIZEN, Role.SYSTEM, Role.GATEWAY}
# Who may ask for the reporter's name and telephone of a case it sees; each such reading states its purpose and is logged.
READS_CONTACT = frozenset(
    {Role.OPERATOR, Role.SHIFT_LEADER, Role.DISPATCHER, Role.HANDLER, Role.GRID_WORKER, Role.VERIFIER, Role.SUPERVISOR}
)
# Who may correct type, severity or place of a case along with a move. A change of place can change the jurisdiction.
CORRECTS = frozenset({Role.OPERATOR, Role.SHIFT_LEADER, Role.DISPATCHER, Role.GRID_WORKER, Role.VERIFIER, Role.SYSTEM})
READS_SCORES = STAFF
# Who may report: everybody but those who have no business with people's cases, and could not see what became of theirs.
MAY_REPORT = frozenset(Role) - {Role.SYSTEM, Role.ADMINISTRATOR, Role.STEWARD, Role.GATEWAY}
EDITS_RULES = frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEADER})
