"""Where rules come from: a script, a dump, a pod, a stack.

Nothing is claimed about rules that were not read from text: what a stack renders is read like
what a pod printed.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import FindingsError, InputError, did_you_mean
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.read.text import Reading, read, script_in_description
from fsm_stack.iptables.read.tokens import RuleSyntaxError
from fsm_stack.lists import MESH
from fsm_stack.project.files import decoded, read_file, told
from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.lists import InterceptLists
    from fsm_stack.redirection.origins import Declared
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.systems import System

_LENGTH = 2  # -c and the script

_NFT_JSON: Final = re.compile(r'\s*\{\s*"nftables"\s*:')


def init_script(text: str, shown: str, systems: Sequence[System]) -> tuple[str, str]:
    """Where the script is, and the script.

    A pod that is being deleted counts only where there is no other.

    Args:
        text: a pod, or a list of one, in JSON or YAML.
        shown: what the text is called.
        systems: whose init containers are looked for.

    Returns:
        ``Pod/shop/web, fsm-init`` and the script.

    Raises:
        InputError: the text cannot be decoded, or has no such init container, or several whose
            scripts differ.
    """
    from fsm_stack.workloads.documents import split  # noqa: PLC0415  # a script needs no YAML
    from fsm_stack.workloads.objects import object_at, workloads  # noqa: PLC0415  # likewise

    names = {system.init_container for system in systems}
    staying: dict[str, str] = {}
    leaving: dict[str, str] = {}
    for document in split(text.splitlines(keepends=True), file=shown):
        for item in workloads(document.load()):
            pod = item.pod()
            deleted = object_at(pod, ("metadata",)).get("deletionTimestamp")
            for name, script in _scripts(pod, names):
                (leaving if deleted else staying).setdefault(script, f"{item.title}, {name}")
    found = staying or leaving
    if not found and _NFT_JSON.match(text):
        raise InputError(
            f"{shown}: this is the output of nft -j list, which writes the rules in nft's own "
            "language: run iptables-save -t nat, or iptables -t nat -S, in the pod's network "
            "namespace, and give its output"
        )
    if not found:
        expected = " or ".join(sorted(names))
        raise InputError(f"{shown}: no pod in it has the init container {expected} with a script")
    if len(found) > 1:
        pods = "; ".join(found.values())
        raise InputError(f"{shown}: expected one pod's script, got {len(found)}: {pods[:200]}")
    ((script, name),) = found.items()
    return name, script


def _scripts(pod: dict[str, Any], names: set[str]) -> Iterator[tuple[str, str]]:
    from fsm_stack.workloads.objects import object_at  # noqa: PLC0415  # likewise

    containers = object_at(pod, ("spec",)).get("initContainers")
    for item in containers if isinstance(containers, list) else ():
        args = item.get("args") if isinstance(item, dict) else None
        if str(object_at(item, ()).get("name")) in names and isinstance(args, list):
            script = args[-1] if len(args) == _LENGTH and args[0] == "-c" else None
            if isinstance(script, str):
                yield str(item["name"]), script


STDIN: Final = "-"
# A script of 15 ports and 1,000 ranges has 60 kB; a dump of a whole node some hundred.
SCRIPT_MAX: Final = 4 * 1024 * 1024
_MESSAGE_MAX: Final = 240
# A Kubernetes object, in JSON or in YAML.
_OBJECT: Final = re.compile(r"\s*\{|(?:\s*(?:#.*|---)\n)*[\"']?(?:apiVersion|kind|items)[\"']?:\s")
_DESCRIPTION: Final = "Init Containers:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSource:
    """Rules to ask about.

    Attributes:
        name: for headings: the stack, the stack and a profile, or the file.
        file: the file that places are in; empty for a stack's own script.
        text: the script, byte for byte.
        reading: what the text means.
        systems: whose rules these are; empty: no known injector's.
        settings: the stack's; None for a script from elsewhere.
        profile: the annotation profile's name; ``mesh`` without one.
        lists: what the stack's script was made from; None for a script from elsewhere.
    """

    name: str
    file: str
    text: str
    reading: Reading
    systems: tuple[str, ...]
    settings: StackSettings | None = None
    profile: str = MESH
    lists: InterceptLists | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the text itself and could be recovered, with its file."""
        return self.placed(self.reading.findings)

    def placed(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Findings about these rules, each with the file's name."""
        return tuple(item.at(file=self.file or None) for item in findings)

    def loadable(self) -> Ruleset:
        """The rules, when iptables would load them: only then a question has an answer.

        Raises:
            FindingsError: with every reason why they would be refused, each with its place.
        """
        if any(refusals(self.reading.ruleset)):
            from fsm_stack.iptables.judge.lint import refused  # noqa: PLC0415  # only a refusal needs it

            raise FindingsError(self.placed([*refused(self.reading.ruleset)]))
        return self.reading.ruleset

    def notes(self, today: date) -> Declared | None:
        """The stack's own entries behind these rules; None for a script from elsewhere."""
        if self.settings is None:
            return None
        from fsm_stack.redirection.origins import declared  # noqa: PLC0415  # a script has none

        return declared(self.settings, self.profile, today)

    def named_ranges(self) -> tuple[tuple[str, str], ...]:
        """The cluster's own ranges, each with what it is; empty where nothing is known."""
        if self.settings is None:
            return ()
        cluster = self.settings.cluster
        pods = [("pods", cidr) for cidr in cluster.pod_ranges]
        return (*pods, *(("services", cidr) for cidr in cluster.service_ranges))

    def as_json(self) -> dict[str, Any]:
        """Where the rules are from, for ``--output json``."""
        if self.settings is None:
            return {"script": self.file, "systems": list(self.systems)}
        stack = self.name.partition(",")[0]
        return {"stack": stack, "profile": self.profile, "systems": list(self.systems)}


def of_stack(project_dir: Path, name: str, profile: str | None = None) -> RulesSource:
    """The script that a stack gives to its pods.

    Args:
        project_dir: the project's directory or one below it.
        name: the stack.
        profile: the annotation profile that the pods carry; None: pods without annotations.

    Raises:
        InputError: no such project, stack or profile, or pods of this stack get no script.
        FindingsError: the stack's settings are wrong.
    """
    from fsm_stack.findings.finding import Severity  # noqa: PLC0415  # likewise
    from fsm_stack.project.project import find_project  # noqa: PLC0415  # a script needs no project

    project = find_project(project_dir)
    (known,) = project.chosen((name,))
    stack = project.load(known)
    errors = any(item.severity is Severity.ERROR for item in stack.findings)
    if stack.settings is None or errors:
        raise FindingsError(stack.findings)
    return of_settings(stack.settings, name, profile)


def of_settings(settings: StackSettings, name: str, profile: str | None = None) -> RulesSource:
    """The same for settings that are loaded already."""
    from fsm_stack.iptables.write import script  # noqa: PLC0415  # a script needs no templates
    from fsm_stack.redirection.origins import intercept_lists  # noqa: PLC0415  # likewise
    from fsm_stack.settings.effective import profile_lists  # noqa: PLC0415  # likewise

    _require_script(settings, name)
    if profile is not None and profile not in settings.annotation_profiles:
        raise InputError(f"{name}: {_no_profile(profile, tuple(settings.annotation_profiles))}")
    lists = intercept_lists(settings, profile_lists(settings, profile) if profile else None)
    text = script(lists, settings.profile)
    return RulesSource(
        name=f"{name}, profile {profile}" if profile else name,
        file="",
        text=text,
        reading=read(text),
        systems=(settings.system,),
        settings=settings,
        profile=profile or MESH,
        lists=lists,
    )


def _require_script(settings: StackSettings, name: str) -> None:
    """Refuse a mode in which no pod gets a script: its lists would answer for nothing."""
    from fsm_stack.settings.models.traffic import (  # noqa: PLC0415  # a script needs none
        effective_mode,
    )

    mode = effective_mode(settings.traffic.interception_mode, settings.system)
    if mode is not None and not settings.profile.intercepts(mode):
        raise InputError(
            f"{name}: traffic.interceptionMode {mode}: pods get no {settings.profile.title} init "
            "container, so that no script says what is redirected; ask about a pod's own with "
            "--script"
        )


def _no_profile(name: str, known: tuple[str, ...]) -> str:
    expected = f"; expected one of {', '.join(known)}" if known else "; the stack has none"
    return f"{name!r}: no such profile{did_you_mean(name, known) or expected}"


def of_script(path: str, system: str | None = None) -> RulesSource:
    """A script or a dump: every text that :func:`fsm_stack.iptables.read.text.read` takes.

    The output of ``kubectl describe pod`` is taken too, and a pod in JSON or YAML; the script is
    then that of the system's init container, whose name is the profile's and never guessed. Of an
    object, lines are the script's own.

    Args:
        path: a file; ``-`` is standard input.
        system: whose rules they have to be; None: whoever's.

    Raises:
        InputError: no such file, too large, no text, not understood (with file, line and column),
            or another system's rules.
        FileError: the file cannot be read.
    """
    shown = "standard input" if path == STDIN else path
    text = _text(path, shown)
    systems = (SYSTEMS[system],) if system else tuple(SYSTEMS.values())
    try:
        script = _script(text, systems)
        if _OBJECT.match(text):
            name, script = init_script(text, shown, systems)
            shown = f"{shown} ({name})"
        reading = read(script)
    except RuleSyntaxError as error:
        problem = _printable(str(error).partition(": ")[2])
        raise InputError(f"{shown}:{error.line_no}:{error.column}: {problem}") from None
    family = reading.generation
    names = family.systems if family else ()
    if system and family and system not in names:
        titles = " and ".join(SYSTEMS[name].title for name in names)
        raise InputError(
            f"{shown}: chains {family.name} are of {titles}, not of {SYSTEMS[system].title}"
        )
    return RulesSource(
        name=shown,
        file=shown,
        text=script,
        reading=reading,
        systems=(system,) if system and family else names,
    )


def _printable(text: str) -> str:
    """What a terminal may be sent of a text that anybody wrote: escaped, and not endless."""
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return plain if len(plain) <= _MESSAGE_MAX else f"{plain[:_MESSAGE_MAX]}…"


def _text(path: str, shown: str) -> str:
    if path == STDIN:
        if sys.stdin is None:  # closed by the caller: <&-
            raise InputError(f"{shown}: expected a script, it is closed")
        with told("read", shown):
            content: bytes | None = sys.stdin.buffer.read(SCRIPT_MAX + 1)
        if content is not None and len(content) > SCRIPT_MAX:
            raise InputError(f"{shown}: expected at most {SCRIPT_MAX} bytes")
    else:
        content = read_file(Path(os.fspath(path)), limit=SCRIPT_MAX, shown=shown)
    if content is None:
        raise InputError(f"{shown}: no such file")
    return decoded(content, shown)


def _script(text: str, systems: tuple[System, ...]) -> str:
    """The text, or the script in it when it describes a pod."""
    if not any(line.strip() == _DESCRIPTION for line in text.splitlines()):
        return text
    text = text.replace("\r\n", "\n")  # a terminal's, not the script's
    containers = dict.fromkeys(system.init_container for system in systems)
    lines = {line.strip() for line in text.splitlines()}
    present = [name for name in containers if f"{name}:" in lines]
    return script_in_description(text, present[0] if present else next(iter(containers)))
