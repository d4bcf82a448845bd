"""A first mesh by the page, word for word: an empty folder, the built wheel, pods that run.

The commands come out of docs/start.md and are typed into one shell. The cluster is this test's
own, its images are the suite's, a server on loopback has a chart archive, pip finds the wheel in a
folder, and the engine starts the project's Python through the suite's own language host.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import wheel
from tests.apiserver.apiserver import NotInstalledError, find
from tests.archives import GOOD, index, pack, served
from tests.engine.engine import Engine
from tests.engine.language_python import installed
from tests.pages import Block, Command, blocks, carry_out, text_of

from .conftest import absent
from .image import images
from .machine import unavailable
from .node import NODE, POD_RANGE
from .node import node as running
from .stack import SCRIPTS, archive, image_names, make_project, objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api

pytestmark = pytest.mark.node

PAGE = "docs/start.md"
EDITS = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
ADDRESS = "10.96.34.56"  # the page's example of the cache's
BUSYBOX = "docker.io/library/busybox:1.37"
# Each command of the page has a shell of its own. Read at its start, this makes them one: the
# folder and the variables of the one before, and nothing that leads Python to a checkout.
SHELL = f"""
unset BASH_ENV {" ".join(wheel.LEADING)}
[ ! -e "$SESSION" ] || . "$SESSION"
set -o allexport
trap '{{ export -p; printf "cd %q\\n" "$PWD"; }} >"$SESSION"' EXIT
"""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Who follows the page.

    Attributes:
        home: an empty folder, in which the page begins.
        api: the cluster.
        wheel: what pip is to find.
        environment: of the shell.
        edits: what the page says to put below `config:`, in its order.
        edited: the one that stands there.
    """

    home: Path
    api: Api
    wheel: Path
    environment: dict[str, str]
    edits: list[str] = field(default_factory=lambda: EDITS.findall(text_of(PAGE)))
    edited: str = ""

    @property
    def project(self) -> Path:
        """Where the page makes it."""
        return self.home / "mesh"

    def carry_out(self, block: Block) -> None:
        """One block of the page, command by command, with what the page tells in words."""
        for command in block.commands:
            if command.typed.startswith("pip install"):
                wheel.supply(self.project / ".venv", self.wheel, "pulumi", "cluster")
            if command.typed.startswith("fsm-stack diff"):
                self.edit()
            carry_out(replace(block, commands=(command,)), self.home, **self.environment)
            if command.typed.startswith("pip install"):
                self.has_the_wheel(block)

    def has_the_wheel(self, block: Block) -> None:
        """What the page installs is what it runs from here on; else a checkout's would pass."""
        own = self.project / ".venv"
        (package,) = own.glob("lib/python*/site-packages/fsm_stack/__init__.py")
        which = Command(typed="command -v fsm-stack", shown=(str(own / "bin/fsm-stack"),))
        imported = "python -c 'import fsm_stack; print(fsm_stack.__file__)'"
        asked = (which, Command(typed=imported, shown=(str(package),)))
        carry_out(replace(block, commands=asked), self.home, **self.environment)

    def edit(self) -> None:
        """The page's next block of YAML goes below `config:`, in the place of the one before."""
        cache = {"apiVersion": "v1", "kind": "Service"}
        cache |= {"metadata": {"name": "cache", "namespace": "legacy"}}
        before, self.edited = self.edited, self.edits.pop(0)
        self.edited = self.edited.replace(ADDRESS, self.api.get(cache)["spec"]["clusterIP"])
        file = self.project / "Pulumi.local.yaml"
        text = file.read_text(encoding="utf-8").replace(before, "")
        assert text.count("config:\n") == 1, text
        file.write_text(text.replace("config:\n", f"config:\n{self.edited}"), encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """An empty folder, the programs that the page asks for, and a cluster nobody has used."""
    if reason := unavailable():
        absent(reason)
    make_project(tmp_path / "other")  # any stack of the release names the same images
    names = (*image_names(objects_of(tmp_path / "other")), BUSYBOX)
    chart = pack(files=GOOD | {"fsm/components/scripts.tar.gz": archive(SCRIPTS)})
    for name in ("node", "home", "empty", "wheel", "engine"):
        (tmp_path / name).mkdir()
    (tmp_path / "shell").write_text(SHELL, encoding="utf-8")
    try:
        kubectl = find("kubectl", target="test-node").parent
        with (
            running(tmp_path / "node", images(names, home=tmp_path)) as node,
            served({"/index.yaml": index("1.5.1"), "/fsm-1.5.1.tgz": chart}) as charts,
        ):
            # As kubeadm, k3s and the like give it, which keep the range of a node's pods there.
            which = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
            node.api.patch(which, {"spec": {"podCIDR": POD_RANGE, "podCIDRs": [POD_RANGE]}})
            engine = Engine.at(tmp_path / "engine", node.api.kubeconfig)
            pulumi = installed(Path(engine.command.command).parent)
            python = Path(sys.base_prefix) / "bin"
            yield Reader(
                home=tmp_path / "empty",
                api=node.api,
                wheel=wheel.build(tmp_path / "wheel"),
                environment={
                    "BASH_ENV": str(tmp_path / "shell"),
                    "SESSION": str(tmp_path / "session"),
                    "HOME": str(tmp_path / "home"),
                    "KUBECONFIG": str(node.api.kubeconfig),
                    "PATH": f"{pulumi}:{kubectl}:{python}:{os.environ['PATH']}",
                    "PIP_NO_INDEX": "1",
                    "PIP_FIND_LINKS": str(tmp_path / "wheel"),
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                    # The engine takes the home of the password file, whatever HOME says.
                    "PULUMI_HOME": str(tmp_path / "home"),
                    "PULUMI_BACKEND_URL": f"file://{tmp_path / 'home'}",
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
    assert reader.edits == []
