"""The download list as a shell script for curl, a Python script for astroquery, a table, a plain list."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence

from obsportal.exposures.takeaway.downloads import DATA_PORTAL, Downloads, RawFile, is_dp_id
from obsportal.exposures.takeaway.spreadsheet import harmless

CHUNK = 50
"""Files that astroquery is asked for at once."""

_CURL = """\
#
# Usage:  bash downloads.sh [FOLDER]        (the present folder without one)
# Files that are there already are skipped; a broken download goes on where it stopped.
# Proprietary files need a token of the ESO User Portal in the variable ESO_TOKEN; without one they are
# skipped. DATA_PORTAL names another server.
set -u
folder=${1:-.}
portal=${DATA_PORTAL:-__PORTAL__}
mkdir -p "$folder" || exit 2
failed=0 skipped=0 locked=0 fetched=0

token() {  # the header that a proprietary file needs; read from a pipe, no list of processes shows it
    if [ "$1" = proprietary ]; then printf 'header = "Authorization: Bearer %s"\\n' "$ESO_TOKEN"; fi
}

get() {  # get FILE ADDRESS public|proprietary
    curl --config <(token "$3") --fail --location --silent --show-error --retry 3 -C - -o "$1" "$2"
}

fetch() {  # fetch IDENTIFIER public|proprietary
    local name="$folder/${1//:/_}.fits.Z" code
    if [ -s "$name" ]; then skipped=$((skipped + 1)); return; fi
    if [ "$2" = proprietary ] && [ -z "${ESO_TOKEN:-}" ]; then
        locked=$((locked + 1))
        return
    fi
    get "$name.part" "$portal/$1" "$2"
    code=$?
    if [ $code -eq 33 ] || { [ $code -eq 22 ] && [ -s "$name.part" ]; }; then  # it cannot be continued
        rm -f "$name.part"
        get "$name.part" "$portal/$1" "$2"
        code=$?
    fi
    if [ $code -eq 0 ] && mv "$name.part" "$name"; then
        fetched=$((fetched + 1)); echo "$1"
    else
        failed=$((failed + 1)); echo "$1 was not fetched" >&2
    fi
}

"""

_ASTROQUERY = '''\
"""Fetch the files with astroquery: python downloads.py [FOLDER].

Proprietary files need a login: set ESO_USER to your name at the ESO User Portal.
"""

import os
import sys

from astroquery.eso import Eso

PUBLIC = [
__PUBLIC__]
PROPRIETARY = [
__PROPRIETARY__]

folder = sys.argv[1] if len(sys.argv) > 1 else "."
eso = Eso()
wanted = list(PUBLIC)
if PROPRIETARY:
    if os.environ.get("ESO_USER"):
        eso.login(username=os.environ["ESO_USER"])
        wanted += PROPRIETARY
    else:
        print(f"{len(PROPRIETARY)} proprietary files are left out: set ESO_USER to log in", file=sys.stderr)
for start in range(0, len(wanted), __CHUNK__):
    eso.retrieve_data(wanted[start : start + __CHUNK__], destination=folder)
    print(min(start + __CHUNK__, len(wanted)), "of", len(wanted))
'''


def comment_lines(comments: Sequence[str]) -> str:
    """Lines behind a ``#`` that no text can leave."""
    plain = ("".join(c if c.isprintable() else " " for c in line) for line in comments)
    return "".join(f"# {line}".rstrip() + "\n" for line in plain)


def curl_script(found: Downloads, comments: Sequence[str]) -> str:
    """A bash script that fetches the files; it goes on where it was stopped."""
    lines = [f"fetch {shlex.quote(f.dp_id)} {_word(f)}\n" for f in _safe(found)]
    return (
        "#!/usr/bin/env bash\n"
        + comment_lines(comments)
        + _CURL.replace("__PORTAL__", DATA_PORTAL)
        + "".join(lines)
        + '\necho "$fetched fetched, $skipped there already, $failed failed,'
        + ' $locked proprietary left out (set ESO_TOKEN)"\n[ "$failed" -eq 0 ]\n'
    )


def astroquery_script(found: Downloads, comments: Sequence[str]) -> str:
    """A Python script that fetches the files with astroquery, in chunks."""
    public = "".join(f"    {f.dp_id!r},\n" for f in _safe(found) if f.public)
    proprietary = "".join(f"    {f.dp_id!r},\n" for f in _safe(found) if not f.public)
    script = _ASTROQUERY.replace("__PUBLIC__", public).replace("__PROPRIETARY__", proprietary)
    return comment_lines(comments) + script.replace("__CHUNK__", str(CHUNK))


def plain_list(found: Downloads, comments: Sequence[str]) -> str:
    """One address a line."""
    return comment_lines(comments) + "".join(f"{f.url}\n" for f in _safe(found))


CSV_COLUMNS = ("dp_id", "url", "role", "target", "instrument", "programme", "release", "public", "linked")


def csv_table(found: Downloads, comments: Sequence[str] = ()) -> str:
    """The files with what is known of them; ``release`` is a UTC date, ``public`` true, false or unknown."""
    out = io.StringIO()
    out.write(comment_lines(comments))
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for f in _safe(found):
        release = "" if f.release is None else f"{f.release:%Y-%m-%d}"
        public = "unknown" if f.release is None else str(f.public).lower()
        row = [f.dp_id, f.url, f.role.value, f.target, f.instrument, f.programme, release, public]
        writer.writerow([*map(harmless, row), str(f.linked).lower()])
    return out.getvalue()


def _safe(found: Downloads) -> list[RawFile]:
    """The files whose identifiers may stand in a script: checked once more where it matters."""
    return [file for file in found.files if is_dp_id(file.dp_id)]


def _word(file: RawFile) -> str:
    return "public" if file.public else "proprietary"
