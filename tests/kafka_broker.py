"""A real Kafka broker as a child process; `python -m tests.kafka_broker` runs one until Ctrl-C."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from ingest.records import Topic

_REPOSITORY: Final = Path(__file__).resolve().parents[1]
_POM: Final = Path(__file__).resolve().parent / "kafka" / "pom.xml"
_STARTED: Final = b"Kafka Server started"
_PATIENCE_SECONDS: Final = 60.0

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""


class BrokerUnavailable(Exception):
    """No broker can be started here; the text says why."""


def kafka_jars() -> Path:
    """Folder with the broker's jars; copied by Maven into the repository's cache when they are not there.

    Raises BrokerUnavailable.
    """
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    folder = _REPOSITORY / ".cache" / "kafka" / version
    _demand("java")
    if folder.is_dir():
        return folder
    _demand("mvn")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        copied = Path(scratch) / "jars"
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={copied}"]
        command = ["mvn", "-q", "-B", "-f", str(_POM), *copy]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BrokerUnavailable(f"Maven could not copy its jars: {run.stdout[-2000:]}{run.stderr}")
        try:
            copied.rename(folder)
        except OSError:  # another test run was first
            if not folder.is_dir():
                raise
    return folder


def _demand(tool: str) -> None:
    if shutil.which(tool) is None:
        raise BrokerUnavailable(f"no `{tool}` on the PATH; install it, or give an ASLEEP_TEST_KAFKA")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One broker in KRaft mode on free loopback ports; its data outlives `kill` and `stop`.

    `folder` is where it keeps its data, its configuration and broker.log.
    """

    def __init__(self, folder: Path) -> None:
        self._java = ["java", "-Xmx384M", "-XX:+UseSerialGC", "-cp", f"{kafka_jars()}/*"]
        self._log_path = folder / "broker.log"
        self._properties_path = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._properties_path.write_text(
            _PROPERTIES.format(port=port, controller_port=free_port(), data=folder / "data"), encoding="utf-8"
        )
        self._format()

    @property
    def url(self) -> str:
        """The broker as a value of ASLEEP_EVENT_LOG_URL."""
        return f"kafka://{self.address}"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the broker, on the same port and data every time, and wait until it serves."""
        if self._process is not None:
            raise RuntimeError("the broker is running already")
        with self._log_path.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        with self._log_path.open("rb") as log:
            log.seek(begin)
            self._wait_until_started(log)

    def pause(self) -> None:
        """Hang: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Die at once, as in a power cut of the process: kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def heal(self) -> None:
        """Make the broker serve again, whatever a test did to it."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        if self._process is None:
            self.start()
        else:
            self.resume()

    def _format(self) -> None:
        storage = [*self._java, "kafka.tools.StorageTool"]
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        subprocess.run(
            [*storage, "format", f"--cluster-id={cluster_id}", "-c", str(self._properties_path)],
            capture_output=True,
            check=True,
        )

    def _wait_until_started(self, log: IO[bytes]) -> None:
        text = b""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _STARTED not in text:
            ended = self._process is None or self._process.poll() is not None
            text += log.read()
            if _STARTED in text:
                return
            if ended or time.monotonic() > deadline:
                self.kill()
                raise BrokerUnavailable(f"the broker did not start: {text[-3000:].decode(errors='replace')}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)


def forget_everything(address: str) -> None:
    """Delete our topics, and the consumer groups that read nothing else, members and all.

    What else is on the broker stays as it is.
    """
    from kafka.admin import KafkaAdminClient, MemberToRemove  # noqa: PLC0415  conftest.py quietens it first

    ours = {topic.value for topic in Topic}
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        groups = [group["group_id"] for group in admin.list_groups()]
        offsets = admin.list_group_offsets(dict.fromkeys(groups))
        for group_id, group in admin.describe_groups(groups).items():
            read = {partition.topic for partition in offsets[group_id]}
            for member in group["members"]:
                read.update(member["member_metadata"]["topics"])
            if read and read <= ours:
                members = [MemberToRemove(member_id=member["member_id"]) for member in group["members"]]
                admin.remove_group_members(group_id, members)
                admin.delete_groups([group_id])
        present = ours.intersection(admin.list_topics())
        if present:
            admin.delete_topics(sorted(present))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while present & set(admin.list_topics()):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"{address} does not get rid of {sorted(present)}")
            time.sleep(0.02)


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A started broker with its data in `folder`, stopped at the end; raises BrokerUnavailable."""
    broker = Broker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def main() -> None:
    """Run a broker with throw-away data until Ctrl-C, and print its address."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="kafka-") as folder,
        running_broker(Path(folder)) as broker,
    ):
        print(broker.url, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
