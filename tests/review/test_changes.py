"""Settings and objects are compared value by value; entries of lists by what names them."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from fsm_stack.review.changes import object_changes, setting_changes, unlisted
from fsm_stack.review.compare import Comparison
from fsm_stack.review.model import Level, SideName
from fsm_stack.review.risk import RISKS
from fsm_stack.review.side import of_objects
from fsm_stack.review.traffic import traffic_changes
from fsm_stack.settings.models.policy import Environments, MayDiffer
from fsm_stack.systems import FSM

from .sides import review, side, traffic


def changes(**after: Any) -> list[tuple[str, str, str | None, str | None]]:
    found = setting_changes(side(), side(**after))
    return [(one.path, one.what, one.before, one.after) for one in found]


def test_an_entry_is_told_by_its_value_and_its_place() -> None:
    entry = {"value": 443, "reason": "legacy", "owner": "shop"}
    (only,) = setting_changes(side(), side(**traffic(outboundPortExclusionList=[6379, entry])))
    assert (only.path, only.what) == ("traffic.outboundPortExclusionList[443]", "added")
    assert only.after == '{"owner": "shop", "reason": "legacy", "value": 443}'
    assert only.after_place.startswith("Pulumi.dev.yaml:")
    assert only.before_place == ""


def test_a_place_is_that_of_the_entry_also_behind_one_that_stands_twice() -> None:
    """One line an entry: 443 is the third of them."""
    ports = [{"value": 6379}, {"value": 6379}, {"value": 443}]
    after = side(**traffic(outboundPortExclusionList=ports))
    (only,) = setting_changes(side(), after)
    line = after.place(("traffic", "outboundPortExclusionList", 2)).line
    assert only.after_place == f"Pulumi.dev.yaml:{line}"


def test_thousands_of_entries_are_told_in_linear_time() -> None:
    """Each was looked up in all others: ten times the entries took a hundred times as long."""

    def seconds(count: int) -> float:
        ranges = [f"11.{number // 256}.{number % 256}.0/24" for number in range(count)]
        before, after = side(), side(**traffic(outboundIPRangeExclusionList=ranges[::2]))
        best = float("inf")
        for _ in range(3):
            start = process_time()
            assert len(setting_changes(before, after)) > count // 2
            found = Comparison(before, after)
            told = traffic_changes(found.pairs, found.fates, found.known, egress=True).changes
            assert sum(len(one.entries) for one in told) > count // 2
            best = min(best, process_time() - start)
        return best

    assert seconds(4_000) < 25 * seconds(400)


def test_a_note_changes_no_object() -> None:
    before = side(**traffic(outboundPortExclusionList=[{"value": 6379, "reason": "old"}]))
    after = side(**traffic(outboundPortExclusionList=[{"value": 6379, "reason": "new"}]))
    (only,) = setting_changes(before, after)
    assert (only.path, only.note) == ("traffic.outboundPortExclusionList[6379].reason", True)
    found = review(before, after)
    assert found.objects == ()
    assert found.nothing


def test_a_value_that_the_file_does_not_set_has_no_place() -> None:
    (only,) = setting_changes(side(), side(sidecar={"logLevel": "debug"}))
    assert only.before_place == ""
    assert only.after_place.startswith("Pulumi.dev.yaml:")


@pytest.mark.parametrize(
    ("sections", "path", "risk"),
    [
        (
            {"traffic": {"enablePermissiveTrafficPolicyMode": True}},
            "traffic.enablePermissiveTrafficPolicyMode",
            "policy-off",
        ),
        ({"traffic": {"enableEgress": True}}, "traffic.enableEgress", "egress-opens"),
        ({"enrolledNamespaces": []}, "enrolledNamespaces[shop]", "namespace-leaves"),
    ],
)
def test_settings_that_open_the_mesh_are_a_risk_of_their_own(
    sections: dict[str, Any], path: str, risk: str
) -> None:
    strict = {"enablePermissiveTrafficPolicyMode": False, "enableEgress": False}
    before = side(traffic=strict, enrolledNamespaces=[{"name": "shop"}])
    whole = {"traffic": strict, "enrolledNamespaces": [{"name": "shop"}]}
    after = side(
        **{
            key: whole[key] | one if isinstance(one, dict) else one
            for key, one in (whole | sections).items()
        }
    )  # type: ignore[operator]
    risky = [one for one in setting_changes(before, after) if one.risk is not None]
    assert [(one.path, one.risk.id if one.risk else "") for one in risky] == [(path, risk)]
    assert review(before, after).risk is Level.MEDIUM


GUARD = {"meshConfig": "deny", "pods": "warn", "bypasses": "deny"}


@pytest.mark.parametrize(
    ("now", "paths"),
    [
        (GUARD | {"meshConfig": "warn"}, ["guard.meshConfig"]),
        (GUARD | {"pods": "off"}, ["guard.pods"]),
        ({}, ["guard.meshConfig", "guard.pods", "guard.bypasses"]),
        (GUARD | {"pods": "deny"}, []),
    ],
)
def test_a_guard_that_does_less_is_a_risk(now: dict[str, str], paths: list[str]) -> None:
    """Somebody wanted what it refuses to be possible again."""
    before, after = side(guard=GUARD), side(guard=now)
    risky = [one.path for one in setting_changes(before, after) if one.risk is not None]
    assert sorted(risky) == sorted(paths)
    assert (review(before, after).risk is Level.MEDIUM) == bool(paths)


@pytest.mark.parametrize(
    ("switch", "risk"),
    [("enablePermissiveTrafficPolicyMode", "policy-on"), ("enableEgress", "egress-closes")],
)
def test_settings_that_close_the_mesh_are_a_risk_although_no_rule_changes(
    switch: str, risk: str
) -> None:
    """What the sidecar takes it refuses then, in running pods, too."""
    before, after = side(traffic={switch: True}), side(traffic={switch: False})
    (only,) = setting_changes(before, after)
    assert only.risk is not None
    assert only.risk.id == risk
    found = review(before, after)
    assert (found.risk, found.stops(Level.MEDIUM)) == (Level.MEDIUM, True)
    assert found.headline == (
        f"{RISKS[risk][1][:1].upper()}{RISKS[risk][1][1:]} (traffic.{switch})"
    )


@pytest.mark.parametrize(
    ("switch", "opens", "closes"),
    [
        ("enablePermissiveTrafficPolicyMode", "policy-off", "policy-on"),
        ("enableEgress", "egress-opens", "egress-closes"),
    ],
)
def test_a_switch_of_a_mesh_config_is_a_risk_without_settings(
    switch: str, opens: str, closes: str
) -> None:
    """A patch, a cluster and rendered files have no settings that could say it."""

    def mesh(**switches: bool) -> Any:
        return objects(item("MeshConfig", spec={"traffic": switches}))

    opened, closed = mesh(**{switch: True}), mesh(**{switch: False})
    for before in (closed, mesh()):
        found = review(before, opened)
        assert [one.risk.id for one in found.objects if one.risk] == [opens]
        assert found.risk is Level.MEDIUM
        assert found.stops(Level.MEDIUM)
    for after in (closed, mesh()):
        found = review(opened, after)
        assert [one.risk.id for one in found.objects if one.risk] == [closes]
        assert found.stops(Level.MEDIUM)
    assert review(mesh(), closed).risk is Level.NONE


def test_an_object_that_repeats_the_mesh_config_is_told_once() -> None:
    found = object_changes(side(), side(**traffic(outboundPortExclusionList=[6379, 443])))
    assert [
        (one.kind, [(field.path, field.repeats) for field in one.fields]) for one in found
    ] == [
        ("ConfigMap", [("data.settingsDigest", True), ("data[redirection.json]", True)]),
        (
            "ConfigMap",
            [("data[preset-mesh-config.json]", True), ("data[preset-mesh-config.sha256]", True)],
        ),
        ("MeshConfig", [("spec.traffic.outboundPortExclusionList[443]", False)]),
    ]


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "y"},
        **fields,
    }


def objects(*items: dict[str, Any]) -> Any:
    return of_objects(items, {}, SideName(title="x", kind="rendered"), system=FSM)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ([item("Service")], [], "removed"),
        ([], [item("Service")], "added"),
        ([item("Service", spec={"type": "A"})], [item("Service", spec={"type": "B"})], "changed"),
        ([item("Deployment", spec={"selector": {"matchLabels": {"app": "a"}}})],
         [item("Deployment", spec={"selector": {"matchLabels": {"app": "b"}}})], "replaced"),
        ([item("RoleBinding", roleRef={"name": "a"})], [item("RoleBinding", roleRef={"name": "b"})], "replaced"),
    ],
)  # fmt: skip
def test_objects_are_added_removed_changed_or_replaced(
    before: list[dict[str, Any]], after: list[dict[str, Any]], what: str
) -> None:
    (only,) = object_changes(objects(*before), objects(*after))
    assert only.what == what
    assert bool(only.why) == (what == "replaced")


def test_the_content_of_a_secret_is_told_to_nobody() -> None:
    found = object_changes(
        objects(item("Secret", data={"password": "aHVudGVyMg=="})),
        objects(item("Secret", data={"password": "c2VjcmV0"})),
    )
    assert (found[0].fields[0].before, found[0].fields[0].after) == ('"(hidden)"', '"(hidden)"')


def test_credentials_in_a_url_are_left_out() -> None:
    found = object_changes(
        objects(item("ConfigMap", data={"url": "https://a:hunter2@example.com"})),
        objects(item("ConfigMap", data={"url": "https://b:secret9@example.com"})),
    )
    assert "hunter2" not in str(found)
    assert "secret9" not in str(found)


class TestEnvironments:
    ALLOWED = Environments(
        reference="prod",
        may_differ=(
            MayDiffer(path="cluster", reason="another cluster"),
            MayDiffer(
                path="traffic.outboundPortExclusionList[443]", stacks=("dev",), reason="tests"
            ),
        ),
    )

    def differing(self, stack: str, **sections: Any) -> list[str]:
        found = setting_changes(side("prod"), side(stack, **sections))
        return [one.path for one in unlisted(found, self.ALLOWED, stack)]

    def test_what_is_listed_may_differ(self) -> None:
        other = {"podRanges": ["10.0.0.0/14"]}
        assert (
            self.differing("dev", cluster=other, **traffic(outboundPortExclusionList=[6379, 443]))
            == []
        )

    def test_what_is_listed_for_another_stack_may_not(self) -> None:
        lists = traffic(outboundPortExclusionList=[6379, 443])
        assert self.differing("staging", **lists) == ["traffic.outboundPortExclusionList[443]"]

    def test_a_contract_that_another_environment_lacks_is_a_difference(self) -> None:
        """One that it has besides binds it more, and a reason is a note."""
        one = {"traffic": "tcp 443", "verdict": "always", "reason": "r", "owner": "o"}
        with_one, other = (
            side("prod", contracts=[one]),
            side("dev", contracts=[one | {"owner": "p"}]),
        )
        for after, found in ((side("dev"), ["contracts[tcp 443]"]), (other, [])):
            told = unlisted(setting_changes(with_one, after), self.ALLOWED, "dev")
            assert [change.path for change in told] == found
        assert self.differing("dev", contracts=[one]) == []

    def test_a_range_can_be_named(self) -> None:
        path = "traffic.outboundIPRangeExclusionList[203.0.113.0/24]"
        allowed = Environments(reference="prod", may_differ=(MayDiffer(path=path, reason="r"),))
        found = setting_changes(
            side("prod"), side("dev", **traffic(outboundIPRangeExclusionList=[]))
        )
        assert unlisted(found, allowed, "dev") == ()

    def test_a_path_is_no_prefix_of_a_longer_name(self) -> None:
        assert self.differing("dev", clusterSet={"name": "other"}) == ["clusterSet.name"]
