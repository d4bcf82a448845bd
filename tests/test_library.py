"""The public interface: what it is, that it is cheap, and that a change of it is seen in review."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from datetime import date
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, is_typeddict

import pytest

import fsm_stack
from fsm_stack import FindingsError, InputError, load_stack
from fsm_stack.errors import EXTRAS

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).parent / "public_interface.txt"


def lines(name: str) -> list[str]:
    """A public name as a reader of a change should see it."""
    value: Any = getattr(fsm_stack, name)
    if isinstance(value, str):
        return [f"{name}: str"]
    if is_typeddict(value):
        return [f"class {name}(TypedDict)", *(f"    {k}: {v}" for k, v in _hints(value))]
    if not inspect.isclass(value):
        return [f"def {name}{_signature(value)}"]
    bases = ", ".join(base.__name__ for base in value.__bases__)
    if hasattr(value, "model_fields"):  # each field stands in the schema of stack files
        return [f"class {name}({bases})", *_properties(value)]
    own = "__init__" in vars(value)
    taken = _signature(value).removesuffix(" -> None") if own else ""
    fields = [] if issubclass(value, Exception) else [f"    {k}: {v}" for k, v in _hints(value)]
    return [f"class {name}{taken} of {bases}", *fields, *_properties(value)]


def _signature(value: Any) -> str:
    """With annotations as they are written, and not as texts."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))


def _hints(value: Any) -> list[tuple[str, str]]:
    own = inspect.get_annotations(value).items()
    texts = [(key, getattr(hint, "__forward_arg__", hint)) for key, hint in own]
    return [(key, str(text)) for key, text in texts if not key.startswith("_")]


def _properties(value: Any) -> list[str]:
    found = []
    for key, one in vars(value).items():
        if key.startswith("_"):
            continue
        if isinstance(one, property):
            returned = inspect.signature(one.fget).return_annotation  # type: ignore[arg-type]
            found.append(f"    {key}: {getattr(returned, '__name__', returned)}, read")
        elif inspect.isfunction(one):
            found.append(f"    def {key}{_signature(one)}")
    return found


def test_the_interface_is_the_recorded_one() -> None:
    """Others' programs stand on it. Write what the assertion shows into the file, if it is meant."""
    now = "\n".join(line for name in fsm_stack.__all__ for line in lines(name)) + "\n"
    assert now == RECORDED.read_text(encoding="utf-8")


def test_every_name_is_documented() -> None:
    page = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    missing = [name for name in fsm_stack.__all__ if f"`{name}" not in page]
    assert missing == []


def test_every_name_is_there_and_listed() -> None:
    assert dir(fsm_stack) == fsm_stack.__all__ == sorted(fsm_stack.__all__)
    for name in fsm_stack.__all__:
        assert getattr(fsm_stack, name) is not None


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError) as missing:
        _ = fsm_stack.FsmStacks
    assert str(missing.value) == "module 'fsm_stack' has no attribute 'FsmStacks'"


def test_importing_the_package_imports_no_library() -> None:
    """Each name brings what it needs; whoever asks for annotations does not wait for Pulumi."""
    program = (
        "import sys, fsm_stack\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & "
        "{'pulumi', 'pydantic', 'click', 'kubernetes', 'yaml'}))\n"
        "fsm_stack.annotations_for\n"
        "print('pulumi' in sys.modules, 'kubernetes' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "False False"]


@pytest.mark.parametrize("extra", ["pulumi", "cluster", "arrow"])
def test_a_blocked_library_is_named_with_its_extra(extra: str) -> None:
    """An environment may refuse an import that is installed, too."""
    library = {"pulumi": "pulumi_kubernetes", "cluster": "kubernetes", "arrow": "pyarrow"}[extra]
    program = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {library!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from fsm_stack.errors import InputError, require_extra\n"
        "try:\n"
        f"    require_extra({extra!r})\n"
        "except InputError as error:\n"
        "    print(isinstance(error, ImportError), error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"True {library} is not installed; expected it: pip install 'fsm-stack[{extra}]'\n"
    )


def test_every_extra_is_one_of_pyproject_with_its_libraries() -> None:
    """Else a message would name an extra that pip does not know."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        name: {re.split(r"[^A-Za-z0-9-]", text)[0] for text in texts}
        for name, texts in project["optional-dependencies"].items()
    }
    known = packages_distributions()
    named = {
        name: {known[library][0].replace("_", "-") for library in libraries}
        for name, libraries in EXTRAS.items()
    }
    assert named == extras


class TestLoadStack:
    def test_reads_a_file_wherever_it_is_and_whatever_its_name(self, tmp_path: Path) -> None:
        file = tmp_path / "east.yaml"
        file.write_text("config:\n  fsm-stack:mesh: {name: east}\n  shop:size: 3\n")
        assert load_stack(file).mesh_name == "east"
        assert load_stack(str(file)).mesh_name == "east"

    def test_reads_a_mapping_in_the_files_form(self) -> None:
        mesh = load_stack({"traffic": {"outboundPortExclusionList": [6379, {"value": 443}]}})
        ports = [entry.value for entry in mesh.traffic.outbound_port_exclusion_list]
        assert ports == [6379, 443]

    def test_raises_every_error_with_its_place(self, tmp_path: Path) -> None:
        file = tmp_path / "east.yaml"
        file.write_text("config:\n  fsm-stack:traffic: {outboundPortExclusionList: [70000]}\n")
        with pytest.raises(FindingsError) as wrong:
            load_stack(file)
        assert str(wrong.value).startswith(
            f"{file}:2:51 traffic.outboundPortExclusionList[0]: error: "
            "expected a port from 1 to 65535, got 70000 [invalid-port]"
        )

    @pytest.mark.parametrize(("day", "expired"), [(30, False), (31, True)])
    def test_judges_an_end_by_the_day_that_it_is_given(self, day: int, *, expired: bool) -> None:
        """An error tells the warnings, too."""
        entry = {"value": 6379, "until": "2026-05-30"}
        stack = {
            "traffic": {"outboundPortExclusionList": [entry]},
            "certificateProvider": {"kind": "vault"},
        }
        with pytest.raises(FindingsError) as wrong:
            load_stack(stack, today=date(2026, 5, day))
        assert ("bypass-expired" in {one.id for one in wrong.value.findings}) is expired

    def test_names_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as missing:
            load_stack(tmp_path / "none.yaml")
        assert str(missing.value) == f"{tmp_path / 'none.yaml'}: no such file"


EACH_FIRST = """
import importlib, os, pkgutil, sys
import fsm_stack
import pydantic, yaml  # once, for all
broken = 0
for module in pkgutil.walk_packages(fsm_stack.__path__, "fsm_stack."):
    if not (child := os.fork()):
        try:
            importlib.import_module(module.name)
        except BaseException as error:
            print(f"{module.name}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    broken |= os.waitpid(child, 0)[1]
sys.exit(bool(broken))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that forks")
def test_every_module_can_be_imported_first() -> None:
    """Else whether it can depends on what another one imported before."""
    done = subprocess.run(
        [sys.executable, "-c", EACH_FIRST], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
