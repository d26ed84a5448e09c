"""Odd answers by chance: what fits an answer, chosen by a `random.Random`, and whether a client could tell. Pure.

Some lies are as good as the truth: a listing that leaves a key out, a HEAD with another size. These are marked, so that
nobody holds it against a client that it believes them. Nothing is drawn that would hand out other bytes under an
answer which is right in itself.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed import mutations as m
from testbed.messages import Answer, Reply, Request, Reset
from testbed.mutations import Change

SLOW_SHARE = 0.01
"""Of the draws are such as make a client wait for its timeout."""
LISTS = ("ListObjectsV2", "ListParts", "ListMultipartUploads", "ListObjectVersions")
MAKES_OR_DELETES = (
    *("PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"),
    *("DeleteObject", "DeleteObjects"),
)


@dataclass(frozen=True)
class Mutation:
    """One odd answer that was drawn."""

    title: str
    change: Change
    is_lie: bool = False
    """Whether it may be taken for a true one."""

    def reply(self, request: Request, answer: Answer) -> Reply:
        """What is sent instead of an answer."""
        return self.change(request, answer)


def draw(chance: random.Random, request: Request, answer: Answer, *, lies: bool = True) -> Mutation:
    """An odd form of this answer; without `lies` one that a client can tell."""
    makers: Sequence[Callable[[random.Random, Request, Answer], Mutation | None]] = (
        *(_on_the_wire,) * 3,
        *(_of_headers,) * 4,
        *(_of_a_range,) * (3 if answer.status == 206 else 0),
        *(_of_a_document,) * (4 if answer.body[:5] == b"<?xml" and request.operation != "GetObject" else 0),
        *(_of_a_listing,) * (2 if request.operation == "ListObjectsV2" and answer.status == 200 else 0),
        _of_a_body,
    )
    while True:
        slow = chance.random() < SLOW_SHARE
        found = (_slow if slow else chance.choice(makers))(chance, request, answer)
        if found is not None and (lies or not found.is_lie):
            return found


def draw_instead(chance: random.Random, request: Request) -> Mutation:
    """What comes instead of the answer to something that was not done; none of it is S3's yes."""
    choices = [
        ("a page instead", m.html_page()),
        ("another document instead", m.another_document()),
        ("an error with status 200", m.error_with_success()),
        ("a 500", m.instead(m.error_document(), "application/xml", 500, "Internal Server Error")),
        ("a 403", m.instead(m.error_document("AccessDenied"), "application/xml", 403, "Forbidden")),
        ("a gateway's 502", m.instead(m.PAGE, "text/html", 502, "Bad Gateway")),
        ("a reset", lambda request, answer: [Reset()]),
    ]
    if request.operation != "DeleteObject":  # of which a 200 without a body is a yes
        choices.append(("nothing instead", m.nothing()))
    title, change = chance.choice(choices)
    return Mutation(f"{title}, and nothing was done", change)


def _on_the_wire(chance: random.Random, request: Request, answer: Answer) -> Mutation:
    some = [m.INTERIM[chance.choice([100, 102, 103])] for _ in range(chance.randint(1, 3))]
    share = chance.random()
    garbage = chance.randbytes(chance.randint(1, 200))
    title, change = chance.choice([
        (f"{len(some)} interim answers", m.interim(*some)),
        (f"{len(garbage)} bytes after the end", m.trailing(garbage)),
        ("another answer after the end", m.another_answer()),
        (f"cut off after {share:.2f}", m.cut(lambda data: int(len(data) * share))),
        (f"reset after {share:.2f}", m.cut(lambda data: int(len(data) * share), Reset())),
        ("HTTP/1.0", m.version("HTTP/1.0")),
        ("HTTP/2.0", m.version("HTTP/2.0")),
        ("no reason", m.no_reason()),
        ("LF", m.bare_line_ends()),
        ("no colon", m.header_line("odd line")),
        ("a folded line", m.header_line(" odd: line")),
        ("NUL", m.replace_header("x-odd", "a\0b")),
        ("a long header", m.replace_header("x-odd", "x" * chance.choice([5_000, 70_000]))),
        ("many headers", m.many_headers(chance.choice([90, 300]))),
    ])  # fmt: skip
    return Mutation(title, change)


def _of_headers(chance: random.Random, request: Request, answer: Answer) -> Mutation | None:
    name = chance.choice([each for each, _ in answer.headers])
    value = answer.header(name)
    other = chance.choice(["", "0", "-1", f"+{value}", f"{value}, {value}", "odd", '"odd"', "W/" + value, "9" * 30])
    shorter = value[: chance.randrange(len(value) + 1)]
    title, change = chance.choice([
        (f"no {name}", m.drop_header(name)),
        (f"{name} twice", m.double_header(name)),
        (f"{name} twice, once {other[:40]!r}", m.double_header(name, other)),
        (f"{name} cut to {shorter!r}", m.replace_header(name, shorter)),
        (f"{name} is {other[:40]!r}", m.replace_header(name, other)),
    ])  # fmt: skip
    if name == "Content-Length" and change is not None and answer.status == 200 and request.operation == "GetObject":
        return None  # a whole object, of which nothing else tells the length
    return Mutation(title, change, is_lie=request.method == "HEAD" and name == "Content-Length")


def _of_a_range(chance: random.Random, request: Request, answer: Answer) -> Mutation | None:
    if not re.fullmatch(r"bytes \d+-\d+/\d+", answer.header("Content-Range")):
        return None
    extent, _, total = answer.header("Content-Range").partition("/")
    first, last = map(int, extent.removeprefix("bytes ").split("-"))
    step = chance.randint(1, 50)
    title, change = chance.choice([
        ("206 for a later range", m.replace_header("Content-Range", f"bytes {first + step}-{last + step}/{total}")),
        ("206 for a longer range", m.replace_header("Content-Range", f"bytes {first}-{last + step}/{total}")),
        ("a larger total", m.replace_header("Content-Range", f"{extent}/{int(total) + step}")),
        ("a total before the end", m.replace_header("Content-Range", f"{extent}/{last}")),
        ("no total", m.replace_header("Content-Range", f"{extent}/*")),
        ("no range", m.replace_header("Content-Range", f"bytes */{total}")),
        ("no Content-Range", m.drop_header("Content-Range")),
        ("200 for a range", m.in_turn(m.status(200, "OK"), m.drop_header("Content-Range"))),
        ("200 with a Content-Range", m.status(200, "OK")),
        ("a shorter body", m.body(lambda data: data[:-step])),
        ("a longer body", m.body(lambda data: data + bytes(step))),
    ])  # fmt: skip
    return Mutation(title, change)


def _of_a_document(chance: random.Random, request: Request, answer: Answer) -> Mutation:
    names = sorted(set(re.findall(rb"<(\w+)[ >/]", answer.body)))
    name = chance.choice(names).decode()
    which = chance.choice([None, 0, 1])
    text = chance.choice(["", "odd", "-1", "true", "9" * 30, "&#0;", "<odd/>", "a/b"])
    share = chance.random()
    title, change = chance.choice([
        (f"no <{name}> {which}", m.drop_element(name, which)),
        (f"<{name}> {which} twice", m.double_element(name, which)),
        (f"<{name}> {which} is {text!r}", m.replace_element(name, text, which)),
        (f"<{name}> {which} is cut", m.element(name, lambda found: found[: int(len(found) * share)], which)),
        (f"the document ends after {share:.2f}", m.body(lambda data: data[: int(len(data) * share)])),
    ])  # fmt: skip
    return Mutation(title, change, is_lie=request.operation in LISTS)


def _of_a_listing(chance: random.Random, request: Request, answer: Answer) -> Mutation:
    again = "<NextContinuationToken>YWZ0ZXI6</NextContinuationToken>"  # "after:", the beginning
    title, change = chance.choice([
        ("keys outside the prefix", m.keys_outside("outside/x", request.query.get("prefix", "x")[:-1], "~")),
        ("a token for ever", m.truncated(again)),
        ("truncated without a token", m.truncated()),
        ("empty and truncated", m.in_turn(m.empty_page(), m.truncated(again))),
        ("no Key", m.drop_element("Key", 0)),
        ("gzip", m.gzipped()),
    ])  # fmt: skip
    return Mutation(title, change, is_lie=title == "no Key" and b"<Key>" not in answer.body)


def _of_a_body(chance: random.Random, request: Request, answer: Answer) -> Mutation | None:
    if answer.status not in (200, 206):
        return None
    title, change = chance.choice([
        ("a page", m.html_page()),
        ("another document", m.another_document()),
        ("an error with status 200", m.error_with_success()),
        ("nothing", m.nothing()),
        ("a 503", m.instead(m.error_document("SlowDown"), "application/xml", 503, "Slow Down")),
        ("an endless error", m.endless(b"<Error><Code>", b"odd", 403, "Forbidden")),
        ("Content-Encoding: gzip", m.replace_header("Content-Encoding", "gzip")),
    ])  # fmt: skip
    return Mutation(title, change)


def _slow(chance: random.Random, request: Request, answer: Answer) -> Mutation | None:
    share, gap = chance.random(), chance.choice([0.1, 0.9])
    if answer.status == 200 and request.operation == "GetObject":
        return None
    title, change = chance.choice([
        ("silence", m.silence_after(share)),
        (f"a byte each {gap} s", m.trickle(gap)),
        ("a longer Content-Length", m.length(m.longer(9))),
    ])  # fmt: skip
    return Mutation(title, change, is_lie=request.method == "HEAD" and "longer" in title)
