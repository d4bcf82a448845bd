"""What starts Python programs and plugins for the engine, as `pulumi-language-python` does for users.

That host's module is not among those that Go's proxy serves. Its part here is small: it answers
that an environment is there, and runs the program or the plugin in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 65536
# The program's process: the request on standard input, the answer into the named file. The SDK of
# its own environment serves the one and makes the other, as for an inline program.
PROGRAM = """
import runpy, sys
from functools import partial
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2
request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
program = partial(runpy.run_path, request.info.program_directory, run_name="__main__")
answer = LanguageServer(program).Run(request, None)
with open(sys.argv[1], "wb") as file:
    file.write(answer.SerializeToString())
"""


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """The calls that the engine makes for a program, a component or a policy pack."""

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802  # gRPC's names
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version="3.0.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.GetRequiredPackagesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        yield from ()  # the test has made the environment

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Run a program in its project's environment, from the project's folder."""
        engine = sys.argv[-1]  # its address, with which it starts a host
        request.args[:] = [engine, *request.args]
        with tempfile.NamedTemporaryFile() as answer:
            subprocess.run(
                [_python(request.info), "-u", "-c", PROGRAM, answer.name],
                cwd=request.pwd,
                input=request.SerializeToString(),
                stdout=sys.stderr,  # which the engine shows; on ours it reads the port
                check=True,
            )
            return language_pb2.RunResponse.FromString(Path(answer.name).read_bytes())

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run it in its own environment, where its PulumiPlugin.yaml or PulumiPolicy.yaml says."""
        python = _python(request.info)
        if request.kind == "analyzer":
            arguments = ["-m", "pulumi.policy", *request.args, request.info.root_directory]
        else:
            arguments = [request.info.program_directory, *request.args]
        plugin = subprocess.Popen(
            [python, "-u", *arguments],
            cwd=request.pwd,
            env={**os.environ, **dict(one.split("=", 1) for one in request.env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(plugin.terminate)
        told: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        for name, pipe in (("stdout", plugin.stdout), ("stderr", plugin.stderr)):
            threading.Thread(target=_tell, args=(told, name, pipe), daemon=True).start()
        open_pipes = 2
        while open_pipes:
            name, text = told.get()
            open_pipes -= not text
            yield language_pb2.RunPluginResponse(**{name: text})
        yield language_pb2.RunPluginResponse(exitcode=plugin.wait())


def _python(info: Any) -> str:
    """The interpreter of the environment that a project's or a plugin's file names."""
    options = json_format.MessageToDict(info.options)
    return str(Path(info.root_directory) / options["virtualenv"] / "bin/python")


def _tell(told: SimpleQueue[tuple[str, bytes]], name: str, pipe: Any) -> None:
    while text := os.read(pipe.fileno(), CHUNK):
        told.put((name, text))
    told.put((name, b""))
    pipe.close()


def installed(folder: Path) -> Path:
    """A folder for PATH with this host under the name that the engine looks for."""
    program = folder / "pulumi-language-python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    program.chmod(0o755)
    return folder


def main() -> None:
    """Serve until the engine ends this process."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGINT, lambda *_: sys.exit())  # how the engine ends it
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
