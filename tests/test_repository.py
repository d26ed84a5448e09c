"""The repository itself: its documents and its code agree, and nothing grows too large to hold in mind."""

from __future__ import annotations

import ast
import builtins
import json
import re
import runpy
import tokenize
from collections import Counter
from configparser import ConfigParser
from pathlib import Path

import pytest

from registry_s3fs import errors

THIS = Path(__file__)
HERE = THIS.parents[1]
PACKAGE = HERE / "registry_s3fs"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 45


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_of_the_documents_exists(document: str) -> None:
    """Whoever follows them word for word meets no missing target."""
    targets = set(re.findall(r"^([a-z]+):", (HERE / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=`|\n)", (HERE / document).read_text()))
    assert named
    assert named <= targets


def test_every_link_of_the_documents_leads_somewhere() -> None:
    """Relative links name files that are there."""
    for document in (*HERE.glob("*.md"), *HERE.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), (document.name, target)


def test_the_promises_page_is_made_from_the_tests() -> None:
    """docs/promises.md is what `make promises` writes, and every promise on it is a sentence."""
    made = str(runpy.run_path(str(HERE / "docs" / "make_promises.py"))["page"]())
    promises = re.findall(r"^- (.*) \[\w+\]\(", made, re.MULTILINE)
    assert len(promises) > 200
    assert [promise for promise in promises if not promise.endswith(".")] == []
    assert (HERE / "docs" / "promises.md").read_text() == made


def test_the_compatibility_page_is_made_from_the_runs() -> None:
    """docs/compatibility.md is what `make matrix` writes."""
    made = runpy.run_path(str(HERE / "docs" / "make_compatibility.py"))
    runs = json.loads(made["RUNS"].read_text())
    assert (HERE / "docs" / "compatibility.md").read_text() == made["page"](runs)
    assert runs == sorted(runs, key=made["place"])


def test_the_architecture_page_names_every_module() -> None:
    """Each file of the package has its line, by its path below the package, and no line is left of one that is gone."""
    page = (HERE / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)]
    modules = [path.relative_to(PACKAGE).as_posix() for path in MODULES if path.name != "__init__.py"]
    assert sorted(named) == sorted(set(modules) - {"__main__.py"})


def test_every_module_is_in_a_room() -> None:
    """A new one is placed before it can import what it likes. Contracts of rooms name all of them."""
    config = ConfigParser()
    config.read(HERE / "setup.cfg")
    rooms = re.findall(r"registry_s3fs\.(\w+)", config["importlinter:contract:rooms"]["layers"])
    assert sorted(rooms) == sorted({_dotted(path).partition(".")[0] for path in MODULES} - {"__init__"})
    without_boto3 = re.findall(r"registry_s3fs\.(\w+)", config["importlinter:contract:boto3"]["source_modules"])
    assert set(rooms) - set(without_boto3) == {"s3", "config", "__main__"}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=lambda path: path.name)
def test_every_folder_is_a_package_with_a_docstring(folder: Path) -> None:
    """Else it is left out of the wheel, and nobody says what it is for."""
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


NO_WORDS = frozenset(
    [
        "pin",
        "pins",
        "pinned",
        "description",
        "descriptions",
        "lane",
        "lanes",
        "horizon",
        "patience",
        "levels",
        "outcomes",
        "answers",
        "records",
        "checks",
        "abandonment",
        "crew",
        "spare",
        "lend",
        "lent",
        "settle",
        "settled",
        "leave",
    ]
)
"""What says nothing to the next reader, or has another word: object version, object headers, buffer, cancelled."""


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_names_are_made_of_the_fields_words(path: Path) -> None:
    """Of modules, classes, functions and parameters; prose is free."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [path.stem, *(node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef)))]
    names += [node.arg for node in nodes if isinstance(node, ast.arg)]
    words = {name: set(re.findall("[a-z]+", re.sub("([A-Z])", r"_\1", name).lower())) for name in names}
    assert {name: found & NO_WORDS for name, found in words.items() if found & NO_WORDS} == {}


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_state_of_the_process_is_in_objects_that_forked_children_renew(path: Path) -> None:
    """No function rebinds a module's name, and the one registry of what a child forgets is `threads.fork`."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    assert not [node for node in nodes if isinstance(node, ast.Global)]
    registers = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "register_at_fork"]
    assert bool(registers) == (_dotted(path) == "threads.fork")


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_files_and_functions_are_short(path: Path) -> None:
    """At most 450 lines a file, and 45 a function without its docstring."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
            assert lines <= MAX_FUNCTION_LINES, node.name


def test_the_dependencies_have_lower_bounds_and_no_upper_ones() -> None:
    """Nothing of ours fights a user's boto3."""
    config = ConfigParser()
    config.read(HERE / "setup.cfg")
    needed = config["options"]["install_requires"].split("\n")
    assert sorted(re.split(" >= ", line)[0] for line in needed if line and "#" not in line) == [
        "PyYAML",
        "boto3",
        "fsspec",
    ]
    assert all(re.fullmatch(r"\w+ >= [\d.]+", line) for line in needed if line and "#" not in line)


# Tests

PRIVATE = re.compile(r"_[A-Za-z]\w*")
IN_TEXT = re.compile(r"\w\._[A-Za-z]\w*")
"""In a program that a test runs, or the target of a patch."""
LOOKERS = frozenset(["setattr", "getattr", "delattr", "hasattr", "object"])
"""Functions, and methods of pytest's and mock's patches, that take a name."""
ONES_OWN = ("self", "cls")
DOCUMENTED = frozenset(["_exit", "_thread", "_replace", "_repr_html_"])
"""Python's and IPython's names, which their manuals tell."""
FSSPECS = frozenset(["_strip_protocol", "_get_kwargs_from_urls", "_fetch"])
"""Methods that fsspec calls on a filesystem's class, and on the cache of an open file, by these names."""
MOST_PRIVATE_NAMES = 9


def private_names(text: str) -> list[str]:
    """Give the private names of others that a module's text reaches for."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in ONES_OWN):
            found += [node.attr]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [part for name in names for part in name.split(".")]
        elif isinstance(node, ast.Call) and _name(node.func) in LOOKERS:
            found += [
                each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
            ]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [name.partition(".")[2] for name in IN_TEXT.findall(node.value)]
    return [name for name in found if PRIVATE.fullmatch(name) and name not in DOCUMENTED | FSSPECS]


def test_tests_reach_for_few_private_names() -> None:
    """They look at what the package does, not at how. The few are where others' libraries are to be wrapped."""
    paths = sorted((HERE / "tests").rglob("*.py"))
    found = {path.relative_to(HERE).as_posix(): private_names(path.read_text()) for path in paths if path != THIS}
    assert sum(map(len, found.values())) <= MOST_PRIVATE_NAMES, {name: each for name, each in found.items() if each}


def test_private_names_are_found_however_they_are_reached() -> None:
    """So that none is missed; what is one's own does not count."""
    text = """
import a._b
from c import _d
from e._f import g
fs._h.i
monkeypatch.setattr(fs, "_j", 1)
monkeypatch.setattr("c.k._l", 1)
run("print(fs._m)")
self._own, cls._own, fs.public, a.__name__, os._exit(0), "_text", "a/_b"
"""
    assert sorted(private_names(text)) == ["_b", "_d", "_f", "_h", "_j", "_l", "_m"]


def imported(path: Path) -> set[str]:
    """Give the top-level packages that a module imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in names}


BESIDE = {
    "registry_s3fs": set(),
    "testbed": {"registry_s3fs"},
    "demo": {"registry_s3fs", "testbed"},
    "benchmarks": {"registry_s3fs", "testbed"},
    "reliability": {"registry_s3fs", "testbed", "benchmarks"},
}
"""The folders of Python's beside tests/, and which of them each imports."""


@pytest.mark.parametrize("folder", BESIDE)
def test_nothing_is_imported_from_tests(folder: str) -> None:
    """What tests share with benchmarks and reliability is testbed's."""
    ours = {*BESIDE, "tests"} - {folder}
    for path in (HERE / folder).rglob("*.py"):
        assert imported(path) & ours <= BESIDE[folder], path


def test_every_folder_of_programs_is_known() -> None:
    """A new one says what it imports."""
    assert {path.parent.name for path in HERE.glob("*/__init__.py")} == set(BESIDE)


WAIVER = re.compile(r"# (?:noqa|type: ignore)\b")
WITH_REASON = re.compile(r"# (?:noqa: \w+|type: ignore\[[\w-]+\])  # \w.*")


@pytest.mark.parametrize("folder", [*BESIDE, "tests", "docs"])
def test_every_waiver_carries_its_reason(folder: str) -> None:
    """A comment behind it says why a line need not pass a check."""
    for path in (HERE / folder).rglob("*.py"):
        with path.open("rb") as file:
            comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        assert [each for each in comments if WAIVER.match(each) and not WITH_REASON.fullmatch(each)] == [], path


# Messages

VARYING = "…"
ERRORS = {
    name
    for names in (vars(builtins), vars(errors))
    for name, kind in names.items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
TELLING = ERRORS | {"Meaning", "kind", "__init__", "warn", "warning", "error"}
"""Whose arguments are messages; and so are those of any call in a `raise`."""
WITHIN = ("from_code", "refused", "NotPlainError", "_BrokenError", "RemoteDisconnected", "SizeUnknownError")
"""Whose arguments are no messages, but stand within one: S3's own words, and by which field an answer is none."""
SAYING = ("unknown", "_problem")
"""Functions that give a message for others to raise."""


@pytest.mark.promise("Errors")
def test_the_troubleshooting_page_explains_every_message() -> None:
    """Each message of an error or warning has a row in docs/troubleshooting.md, with its cause and what to do."""
    page = (HERE / "docs" / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert sorted(message for message, _, _ in rows) == sorted(set().union(*map(messages, MODULES)))


def test_no_message_is_written_twice() -> None:
    """An error that is raised in several places is made in one, so its text and class are the same in all."""
    every = set().union(*map(messages, MODULES))
    written = [
        text
        for path in MODULES
        for node in _outermost_texts(ast.parse(path.read_text()))
        if (text := _template(node)) in every
    ]
    assert [text for text, times in Counter(written).items() if times > 1] == []


def _outermost_texts(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        return [node]
    return [text for child in ast.iter_child_nodes(node) for text in _outermost_texts(child)]


def messages(path: Path) -> set[str]:
    """The texts of a module's errors and warnings, with `VARYING` for what is filled in."""
    scopes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Module, ast.FunctionDef))]
    found = {text for scope in scopes for text in _said_in(scope)}
    return {text for text in found if " " in text and re.search(r"\w", text)}


def _said_in(scope: ast.Module | ast.FunctionDef) -> list[str]:
    nodes = list(ast.walk(scope))
    assigned = [node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    named = {node.targets[0].id: node.value for node in assigned}
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and (_name(node.func) in TELLING or node in raised)]
    said = [argument for call in calls if _name(call.func) not in WITHIN for argument in call.args]
    if isinstance(scope, ast.FunctionDef) and scope.name in SAYING:
        said += [node.value for node in nodes if isinstance(node, ast.Return)]
    return [_template(named.get(node.id, node) if isinstance(node, ast.Name) else node) for node in said]


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def _template(node: ast.expr | None) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_template, node.values))
    return re.sub(r"%[rs]", VARYING, str(node.value)) if isinstance(node, ast.Constant) else VARYING


def test_messages_are_found_however_they_are_raised(tmp_path: Path) -> None:
    """So that none is missed: in place, by name, through a helper, as a meaning, warned of, logged."""
    (tmp_path / "module.py").write_text(
        """
KNOWN = Meaning(OSError, 5, "a meaning is told")
def one(path):
    text = f"{path}: by name"
    raise ValueError(text)
def two(path):
    raise _refused(5, "through " f"a {path!r} helper", path)
def _problem(path):
    return "given back"
class E(OSError):
    def __init__(self): super().__init__("in a class")
def three(): warnings.warn("warned of"); logger.warning("logged: %s of %r", 1, 2); return FileExpired(5, "given out")
"""
    )
    assert messages(tmp_path / "module.py") == {
        *("a meaning is told", "…: by name", "through a … helper", "given back", "in a class", "warned of"),
        *("logged: … of …", "given out"),
    }
