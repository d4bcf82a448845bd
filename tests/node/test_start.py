"""A first mesh by the page, word for word: the real engine, the rendered objects, pods that run.

The commands come out of docs/start.md. The cluster is this test's own, its images are the suite's,
a server on loopback has a chart archive, and the engine is driven through the Automation API: it
runs the same program, since no language host of Python's is among what the suite can build.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.apiserver import NotInstalledError, find
from tests.archives import GOOD, index, pack, served
from tests.engine.engine import Engine, Stack
from tests.pages import Block, blocks, carry_out, text_of
from tests.pages import make_project as copy_project

from .conftest import absent
from .image import images
from .machine import unavailable
from .node import NODE, POD_RANGE
from .node import node as running
from .stack import SCRIPTS, archive, image_names, make_project, objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.node

PAGE = "docs/start.md"
STACK = "local"
BUSYBOX = "docker.io/library/busybox:1.37"


@dataclass(slots=True, kw_only=True)
class Reader:
    """Who follows the page: a checkout, a cluster, and an engine."""

    project: Path
    engine: Engine
    environment: dict[str, str]
    stack: Stack | None = None

    def carry_out(self, block: Block) -> None:
        """One block of the page, command by command."""
        for command in block.commands:
            if command.typed.startswith("fsm-stack diff"):
                self.edit()
            if command.typed.startswith("pulumi "):
                self.pulumi(command.typed)
            else:
                one = replace(block, commands=(command,))
                carry_out(one, self.project, **self.environment)

    def edit(self) -> None:
        """What the page says in words: its one block of YAML goes below `config:`."""
        (given,) = re.findall(r"```yaml\n(.*?)```", text_of(PAGE), re.DOTALL)
        file = self.project / f"Pulumi.{STACK}.yaml"
        text = file.read_text(encoding="utf-8")
        assert text.count("config:\n") == 1, text
        file.write_text(text.replace("config:\n", f"config:\n{given}"), encoding="utf-8")

    def pulumi(self, typed: str) -> None:
        """What the command line would have the engine do."""
        if typed == f"pulumi stack select --create {STACK}":
            self.stack = self.engine.stack(STACK, self.project)
            return
        if typed == "pulumi login --local":
            return
        assert self.stack is not None, typed
        if typed == "pulumi up --yes":
            self.stack.preview().succeeded()
            self.stack.up().succeeded()
        else:
            assert typed == "pulumi destroy --yes", typed
            self.stack.destroy().succeeded()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A checkout of this project, and a cluster that nobody has used."""
    if reason := unavailable():
        absent(reason)
    copy_project(tmp_path / "project")
    make_project(tmp_path / "other")  # any stack of the release names the same images
    names = (*image_names(objects_of(tmp_path / "other")), BUSYBOX)
    chart = pack(files=GOOD | {"fsm/components/scripts.tar.gz": archive(SCRIPTS)})
    (tmp_path / "node").mkdir()
    try:
        kubectl = find("kubectl", target="test-node").parent
        with (
            running(tmp_path / "node", images(names, home=tmp_path)) as node,
            served({"/index.yaml": index("1.5.1"), "/fsm-1.5.1.tgz": chart}) as charts,
        ):
            # As kubeadm, k3s and the like give it, which keep the range of a node's pods there.
            which = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
            node.api.patch(which, {"spec": {"podCIDR": POD_RANGE, "podCIDRs": [POD_RANGE]}})
            (tmp_path / "engine").mkdir()
            yield Reader(
                project=tmp_path / "project",
                engine=Engine.at(tmp_path / "engine", node.api.kubeconfig),
                environment={
                    "KUBECONFIG": str(node.api.kubeconfig),
                    "PATH": f"{tmp_path}/project/.venv/bin:{kubectl}:{os.environ['PATH']}",
                    "FSM_STACK_CHART_REPOSITORY": charts.address,
                },
            )
    except NotInstalledError as error:
        absent(str(error))


def test_a_reader_of_the_page_has_a_mesh_that_is_as_declared(reader: Reader) -> None:
    """Every block in its order; each shows what it shows to a reader."""
    followed = [one for one in blocks(PAGE) if one.mark("run by:") == "tests/node/test_start.py"]
    assert followed
    for block in followed:
        reader.carry_out(block)
