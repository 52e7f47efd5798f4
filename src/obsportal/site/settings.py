"""Django settings, computed from :mod:`obsportal.site.config`."""

from __future__ import annotations

import os

from obsportal.site.config import Config, database

CONFIG = Config(os.environ)
OBSPORTAL_DATA = CONFIG.data
OBSPORTAL_SITE_NAME = CONFIG["OBSPORTAL_SITE_NAME"]
OBSPORTAL_AUTHORITY = CONFIG["OBSPORTAL_AUTHORITY"]
OBSPORTAL_VARIANT = CONFIG["OBSPORTAL_VARIANT"]

OBSPORTAL_SYNC = CONFIG.sources()
OBSPORTAL_SYNC_MINUTES = CONFIG.between("OBSPORTAL_SYNC_MINUTES", 1, 100_000)
OBSPORTAL_SYNC_PARALLEL = CONFIG.between("OBSPORTAL_SYNC_PARALLEL", 1, 32)
OBSPORTAL_SYNC_PAUSE_MS = CONFIG.between("OBSPORTAL_SYNC_PAUSE_MS", 0, 60_000)
OBSPORTAL_SESAME = CONFIG.flag("OBSPORTAL_SESAME")
OBSPORTAL_SESAME_URL = CONFIG["OBSPORTAL_SESAME_URL"]
OBSPORTAL_CONTACT = CONFIG["OBSPORTAL_CONTACT"]
OBSPORTAL_ESO_TAP_URL = CONFIG["OBSPORTAL_ESO_TAP_URL"]
OBSPORTAL_ESO_HEADER_URL = CONFIG["OBSPORTAL_ESO_HEADER_URL"]
OBSPORTAL_ESO_SINCE = CONFIG.moment("OBSPORTAL_ESO_SINCE")

SECRET_KEY = CONFIG.secret_key()
DEBUG = CONFIG.flag("OBSPORTAL_DEBUG")
ALLOWED_HOSTS = [host.strip() for host in CONFIG["OBSPORTAL_HOSTS"].split(",") if host.strip()]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "obsportal.accounts",
    "obsportal.stars",
    "obsportal.exposures",
    "obsportal.sync",
    "obsportal.site",
]
AUTH_USER_MODEL = "accounts.User"

MIDDLEWARE = [
    "obsportal.site.middleware.PlainServices",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
APPEND_SLASH = False
ROOT_URLCONF = "obsportal.site.urls"
WSGI_APPLICATION = "obsportal.site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "obsportal.site.context.site",
            ],
        },
    }
]

DATABASES = {"default": database(CONFIG["OBSPORTAL_DATABASE_URL"])}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Bulk answers open the file themselves, so tests need one too.
    DATABASES["default"]["TEST"] = {"NAME": str(OBSPORTAL_DATA / "test.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 3600

# The search paths answer plain http without a redirect: deployed ASPRO2 clients follow none.
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.flag("OBSPORTAL_HTTPS")
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.integer("OBSPORTAL_MAX_BODY")
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "/admin/login/"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
