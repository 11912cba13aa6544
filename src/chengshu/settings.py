"""Django settings. What differs between a laptop and a city comes from `CHENGSHU_*` variables: docs/reference/settings.md."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.utils.translation import gettext_lazy as _


def _flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


def _secret_key(home: Path) -> str:
    """The key from the environment or from the home folder; without either, one that dies with this process."""
    if key := os.environ.get("CHENGSHU_SECRET_KEY"):
        return key
    file = home / "secret_key"
    return file.read_text().strip() if file.exists() else os.urandom(32).hex()


def database(url: str) -> dict[str, object]:
    """Django's database entry for a `postgresql://user:password@host:port/name?host=/socket/folder` URL."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "chengshu.database",
        "NAME": parts.path.lstrip("/") or "chengshu",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "chengshu", "connect_timeout": 5, **query},
    }


HOME = Path(os.environ.get("CHENGSHU_HOME", ".chengshu")).resolve()
PACKAGE = Path(__file__).parent
SECRET_KEY = _secret_key(HOME)
DEBUG = _flag("CHENGSHU_DEBUG")
ALLOWED_HOSTS = os.environ.get("CHENGSHU_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("CHENGSHU_ORIGINS", "").split(",") if o]
TLS = _flag("CHENGSHU_TLS")
# Of these addresses X-Forwarded-For is believed.
TRUSTED_PROXIES = frozenset(p.strip() for p in os.environ.get("CHENGSHU_PROXIES", "").split(",") if p.strip())

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "chengshu.places",
    "chengshu.parties",
    "chengshu.cases",
    "chengshu.brain",
    "chengshu.evaluation",
    "chengshu.web",
]

MIDDLEWARE = [
    "chengshu.web.middleware.telemetry",
    "chengshu.api.problems.one_shape",
    "chengshu.web.middleware.small_bodies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chengshu.web.middleware.content_security",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "chengshu.web.middleware.principal",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "chengshu.urls"
WSGI_APPLICATION = "chengshu.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [PACKAGE / "web" / "templates"],
        "OPTIONS": {
            "environment": "chengshu.web.jinja.environment",
            "context_processors": ["chengshu.web.context.page"],
        },
    },
]

DATABASES = {"default": database(os.environ.get("CHENGSHU_DATABASE_URL", "postgresql://chengshu@localhost/chengshu"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "parties.Account"
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = TLS
SESSION_COOKIE_AGE = 12 * 3600
# The proxy that ends TLS must set this header itself, whatever a browser sends.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 31536000 if TLS else 0
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
APPEND_SLASH = False

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [PACKAGE / "web" / "static"]
STATIC_ROOT = None  # the files are served from the package
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_IMMUTABLE_FILE_TEST = r"/dist/assets/.+-[\w-]{8}\.(js|css)$"  # the build puts the digest into these names
FILES_ROOT = HOME / "files"
_PACKS = (PACKAGE / "cities", PACKAGE.parent.parent / "cities")  # in an installed package, in a checkout
CITIES_ROOT = Path(os.environ.get("CHENGSHU_CITIES") or next(filter(Path.exists, _PACKS), _PACKS[0]))

LOGGING_CONFIG = None
TEST_RUNNER = "django.test.runner.DiscoverRunner"
