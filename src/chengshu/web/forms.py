"""Forms without magic: each field's value as it was sent, and each error beside its field and in the summary."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError


@dataclass(kw_only=True, slots=True)
class Form:
    """What somebody filled in, and what is wrong with it. A new form has neither."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def require(self, name: str, message: str) -> str:
        """The value of a field; its absence is an error."""
        if not self.get(name):
            self.errors[name] = message
        return self.get(name)

    def invalid(self, name: str, error: ValidationError) -> None:
        self.errors[name] = " ".join(error.messages)

    @property
    def ok(self) -> bool:
        return not self.errors
