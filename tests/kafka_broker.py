"""A real Kafka broker as a child process; `python -m tests.kafka_broker` runs one until Ctrl-C."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ingest.records import Topic
from tests.kafka_jars import BrokerUnavailable, kafka_jars

_STARTED: Final = b"Kafka Server started"
_PATIENCE_SECONDS: Final = 60.0

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor={brokers}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={brokers}
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=200
broker.session.timeout.ms={session_timeout_ms}
"""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Quorum:
    """What the brokers of one cluster agree on: its identity, and the ports of their controllers."""

    cluster_id: str
    controller_ports: tuple[int, ...]

    @classmethod
    def of(cls, brokers: int) -> Self:
        """A new cluster of so many brokers, on free loopback ports."""
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        return cls(cluster_id, tuple(free_port() for _ in range(brokers)))

    @property
    def voters(self) -> str:
        """The controllers as Kafka's configuration names them; nodes are counted from 1."""
        return ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(self.controller_ports, 1))


class Broker:
    """One broker in KRaft mode on free loopback ports; its data outlives `kill` and `stop`.

    `folder` is where it keeps its data, its configuration and broker.log. It is a cluster of its own unless
    it is given a place in a quorum.
    """

    def __init__(self, folder: Path, quorum: Quorum | None = None, node_id: int = 1) -> None:
        quorum = quorum or Quorum.of(1)
        brokers = len(quorum.controller_ports)
        heap = "-Xmx384M" if brokers == 1 else "-Xmx256M"
        self._java = ["java", heap, "-XX:+UseSerialGC", "-cp", f"{kafka_jars()}/*"]
        self._log_path = folder / "broker.log"
        self._properties_path = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        properties = _PROPERTIES.format(
            node_id=node_id,
            voters=quorum.voters,
            port=port,
            controller_port=quorum.controller_ports[node_id - 1],
            data=folder / "data",
            brokers=brokers,
            # A broker that is only slow must not be taken for dead where another would take its place.
            session_timeout_ms=1000 if brokers == 1 else 3000,
        )
        self._properties_path.write_text(properties, encoding="utf-8")
        self._format(quorum.cluster_id)

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
        self.launch()
        self.wait_until_started()

    def launch(self) -> None:
        """Start the broker without waiting: one of several serves only once most of them are there."""
        if self._process is not None:
            raise RuntimeError("the broker is running already")
        with self._log_path.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_started(self) -> None:
        """Return once the launched broker serves; raises BrokerUnavailable."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self._log_path.open("rb") as log:
            log.seek(self._begin)
            text = b""
            while _STARTED not in text:
                ended = not self.is_running
                text += log.read()
                if _STARTED not in text and (ended or time.monotonic() > deadline):
                    self.kill()
                    raise BrokerUnavailable(
                        f"the broker did not start: {text[-3000:].decode(errors='replace')}"
                    )
                time.sleep(0.05)

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
        if self.is_running:
            self.resume()
        else:
            self._process = None
            self.start()

    @property
    def is_running(self) -> bool:
        """Whether its process is there, hanging or not."""
        return self._process is not None and self._process.poll() is None

    def _format(self, cluster_id: str) -> None:
        storage = [*self._java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}"]
        subprocess.run([*storage, "-c", str(self._properties_path)], capture_output=True, check=True)

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
