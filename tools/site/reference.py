"""The reference: every setting, finding, check, command and exit code, made of the code itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.main import ENTRIES, SECTIONS, cli
from fsm_stack.cli.verb import INTERRUPTED
from fsm_stack.findings.catalogue import TOPICS
from fsm_stack.findings.finding import Severity
from fsm_stack.settings.models.policy import Policy
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.verify.every import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY_MODELS: Final = {"PortEntry", "CidrEntry", "InterfaceEntry"}
_ABOUT_SETTINGS: Final = """\
Keys of `Pulumi.<stack>.yaml` below `config`, each with `fsm-stack:` before it. `[]` is an entry of
a list, `<name>` a name that you choose. What has no default may be absent unless it says
*required*.
"""
_ABOUT_ENTRIES: Final = """\
## Entries {#entries}

An entry of a redirection list is a plain value, or a mapping with `value`, `reason`, `owner` and
`until`. [Exclude traffic](../exclude.md) says what the five lists do."""
_ABOUT_FINDINGS: Final = """\
# Findings

A finding has an id that stays. `fsm-stack explain ID` says offline what stands here. The level is
the usual one; a milder case is told as that.

*Fatal* is an error that a stack's `accept` does not take: nothing works with it, or it was found
in a cluster, where no stack file can excuse it. Warnings and information of a cluster are not for
`accept` either; they are not called fatal."""
_ABOUT_CHECKS: Final = """\
# Checks of a cluster

What `fsm-stack verify` looks at. A check passes, fails with findings, does not apply, or says that
it could not look. `--check ID` makes one alone.

| check | passes when |
| --- | --- |"""
_ABOUT_DEFECTS: Final = """\
A defect of the tool itself ends with 3 and a traceback, and never with 1, which means findings.
Where a report could not be written whole, the code is 2."""
_EXIT: Final = re.compile(r"Exit codes?:? [^.]*\.|[A-Z][^.]*\bexit code\b[^.]*\.")


def pages() -> dict[str, str]:
    """Each page of the reference by its place on the site."""
    made = {
        "index": _index(),
        "settings": _settings(),
        "findings": _findings(),
        "checks": _checks(),
        "commands": _commands(),
        "exit-codes": _exit_codes(),
    }
    return {f"reference/{name}.md": text for name, text in made.items()}


def _index() -> str:
    rules = sum(map(len, TOPICS.values()))
    verbs = sum(map(len, SECTIONS.values()))
    return f"""# Reference

Made of the code when the site is built, so it is what this version does.

- [Settings](settings.md): every key of a stack file and of `fsm-stack.yaml`
- [Findings](findings.md): what {rules} findings mean, why, and how each is mended
- [Checks of a cluster](checks.md): the {len(CHECKS)} that `fsm-stack verify` makes
- [Commands](commands.md): {verbs} verbs with their options
- [Exit codes](exit-codes.md)
"""


def _cell(text: str) -> str:
    """Text in a table."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _links(places: Iterator[tuple[str, str]]) -> str:
    """An index: each place of the page by its words."""
    return ", ".join(f"[{words}](#{anchor})" for anchor, words in places)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _settings() -> str:
    schema = StackSettings.model_json_schema(by_alias=True, mode="validation")
    known = schema["$defs"]
    keys = [*schema["properties"], "fsm-stack.yaml"]
    parts = [_ABOUT_SETTINGS, _links((one.lower(), one) for one in keys), _ABOUT_ENTRIES]
    for key, one in schema["properties"].items():
        parts.append(_section(key, one, known, required=key in schema.get("required", ())))
    policy = Policy.model_json_schema(by_alias=True, mode="validation")
    parts.append("## fsm-stack.yaml {#fsm-stack.yaml}\n\nWhat binds every stack of the project.")
    for key, one in policy["properties"].items():
        parts.append(_section(key, one, policy["$defs"], required=False, head="###"))
    return "\n\n".join(parts) + "\n"


def _section(
    key: str, one: dict[str, Any], known: dict[str, Any], *, required: bool, head: str = "##"
) -> str:
    about = one.get("description") or _followed(one, known).get("description", "")
    rows = list(_rows(key, one, known, required=required))
    anchor = key.lower() if head == "##" else f"project-{key.lower()}"
    title = f"{head} {key} {{#{anchor}}}\n\n{about}\n\n"
    table = "| key | type | default | what it is |\n| --- | --- | --- | --- |\n"
    return title + table + "\n".join(rows)


def _followed(one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What a schema stands for, null left out."""
    while True:
        if "$ref" in one:
            one = known[one["$ref"].rpartition("/")[2]]
            continue
        choices = [part for part in one.get("anyOf", ()) if part.get("type") != "null"]
        if len(choices) == 1:
            one = choices[0]
            continue
        return one


def _rows(
    path: str, one: dict[str, Any], known: dict[str, Any], *, required: bool
) -> Iterator[str]:
    """The setting itself where it is a value, else those below it."""
    means = _followed(one, known)
    below = list(_below(path, means, known))
    if not below or means.get("type") in {"array", None} or "patternProperties" in means:
        default = one.get("default")
        shown = "*required*" if required else ""
        if default is not None and not (isinstance(default, dict | list) and not default):
            shown = _code(json.dumps(default, ensure_ascii=False)[:60])
        about = one.get("description") or means.get("description", "")
        yield f"| {_code(path)} | {_cell(_type(means, known))} | {shown} | {_cell(about)} |"
    for name, part, needed in below:
        yield from _rows(name, part, known, required=needed)


def _below(
    path: str, means: dict[str, Any], known: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Settings inside of a mapping, of a list's entries, of what names lead to."""
    needed = means.get("required", ())
    for name, part in means.get("properties", {}).items():
        yield f"{path}.{name}", part, name in needed
    named = [*means.get("patternProperties", {}).values()]
    if isinstance(means.get("additionalProperties"), dict):
        named.append(means["additionalProperties"])
    for part in named:
        inside = _followed(part, known)
        for name, inner in inside.get("properties", {}).items():
            yield f"{path}.<name>.{name}", inner, name in inside.get("required", ())
    if isinstance(means.get("items"), dict):
        inside = _followed(means["items"], known)
        if _is_entry(means["items"]):
            return  # a list's entry: told once at the top of the page
        for name, inner in inside.get("properties", {}).items():
            yield f"{path}[].{name}", inner, name in inside.get("required", ())


def _value(value: object) -> str:
    return _code(value if isinstance(value, str) else json.dumps(value))


def _is_entry(items: dict[str, Any]) -> bool:
    """Whether a list is one of those whose entries say why they are there."""
    return items.get("$ref", "").rpartition("/")[2] in _ENTRY_MODELS


def _type(means: dict[str, Any], known: dict[str, Any]) -> str:
    if "enum" in means:
        return ", ".join(map(_value, means["enum"]))
    if "const" in means:
        return _value(means["const"])
    if choices := [part for part in means.get("anyOf", ()) if part.get("type") != "null"]:
        return " or ".join(dict.fromkeys(_type(_followed(part, known), known) for part in choices))
    kind = str(means.get("type", "value"))
    if kind == "array":
        items = means.get("items", {})
        inside = _followed(items, known)
        if _is_entry(items):
            value = _type(_followed(inside["properties"]["value"], known), known)
            return f"list of [entries](#entries): {value}"
        return f"list of {_type(inside, known)}"
    if kind == "object":
        return "mapping"
    low = means.get("minimum", means.get("exclusiveMinimum"))
    high = means.get("maximum")
    bounds = f" {low:,.0f} to {high:,.0f}" if low is not None and high is not None else ""
    return f"{kind}{bounds}" if bounds or low is None else f"{kind} from {low}"


def _findings() -> str:
    parts = [_ABOUT_FINDINGS]
    for topic, rules in TOPICS.items():
        parts.append(f"**{topic}**: {_links((known.id, f'`{known.id}`') for known in rules)}")
    for topic, rules in TOPICS.items():
        parts.append(f"## {topic}")
        for known in rules:
            fatal = known.severity is Severity.ERROR and not known.acceptable
            level = f"{known.severity}" + (", fatal" if fatal else "")
            lines = [
                f"### {known.id} {{#{known.id}}}",
                f"*{level}*: {_prose(known.title)}",
                f"**Why.** {_prose(known.why)}",
                f"**Fix.** {_prose(known.fix)}",
            ]
            if known.source:
                lines.append(f"Source: {_prose(known.source)}")
            parts.append("\n\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    """Text of the code in which nothing but quotes of code is Markdown."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(
        part
        if part.startswith("`")
        else re.sub(r"([\\*_\[\]#{}])", r"\\\1", part).replace("<", "&lt;")
        for part in parts
    )


def _checks() -> str:
    parts = [_ABOUT_CHECKS]
    parts += [f"| {_code(check.id)} | {_cell(check.title)} |" for check in CHECKS]
    return "\n".join(parts) + "\n"


def _commands() -> str:
    parts = ["# Commands\n\nEvery verb takes `--help`. See also the [exit codes](exit-codes.md)."]
    for title, entries in SECTIONS.items():
        parts.append(f"## {title}")
        for words in (words for entry in entries for words in _words(entry.name)):
            parts += _verb(words)
    return "\n\n".join(parts) + "\n"


def _context(words: tuple[str, ...]) -> click.Context:
    """The context of a verb, or of a verb below it."""
    context = click.Context(cli, info_name="fsm-stack")
    command: click.Command = cli
    for word in words:
        below = command.get_command(context, word) if isinstance(command, click.Group) else None
        if below is None:
            raise KeyError(words)
        command = below
        context = click.Context(below, info_name=word, parent=context)
    return context


def _words(name: str) -> Iterator[tuple[str, ...]]:
    """A verb, and those below it."""
    yield (name,)
    command = _context((name,)).command
    if isinstance(command, click.Group):
        yield from ((name, below) for below in command.commands)


def _verb(words: tuple[str, ...]) -> Iterator[str]:
    context = _context(words)
    command = context.command
    yield f"{'#' * (2 + len(words))} fsm-stack {' '.join(words)} {{#{'-'.join(words)}}}"
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    yield from _paragraphs(command.help or "")
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    rows = [f"| {_code(names)} | {_cell(about)} |" for names, about in records if about]
    yield "| option | for |\n| --- | --- |\n" + "\n".join(rows)


def _paragraphs(text: str) -> Iterator[str]:
    """Help in Markdown; what click keeps as it is typed stays so."""
    for part in text.strip().split("\n\n"):
        if part.lstrip().startswith("\b"):
            body = "\n".join(line.strip() for line in part.split("\n")[1:])
            yield f"```text\n{body}\n```"
        else:
            yield re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", _prose(part))


def _exit_codes() -> str:
    said = re.findall(r"(\d) ([^,.]+)", cli.epilog or "")
    rows = [f"| {code} | {_cell(means)} |" for code, means in said]
    rows.append(f"| {INTERRUPTED} | interrupted from the keyboard |")
    parts = [
        "# Exit codes\n\n| code | means |\n| --- | --- |\n" + "\n".join(rows),
        _ABOUT_DEFECTS,
        "## What verbs say of theirs\n\n| verb | exit codes |\n| --- | --- |",
    ]
    for words in (words for name in ENTRIES for words in _words(name)):
        text = " ".join((_context(words).command.help or "").split())
        if found := _EXIT.findall(text):
            parts[-1] += f"\n| `{' '.join(words)}` | {_cell(' '.join(found))} |"
    return "\n\n".join(parts) + "\n"
