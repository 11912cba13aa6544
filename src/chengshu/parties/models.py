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
    post = models.ForeignKey(Post, models.SET_NULL, null=True, related_name="+")
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
