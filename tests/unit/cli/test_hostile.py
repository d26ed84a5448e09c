"""Names and documents from strangers: whatever they hold, a terminal has nothing to obey, and no command fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registries import MadeRegistry
from tests.unit.cli.conftest import Run
from tests.unit.cli.sample import Sample

EVIL = "\x1b]0;gotcha\x07\x9b2J\u202e<script>\n"


@pytest.fixture
def hostile(sample: Sample) -> MadeRegistry:
    """A registry in which all that can be named by strangers is."""
    made = sample.made
    image = made.image(
        "team/evil",
        "v1",
        [b"layer"],
        config={"os": EVIL, "architecture": EVIL, "history": [{"created": EVIL, "created_by": EVIL, "comment": EVIL}]},
        annotations={EVIL: EVIL},
    )
    made.artifact("team/evil", "files", {EVIL: b"data"}, artifact_type=EVIL, subject=image, annotations={"a": EVIL})
    made.index("team/evil", "index", [(image, {"os": EVIL, "architecture": EVIL})])
    made.image(f"team/{EVIL}", EVIL, [b"other"])
    made.manifest("team/evil", b"[" * 100_000, "deep")
    made.write(f"{made.root}/repositories/team/evil/{EVIL}", EVIL.encode())
    made.write(made.tag_path("team/evil", "broken"), EVIL.encode())
    made.upload("team/evil", b"data", name=EVIL)
    return made


COMMANDS = (
    *(["repos"], ["repos", "-q"], ["tags", "team/evil"], ["tags", "-q", "team/evil"], ["layers"]),
    *(["inspect", "team/evil:v1"], ["inspect", "team/evil:files"], ["inspect", "team/evil:index"]),
    *(["tree", "team/evil:v1"], ["tree", "team/evil:index"], ["history", "team/evil:v1"]),
    *(["history", "team/evil:index"], ["inspect", "team/evil:deep"], ["inspect", "team/evil:broken"]),
    *(["inspect", f"team/evil:{EVIL}"], ["freed", "team/*"], ["freed", EVIL], ["check"], ["check", "-q"], ["verify"]),
    *(["gc", "--dry-run"], ["gc", "--dry-run", "--registry", "3", "--delete-untagged"], ["uploads", "list"]),
    ["uploads", "abort", "--older-than", "0s"],
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", ["table", "tree", "json", "csv"])
def test_no_name_reaches_the_terminal(
    run: Run, sample: Sample, hostile: MadeRegistry, words: list[str], form: str, tmp_path: Path
) -> None:
    """Output and messages are printable in every format, and the status is one of those that the help tells."""
    command, *rest = words
    group = [rest.pop(0)] if command == "uploads" else []
    done = run(command, *group, sample.url, *rest, "--format", form)
    assert done.status in (0, 1, 3)
    assert done.out.replace("\n", "").isprintable()
    assert done.err.replace("\n", "").isprintable()
    assert "Traceback" not in done.err
