"""Real ESO headers for tests, and the same with some cards changed."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from obsportal.exposures.describe import describe
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header


def paths(shared_data: Path, instrument: str = "*") -> list[Path]:
    """Files of the real ESO headers of an instrument."""
    found = sorted(p for p in (shared_data / "headers" / "").glob(f"{instrument}/*.hdr"))
    return [p for p in found if p.parent.name != "CHARA"]


@lru_cache(maxsize=256)
def text_of(path: Path) -> str:
    """Text of a header file."""
    return path.read_text(encoding="latin-1")


def real(shared_data: Path, beginning: str) -> str:
    """Text of the one real header whose file name begins like this."""
    (path,) = [p for p in paths(shared_data) if p.name.startswith(beginning)]
    return text_of(path)


def changed(text: str, **cards: object) -> str:
    """A header text with cards set, or removed for None. ``ESO_TPL_ID`` stands for ESO TPL ID."""
    for name, value in cards.items():
        keyword = name.replace("__", "-").replace("_", " ")
        card = f"HIERARCH {keyword}" if " " in keyword else f"{keyword:<8}"
        text = re.sub(rf"^{re.escape(card.rstrip())} *=.*\n", "", text, flags=re.MULTILINE)
        if value is not None:
            written = (
                f"'{value}'" if isinstance(value, str) else "FT"[value] if isinstance(value, bool) else value
            )
            text = text.replace("\nEND", f"\n{card} = {written}\nEND", 1)
    return text


def raw(text: str, category: str, kind: str, technique: str = "INTERFEROMETRY", **cards: object) -> str:
    """The raw header a product's header came from: PRO removed, DPR put back."""
    text = re.sub(r"^HIERARCH ESO PRO .*\n", "", text, flags=re.MULTILINE)
    dpr = {"ESO_DPR_CATG": category, "ESO_DPR_TYPE": kind, "ESO_DPR_TECH": technique}
    return changed(text, **{**dpr, **cards})


def record_of(text: str, **options: object) -> ExposureRecord:
    """The single exposure of a header text."""
    options.setdefault("include_products", True)
    outcome = describe(Header.parse(text), **options)  # type: ignore[arg-type]
    assert not isinstance(outcome, Refusal), outcome
    (record,) = outcome
    return record


def refusal_of(text: str, **options: object) -> Refusal:
    """The refusal of a header text."""
    outcome = describe(Header.parse(text), **options)  # type: ignore[arg-type]
    assert isinstance(outcome, Refusal), outcome
    return outcome


def codes(record: ExposureRecord) -> set[str]:
    """Codes of the messages of a record."""
    return {m.code for m in record.messages}
