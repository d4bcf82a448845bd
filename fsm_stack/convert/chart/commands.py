"""Install and patch commands, as people typed them, to what they say about the mesh.

``fsm install`` and ``osm install``, ``helm install`` and ``helm upgrade``, ``kubectl patch``.
Source: flomesh-io/fsm cmd/cli/install.go and its like in OSM and osm-edge; helm; kubectl.
"""

from __future__ import annotations

import json
import shlex
import unicodedata
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.chart.set_syntax import parse_set, parse_set_leniently
from fsm_stack.convert.result import at, leaves, over
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import finding
from fsm_stack.systems import FSM, OSM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

# Options that take a value and say nothing about the mesh.
_WITH_VALUE: Final = frozenset(
    {
        "--timeout", "--fsm-chart-path", "--osm-chart-path", "--kube-context", "--context",
        "--kubeconfig", "--description", "--output", "-o", "--repo", "--history-max",
        "--post-renderer", "--username", "--password", "--keyring", "--ca-file", "--cert-file",
        "--key-file", "--field-manager", "--dry-run-strategy", "--qps", "--burst-limit",
        "--install-timeout", "--template", "--subresource",
    }
)  # fmt: skip
_PROGRAMS: Final = {"fsm": "fsm", "osm": "osm", "helm": "", "kubectl": ""}
# fsm install and osm install write these values themselves, after --set.
_OWN_OPTIONS: Final = {"--mesh-name": "meshName", "--enforce-single-mesh": "enforceSingleMesh"}
_PATCHED: Final = (FSM.mesh_config_name, OSM.mesh_config_name)
_MESH_CONFIGS: Final = ("meshconfig", "meshconfigs", "meshconfig.config.flomesh.io",
                        "meshconfigs.config.flomesh.io")  # fmt: skip


@dataclass(slots=True)
class Command:
    """What one command says.

    Attributes:
        text: the command's words before its first option: values of options may be secrets.
        values: decoded Helm values; empty for a patch.
        patch: the merge patch of a MeshConfig; None for an install.
        patched: the MeshConfig's name; empty for an install.
        namespace: the release's, or the MeshConfig's; empty: not said.
        version: of the chart; empty: not said.
        files: values files that it names, which have to be given beside it.
        findings: what was understood otherwise than it stands, or says nothing.
    """

    text: str
    values: Json = field(default_factory=dict)
    patch: Json | None = None
    patched: str = ""
    namespace: str = ""
    version: str = ""
    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def commands(text: str, *, name: str) -> tuple[Command, ...]:
    """Every install and patch command of a text: a shell's history, a page's console block.

    Prompts, comments, blank lines and line continuations are read; a line that is no such command
    is an error, so that nothing is lost.

    Raises:
        InputError: with the line.
    """
    found = []
    for number, line in _lines(text):
        try:
            found.append(read_command(line))
        except InputError as error:
            raise InputError(f"{name}:{number}: {error}") from None
    return tuple(found)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Whole commands, continuations joined, with the number of their first line."""
    whole, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if whole else number
        plain = line.strip() if not whole else line
        if plain.endswith("\\"):
            whole += plain[:-1] + " "
            continue
        whole = (whole + plain).strip().removeprefix("$ ").removeprefix("> ")
        if whole and not whole.startswith("#"):
            yield first, whole
        whole = ""
    if whole.strip():
        yield first, whole.strip()


def read_command(text: str) -> Command:
    """One command.

    Raises:
        InputError: it is none of the known ones, or cannot be read as a shell would.
    """
    _ascii(text)
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        shown = _shown(text.split())
        raise InputError(f"not read as a shell would: {error}: {shown}") from None
    program = words[0].rpartition("/")[2] if words else ""
    if program not in _PROGRAMS:
        raise InputError(
            "expected fsm install, osm install, helm install, helm upgrade or kubectl patch "
            f"meshconfig, got {_shown(words)!r}"
        )
    command = Command(text=_shown(words))
    pairs = list(_pairs(words[1:]))
    plain = [value for option, value in pairs if not option]
    if program == "kubectl":
        _patched(pairs, plain, command)
    elif plain[:1] != ["install"] and not (program == "helm" and plain[:1] == ["upgrade"]):
        raise InputError(f"expected {program} install, got {command.text!r}")
    else:
        _installed(program, pairs, command)
    return command


def _shown(words: list[str]) -> str:
    """A command up to its first option, for people."""
    plain = takewhile(lambda word: not word.startswith("-") and "=" not in word, words)
    return " ".join(plain)[:80]


def _ascii(text: str) -> None:
    """Refuse what translated pages leave in copied commands, with the character's name."""
    for position, character in enumerate(text, start=1):
        if not character.isascii():
            name = unicodedata.name(character, "an unnamed character")
            raise InputError(
                f"expected ASCII, got U+{ord(character):04X} {name} at position {position}; "
                "retype it"
            )


_VALUED: Final = frozenset(
    {
        "--set", "--set-string", "--set-json", "--set-literal", "--set-file", "--mesh-name",
        "--fsm-namespace", "--osm-namespace", "--namespace", "-n", "--version", "--values", "-f",
        "--patch", "-p", "--type", "--patch-file", *_WITH_VALUE,
    }
)  # fmt: skip


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, and words without one under an empty name."""
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            yield "", word
        elif equals:
            yield option, value
        elif option in _VALUED:
            following = next(rest, None)
            if following is None:
                raise InputError(f"{option}: expected a value")
            yield option, following
        else:
            yield option, "true"


def _installed(program: str, pairs: list[tuple[str, str]], command: Command) -> None:
    own: dict[str, Any] = {}
    if root := _PROGRAMS[program]:
        own = {"meshName": root, "enforceSingleMesh": True}
    for option, value in pairs:
        if option in _OWN_OPTIONS and own:
            key = _OWN_OPTIONS[option]
            own[key] = value if key == "meshName" else _boolean(option, value)
        elif option:
            _option(option, value, command)
    for key, counts in own.items():
        _count(command, root, key, counts)


def _option(option: str, value: str, command: Command) -> None:
    """An option that Helm, ``fsm install`` and ``osm install`` share."""
    before = dict(leaves(command.values))
    match option:
        case "--set":
            command.findings += parse_set_leniently(value, command.values)
        case "--set-string":
            parse_set(value, command.values, "set-string")
        case "--set-json":
            parse_set(value, command.values, "set-json")
        case "--fsm-namespace" | "--osm-namespace" | "--namespace" | "-n":
            command.namespace = value
        case "--version":
            command.version = value.removeprefix("v")
        case "--values" | "-f":
            command.files += value.split(",")
        case "--set-literal" | "--set-file":
            raise InputError(f"{option}: expected --set, --set-string or --set-json")
        case _:
            said = f"{option}={value}" if option in _WITH_VALUE else option
            message = "it is about how the command runs, not about the mesh"
            command.findings.append(finding("install-option-ignored", message, path=said))
    for path, known in before.items():
        if at(command.values, path) not in (None, known):
            message = "a later option of the command says otherwise, and counts"
            command.findings.append(finding("helm-value-ignored", message, path=path))


def _count(command: Command, root: str, key: str, counts: Any) -> None:
    """What the program writes over ``--set``, whether its own option was given or not."""
    section = command.values.get(root)
    given = section.get(key, counts) if isinstance(section, dict) else counts
    if given != counts:
        message = f"the program's own option counts: {key} is {counts!r}, not {given!r}"
        command.findings.append(
            finding("helm-value-ignored", message, path=f"{root}.{key}", value=given)
        )
    command.values = over(command.values, {root: {key: counts}})


def _boolean(option: str, value: str) -> bool:
    known = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    if value.lower() not in known:
        raise InputError(f"{option}: expected true or false, got {value!r}")
    return known[value.lower()]


def _patched(pairs: list[tuple[str, str]], plain: list[str], command: Command) -> None:
    """``kubectl patch meshconfig NAME -n NS -p JSON --type=merge``."""
    target = [part for word in plain[1:] for part in word.split("/")]
    if plain[:1] != ["patch"] or not target or target[0].lower() not in _MESH_CONFIGS:
        raise InputError(f"expected kubectl patch meshconfig, got {command.text!r}")
    kind, body = "strategic", ""
    for option, value in pairs:
        match option:
            case "--type":
                kind = value
            case "-p" | "--patch":
                body = value
            case "-n" | "--namespace":
                command.namespace = value
            case "" | "--patch-file":
                continue
            case _:
                message = "it is about how the command runs, not about the mesh"
                command.findings.append(finding("install-option-ignored", message, path=option))
    if kind != "merge":
        raise InputError(f"--type: expected merge, got {kind!r}: a MeshConfig takes no other kind")
    command.patch = _patch_of(body)
    command.patched = next(iter(target[1:]), FSM.mesh_config_name)
    if command.patched not in _PATCHED:
        known = " or ".join(_PATCHED)
        raise InputError(f"expected MeshConfig {known}, got {command.patched!r}")
    for path, value in leaves({k: one for k, one in command.patch.items() if k != "spec"}):
        message = "it says nothing about the mesh"
        command.findings.append(
            finding("install-option-ignored", message, path=f"--patch {path}", value=value)
        )


def _patch_of(body: str) -> Json:
    try:
        patch = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--patch: expected JSON: {error}") from None
    if not isinstance(patch, dict):
        raise InputError(f"--patch: expected an object, got {body[:40]!r}")
    return patch


def patch_target(found: Iterable[Command]) -> tuple[str, str]:
    """Name and namespace of the MeshConfig that patches are for; empty: none says it.

    Raises:
        InputError: of several MeshConfigs.
    """
    patches = [command for command in found if command.patch is not None]
    target = []
    for said in ([one.patched for one in patches], [one.namespace for one in patches]):
        known = sorted({*said} - {""})
        if len(known) > 1:
            raise InputError(f"patches of {', '.join(known)}: expected those of one MeshConfig")
        target.append(next(iter(known), ""))
    return target[0], target[1]


def merge_patch(target: Any, patch: Any) -> Any:
    """A value after a JSON merge patch (RFC 7386): null removes, a list is replaced whole."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
