"""Rule sets as text, in both dialects.

``write_restore`` gives the injector's own script byte for byte; ``write_commands`` the chained
``iptables ... && iptables ...`` of the documents, as valid shell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.iptables.rule_text import step_line
from fsm_stack.templating import render

if TYPE_CHECKING:
    from fsm_stack.iptables.rule import Ruleset


def write_restore(ruleset: Ruleset) -> str:
    """The script that an init container runs: a here-document for ``iptables-restore``.

    Args:
        ruleset: its values are printed as they are, nonsense included.

    Returns:
        The text, ending in one newline.
    """
    return render(
        "iptables/restore.sh.j2",
        comment=ruleset.comment,
        chains=ruleset.chains,
        lines=[step_line(step) for step in ruleset.steps],
    )


def write_commands(ruleset: Ruleset, *, program: str = "iptables") -> str:
    """One line of shell: a command per chain and rule, each run only if all before it succeeded.

    Args:
        ruleset: its values are printed as they are.
        program: the command's name; ``iptables-legacy`` and ``iptables-nft`` exist too.

    Returns:
        The text, ending in one newline.
    """
    head = f"{program} -t nat"
    created = [f"{head} -N {chain}" for chain in ruleset.chains]
    return render(
        "iptables/commands.sh.j2",
        commands=[*created, *(f"{head} {step_line(step)}" for step in ruleset.steps)],
    )
