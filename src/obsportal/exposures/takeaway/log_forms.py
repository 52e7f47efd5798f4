"""The observing log as a LaTeX table ready for a paper, and as CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from obsportal.exposures.takeaway.observing_log import Log, LogRow, Per
from obsportal.exposures.takeaway.spreadsheet import harmless

SHORT = 45
"""Rows up to which the table is one float; more need a table over several pages."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "−": "$-$", "–": "--", "°": r"$^\circ$",
    "±": r"$\pm$", "×": r"$\times$", "′": r"$'$", "″": r"$''$", "µ": r"$\mu$", "≤": r"$\leq$", "≥": r"$\geq$",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip


def latex(text: str) -> str:
    """Text that LaTeX prints as it is, with its default packages; what it has no sign for becomes ``?``.

    >>> latex("HD_1 & 50%")
    'HD\\\\_1 \\\\& 50\\\\%'
    """
    found = "".join(_sign(character) for character in " ".join(text.split()))
    return found.replace("--", "-{}-") if "--" in text else found


def _sign(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character in _GREEK:
        return f"$\\{_GREEK[character]}$"
    if " " <= character <= "~" or "À" <= character <= "ž":
        return character
    parts = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    return "".join(_LATEX.get(c, c) if " " <= c <= "~" else "?" for c in parts)


@dataclass(frozen=True, slots=True)
class LogColumn:
    """A column: its CSV name with the unit, its LaTeX header and unit, and the cells."""

    name: str
    head: str
    unit: str
    align: str
    text: Callable[[LogRow], str]
    """For CSV."""
    cell: Callable[[LogRow], str] | None = None
    """For LaTeX where it is not the escaped text."""


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _or_dots(text: str) -> str:
    return text or r"\dots"


DATE = LogColumn("date_utc", "Date", "(UTC)", "l", lambda r: r.date)
NIGHT = LogColumn("night", "Night", "(local)", "l", lambda r: "" if r.night is None else r.night.isoformat())
COLUMNS = (
    LogColumn("target", "Target", "", "l", lambda r: r.target),
    LogColumn("configuration", "Configuration", "", "l", lambda r: r.configuration),
    LogColumn("stations", "Stations", "", "l", lambda r: r.stations),
    LogColumn("instrument", "Instrument", "", "l", lambda r: r.instrument),
    LogColumn("mode", "Mode", "", "l", lambda r: r.mode),
    LogColumn("n_exposures", "$N$", "", "r", lambda r: str(r.exposures)),
    LogColumn("integration_s", "Integration", "(s)", "r", lambda r: _number(r.integration, 1)),
    LogColumn("calibrators", "Calibrators", "", "l", lambda r: "; ".join(r.calibrators)),
    LogColumn("seeing_arcsec", "Seeing", "(arcsec)", "r", lambda r: _number(r.seeing, 2)),
    LogColumn("tau0_ms", r"$\tau_0$", "(ms)", "r", lambda r: _number(r.tau0_ms, 1)),
    LogColumn("programme", "Programme", "", "l", lambda r: r.programme),
)


def columns(per: Per) -> tuple[LogColumn, ...]:
    """The columns of a log; rows of a night are named by it, others by their first exposure."""
    return (NIGHT if per is Per.TARGET_NIGHT else DATE, *COLUMNS)


def write_csv(log: Log, comments: Sequence[str] = ()) -> bytes:
    """The log as CSV; ``comments`` stand before it, each line behind a ``#``."""
    out = io.StringIO()
    for line in comments:
        out.write(f"# {line}\r\n" if line else "#\r\n")
    writer = csv.writer(out)
    used = columns(log.per)
    writer.writerow(c.name for c in used)
    writer.writerows([harmless(c.text(row)) for c in used] for row in log.rows)
    return out.getvalue().encode()


def write_latex(log: Log, notes: Sequence[str], comments: Sequence[str] = ()) -> bytes:
    """The log as a LaTeX table with booktabs: a float of up to SHORT rows, else a longtable.

    ``notes`` are printed under it, ``comments`` only stand in the file.
    """
    used = columns(log.per)
    long = len(log.rows) > SHORT
    packages = r"\usepackage{booktabs,longtable}" if long else r"\usepackage{booktabs,threeparttable}"
    lines = [f"% {_comment(line)}".rstrip() for line in comments]
    lines += [f"% In the preamble: {packages}", ""]
    head = " & ".join(c.head for c in used) + r" \\"
    units = " & ".join(c.unit for c in used) + r" \\"
    body = [" & ".join(_or_dots(_cell(c, row)) for c in used) + r" \\" for row in log.rows]
    caption = rf"\caption{{Observing log: {latex(log.words)}.}}"
    layout = "".join(c.align for c in used)
    write = _long if long else _short
    lines += write(layout, caption, head, units, body, [latex(note) for note in notes], len(used))
    return ("\n".join(lines) + "\n").encode()


def _cell(column: LogColumn, row: LogRow) -> str:
    return column.cell(row) if column.cell else latex(column.text(row))


def _comment(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _short(
    layout: str, caption: str, head: str, units: str, body: list[str], notes: list[str], width: int
) -> list[str]:
    return [
        r"\begin{table*}",
        r"\centering",
        r"\begin{threeparttable}",
        caption,
        r"\label{tab:observing-log}",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        head,
        units,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\begin{tablenotes}",
        *[rf"\item {note}" for note in notes],
        r"\end{tablenotes}",
        r"\end{threeparttable}",
        r"\end{table*}",
    ]


def _long(
    layout: str, caption: str, head: str, units: str, body: list[str], notes: list[str], width: int
) -> list[str]:
    return [
        rf"\begin{{longtable}}{{{layout}}}",
        caption + r"\label{tab:observing-log}\\",
        r"\toprule",
        head,
        units,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        head,
        units,
        r"\midrule",
        r"\endhead",
        r"\midrule",
        rf"\multicolumn{{{width}}}{{r}}{{continued on the next page}}\\",
        r"\endfoot",
        r"\bottomrule",
        r"\endlastfoot",
        *body,
        r"\end{longtable}",
        *[rf"\noindent {{\small {note}}}\par" for note in notes],
    ]
