"""What mkdocs is told beyond mkdocs.yml.

Some pages are files outside docs/. Links that lead out of docs/ become names. Doctests of docstrings become blocks of
code. Cells of tables know their column, so that a narrow page can show each row as a card, and their long names may be
broken; short ones are not, nor are dates and numbers with their units. A page without contents of its own has the room
that they would take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.relative_to(HERE) for path in HERE.glob("examples/*.ipynb"))
MADE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    **{path.with_suffix(".md").as_posix(): path.as_posix() for path in NOTEBOOKS},
}
"""Pages of the site, and the files of the repository that they are."""
ALONE = ("index.md", "quick-start.md", "tutorial.md", "commands.md")
"""Pages that no other page stands beside in the navigation, or whose samples need its room."""
WORTH_CONTENTS = 4
"""With fewer headings than these, the title among them, a page has no list of its contents."""
PAGE_OF = {name: page for page, name in MADE.items()}
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
IMAGE = re.compile(r"(!\[[^\]\n]*\]\()docs/")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,5} ", re.MULTILINE)
DOCSTRINGS = re.compile(r"^::: ", re.MULTILINE)
SYNOPSIS = re.compile(r"^(#{2,5} `([a-z][\w-]*)[^`\n]*`.*)$", re.MULTILINE)
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
DIRECTIVE = re.compile(r" *# doctest: \+.*$", re.MULTILINE)
RELEASE = re.compile(r"^## \[(.+?)\]", re.MULTILINE)
SHORT_CODE = re.compile(r"<code>(?=[^<\s]{1,26}</code>)")
UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|KiB|MiB|GiB)\b)")
DATE = re.compile(r"(?<![\w-])\d{4}-\d\d-\d\d(?![\w-])")
LONG_CODE = re.compile(r"<code>[^<]{24,}</code>")
BREAKS = re.compile(r"(?<=[/_:.,=(])(?<!</)(?=\w)")


class Doctests(Preprocessor):
    """Put a fence around each doctest, which Markdown takes for a quotation otherwise."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a text with these fences."""
        found, within, fenced = [], False, False
        for line in lines:
            fenced ^= line.startswith("```")
            if not within and not fenced and line.startswith(">>> "):
                within = True
                found.append("```pycon")
            elif within and not line.strip():
                within = False
                found.append("```")
            found.append(line)
        return [*found, "```"] if within else found


class DoctestExtension(Extension):
    """The preprocessor above, as Markdown takes it: before fences are looked for."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Markdown's own name
        """Register the preprocessor."""
        md.preprocessors.register(Doctests(md), "doctests", 100)


@event_priority(100)  # before mkdocstrings takes the list
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the extension."""
    config.markdown_extensions.append(DoctestExtension())
    return config


@event_priority(100)  # before the checker of links notes which files there are
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are files outside docs/."""
    for page, name in MADE.items():
        text = (HERE / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_notebook(text) if name.endswith(".ipynb") else text))
    return files


def _notebook(text: str) -> str:
    """Return the cells of a notebook, and what they print, as Markdown."""
    return "\n\n".join(part for cell in json.loads(text)["cells"] for part in _cell(cell))


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    yield source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"
    for output in cell.get("outputs", ()):
        printed = "".join(output["text"] if "text" in output else output["data"]["text/plain"]).rstrip("\n")
        yield f"```text\n{printed}\n```"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to other files of the repository lead to their pages, or be the files' names where they have none.

    Raises:
        PluginError: A link leads to a file that is not there.
    """
    parts = FENCE.split(markdown)
    headings = sum(len(HEADING.findall(part)) + len(DOCSTRINGS.findall(part)) * WORTH_CONTENTS for part in parts[::2])
    page.meta["hide"] = ["navigation"] if page.file.src_uri in ALONE else ["toc"] if headings < WORTH_CONTENTS else []
    parts[1::2] = [DIRECTIVE.sub("", part) for part in parts[1::2]]
    parts[::2] = [
        IMAGE.sub(r"\1", LINK.sub(lambda found: _link(found, page.file.src_uri), part)) for part in parts[::2]
    ]
    parts[::2] = [SYNOPSIS.sub(r'\1 { data-toc-label="\2" }', part) for part in _with_one_title(parts[::2])]
    return RELEASE.sub(r"## \1", "".join(parts))


def _with_one_title(parts: list[str]) -> list[str]:
    """Return the text of a page, with headings from its second title on a level lower: so its contents list them."""
    titles = 0

    def lower(found: re.Match[str]) -> str:
        nonlocal titles
        titles += found[0] == "# "
        return f"#{found[0]}" if titles > 1 else found[0]

    return [HEADING.sub(lower, part) for part in parts]


def _link(found: re.Match[str], source: str) -> str:
    path = ((HERE / MADE.get(source, f"docs/{source}")).parent / found[2]).resolve()
    if not path.exists():
        raise PluginError(f"{source}: {found[2]} is not there")
    name = path.relative_to(HERE).as_posix()
    target = PAGE_OF.get(name) or (name.startswith("docs/") and name.removeprefix("docs/"))
    if not target:
        return f"`{name}`"
    return f"[{_text(found[1], path)}]({'../' * source.count('/')}{target}{found[3] or ''})"


def _text(text: str, path: Path) -> str:
    """Return a link's text: the title of the page where it is the page's file name."""
    titles = TITLE.findall(path.read_text(encoding="utf-8")) if text.endswith(".md") else []
    return titles[0] if titles else text


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write the name of its column into each cell, and what may be broken there and what nowhere."""
    return TABLE.sub(_labelled, SHORT_CODE.sub('<code class="short">', html))


def _labelled(table: re.Match[str]) -> str:
    heads = [TAG.sub("", head).strip().replace('"', "&quot;") for head in HEAD.findall(table[0])]

    def row(found: re.Match[str]) -> str:
        columns = iter(heads)
        parts = re.split(r"(<[^>]+>)", found[0])
        parts[::2] = [DATE.sub(r'<span class="short">\g<0></span>', UNIT.sub("&nbsp;", part)) for part in parts[::2]]
        return re.sub(r"<td\b", lambda _: f'<td data-column="{next(columns, "")}"', "".join(parts))

    return LONG_CODE.sub(lambda code: BREAKS.sub("<wbr>", code[0]), ROW.sub(row, table[0]))
