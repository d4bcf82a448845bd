"""``fsm-stack completion``: the script that makes a shell complete verbs, options and stacks."""

from __future__ import annotations

import click

from fsm_stack.cli.verb import Verb, emit, output_option


@click.command(cls=Verb, short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell: verbs, options, stacks and finding ids.

    \b
    bash:  eval "$(fsm-stack completion bash)"          in ~/.bashrc
    zsh:   eval "$(fsm-stack completion zsh)"           in ~/.zshrc
    fish:  fsm-stack completion fish > ~/.config/fish/completions/fsm-stack.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover  # click has the three
        raise click.UsageError(f"{shell}: no completion for this shell")
    script = kind(ctx.find_root().command, {}, "fsm-stack", "_FSM_STACK_COMPLETE").source()
    emit({"shell": shell, "script": script}, (script,))
