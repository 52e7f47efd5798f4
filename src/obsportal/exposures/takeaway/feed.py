"""An Atom feed of a search: its observations, those that changed last first. RFC 4287, RFC 4151."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from obsportal.exposures.search import Search
from obsportal.exposures.takeaway.repeat import known
from obsportal.interferometry.times import mjd_to_datetime
from obsportal.serialise.text_rules import xml_attribute, xml_content

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

ENTRIES = 50
LOOKED_AT = 20_000
"""Exposures, newest first, in which the entries are looked for."""
TAG_DATE = "2026"
"""Since when the portal makes tag identifiers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An observation of a feed."""

    key: str
    path: str
    title: str
    summary: str
    updated: datetime
    instruments: tuple[str, ...]


_COLUMNS = (
    "exp_id",
    "exp_date_updated",
    "exp_mjd_start",
    "obs_type",
    "obs_program",
    "observation_id",
    "observation__key",
    "target__name",
    "instrument_name",
    "instrument_mode",
    "interferometer_name",
    "interferometer_stations",
    "configuration",
    "night",
)


def entries(search: Search, actor: Actor, most: int = ENTRIES) -> list[Entry]:
    """The observations of the search that changed last, over the exposures this actor may see.

    An exposure that belongs to no observation is an entry of its own.
    """
    newest = search.exposures(actor).order_by("-exp_date_updated", "-pk")[:LOOKED_AT]
    wanted: list[int] = []
    alone: list[str] = []
    seen: set[Any] = set()
    for observation, exp_id in newest.values_list("observation_id", "exp_id").iterator(chunk_size=500):
        key = observation or exp_id
        if key in seen:
            continue
        if len(seen) >= most:
            break
        seen.add(key)
        if observation:
            wanted.append(observation)
        else:
            alone.append(exp_id)
    rows = search.exposures(actor)
    found = [
        *rows.filter(observation__in=wanted).values(*_COLUMNS),
        *rows.filter(exp_id__in=alone).values(*_COLUMNS),
    ]
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        groups[row["observation_id"] or row["exp_id"]].append(row)
    made = [_entry(rows_of) for rows_of in groups.values()]
    return sorted(made, key=lambda entry: (entry.updated, entry.key), reverse=True)


def _entry(rows: list[dict[str, Any]]) -> Entry:
    rows.sort(key=lambda r: (r["exp_mjd_start"] or 0.0, r["exp_id"]))
    first = rows[0]

    def words(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(row[name]) for row in rows if row[name]))

    target = ", ".join(words("target__name"))
    instruments = words("instrument_name")
    night = f", night of {first['night']}" if first["night"] else ""
    title = f"{target}: {', '.join(instruments)}{night}"
    start = first["exp_mjd_start"]
    said = [
        f"{len(rows)} exposure{'s' if len(rows) > 1 else ''} ({', '.join(words('obs_type'))})",
        f"from {mjd_to_datetime(start):%Y-%m-%d %H:%M} UTC" if start is not None else "",
        " ".join([*words("interferometer_name"), *words("interferometer_stations")[:1]]),
        f"configuration {', '.join(words('configuration'))}" if words("configuration") else "",
        f"mode {', '.join(words('instrument_mode'))}" if words("instrument_mode") else "",
        f"programme {', '.join(words('obs_program'))}" if words("obs_program") else "",
    ]
    key = first["observation__key"]
    return Entry(
        key=f"observation/{key}" if key else f"exposure/{first['exp_id']}",
        path=observation_path(key, first["exp_id"]),
        title=title,
        summary="; ".join(filter(None, said)),
        updated=max(row["exp_date_updated"] for row in rows),
        instruments=instruments,
    )


def observation_path(key: str | None, exp_id: str) -> str:
    """The page of an observation, where there is one; else that of its first exposure."""
    if key:
        try:
            return reverse("observation", args=[key])
        except NoReverseMatch:
            pass
    return reverse("exposure", args=[exp_id])


def tag(specific: str) -> str:
    """A tag URI of this portal (RFC 4151)."""
    return f"tag:{settings.OBSPORTAL_AUTHORITY},{TAG_DATE}:{quote(specific, safe='/:.-_()=&')}"


def atom(
    search: Search,
    params: Mapping[str, str],
    found: Iterable[Entry],
    base: str,
    modified: datetime,
    rights: str = "",
) -> bytes:
    """The feed as a document; ``base`` is the portal's address with its last slash."""
    entries_ = list(found)
    query = urlencode(sorted(known(params).items()))
    behind = f"?{query}" if query else ""
    own = base.rstrip("/")
    updated = max((entry.updated for entry in entries_), default=modified)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">\n',
        f" <id>{xml_content(tag(f'search/{query}'))}</id>\n",
        f" <title>{xml_content(f'{settings.OBSPORTAL_SITE_NAME}: {search.words}')}</title>\n",
        f" <updated>{_time(updated)}</updated>\n",
        f" <author><name>{xml_content(settings.OBSPORTAL_SITE_NAME)}</name></author>\n",
        _link("self", "application/atom+xml", f"{own}/search.atom{behind}"),
        _link("alternate", "text/html", f"{own}/search{behind}"),
        f" <rights>{xml_content(rights)}</rights>\n" if rights else "",
    ]
    for entry in entries_:
        parts += [
            " <entry>\n",
            f"  <id>{xml_content(tag(entry.key))}</id>\n",
            f"  <title>{xml_content(entry.title)}</title>\n",
            f"  <updated>{_time(entry.updated)}</updated>\n",
            " " + _link("alternate", "text/html", own + entry.path),
            "".join(f'  <category term="{xml_attribute(name)}"/>\n' for name in entry.instruments),
            f'  <summary type="text">{xml_content(entry.summary)}</summary>\n',
            " </entry>\n",
        ]
    return "".join([*parts, "</feed>\n"]).encode()


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _link(rel: str, media: str, address: str) -> str:
    return f' <link rel="{rel}" type="{media}" href="{xml_attribute(address)}"/>\n'
