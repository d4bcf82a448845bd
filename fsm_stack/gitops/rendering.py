"""A stack's settings as the files of ``rendered/<stack>``, and which of those are stale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.gitops.directory import compare, named, tree
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset, wanted_texts, wants_asset
from fsm_stack.project.files import OTHERS, read_tree
from fsm_stack.project.release_asset import asset_of
from fsm_stack.redirection.scopes import redirection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings

_UNKNOWN: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What ``rendered/<stack>`` should hold.

    Attributes:
        files: content by path relative to the stack's directory.
        redirected: what goes through the sidecar and what does not, in lines for people.
        left_out: the files of the release asset where they were left out on request: the
            controller does not start with such a tree alone.
        listed: those of them that the compared tree holds; their content is then not compared.
    """

    files: Mapping[str, bytes]
    redirected: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The files that the owners of namespaces merge into them."""
        return tuple(path for path in self.files if path.startswith(f"{OTHERS}/"))


def rendering(
    settings: StackSettings,
    project: Path,
    *,
    without_release_assets: bool = False,
    beside: Path | None = None,
) -> Rendering:
    """Everything that a stack is, as files.

    Args:
        settings: the stack.
        project: the project's directory, which holds the release assets.
        without_release_assets: leave the vendored scripts out, for a review.
        beside: the rendered directory to compare with, where one is compared.

    Raises:
        FindingsError: ``assets-missing``, when the stack wants vendored scripts and they are not
            here; ``too-large``.
        FsmStackError: when the vendored scripts cannot be used.
    """
    redirected = redirection(settings)
    whole = settings.deployment.render_foreign_namespaces
    if not (without_release_assets and wants_asset(settings)):
        asset = asset_of(project, settings)
        objects = named(bundle(settings, redirected, asset=asset), whole=whole)
        files = tree(objects, redirected.files(), note=_note(settings))
        return Rendering(files=files, redirected=redirected.summary)
    stub = ReleaseAsset(
        version=settings.fsm_version,
        sha256=_UNKNOWN,
        scripts=b"",
        texts=dict.fromkeys(wanted_texts(settings), ""),
    )
    objects = named(bundle(settings, redirected, asset=stub), whole=whole)
    # Without them a stack is what it is with scripts that others declare.
    omitted = settings.release_assets.model_copy(update={"source": "omit"})
    rest = settings.model_copy(update={"release_assets": omitted})
    others = {manifest.key for manifest in bundle(rest, redirected)}
    left_out = tuple(path for path, manifest in objects.items() if manifest.key not in others)
    listed = tuple(path for path in left_out if beside and (beside / path).is_file())
    for path in set(left_out) - set(listed):
        del objects[path]
    files = tree(
        objects,
        redirected.files(),
        note=_note(settings, scripts=listed == left_out),
        unknown=listed,
    )
    return Rendering(files=files, redirected=redirected.summary, left_out=left_out, listed=listed)


def _note(settings: StackSettings, *, scripts: bool = True) -> str:
    """Why what is rendered cannot run, for whoever is about to apply it; empty: it can."""
    reasons = []
    if settings.deployment.look_only:
        reasons.append(
            "# deployment.lookOnly: the stack leaves out what the control plane needs to run.\n"
        )
    if not scripts:
        reasons.append(
            f"# The Pipy scripts of FSM {settings.fsm_version} are left out, without which the "
            "controller does not start.\n"
            f"# Mend: fsm-stack vendor --version {settings.fsm_version}, and render again.\n"
        )
    return "# To look at, not to apply.\n" + "".join(reasons) if reasons else ""


DIFF_LINES: Final = 20
LINE_MAX: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """One file that is not as the stack says.

    Attributes:
        path: relative to the stack's directory.
        state: ``missing``, not there; ``changed``, other content; ``extra``, not of the stack.
        diff: from the file to what it should be; at most :data:`DIFF_LINES` lines, shortened.
    """

    path: str
    state: Literal["missing", "changed", "extra"]
    diff: tuple[str, ...] = ()


def check(
    target: Path, files: Mapping[str, bytes], *, shown: str, unknown: tuple[str, ...] = ()
) -> tuple[Stale, ...]:
    """Compare a stack's directory with what it should hold; changes nothing.

    Args:
        target: ``rendered/<stack>``.
        files: what :func:`fsm_stack.gitops.directory.tree` returned.
        shown: the directory as messages name it.
        unknown: files that may be there and whose content is not known here.

    Raises:
        InputError: when the target is no directory.
        FileError: when it cannot be read.
    """
    there = read_tree(target, shown=shown)
    known = {path: text for path, text in there.files.items() if path not in unknown}
    differences = compare(known, files)
    found = [Stale(path=path, state="missing") for path in differences.created]
    found += [
        Stale(path=path, state="changed", diff=diff(known[path], files[path]))
        for path in differences.changed
    ]
    found += [Stale(path=path, state="extra") for path in (*differences.removed, *there.others)]
    return tuple(sorted(found, key=lambda item: item.path))


def diff(old: bytes, new: bytes) -> tuple[str, ...]:
    """A unified diff without headers: the first lines of it, each cut at :data:`LINE_MAX`."""
    from difflib import unified_diff  # noqa: PLC0415  # only a stale file needs it

    before, after = (_lines(text) for text in (old, new))
    lines = list(unified_diff(before, after, n=1, lineterm=""))[2:]
    if len(lines) > DIFF_LINES:
        lines = [*lines[:DIFF_LINES], f"... {len(lines) - DIFF_LINES} more lines"]
    return tuple(lines)


def _lines(text: bytes) -> list[str]:
    """Lines for a terminal: no control characters, no line of 40 kB of base64."""
    return [
        "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
        for line in (long[:LINE_MAX] for long in text.decode(errors="replace").split("\n"))
    ]
