"""The roles grant what FSM's programs ask for; what they grant beyond has a documented reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.manifests.rights import granted, recorded, requested
from tests.manifests.stacks import bundle_of, named

PAGE = Path(__file__).parents[2] / "docs/permissions.md"
RIGHTS = Path(__file__).parent / "rights.txt"
ROLES = (
    ("ClusterRole", "fsm"),
    ("ClusterRole", "fsm-leader-election-role"),
    ("Role", "fsm-mesh-config-role"),
)
SLICES = ("discovery.k8s.io", "endpointslices")


def documented() -> list[tuple[str, str]]:
    """API group and resource patterns of the page's table, in its order."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    return [
        ("" if group == "core" else group.strip("`"), resource.strip("` "))
        for group, resources, _ in rows
        for resource in resources.split(",")
    ]


def test_every_request_that_was_seen_is_granted() -> None:
    """One that is missing keeps a program from becoming ready, on a running cluster only."""
    assert requested() - granted(bundle_of({})) == set()


def test_requests_were_recorded() -> None:
    """An empty recording would grant everything."""
    assert len(requested()) == 182
    assert {row["namespace"] for row in recorded()} >= {"", "fsm-system"}


@pytest.mark.parametrize("version", ["1.21", "1.34", "1.34.2", "1.37"])
def test_endpoint_slices_are_readable_where_the_programs_ask_for_them(version: str) -> None:
    verbs = {
        verb
        for *what, verb in granted(bundle_of({"cluster": {"kubernetesVersion": version}}))
        if tuple(what) == SLICES
    }
    assert verbs == {"get", "list", "watch", "create", "update", "patch"}


def test_an_api_server_without_endpoint_slices_gets_no_rule_for_them() -> None:
    """As the chart renders it for Kubernetes 1.20."""
    rights = granted(bundle_of({"cluster": {"kubernetesVersion": "1.20"}}))
    assert SLICES not in {right[:2] for right in rights}


def test_each_right_that_was_never_used_has_a_reason_on_the_page() -> None:
    """And each row of the page is about such a right."""
    rows = documented()
    explained = set()
    for group, resource, verb in sorted(granted(bundle_of({})) - requested()):
        row = next(
            (row for row in rows if fnmatchcase(group, row[0]) and fnmatchcase(resource, row[1])),
            None,
        )
        assert row, f"docs/permissions.md: no row for {verb} of {resource} in {group or 'core'}"
        explained.add(row)
    assert set(rows) - explained == set()


def test_the_rights_are_these_and_no_others() -> None:
    """Read a difference of the file before you take it over: it is what FSM's programs may do."""
    shown = []
    for kind, name in ROLES:
        shown.append(f"{kind} {name}")
        verbs: dict[tuple[str, str], set[str]] = {}
        for rule in named({}, kind, name).object["rules"]:
            assert rule.keys() == {"apiGroups", "resources", "verbs"}
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    verbs.setdefault((group, resource), set()).update(rule["verbs"])
        shown += [
            f"  {group or 'core'} {resource}: {' '.join(sorted(allowed))}"
            for (group, resource), allowed in sorted(verbs.items())
        ]
    assert shown == RIGHTS.read_text(encoding="utf-8").splitlines()
