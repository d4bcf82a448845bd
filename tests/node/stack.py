"""A stack on the node: its project, its objects applied in their order, the tools of its users."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import tarfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from fsm_stack.manifests.bundle import bundle
from fsm_stack.project.project import Project
from fsm_stack.project.release_asset import load_asset
from fsm_stack.redirection.scopes import redirection
from tests.apiserver.apiserver import built, find

from .image import ROOT
from .workloads import wait_deployment, wait_injection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.settings.models.stack import StackSettings
    from tests.apiserver.client import Api

    from .node import Node

STACK = "node"
RELEASE = "1.5.1"
OTHER_TAG = "1.0.0"  # of the images of osm-edge and OSM
COMMAND_SECONDS = 180
CONTROL_PLANE_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A project folder with one stack, and the node that it is for."""

    node: Node
    project: Path

    @property
    def api(self) -> Api:
        """The cluster, as its administrator."""
        return self.node.api

    @property
    def settings(self) -> StackSettings:
        """As the stack's file says now."""
        return settings_of(self.project)

    def objects(self) -> tuple[Manifest, ...]:
        """The bundle."""
        return objects_of(self.project)

    def apply(self, *, force: bool = False) -> None:
        """What `pulumi up` does to the cluster: every object, server-side, in the bundle's order.

        The CRD is left as it is where bootstrap has been: its schema is among the foreign paths.
        """
        for manifest in self.objects():
            given = dict(manifest.object)
            if manifest.kind == "CustomResourceDefinition" and self.api.exists(given):
                continue
            self.api.apply(given, manager="pulumi-kubernetes", force=force)

    def wait_up(self) -> None:
        """Wait until every program is available, and pods of the mesh are injected."""
        for manifest in self.objects():
            if manifest.kind == "Deployment":
                wait_deployment(self.api, dict(manifest.object), seconds=CONTROL_PLANE_SECONDS)
        for one in self.settings.enrolled_namespaces:
            wait_injection(self.api, one.name)

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """One declared object."""
        return next(
            dict(one.object) for one in self.objects() if (one.kind, one.name) == (kind, name)
        )

    def fsm_stack(self, *words: str, cluster: bool = True) -> Result:
        """The command line, as a user of this cluster types it."""
        known = ("--kubeconfig", str(self.api.kubeconfig)) if cluster else ()
        return CliRunner().invoke(cli, [*words, "-C", str(self.project), *known])

    def kubectl(self, *words: str, given: str = "") -> str:
        """Kubectl of the cluster's version; it must succeed."""
        return self.shell(shlex.join(["kubectl", *words]), given=given)

    def shell(self, command: str, *, given: str = "", check: bool = True) -> str:
        """A line as documents and findings print it, in the project's folder."""
        path = f"{_kubectl().parent}:{os.environ['PATH']}"

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["bash", "-c", command], input=given, capture_output=True, text=True, check=False,
                cwd=self.project, timeout=COMMAND_SECONDS,
                env={
                    "PATH": path, "KUBECONFIG": str(self.api.kubeconfig),
                    "HOME": str(self.project),
                },
            )  # fmt: skip

        done = run()
        if "within the past second" in done.stderr:  # kubectl's own word: two restarts in one
            time.sleep(1)
            done = run()
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def settings_of(project: Path) -> StackSettings:
    """What a project's stack says."""
    stack = Project(directory=project, start=project).load(STACK)
    assert stack.settings is not None, stack.findings
    return stack.settings


def objects_of(project: Path) -> tuple[Manifest, ...]:
    """The objects of a project's stack, with the release's scripts."""
    settings = settings_of(project)
    asset = load_asset(project, settings.fsm_version)
    return bundle(settings, redirection(settings), asset=asset)


def _kubectl() -> Path:
    """Ours first: one on PATH is of any version."""
    own = built()[0] / "kubectl"
    return own if own.exists() else find("kubectl")


# They stand for the release's: the controller's pod unpacks them.
SCRIPTS = {"main.js": b"// stands for the release's scripts\n"}


def make_project(folder: Path) -> None:
    """A project like this repository's `dev`, with scripts in the place of the release's."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
    for key in ("releaseAssets", "accept", "deployment"):  # dev is there to be looked at
        config.pop(f"fsm-stack:{key}", None)
    write_config(folder, config)
    archive = folder / f"fsm-{RELEASE}.tgz"
    archive.write_bytes(_chart())
    done = CliRunner().invoke(cli, ["vendor", str(archive), "-C", str(folder)])
    assert done.exit_code == 0, done.output


def write_config(project: Path, config: dict[str, Any]) -> None:
    """The stack's file."""
    (project / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))


def _chart() -> bytes:
    """An archive in the place of the release's, which this project pins and does not copy."""
    scripts = archive(SCRIPTS)
    about = {"apiVersion": "v2", "name": "fsm", "version": RELEASE}
    return archive(
        {
            "fsm/Chart.yaml": yaml.safe_dump(about).encode(),
            "fsm/components/scripts.tar.gz": scripts,
        }
    )


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def image_names(manifests: tuple[Manifest, ...]) -> Iterator[str]:
    """Every image that a stack's pods and its injector name."""
    for manifest in manifests:
        if manifest.kind == "Deployment":
            yield from _images(json.loads(json.dumps(dict(manifest.object))))


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _images(item)
    elif isinstance(value, dict):
        if str(value.get("name", "")).endswith("_IMAGE"):
            yield value["value"]
        for key, item in value.items():
            if key == "image":
                yield item
            else:
                yield from _images(item)
