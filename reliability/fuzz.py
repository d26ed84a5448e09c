"""Well-formed answers, changed by chance, under calls by chance: never other bytes, never a lost object, in time.

An episode is a new store, a new filesystem and some steps; a step is one call, of whose answers some are odd. All
of it follows from a seed and the episode's number, so that a step that fails can be repeated.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from registry_s3fs import RegistryS3FileSystem
from reliability import fuzz_calls, judging
from reliability.fuzz_calls import Call
from reliability.judging import BOUND_SECONDS, Ending, within
from reliability.odd_calls import PAGE_KEYS, options
from reliability.workers import spread
from testbed import random_mutations
from testbed.messages import Reply, Request
from testbed.random_mutations import MAKES_OR_DELETES
from testbed.scripted_store import ScriptedStore

SEED = 20261126
STEPS = 5_000
EPISODE_STEPS = 25
PROCESSES = 4
"""Episodes at once: most of the time is waiting before a request is repeated."""
CHANCES = (0.0, 0.2, 0.6, 1.0)
"""Of each answer to be odd; one is chosen for each step."""
UNDONE_CHANCE = 0.3
"""Of an odd answer to a write to come instead of doing it."""
FAILING = (OSError, ValueError)
"""What a call may raise."""


class FuzzedStore(ScriptedStore):
    """A store that answers oddly as often as its chance of the moment says."""

    def __init__(self, seed: str) -> None:
        super().__init__(fuzz_calls.contents(random.Random(seed)), page_keys=PAGE_KEYS, log_limit=100)
        self._fuzz_lock = threading.Lock()
        self.begin(seed, 0.0, lies=False)

    def begin(self, seed: str, chance: float, *, lies: bool) -> None:
        """Begin a step."""
        with self._fuzz_lock:
            self._seed, self._chance, self._lies = seed, chance, lies
            self._seen: Counter[str] = Counter()
            self.odd: list[str] = []
            """What was odd in this step."""
            self.has_lied = False

    def _answer(self, request: Request) -> Reply:
        chance = self._chance_of(request)
        if chance.random() >= self._chance:
            return self.carry_out(request)
        if request.operation in MAKES_OR_DELETES and chance.random() < UNDONE_CHANCE:
            mutation = random_mutations.draw_instead(chance, request)
            answer = self.carry_out(request, done=False)
        else:
            answer = self.carry_out(request)
            mutation = random_mutations.draw(chance, request, answer, lies=self._lies)
        with self._fuzz_lock:
            named = request.header("Range") or request.query.get("prefix", "")
            self.odd.append(f"{request.operation} {request.key} {named} ({answer.status}): {mutation.title}")
            self.has_lied |= mutation.is_lie
        return mutation.reply(request, answer)

    def _chance_of(self, request: Request) -> random.Random:
        """The same for the same request, whatever others are sent at the same time."""
        query = sorted(pair for pair in request.query.items() if not pair[0].lower().startswith("x-amz-"))  # signatures
        about = f"{request.operation} {request.key} {request.header('Range')} {query}"
        with self._fuzz_lock:
            self._seen[about] += 1
            return random.Random(f"{self._seed} {about} {self._seen[about]}")


@dataclass(frozen=True)
class Step:
    """What became of one step."""

    title: str
    ending: Ending
    odd: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass
class Episode:
    """What became of one episode. A problem does not end it: what the store holds is looked at before each step."""

    seed: int
    number: int
    steps: list[Step] = field(default_factory=list)

    @property
    def problems(self) -> list[int]:
        """The numbers of the steps that were not as promised."""
        return [number for number, step in enumerate(self.steps) if step.problems]

    def told(self, number: int) -> str:
        """All that is needed to repeat a step."""
        step = self.steps[number]
        return "\n".join([
            f"seed {self.seed}, episode {self.number}, step {number}: {step.title}: {step.ending.said}",
            *(f"  PROBLEM {each}" for each in step.problems),
            *(f"  odd: {each}" for each in step.odd),
            *(f"  before: {each.title}: {each.ending.name}" for each in self.steps[:number]),
            *([f"  it was at\n{step.ending.stack}"] if step.ending.stack else []),
            f"  again: python -m reliability --fuzz --seed {self.seed} --episode {self.number}",
        ])  # fmt: skip


def episode(number: int, seed: int = SEED, count: int = EPISODE_STEPS) -> Episode:
    """Run an episode, up to its end or to a call that does not end."""
    found = Episode(seed, number)
    with FuzzedStore(f"{seed} {number}") as store:
        boto3s_alone = number % 4 == 3
        fs = RegistryS3FileSystem(**options(store.options()), fast_path=not boto3s_alone, skip_instance_cache=True)
        for each in range(count):
            found.steps.append(_step(store, fs, f"{seed} {number} {each}"))
            if found.steps[-1].ending.stack:
                break
    return found


def _step(store: FuzzedStore, fs: RegistryS3FileSystem, seed: str) -> Step:
    chance = random.Random(seed)
    before = store.contents()
    call: Call = fuzz_calls.draw(chance, before)
    store.begin(seed, chance.choice(CHANCES), lies=not call.trusts)
    ending = within(BOUND_SECONDS, lambda: call.run(fs))
    is_plausible = store.has_lied and call.tells_names
    problems = judging.problems(
        call.intent, ending, before, store.contents(), is_plausible=is_plausible, errors=FAILING
    )
    if not store.odd and ending.error is not None:
        problems.append(f"failed, though no answer was odd: {ending.said}")
    return Step(call.title, ending, tuple(store.odd), tuple(problems))


def run(count: int = STEPS, seed: int = SEED) -> list[Episode]:
    """So many steps, in processes of their own; what failed is told on stderr as it comes."""
    numbers = range(-(-count // EPISODE_STEPS))
    found = []
    for each in spread(partial(episode, seed=seed), numbers, PROCESSES, lost=partial(_lost, seed), is_spent=_is_spent):
        found.append(each)
        for failed in each.problems:
            print(each.told(failed), file=sys.stderr, flush=True)
    return found


def _lost(seed: int, number: int) -> Episode:
    return Episode(seed, number, [Step("an unknown call", Ending(), (), ("its process died",))])


def _is_spent(found: Episode) -> bool:
    return bool(found.steps[-1].ending.stack)


def summary(found: Iterable[Episode]) -> Iterator[tuple[str, str]]:
    """What all of it came to, as rows of a table."""
    episodes = list(found)
    steps_done = [step for each in episodes for step in each.steps]
    yield "steps", f"{len(steps_done):,}"
    yield "odd answers", f"{sum(len(step.odd) for step in steps_done):,}"
    yield "right", f"{sum(step.ending.error is None and not step.problems for step in steps_done):,}"
    yield "refused", f"{sum(step.ending.error is not None and not step.problems for step in steps_done):,}"
    yield "problems", f"{sum(len(each.problems) for each in episodes):,}"
    yield "longest call", f"{max(step.ending.seconds for step in steps_done):.1f} s"
