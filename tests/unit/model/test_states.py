"""Tables of states: what each says of files and writers, without a file or writer."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from registry_s3fs.driver import file_writer
from registry_s3fs.files import write_states
from registry_s3fs.model.states import Transitions

TABLES = [
    pytest.param(write_states.State, write_states.TRANSITIONS, id="file"),
    pytest.param(file_writer.State, file_writer.TRANSITIONS, id="writer"),
]
FILE, WRITER = write_states.State, file_writer.State


@pytest.mark.parametrize(("states", "transitions"), TABLES)
def test_every_state_is_reached_from_open(states: Any, transitions: Transitions[Any]) -> None:
    """None is left in a table that nothing leads to."""
    reached = {states.OPEN}
    while (more := _next(transitions, reached)) - reached:
        reached |= more
    assert reached == set(states)


def _next(transitions: Transitions[Any], states: set[Enum]) -> set[Enum]:
    return {after for (state, _), after in transitions.table.items() if state in states}


@pytest.mark.parametrize(("states", "transitions"), TABLES)
def test_only_an_open_one_leads_to_bytes_in_an_object(states: Any, transitions: Transitions[Any]) -> None:
    """What is published, discarded, committed or cancelled is so for good."""
    published = {FILE.PUBLISHED, WRITER.COMMITTED}
    sources = {state for (state, _), after in transitions.table.items() if after in published}
    assert sources == ({FILE.OPEN, FILE.HELD} if states is FILE else {WRITER.OPEN})
    assert states.OPEN not in {after for (state, _), after in transitions.table.items() if state is not states.OPEN}


@pytest.mark.parametrize("event", sorted({event for _, event in write_states.TRANSITIONS.table} - {"fail", "disown"}))
@pytest.mark.parametrize("state", [FILE.PUBLISHED, FILE.DISCARDED, FILE.ENDED])
def test_nothing_happens_to_a_file_that_is_over(state: write_states.State, event: str) -> None:
    """A second close, commit or discard changes nothing, and a byte is refused."""
    assert write_states.TRANSITIONS.after(state, event) is None


@pytest.mark.parametrize("state", FILE)
@pytest.mark.parametrize("event", ["fail", "disown"])
def test_a_file_that_failed_is_discarded(state: write_states.State, event: str) -> None:
    """So is one that belongs to the parent of a process, whatever it was doing."""
    assert write_states.TRANSITIONS.after(state, event) is FILE.DISCARDED


def test_a_failed_writer_can_only_be_cancelled() -> None:
    """Whether the bytes of a failed call were stored is not known, so none may follow them."""
    allowed = {event for state, event in file_writer.TRANSITIONS.table if state is WRITER.FAILED}
    assert allowed == {"cancel", "fail"}
