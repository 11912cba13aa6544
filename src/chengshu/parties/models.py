"""Departments, accounts, posts, tokens, notices, and the traces that people's acts leave."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from chengshu.parties.roles import LABELS, Role
from chengshu.places.models import City, Division, Level


class Department(models.Model):
    """A body of government or a company that handles cases within its jurisdiction."""

    city = models.ForeignKey(City, models.PROTECT, related_name="departments")
    code = models.TextField()
    name = models.TextField()
    name_en = models.TextField(blank=True)
    level = models.SmallIntegerField(choices=Level.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    function = models.TextField(help_text="the word by which dispatch rules find it")
    division = models.ForeignKey(Division, models.PROTECT, related_name="departments", help_text="its jurisdiction")
    kind = models.TextField(choices=[("office", "office"), ("unit", "unit"), ("company", "company")])
    last_resort = models.BooleanField(default=False, help_text="receives cases that were bounced twice (首接负责)")
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "code"], name="department_code_once")]
        indexes = [models.Index(fields=["city", "function", "level"], name="department_function")]


class AccountManager(BaseUserManager["Account"]):
    def create(self, *, password: str | None = None, **fields: object) -> Account:
        account = self.model(**fields)
        account.set_password(password)
        account.save(using=self._db)
        return account


class Account(AbstractBaseUser):
    """A person who signs in. What they may do follows from their posts, never from the account."""

    username = models.TextField(unique=True)
    name = models.TextField()
    language = models.TextField(default="zh-hans")
    is_active = models.BooleanField(default=True)
    demo = models.BooleanField(default=False, help_text="made by a city pack for trying the system")
    city = models.ForeignKey(
        City, models.PROTECT, null=True, related_name="+", help_text="whose administrators see it before it has a post"
    )
    tours = ArrayField(models.TextField(), default=list, db_default=[], help_text="roles whose first tour it has seen")
    columns = ArrayField(
        models.TextField(), null=True, help_text="of its list of cases on the desk, where it chose them"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = AccountManager()


class Post(models.Model):
    """`account` acts as `role` in `department` for `division` between two dates."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="posts")
    role = models.TextField(choices=[(role.value, label) for role, label in LABELS.items()])
    department = models.ForeignKey(Department, models.PROTECT, null=True, related_name="posts")
    division = models.ForeignKey(Division, models.PROTECT, related_name="posts", help_text="its jurisdiction")
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True, help_text="exclusive")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "role", "department", "division"], name="post_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~Q(role=Role.HANDLER) | Q(department__isnull=False), name="post_handler_has_department"
            ),
        ]
        indexes = [models.Index(fields=["role", "division"], name="post_role_division")]


class Token(models.Model):
    """An API token: acts as one post. Only a digest is stored."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="tokens")
    digest = models.TextField(unique=True)
    name = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class Notice(models.Model):
    """A message to one account about something it should act on; `key` makes sending it twice impossible."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="notices")
    key = models.TextField()
    kind = models.TextField()
    case = models.UUIDField(null=True)
    params = models.JSONField(default=dict)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="notice_once")]
        indexes = [models.Index(fields=["account", "-at"], condition=Q(read_at=None), name="notice_unread")]


class Access(models.Model):
    """Somebody read personal data: who, as what, of what, which fields, for what purpose. Append-only."""

    at = models.DateTimeField(auto_now_add=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    post = models.ForeignKey(Post, models.PROTECT, null=True, related_name="+")
    subject = models.TextField(help_text="what was read, such as case:UUID")
    fields = ArrayField(models.TextField())
    purpose = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["subject", "at"], name="access_subject")]


class Audit(models.Model):
    """An act on the system itself: signing in, changing posts, editing rules. Append-only."""

    at = models.DateTimeField(auto_now_add=True)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    post = models.ForeignKey(Post, models.PROTECT, null=True, related_name="+")
    action = models.TextField()
    facts = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["-at"], name="audit_at")]


class Attempt(models.Model):
    """How often something was tried in a window of time: the rate limiter's memory, kept unlogged."""

    key = models.TextField()
    window = models.BigIntegerField()
    count = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "window"], name="attempt_once")]


class Quiet(models.Model):
    """The hours of an account, by its city's clock, in which only what is urgent goes out; the rest waits for their end."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="quiet")
    begin = models.TimeField()
    end = models.TimeField(help_text="before `begin` when the hours go over midnight")


class Channel(models.Model):
    """A way to an account beside the pages: an e-mail address, a telephone, a group's robot, an address of one's own."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="channels")
    kind = models.TextField(help_text="email, webhook, sms, wecom, dingtalk, feishu")
    address = models.TextField()
    secret = models.TextField(blank=True, help_text="of a webhook: what its messages are signed with")
    kinds = ArrayField(models.TextField(), default=list, help_text="kinds of notices that it carries")
    only_urgent = models.BooleanField(default=False)
    hourly = models.BooleanField(default=False, help_text="what is not urgent comes together, at the full hour")
    code = models.TextField(blank=True, help_text="digest of the code that was sent there")
    code_until = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True, help_text="nothing but codes goes there before")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind", "address"], name="channel_once")]


class Delivery(models.Model):
    """One notice, or the code of a new channel, on its way through one channel: what was tried, and how it ended."""

    id = models.UUIDField(primary_key=True)
    notice = models.ForeignKey(Notice, models.CASCADE, null=True, related_name="deliveries")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    city = models.ForeignKey(City, models.CASCADE, related_name="+")
    code = models.TextField(blank=True, help_text="until it is sent")
    urgent = models.BooleanField(default=False)
    state = models.TextField(
        default="waiting", choices=[(name, name) for name in ("waiting", "sent", "needless", "dead")]
    )
    tries = models.SmallIntegerField(default=0)
    made_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, help_text="when it is tried; while it is tried, when it is tried again")
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="of the last try, a name of chengshu.parties.delivery.ERRORS")
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", next_at__isnull=False) | ~Q(state="waiting"), name="delivery_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_waiting"),
            models.Index(fields=["city", "-id"], name="delivery_city"),
        ]
