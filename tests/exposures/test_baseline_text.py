"""The contract's text of projected baselines, there and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.baseline_text import baselines_from_text, baselines_to_text
from obsportal.exposures.record import Baseline


def test_real_answers_of_the_portal_are_read_and_written_again_unchanged(shared_data: Path) -> None:
    answers = (shared_data / "aspro" / "obsportal" / "search.votable.xml").read_text()
    texts = [
        t.replace("&apos;", "'").replace("&#39;", "'") for t in re.findall(r"<TD>(\{.*?\})</TD>", answers)
    ]
    assert len(texts) == 8
    for text in texts:
        baselines = baselines_from_text(text)
        assert len(baselines) == 6
        assert baselines_to_text(baselines) == text


def test_missing_values_are_none_and_no_baseline_is_an_empty_text() -> None:
    text = baselines_to_text([Baseline("U1", "U2", 50.159, None, 3.3, None)])
    length, angle = "{'start': '50.1590', 'end': None}", "{'start': '3.3000', 'end': None}"
    assert text == f"{{'U1-U2': {{'length': {length}, 'angle': {angle}}}}}"
    assert baselines_to_text([]) == ""
    assert baselines_from_text("") == []


@pytest.mark.parametrize(
    "text", ["x", "{", "[1]", "{'U1-U2': 3}", "{'U1-U2': {'length': {}, 'angle': {}}}", "{1: 2}"]
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a dictionary of projected baselines"):
        baselines_from_text(text)


LENGTHS = st.none() | st.floats(0, 350).map(lambda x: round(x, 4))
NAMES = st.sampled_from(["U1", "U4", "A0", "J6", "S1", "W2"])


@given(
    st.lists(
        st.builds(Baseline, NAMES, NAMES, LENGTHS, LENGTHS, LENGTHS, LENGTHS),
        unique_by=lambda b: (b.first, b.second),
    )
)
def test_baselines_survive_the_way_through_the_text(baselines: list[Baseline]) -> None:
    assert baselines_from_text(baselines_to_text(baselines)) == baselines
