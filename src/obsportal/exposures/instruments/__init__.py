"""One rule file per instrument. A module here with INSTRUMES and describe() is a rule: nothing to register.

A rule's ``describe(header, context)`` gives the exposures of a header or a Refusal. A rule of an ESO
instrument also has ``on_sky(category, kind, technique)``: why a frame type is refused, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Protocol, cast

from obsportal.exposures.instruments.context import Context
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header


class Rule(Protocol):
    """What a rule module offers."""

    INSTRUMES: tuple[str, ...]

    def describe(self, header: Header, context: Context = ..., /) -> list[ExposureRecord] | Refusal:
        """The exposures of a header, or why there is none."""


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """Every rule by the values of INSTRUME it is for, upper case."""
    found: dict[str, Rule] = {}
    for module in iter_modules(__path__):
        rule: ModuleType = import_module(f"{__name__}.{module.name}")
        for instrume in getattr(rule, "INSTRUMES", ()):
            found[instrume.upper()] = cast(Rule, rule)
    return found


def rule_for(instrume: str) -> Rule | None:
    """The rule for a value of INSTRUME."""
    return rules().get(instrume.strip().upper())


def on_sky(instrument: str, category: str, kind: str, technique: str = "INTERFEROMETRY") -> str:
    """Why a frame with these DPR CATG, TYPE and TECH is no exposure on the sky; "" when it is one."""
    decide = cast(
        Callable[[str, str, str], tuple[str, str] | None] | None,
        getattr(rule_for(instrument), "on_sky", None),
    )
    if decide is None:
        return f"no frame types are known for {instrument}"
    refused = decide(category, kind, technique)
    return refused[1] if refused else ""
