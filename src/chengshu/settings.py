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
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "chengshu.places",
    "chengshu.parties",
    "chengshu.sensing",
    "chengshu.cases",
    "chengshu.brain",
    "chengshu.evaluation",
    "chengshu.packs",
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
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "chengshu.web.account.factors.required",
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
    {"NAME": "chengshu.parties.passwords.LongEnough", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Sign-in: allauth holds second factors, passkeys, sessions and single sign-on; limits are our own, in the database.
ACCOUNT_ADAPTER = "chengshu.web.account.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds for which somebody need not show again who they are
MFA_ADAPTER = "chengshu.web.account.adapters.SecondFactorAdapter"
MFA_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds that a telephone's clock may be off
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not TLS  # browsers then still allow it for localhost only
SOCIALACCOUNT_ADAPTER = "chengshu.web.account.adapters.SingleSignOnAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form may not lead to another host; the state parameter guards the way back
OIDC_URL = os.environ.get("CHENGSHU_OIDC_URL", "").rstrip("/")
OIDC_NAME = os.environ.get("CHENGSHU_OIDC_NAME", "OpenID Connect")
OIDC_CLAIM = os.environ.get("CHENGSHU_OIDC_CLAIM", "preferred_username")
OIDC_OPEN = _flag("CHENGSHU_OIDC_OPEN")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "city",
                "name": OIDC_NAME,
                "client_id": os.environ.get("CHENGSHU_OIDC_CLIENT_ID", ""),
                "secret": os.environ.get("CHENGSHU_OIDC_CLIENT_SECRET", ""),
                "settings": {"server_url": OIDC_URL},
            }
        ]
        if OIDC_URL
        else [],
    }
}
# Shared by all processes, so that a code of a second factor works once.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "parties_cache"}}
CSRF_FAILURE_VIEW = "chengshu.web.pages.form_out_of_date"
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

# The lake of sealed observations: a folder or an object store's address; and the engine that computes over it.
LAKE = os.environ.get("CHENGSHU_LAKE") or str(HOME / "lake")
ENGINE = os.environ.get("CHENGSHU_ENGINE") or "duckdb"
ENGINE_MEMORY = int(os.environ.get("CHENGSHU_ENGINE_MEMORY") or 512)  # MiB in each process
ENGINE_THREADS = int(os.environ.get("CHENGSHU_ENGINE_THREADS") or min(os.cpu_count() or 1, 4))
SPOOL = HOME / "spool"  # for what does not fit into memory
HOT_DAYS = int(os.environ.get("CHENGSHU_HOT_DAYS") or 3)  # 0: nothing is sealed by itself
COLD_DAYS = int(os.environ.get("CHENGSHU_COLD_DAYS") or 0)  # 0: for ever
RAW_DAYS = int(os.environ.get("CHENGSHU_RAW_DAYS") or 30)  # 0: for ever

# Where the pages find the live process: an address, or a path of their own origin; without it, the same host and this port.
LIVE_URL = os.environ.get("CHENGSHU_LIVE_URL", "")
LIVE_PORT = int(os.environ.get("CHENGSHU_LIVE_PORT") or 0)
# Where people outside find the pages: it stands in e-mails and messages.
PUBLIC_URL = (
    os.environ.get("CHENGSHU_PUBLIC_URL")
    or (CSRF_TRUSTED_ORIGINS[0] if CSRF_TRUSTED_ORIGINS else "")
    or f"http://{os.environ.get('CHENGSHU_HOST', '127.0.0.1')}:{os.environ.get('CHENGSHU_PORT', '8000')}"
).rstrip("/")
_SMTP = urlsplit(os.environ.get("CHENGSHU_SMTP_URL", ""))  # smtp://user:password@host:587?tls=starttls, smtps://…
EMAIL_HOST, EMAIL_PORT = _SMTP.hostname or "", _SMTP.port or (465 if _SMTP.scheme == "smtps" else 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_SMTP.username or ""), unquote(_SMTP.password or "")
EMAIL_USE_SSL, EMAIL_USE_TLS = _SMTP.scheme == "smtps", parse_qs(_SMTP.query).get("tls") == ["starttls"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("CHENGSHU_MAIL_FROM", "chengshu@localhost")
# Addresses in the form of the apprise library, with {address} for the person's own: what is not named is not offered.
NOTICE_SERVICES = {
    "sms": os.environ.get("CHENGSHU_NOTICE_SMS", ""),
    "wecom": os.environ.get("CHENGSHU_NOTICE_WECOM", ""),
    "dingtalk": os.environ.get("CHENGSHU_NOTICE_DINGTALK", ""),
    "feishu": os.environ.get("CHENGSHU_NOTICE_FEISHU", ""),
}
# Networks inside that webhooks may call, such as 10.1.0.0/16; without them only public addresses.
WEBHOOK_NETWORKS = tuple(n.strip() for n in os.environ.get("CHENGSHU_WEBHOOK_NETWORKS", "").split(",") if n.strip())
# Networks inside that feeds may be fetched from; without them only public addresses.
FEED_NETWORKS = tuple(n.strip() for n in os.environ.get("CHENGSHU_FEED_NETWORKS", "").split(",") if n.strip())
DROP_ROOT = Path(os.environ.get("CHENGSHU_DROP") or HOME / "drop")  # folders of feeds that are files: CITY/FEED

# A raster map below the cockpit's own, such as https://tiles.example.cn/{z}/{x}/{y}.png; without it no outside host is asked.
TILES_URL = os.environ.get("CHENGSHU_TILES_URL", "")
TILES_ATTRIBUTION = os.environ.get("CHENGSHU_TILES_ATTRIBUTION", "")
TILES_CRS = os.environ.get("CHENGSHU_TILES_CRS", "wgs84").lower()  # gcj02 for AMap; Tianditu and OSM are not shifted

LOGGING_CONFIG = None
TEST_RUNNER = "django.test.runner.DiscoverRunner"
# SensorThings: networks whose requests need no token, and the city that they are let into (its folder's name).
STA_OPEN = tuple(n.strip() for n in os.environ.get("CHENGSHU_STA_OPEN", "").split(",") if n.strip())
STA_CITY = os.environ.get("CHENGSHU_STA_CITY", "")
# MQTT: empty (off), "embedded" for a broker of our own, or the address of another one.
MQTT = os.environ.get("CHENGSHU_MQTT", "")
MQTT_HOST = os.environ.get("CHENGSHU_MQTT_HOST") or "127.0.0.1"
MQTT_PORT = int(os.environ.get("CHENGSHU_MQTT_PORT") or 8200)
MQTT_CERT, MQTT_KEY = os.environ.get("CHENGSHU_MQTT_CERT", ""), os.environ.get("CHENGSHU_MQTT_KEY", "")
MQTT_PLAIN = _flag("CHENGSHU_MQTT_PLAIN")  # whether other machines may come without TLS
MQTT_URL = tuple(os.environ.get("CHENGSHU_MQTT_URL", "").split())  # what clients are told
MQTT_PUBLISH = tuple(os.environ.get("CHENGSHU_MQTT_PUBLISH", "").split())  # topics told to a broker outside
