"""The portal's settings: one table, read from the environment or one TOML file.

Order: environment variable, then the file named by ``OBSPORTAL_CONFIG`` (else ``obsportal.toml``
in the data folder), then the default. ``docs/operator.md`` lists the same table; a test holds them
together.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


class ConfigError(ValueError):
    """A setting has a value that cannot be used; the message says which and what is allowed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment variable, its default as text and what it is for."""

    name: str
    default: str
    help: str

    @property
    def key(self) -> str:
        """Its key in the TOML file: OBSPORTAL_SITE_NAME -> site_name."""
        return self.name.removeprefix("OBSPORTAL_").lower()


SETTINGS: tuple[Setting, ...] = (
    Setting("OBSPORTAL_DATA", "~/.local/share/obsportal", "Data folder: records, secret key, files."),
    Setting("OBSPORTAL_CONFIG", "<data>/obsportal.toml", "TOML file with any of these settings."),
    Setting(
        "OBSPORTAL_DATABASE_URL",
        "sqlite:///<data>/records.sqlite3",
        "Records: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME.",
    ),
    Setting("OBSPORTAL_SECRET_KEY", "<data>/secret_key", "Signing key; made on the first run when absent."),
    Setting("OBSPORTAL_SITE_NAME", "obsportal", "Name shown on every page."),
    Setting("OBSPORTAL_AUTHORITY", "local.obsportal", "Naming authority of identifiers made here."),
    Setting("OBSPORTAL_HOSTS", "*", "Host names answered, separated by commas; * answers all."),
    Setting("OBSPORTAL_HTTPS", "false", "true behind https: cookies are then sent over https only."),
    Setting("OBSPORTAL_VARIANT", "", "blue or green, shown on the health page of a rolling deployment."),
    Setting("OBSPORTAL_FACILITIES", "", "More folders with facility TOML files, separated like PATH."),
    Setting("OBSPORTAL_DEBUG", "false", "true shows details of errors in pages; never in production."),
    Setting("OBSPORTAL_MAX_BODY", "1000000", "Largest accepted search request body, in bytes."),
    Setting("OBSPORTAL_SYNC", "", "What the worker follows: eso, addresses of portals; separated by commas."),
    Setting("OBSPORTAL_SYNC_MINUTES", "60", "Minutes between two runs of each source by the worker."),
    Setting("OBSPORTAL_SYNC_PARALLEL", "4", "Requests that one run sends at once, 1 to 32."),
    Setting("OBSPORTAL_SYNC_PAUSE_MS", "50", "Least milliseconds between two requests of a run."),
    Setting("OBSPORTAL_SESAME", "true", "true asks the name service Sesame of the CDS for names of stars."),
    Setting("OBSPORTAL_SESAME_URL", "https://cds.unistra.fr/cgi-bin/nph-sesame", "Where Sesame answers."),
    Setting("OBSPORTAL_CONTACT", "", "Address of a person, told to the archives that are asked."),
    Setting("OBSPORTAL_ESO_TAP_URL", "https://archive.eso.org/tap_obs", "TAP service with dbo.raw."),
    Setting("OBSPORTAL_ESO_HEADER_URL", "https://archive.eso.org/hdr", "Where headers of ESO are read."),
    Setting("OBSPORTAL_ESO_SINCE", "", "Date the past of ESO is filled back to; empty is first light."),
)


class Config(Mapping[str, str]):
    """The settings in force, by environment-variable name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.data = Path(environ.get("OBSPORTAL_DATA") or "~/.local/share/obsportal").expanduser().resolve()
        config_file = Path(environ.get("OBSPORTAL_CONFIG") or self.data / "obsportal.toml").expanduser()
        from_file = _read_file(config_file, required=bool(environ.get("OBSPORTAL_CONFIG")))
        self._values = {
            s.name: environ[s.name] if environ.get(s.name) else from_file.get(s.key, s.default)
            for s in SETTINGS
        }
        self._values["OBSPORTAL_DATA"] = str(self.data)
        self._values["OBSPORTAL_CONFIG"] = str(config_file)
        if self._values["OBSPORTAL_DATABASE_URL"].startswith("sqlite:///<data>"):
            self._values["OBSPORTAL_DATABASE_URL"] = f"sqlite:///{self.data / 'records.sqlite3'}"

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def flag(self, name: str) -> bool:
        """A true/false setting. Raises ConfigError for anything else."""
        value = self[name].strip().lower()
        if value in {"true", "1", "yes", "on"}:
            return True
        if value in {"false", "0", "no", "off", ""}:
            return False
        raise ConfigError(f"{name} is {self[name]!r}: allowed are true and false")

    def integer(self, name: str) -> int:
        """A whole number. Raises ConfigError for anything else."""
        try:
            return int(self[name])
        except ValueError:
            raise ConfigError(f"{name} is {self[name]!r}: a whole number is needed") from None

    def between(self, name: str, lowest: int, highest: int) -> int:
        """A whole number within limits. Raises ConfigError for anything else."""
        value = self.integer(name)
        if not lowest <= value <= highest:
            raise ConfigError(f"{name} is {value}: allowed are {lowest} to {highest}")
        return value

    def sources(self) -> tuple[str, ...]:
        """The sources to follow. Raises ConfigError for what is neither eso nor an address."""
        names = [part.strip() for part in self["OBSPORTAL_SYNC"].split(",")]
        return tuple(dict.fromkeys(self._source(name) for name in names if name))

    def _source(self, name: str) -> str:
        """The name that runs and cursors of a source have."""
        if name == "eso":
            return name
        if not name.startswith(("http://", "https://")):
            raise ConfigError(f"OBSPORTAL_SYNC names {name!r}: allowed are eso and http(s) addresses")
        from obsportal.connectors.portal import AddressError, portal_address

        try:
            return portal_address(name)
        except AddressError as error:
            raise ConfigError(f"OBSPORTAL_SYNC: {error}") from None

    def moment(self, name: str) -> datetime | None:
        """A date or time, UTC where no zone is given; None when empty. Raises ConfigError."""
        value = self[name].strip()
        try:
            when = datetime.fromisoformat(value) if value else None
        except ValueError:
            raise ConfigError(f"{name} is {value!r}: a date such as 2024-01-31 is needed") from None
        return when.replace(tzinfo=UTC) if when and when.tzinfo is None else when

    def secret_key(self) -> str:
        """The signing key: from the environment, else from the data folder, made on first use."""
        value = self["OBSPORTAL_SECRET_KEY"]
        if value != "<data>/secret_key":
            return value
        path = self.data / "secret_key"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass  # another process of the same first run made it
            else:
                with os.fdopen(handle, "w") as stream:
                    stream.write(secrets.token_urlsafe(50))
        return path.read_text().strip() or secrets.token_urlsafe(50)


def _read_file(path: Path, *, required: bool) -> dict[str, str]:
    if not path.exists():
        if required:
            raise ConfigError(f"OBSPORTAL_CONFIG names {path}, which does not exist")
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    allowed = {s.key for s in SETTINGS} - {"data", "config"}
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise ConfigError(f"{path}: unknown setting {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in table.items()
    }


def database(url: str) -> dict[str, Any]:
    """Django's database settings for a URL. Raises ConfigError for an unknown form."""
    if url.startswith("sqlite:///"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
                    "PRAGMA mmap_size=1073741824; PRAGMA temp_store=MEMORY;"
                ),
            },
        }
    parts = urlsplit(url)
    if parts.scheme in {"postgresql", "postgres"} and parts.path.strip("/"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.strip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": dict(parse_qsl(parts.query)),
        }
    raise ConfigError(
        f"OBSPORTAL_DATABASE_URL begins with {url.split(':')[0]!r}:"
        " allowed are sqlite:///PATH and postgresql://USER:PASSWORD@HOST:PORT/NAME"
    )
