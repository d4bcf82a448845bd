"""What MkDocs asks while it builds the site: navigation, generated pages, links to the project.

The pages of docs/ stay as they are, readable in Git. A link that leaves docs/ leads on the site to
a page made of that file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

from reference import pages as reference_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]
# Titles and pages in their order. What does not exist is passed over; what stands nowhere here is
# appended, so that no page is lost.
SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Start": ("README.md", "start.md", "library.md", "components.md", "install.md", "compare.md"),
    "For you": ("for/platform-engineer.md", "for/reviewer.md", "for/on-call.md",
                "for/application-team.md"),
    "Before a change": ("exclude.md", "preview.md", "inject.md", "review.md", "flows.md",
                        "guard.md"),
    "Roll out": ("gitops/", "canary.md", "upgrade.md", "convert.md", "uninstall.md"),
    "A running mesh": ("verify.md", "monitoring.md", "permissions.md", "supported.md"),
    "Reference": ("reference/", "glossary.md"),
    "Project": ("project/CONTRIBUTING.md", "project/CHANGELOG.md"),
}  # fmt: skip
PROJECT: Final = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".sh": "bash"}
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)(#[^)\s]*)?(?=\))")
_CODE: Final = re.compile(r"(?<!<pre>)<code>[^<]+</code>")
_OPTION: Final = re.compile(r"(?<=[ >])(--?[A-Za-z][\w-]*)")
_COMMENT: Final = re.compile(r"^<!-- (?:before|ends with|run by|not run)[^\n]*-->\n", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and those of the project, then say the navigation."""
    made = reference_pages()
    made |= {f"project/{name}": _text(ROOT / name) for name in PROJECT if (ROOT / name).exists()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for name in _linked(files):
        files.append(File.generated(config, _page_of(name), content=_shown(name)))
    config.nav = _navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # MkDocs' names
    """Links that leave docs/ lead to the site's own pages; what tests are told is left out."""
    source = page.file.src_uri

    def led(match: re.Match[str]) -> str:
        target = _on_site(source, match[1])
        return match[0] if target is None else f"{target}{match[2] or ''}"

    return _LINK.sub(led, _COMMENT.sub("", markdown))


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # MkDocs' names
    """An option stays on one line: a browser breaks lines behind each of its hyphens."""
    return _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\1</span>', code[0]), html)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _place(source: str, target: str) -> str | None:
    """What a link of a page means, below the repository's root; None: nothing that is there."""
    own = source.removeprefix("project/") if source.startswith("project/") else f"docs/{source}"
    try:
        path = (ROOT / own).parent.joinpath(target).resolve().relative_to(ROOT)
    except ValueError:
        return None
    return path.as_posix() if (ROOT / path).exists() else None


def _on_site(source: str, target: str) -> str | None:
    """The link that leads there on the site; None: it is right as it is."""
    place = _place(source, target)
    if place is None or source.startswith("reference/"):
        return None
    if place == "README.md":
        page = "README.md"
    elif place in PROJECT:
        page = f"project/{place}"
    elif _has_page(place):
        page = _page_of(place)
    elif source.startswith("project/"):
        page = place.removeprefix("docs/")
    else:
        return None
    up = len(PurePosixPath(source).parents) - 1
    return "../" * up + page


def _has_page(place: str) -> bool:
    """Whether a page is made for it: for files outside docs/, and for folders."""
    own = place in {*PROJECT, "README.md"} or place.startswith("docs/")
    return not own or (ROOT / place).is_dir()


def _page_of(name: str) -> str:
    """The site's page of a file of the project; MkDocs passes over names that begin with a dot."""
    return f"project/{name.lstrip('.')}.md"


def _linked(files: Files) -> Iterator[str]:
    """Files and folders of the project that some page links to, and that are no pages."""
    seen = set()
    for file in files.documentation_pages():
        if file.src_uri.startswith("reference/"):
            continue
        for target, _ in _LINK.findall(file.content_string):
            place = _place(file.src_uri, target)
            if place is not None and _has_page(place) and place not in seen:
                seen.add(place)
                yield place


def _shown(name: str) -> str:
    """A page of a file, or of a folder's files."""
    path = ROOT / name
    head = "---\nsearch: {exclude: true}\n---\n"
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    parts = [f"{head}# {name}"]
    for one in files:
        if path.is_dir():
            parts.append(f"## {one.name}")
        if one.is_file():
            parts.append(f"````{LANGUAGES.get(one.suffix, 'text')}\n{_text(one).rstrip()}\n````")
    return "\n\n".join(parts) + "\n"


def _navigation(pages: list[str]) -> list[dict[str, Any]]:
    """Every page once, under the section that names it or its folder."""
    left = dict.fromkeys(pages)
    found: list[dict[str, Any]] = []
    for title, names in SECTIONS.items():
        inside: list[str] = []
        for name in names:
            taken = [
                one for one in left if one == name or (name[-1] == "/" and one.startswith(name))
            ]
            inside += taken
            for one in taken:
                left.pop(one)
        if inside:
            found.append({title: inside})
    shown = [one for one in left if one.startswith("project/")]
    more = [one for one in left if one not in shown]
    if more:
        found.insert(-1, {"More": more})
    for section in found:
        if "Project" in section:
            section["Project"] += shown
    return found
