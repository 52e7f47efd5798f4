"""The documentation says what the code has, and the lock files name no host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from obsportal.exposures.criteria import PARAMETERS
from obsportal.exposures.search import SORTS
from obsportal.site.config import SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LOCKS = ("requirements.lock", "requirements-dev.lock")


def cells(document: str, first: str) -> list[str] | None:
    """The cells of the table row that begins with this word in code quotes."""
    for line in (DOCS / document).read_text().splitlines():
        parts = [cell.strip() for cell in line.strip("|").split(" | ")]
        if parts[0].strip("| ") == first:
            return parts
    return None


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    lines = project["dependencies"] if not extras else [line for extra in extras for line in optional[extra]]
    return {re.split(r"[\[<>=!~; ]", line)[0] for line in lines}


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_in_the_operators_table(setting: Setting) -> None:
    row = cells("operator.md", f"`{setting.name}`")
    assert row is not None
    assert row[1].strip("`") == setting.default
    assert row[2].removesuffix(" |") == setting.help


def test_the_operators_table_has_no_setting_that_is_gone() -> None:
    named = set(re.findall(r"^\| `(OBSPORTAL_\w+)`", (DOCS / "operator.md").read_text(), re.MULTILINE))
    assert named == {setting.name for setting in SETTINGS}


def test_every_search_parameter_is_in_the_programmers_table() -> None:
    text = (DOCS / "api.md").read_text()
    table = text.split("### Parameters")[1].split("###")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [p.name for p in PARAMETERS]
    for parameter in PARAMETERS:
        assert f"| {parameter.help} | `{parameter.example}` |" in table
    assert all(f"`{name}`" in text for name in SORTS)


def test_every_dependency_says_what_it_saves_us_and_no_other_is_listed() -> None:
    text = (DOCS / "decisions" / "dependencies.md").read_text()
    listed = re.findall(r"^\| ([a-z0-9.-]+) \| \w", text, re.MULTILINE)
    assert sorted(set(listed) - {"package"}) == sorted(declared() | declared("build", "dev"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_host_and_hashes_everything(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^\s*(-i|-f|--(index|extra-index|find-links|trusted-host))", text, re.MULTILINE)
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_files_hold_what_is_declared_and_agree() -> None:
    assert declared() | declared("build") <= locked("requirements.lock")
    assert declared("dev") | locked("requirements.lock") <= locked("requirements-dev.lock")
    runtime = set(re.findall(r"^\S+==.*$", (ROOT / LOCKS[0]).read_text(), re.MULTILINE))
    assert runtime <= set(re.findall(r"^\S+==.*$", (ROOT / LOCKS[1]).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_is_in_the_index() -> None:
    folder = DOCS / "decisions"
    index = (folder / "README.md").read_text()
    assert [p.name for p in folder.glob("*.md") if p.name != "README.md" and f"({p.name})" not in index] == []
