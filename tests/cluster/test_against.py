"""``--against``: rendered files that somebody changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fsm_stack.cluster.session import Request, declared
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MESH = "{kind: MeshConfig, metadata: {name: fsm-mesh-config, namespace: fsm-system}, spec: {}}\n"
MERGED = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)
)


def read(path: Path, text: bytes) -> str:
    (path / "x.yaml").write_bytes(text)
    found = declared(Request(project_dir=path, against=path))
    assert found is not None
    return found.mesh.namespace


def test_every_document_of_a_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, f"a: 2026-13-45\n---\n- 1\n---\n{MESH}".encode()) == "fsm-system"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: .nan\n", ":5: expected what JSON can say, got !!float .nan"),
        ("!!binary x\n", ":5: expected what JSON can say, got !!binary"),
        ("[" * 200, ":5: expected a Kubernetes document, this one is nested too deep"),
        (MERGED, ":10: its merge keys repeat too much: expected at most 200"),
        ("kind: A\nmetadata: {name: [a]}\n", ":6: expected text as metadata.name, got ['a']"),
        ("kind: A\nmetadata: {namespace: {a: b}}\n", ":6: expected text as metadata.namespace"),
        ("kind: [A]\nmetadata: {name: a}\n", ":5: expected text as kind, got ['A']"),
        ("kind: A\nmetadata: {name: a}\nspec: 5\n", ":7: expected a mapping as spec, got 5"),
        (
            "kind: A\nmetadata: {labels: true}\n",
            ":6: expected a mapping as metadata.labels, got True",
        ),
        (
            "kind: A\nmetadata: {}\nspec: {traffic: {outboundPortExclusionList: 5}}\n",
            ":7: expected a list of values as spec.traffic.outboundPortExclusionList, got 5",
        ),
        (
            "kind: A\nmetadata: {}\nwebhooks: [5]\n",
            ":7: expected a list of mappings as webhooks, got [5]",
        ),
        (
            "kind: A\nmetadata: {}\nrules:\n- verbs: [1]\n",
            ":8: expected a list of texts as rules[0].verbs, got [1]",
        ),
        ("kind: A\nmetadata: {name: a}\nmetadata: {}\n", ":7: expected each key once"),
    ],
)
def test_what_is_no_manifest_is_told_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"{MESH}---\n# more\n\n{text}".encode())
    assert str(caught.value).startswith(f"{tmp_path}/x.yaml{problem}")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.yaml: expected UTF-8 text"):
        read(tmp_path, b"\xff\xfe")
