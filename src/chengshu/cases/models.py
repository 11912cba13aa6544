"""Cases and what belongs to them. Rows are written by the functions of sql/functions.sql and by nothing else; the ORM reads."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import CompositePrimaryKey, F, Q

from chengshu.parties.models import Account, Department, Post
from chengshu.places.models import City, Division

STAGES = ("accept", "register", "dispatch", "handle", "verify", "close", "total")


class Kind(models.Model):
    """A kind of case: its states and moves are the life of its cases."""

    city = models.ForeignKey(City, models.PROTECT, related_name="kinds")
    code = models.TextField()
    label = models.TextField()
    label_en = models.TextField()
    opening_clocks = ArrayField(models.TextField(), default=list, help_text="stages whose clocks start with the case")
    limits = models.JSONField(default=dict, help_text="stage → limit, for cases without a type")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "code"], name="kind_once")]


class State(models.Model):
    """A state of a kind of case. `new` stands before the first step, `open` needs work, `done` and `dead` do not."""

    kind = models.ForeignKey(Kind, models.PROTECT, related_name="states")
    code = models.TextField()
    label = models.TextField()
    label_en = models.TextField()
    phase = models.TextField(choices=[(p, p) for p in ("new", "open", "done", "dead")])
    rank = models.SmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "code"], name="state_once")]


class Move(models.Model):
    """One legal change of a case, from one state to another (or the same). A step cannot exist without its move."""

    kind = models.ForeignKey(Kind, models.PROTECT, related_name="moves")
    code = models.TextField()
    label = models.TextField()
    label_en = models.TextField()
    from_state = models.ForeignKey(State, models.PROTECT, related_name="+")
    to_state = models.ForeignKey(State, models.PROTECT, related_name="+")
    roles = ArrayField(models.TextField())
    needs = ArrayField(models.TextField(), default=list)
    not_who = ArrayField(models.TextField(), default=list)
    clocks_stop = ArrayField(models.TextField(), default=list)
    clocks_start = ArrayField(models.TextField(), default=list)
    clocks_pause = models.BooleanField(default=False)
    clocks_resume = models.BooleanField(default=False)
    does = ArrayField(models.TextField(), default=list)
    why = models.TextField()
    why_en = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    rank = models.SmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "from_state", "to_state"], name="move_ends"),
            models.UniqueConstraint(fields=["kind", "code", "from_state"], condition=Q(active=True), name="move_once"),
        ]


class CaseType(models.Model):
    """What a case is about: its class, 立案标准, 结案标准 and limits per stage."""

    city = models.ForeignKey(City, models.PROTECT, related_name="case_types")
    kind = models.ForeignKey(Kind, models.PROTECT, related_name="types")
    code = models.TextField()
    major = models.TextField()
    major_en = models.TextField(blank=True)
    minor = models.TextField()
    minor_en = models.TextField(blank=True)
    name = models.TextField()
    name_en = models.TextField(blank=True)
    register_standard = models.TextField(blank=True)
    close_standard = models.TextField(blank=True)
    limits = models.JSONField(default=dict, help_text="stage → limit, such as {'handle': '4wh'}")
    dated_limits = models.JSONField(default=list, help_text="[{valid_from, limits}] where a limit changed")
    severity = models.SmallIntegerField(default=3)
    urgent = models.BooleanField(default=False)
    evidence = ArrayField(models.TextField(), default=list)
    source = models.TextField(blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "code"], name="case_type_once")]


class Case(models.Model):
    """Where a case stands now: the projection of its steps, rebuilt from them by `chengshu check --rebuild`."""

    id = models.UUIDField(primary_key=True)
    number = models.TextField(unique=True)
    kind = models.ForeignKey(Kind, models.PROTECT, related_name="+")
    type = models.ForeignKey(CaseType, models.PROTECT, null=True, related_name="+")
    state = models.ForeignKey(State, models.PROTECT, related_name="+", db_index=False)
    version = models.IntegerField(default=1)
    seq = models.IntegerField(default=1, help_text="number of its last step")
    title = models.TextField()
    description = models.TextField(blank=True)
    severity = models.SmallIntegerField()
    source = models.TextField(help_text="hotline, citizen, patrol, sensing, department, import …")
    scene = models.TextField(null=True)
    key = models.TextField(null=True, help_text="one open case per (scene, key)")
    place_text = models.TextField(blank=True)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    cell = models.BigIntegerField(null=True, help_text="H3, resolution 9")
    division = models.ForeignKey(Division, models.PROTECT, related_name="+", db_index=False)
    places = ArrayField(models.BigIntegerField(), help_text="the division and all above it")
    unit = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", db_index=False)
    reporter = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    tracker = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="merged", db_index=False)
    opened_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="the nearest due time among its running clocks")
    suspended = models.BooleanField(default=False)
    returns = models.SmallIntegerField(default=0)
    reworks = models.SmallIntegerField(default=0)
    urges = models.SmallIntegerField(default=0)
    reopens = models.SmallIntegerField(default=0)
    escalation = models.SmallIntegerField(default=0)
    rating = models.SmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scene", "key"], condition=Q(closed_at=None), name="case_one_open_per_key"),
            models.CheckConstraint(condition=Q(scene=None) | Q(key__isnull=False), name="case_scene_has_key"),
            models.CheckConstraint(condition=Q(rating=None) | Q(rating__range=(1, 5)), name="case_rating"),
            models.CheckConstraint(condition=Q(closed_at=None) | Q(due_at=None), name="case_ended_is_not_due"),
        ]
        indexes = [
            models.Index(F("due_at"), F("id"), condition=Q(closed_at=None), name="case_open_due"),
            models.Index(fields=["unit", "due_at"], condition=Q(closed_at=None), name="case_open_unit"),
            GinIndex(fields=["places"], name="case_places"),
            models.Index(fields=["cell"], condition=Q(closed_at=None), name="case_open_cell"),
            models.Index(fields=["scene", "key", "closed_at"], condition=Q(scene__isnull=False), name="case_key"),
            models.Index(fields=["reporter"], condition=Q(reporter__isnull=False), name="case_reporter"),
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="case_merged"),
            models.Index(fields=["unit", "id"], name="case_unit"),
            models.Index(fields=["opened_at"], name="case_opened"),
            models.Index(fields=["id"], condition=Q(suspended=True), name="case_suspended"),
            models.Index(fields=["closed_at"], condition=Q(closed_at__isnull=False), name="case_closed"),
            models.Index(
                F("cell"), F("closed_at").desc(), condition=Q(closed_at__isnull=False), name="case_closed_cell"
            ),
        ]


class CaseText(models.Model):
    """The words of a case for searching, apart from the case row so that a move never touches this index."""

    case = models.OneToOneField(Case, models.CASCADE, primary_key=True, related_name="text")
    terms = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["terms"], name="case_terms")]


class Report(models.Model):
    """What came in, kept forever as it came. The first report opened the case; later ones joined it."""

    id = models.UUIDField(primary_key=True)
    case = models.ForeignKey(Case, models.PROTECT, related_name="reports")
    origin = models.TextField(help_text="who speaks: web, api:NAME, scene:NAME, boston311 …")
    origin_key = models.TextField(help_text="the origin's own key; (origin, key) is accepted once")
    received_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    verdict = models.TextField(choices=[(v, v) for v in ("opened", "joined", "reopened", "stale")])
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    payload = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["origin", "origin_key"], name="report_once")]


class Contact(models.Model):
    """Who reported, if they said so: personal data, apart from the report; every reading is logged in `Access`."""

    report = models.OneToOneField(Report, models.CASCADE, primary_key=True, related_name="contact")
    name = models.TextField(blank=True)
    phone = models.TextField(blank=True)
    phone_key = models.TextField(blank=True, help_text="keyed digest of the telephone, by which it is looked for")
    secret = models.TextField(
        blank=True, help_text="digest of the word, or of the account that joined, by which the case is followed"
    )

    class Meta:
        indexes = [
            models.Index(fields=["secret"], condition=~Q(secret=""), name="contact_secret"),
            models.Index(fields=["phone_key"], condition=~Q(phone_key=""), name="contact_phone"),
        ]


class Step(models.Model):
    """One move that was made. Append-only; its foreign keys make an illegal or broken history impossible to write.

    Move and states are held by one foreign key of three columns (`step_is_a_move`, sql/functions.sql) instead of three.
    """

    pk = CompositePrimaryKey("case_id", "seq")
    case = models.ForeignKey(Case, models.PROTECT, related_name="steps", db_index=False)
    seq = models.IntegerField()
    prev = models.IntegerField(null=True, help_text="seq of the step before it; null for the first")
    move = models.ForeignKey(Move, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    from_state = models.ForeignKey(State, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    to_state = models.ForeignKey(State, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    at = models.DateTimeField(help_text="when it happened in the city")
    recorded_at = models.DateTimeField(help_text="when it was written here")
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    post = models.ForeignKey(Post, models.PROTECT, null=True, related_name="+", db_index=False)
    role = models.TextField()
    unit = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", db_index=False)
    note = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="what the move needed: until, target, rating, tracker, changes …")


class Task(models.Model):
    """A unit's part in a case. One open lead task per case; others assist."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="tasks", db_index=False)
    unit = models.ForeignKey(Department, models.PROTECT, related_name="+", db_index=False)
    lead = models.BooleanField()
    state = models.TextField(choices=[(s, s) for s in ("open", "done", "returned", "cancelled")])
    note = models.TextField(blank=True)
    opened_seq = models.IntegerField()
    opened_at = models.DateTimeField()
    ended_seq = models.IntegerField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(lead=True, state="open"), name="task_one_open_lead"),
            models.UniqueConstraint(fields=["case", "unit"], condition=Q(state="open"), name="task_one_open_per_unit"),
        ]
        indexes = [
            models.Index(fields=["case"], name="task_case"),
            models.Index(fields=["unit", "case"], condition=Q(state="open"), name="task_open_unit"),
            models.Index(fields=["opened_at"], condition=Q(lead=True), name="task_lead_opened"),
        ]


class Clock(models.Model):
    """A limit running on a stage of a case. `next_at` is when the timer has to look at it again."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="clocks", db_index=False)
    stage = models.TextField(choices=[(s, s) for s in STAGES])
    limit = models.TextField(help_text="such as 4wh; `given` when the due time came with the report")
    unit = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", db_index=False)
    started_seq = models.IntegerField()
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    warn_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    stopped_seq = models.IntegerField(null=True)
    stopped_at = models.DateTimeField(null=True)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="+", db_index=False, help_text="who stopped it"
    )
    next_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "stage"], condition=Q(stopped_at=None), name="clock_one_running"),
        ]
        indexes = [
            models.Index(fields=["case"], name="clock_case"),
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="clock_next"),
            models.Index(fields=["stage", "due_at"], name="clock_stage_due"),
        ]


class ClockEvent(models.Model):
    """A clock warned, fell due, or escalated. The primary key lets each event happen once."""

    pk = CompositePrimaryKey("clock_id", "event")
    clock = models.ForeignKey(Clock, models.CASCADE, related_name="events", db_index=False)
    event = models.TextField(help_text="warn, due, escalate:N; with @due time when the limit was extended")
    at = models.DateTimeField(help_text="when it was to happen")
    fired_at = models.DateTimeField(auto_now_add=True)


class Evidence(models.Model):
    """A file that proves something about a case; the bytes lie in the file store under their digest."""

    id = models.UUIDField(primary_key=True)
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="evidence", db_index=True)
    seq = models.IntegerField(null=True, help_text="the step it belongs to")
    digest = models.TextField(help_text="sha256 of the stored bytes")
    media_type = models.TextField()
    size = models.IntegerField()
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    taken_at = models.DateTimeField(null=True, help_text="from the picture's EXIF, which is not stored")
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    name = models.TextField(blank=True)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    at = models.DateTimeField()


class Outbox(models.Model):
    """What follows a change, written with it and drained in batches by the worker."""

    topic = models.TextField()
    case = models.UUIDField()
    facts = models.JSONField(default=dict)
    at = models.DateTimeField()


class Idempotency(models.Model):
    """The answer already given to a request that carried this Idempotency-Key."""

    pk = CompositePrimaryKey("who", "key")
    who = models.TextField()
    key = models.TextField()
    request = models.TextField(help_text="digest of method, path and body")
    status = models.SmallIntegerField()
    body = models.BinaryField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["at"], name="idempotency_at")]
