"""Odd answers by chance: fewer steps than `make faults` takes, of the same kind, from seeds of their own."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reliability import fuzz

pytestmark = [
    pytest.mark.usefixtures("dropped_connections"),
    # boto3 drops the connection of an answer that it cannot make out, and does not close it.
    pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"),
]

EPISODES = 10
STEPS = 15


@pytest.mark.promise("Odd stores and odd answers")
@settings(
    max_examples=EPISODES, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1))
def test_no_change_to_an_answer_gives_other_bytes_or_loses_an_object(seed: int) -> None:
    """Random changes to the answers of random calls give the right result or an error. Nothing is lost, and each call
    ends within 20 s.
    """
    found = fuzz.episode(0, seed, STEPS)
    if found.problems:
        pytest.fail("\n".join(map(found.told, found.problems)), pytrace=False)


def test_a_step_follows_from_its_seed() -> None:
    """So that one which failed can be repeated: the same calls, and the same answers to the same requests."""
    first, second = (fuzz.episode(3, 5, 6) for _ in range(2))
    assert [step.title for step in first.steps] == [step.title for step in second.steps]
    assert sorted(first.steps[0].odd) == sorted(second.steps[0].odd)
    assert [step.title for step in fuzz.episode(4, 5, 6).steps] != [step.title for step in first.steps]


def test_a_filesystem_that_loses_a_byte_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step says what went wrong, after which calls and changes, and how to repeat it."""
    monkeypatch.setattr("registry_s3fs.RegistryS3FileSystem.cat_file", lambda fs, path, *ends: b"")
    found = next(each for each in (fuzz.episode(number, 1, 25) for number in range(9)) if each.problems)
    told = found.told(found.problems[0])
    assert "PROBLEM gave b'' instead of" in "".join(map(found.told, found.problems))
    assert f"again: python -m reliability --fuzz --seed 1 --episode {found.number}" in told
