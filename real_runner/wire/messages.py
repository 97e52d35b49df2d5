"""Messages from ``.proto`` files, compiled when they are first needed.

No generated code stands in the tree: the compiler that grpcio-tools brings turns a file into its
description, and protobuf makes classes of that. `grpc.protos` would do the same through the import
system, but finds files on ``sys.path`` only, where an editable install need not be.
"""

import tempfile
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from real_runner.errors import RealRunError


@cache
def load(path: str) -> Any:
    """Return the messages of a ``.proto`` file of ours, as attributes of one object.

    ``path`` is relative to where the packages are installed, wherever that is; so is what the file
    imports, unless protobuf itself ships it. Files that import one another share messages.
    Top-level messages have attributes; enums belong inside messages. Raises `RealRunError` where
    there is no such file, or the compiler refuses it (it writes why to standard error).

    >>> header = load("real_runner/wire/parcel.proto").Header(job=7)
    >>> header.job
    7
    """
    pool = _pool()
    for described in _describe(PurePosixPath(path)).file:
        pool.Add(described)
    messages = pool.FindFileByName(path).message_types_by_name
    return SimpleNamespace(
        **{name: GetMessageClass(descriptor) for name, descriptor in messages.items()}
    )


@cache
def _pool() -> DescriptorPool:
    """Return where our messages are described: apart from protobuf's own, which others share."""
    return DescriptorPool()


def _describe(path: PurePosixPath) -> Any:
    """Compile the file; what it imports comes before it."""
    package = files(path.parts[0])
    shipped = files("grpc_tools") / "_proto"
    with (
        as_file(package) as source,
        as_file(shipped) as include,
        tempfile.TemporaryDirectory() as folder,
    ):
        root = source.parent
        if not (root / path).is_file():
            raise RealRunError(f"{path}: no such file in package {package}; is Tessera whole?")
        out = Path(folder) / "descriptors"
        status = protoc.main(
            [
                "protoc",
                f"-I{root}",
                f"-I{include}",
                "--include_imports",
                f"--descriptor_set_out={out}",
                str(path),
            ]
        )
        if status != 0:
            raise RealRunError(f"{path}: the protobuf compiler refuses it; see above")
        return FileDescriptorSet.FromString(out.read_bytes())
