"""The committed tree of `dev` applied by hand, as kubectl takes plain directories and kustomize."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.apiserver import NotInstalledError, find

from .mesh import ROOT, TARGET, live, manifests, versions

if TYPE_CHECKING:
    from tests.apiserver.client import Api

pytestmark = pytest.mark.gitops

NAMES = {f"{one.kind}/{one.name}" for one in manifests()}
NO_KIND = 'no matches for kind "MeshConfig" in version "config.flomesh.io/v1alpha3"'


def kubectl(api: Api, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        program = find("kubectl", target=TARGET)
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return subprocess.run(
        [program, *words],
        cwd=ROOT,
        env={"KUBECONFIG": str(api.kubeconfig), "HOME": str(api.kubeconfig.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


PLAIN = ("apply", "--server-side", "-R", "-f", "rendered/dev/objects")


@pytest.fixture(scope="module")
def applied(api: Api) -> tuple[subprocess.CompletedProcess[str], ...]:
    """Twice, as the note in kustomization.yaml says: the MeshConfig needs the CRD beside it."""
    return kubectl(api, *PLAIN), kubectl(api, *PLAIN)


def test_a_plain_directory_and_its_kustomization_are_applied_as_they_are(
    api: Api, applied: tuple[subprocess.CompletedProcess[str], ...]
) -> None:
    first, second = applied
    assert (first.returncode, first.stderr.count("error:")) == (1, 1), first.stderr
    assert NO_KIND in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    assert live(api).keys() == NAMES
    before = versions(api)
    for words in (PLAIN, ("apply", "--server-side", "-k", "rendered/dev")):
        again = kubectl(api, *words)
        assert again.returncode == 0, again.stderr
        assert versions(api) == before


@pytest.mark.usefixtures("applied")
def test_a_client_side_apply_takes_the_same_files(api: Api) -> None:
    """Nothing in the tree needs server-side apply; whoever forgets the option gets the objects."""
    done = kubectl(api, "apply", "--dry-run=server", "-R", "-f", "rendered/dev/objects")
    assert done.returncode == 0, done.stderr
