"""Lines that repeat a search: for a shell, and for Python with astropy or pyvo."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.http import urlencode

from obsportal.exposures.criteria import PARAMETERS

KNOWN = frozenset(
    {"ra", "dec", "radius", "sort", "limit", "page", "all_fields", "group", *(p.name for p in PARAMETERS)}
)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A search as lines to run."""

    url: str
    curl: str
    astropy: str
    pyvo: str


def known(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that a search understands and that have a value."""
    return {name: value.strip() for name, value in params.items() if name in KNOWN and value.strip()}


def repeat(params: Mapping[str, str], base: str, form: str = "votable") -> Repeat:
    """The lines for these parameters; ``base`` is the portal's address with its last slash."""
    asked = known(params)
    service = f"{base}search.votable"
    query = urlencode(sorted(asked.items()))
    url = f"{service}?{query}" if query else service
    chosen = url.replace("search.votable", f"search.{form}", 1)
    return Repeat(
        url=chosen,
        curl=f"curl --fail --output search.{'xml' if form == 'votable' else form} {shlex.quote(chosen)}",
        astropy=f"from astropy.table import Table\nrows = Table.read({url!r}, format='votable')",
        pyvo=f"import pyvo\nrows = pyvo.dal.query.DALQuery({url!r}).execute().to_table()",
    )


LONGEST_LINK = 1_500
"""Characters of a query up to which a header names it."""


def cite_link(params: Mapping[str, str]) -> str:
    """The Link header that says where the acknowledgement of an answer stands (RFC 8574)."""
    query = urlencode(sorted(known(params).items()))
    behind = f"?{query}" if 0 < len(query) <= LONGEST_LINK else ""
    return f'</cite{behind}>; rel="cite-as"'
