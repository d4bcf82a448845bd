"""Findings about changes: what one does to traffic, and what was meant."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings import fatal, info, warning

RULES: Final = (
    warning(
        id="traffic-bypasses",
        title="a change takes connections out of the mesh",
        why=(
            "What bypasses the sidecar has no mTLS, no policy and no metrics. New pods bypass it at "
            "once, running ones after their restart."
        ),
        fix="Exclude less: a range with its port, in the profile of the pods that need it; or declare "
        "the change with --expect or a trailer Traffic-Change.",
        hazard=("H8", "H9", "H31"),
    ),
    info(
        id="traffic-changes",
        title="a change sends connections another way",
        why=(
            "Connections that bypassed the sidecar go through it now, or end elsewhere: policies that "
            "nobody wrote for them apply."
        ),
        fix="See that policies allow them, then declare the change with --expect or a trailer.",
    ),
    warning(
        id="change-weakens",
        title="a change takes away what protects the mesh, or changes its programs",
        why=(
            "Policy, the guard, a namespace's sidecars, a contract, or an object that the mesh needs: no "
            "connection has to change its way for it, and it is as much of a change."
        ),
        fix="Take it back, or let who answers for the mesh agree to it in the review; `--fail-on high` "
        "lets the medium ones pass.",
    ),
    fatal(
        id="change-not-declared",
        title="a change does more to traffic than was declared",
        why="What was declared is what was agreed on; the rest is collateral that nobody has judged.",
        fix="Make the change smaller, or declare the rest, too.",
    ),
    fatal(
        id="change-missing",
        title="a declared change of traffic does not happen",
        why="Whoever asked for it will see no effect, and look for the reason elsewhere.",
        fix="Correct the entry, or the declaration.",
    ),
    fatal(
        id="change-undecided",
        title="what a change does to traffic cannot be told",
        why=(
            "A script that does not load, a mode without scripts, or rules of others: no claim about "
            "all connections holds."
        ),
        fix="Mend what the message names; what it decides then is told.",
    ),
    fatal(
        id="contract-broken",
        title="a traffic contract is not kept",
        why=(
            "Somebody answers for the contract: these connections always, or never, go through the "
            "mesh. The witness is one that does otherwise."
        ),
        fix="Take out the entry that the finding names, or agree on another contract with its owner.",
    ),
    fatal(
        id="contract-unproved",
        title="a traffic contract cannot be proved",
        why=(
            "Nothing says what these pods redirect: a mode without scripts, or a script that does not "
            "load. That is no contract kept."
        ),
        fix="Mend what the message names. Of a mode without scripts no contract can be proved: hold that "
        "stack to none.",
    ),
    fatal(
        id="canary-refused",
        title="a change of the lists cannot be tried on one namespace",
        why=(
            "A canary's pods carry the new entries as annotations, which the injector adds to the "
            "mesh's lists: nothing is taken away so, interfaces have no annotation, and a mode is the "
            "mesh's alone."
        ),
        fix="Try the added entries by themselves, as a change of their own; review the rest with "
        "`fsm-stack diff`, and bring it up in an environment first.",
    ),
    fatal(
        id="canary-stops",
        title="a canary's pods, and those after promotion, would not start",
        why="The mesh's entries, the pod's own and the new ones stand in one rule: fifteen ports at most.",
        fix="Take entries out of the pods' annotations that the mesh's list makes superfluous, or add fewer.",
        hazard=("H1",),
    ),
    fatal(
        id="canary-differs",
        title="a canary's pods have other rules than promotion gives",
        why="What is tried is not what comes: those pods would have to restart once more.",
        fix="Begin the canary again with the lists as the stack has them now, and restart its pods.",
    ),
    fatal(
        id="environment-differs",
        title="two environments differ in what is not listed",
        why="What is tried in one environment then is not what runs in the other.",
        fix="Make them equal, or list the path under environments.mayDiffer with the reason.",
    ),
)
