"""Programs to compare with that are not the project's own, run where they are found and can be run.

Owns how each is built and started: Kafka Streams by Maven and javac, Quix Streams where it is installed. What cannot be
run is passed over with its reason. Must never change the peers' folder.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from orchestrator.bench.kafka.programs import Program
from orchestrator.bench.kafka.setting import Setting
from orchestrator.errors import StorageError
from orchestrator.testing.brokers.libraries import COPY, KAFKA_VERSION

LONGEST_BUILD_S = 600
JACKSON_VERSION = "2.19.2"
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>orchestrator</groupId>
  <artifactId>bench-peers</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-streams</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId>
      <artifactId>jackson-databind</artifactId>
      <version>{JACKSON_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

# A peer is started with its group, the topic it reads and the one it writes.
Start = Callable[[str, str, str], Program]


def peers_of(setting: Setting, say: Callable[[str], None]) -> dict[str, Start]:
    """Give the peers that can be run here, by name; say why the others cannot."""
    found: dict[str, Start] = {}
    for name, prepare in {"Kafka Streams, exactly-once": _kafka_streams, "Quix Streams, exactly-once": _quix}.items():
        try:
            found[name] = prepare(setting)
        except StorageError as error:
            say(f"{name} is not measured: {error}")
    return found


def _source(setting: Setting, name: str) -> Path:
    path = setting.peers / name if setting.peers is not None else None
    if path is None or not path.exists():
        raise StorageError(f"{name} is not there; name the peers' folder with --peers")
    return path.resolve()


def _variables(setting: Setting, group: str, source: str, output: str) -> dict[str, str]:
    folder = setting.folder / group
    folder.mkdir(exist_ok=True)
    return {
        "BOOTSTRAP": setting.cluster.servers,
        "GROUP": group,
        "INPUT": source,
        "OUTPUT": output,
        "STATE_DIR": str(folder),
        "GUARANTEE": "exactly-once",
    }


def _kafka_streams(setting: Setting) -> Start:
    source = _source(setting, "kstreams/AbandonedCart.java")
    if not (shutil.which("mvn") and shutil.which("javac") and shutil.which("java")):
        raise StorageError("it needs mvn, javac and java")
    folder = setting.folder / "kafka-streams"
    folder.mkdir()
    (folder / "pom.xml").write_text(POM, encoding="utf-8")
    _build(folder, "mvn", "-q", "-B", "-f", "pom.xml", COPY, f"-DoutputDirectory={folder}", "-DincludeScope=runtime")
    _build(folder, "javac", "-cp", f"{folder}/*", "-d", str(folder), str(source))
    options = ["-Xmx1g", "-Dguarantee=exactly_once_v2", "-Dstore=memory", "-Dcommit=100"]
    command = ["java", *options, "-cp", f"{folder}:{folder}/*", source.stem]

    def start(group: str, topic: str, output: str) -> Program:
        return Program(command, _variables(setting, group, topic, output), setting.folder / f"{group}.log")

    return start


def _quix(setting: Setting) -> Start:
    source = _source(setting, "python/quix_app.py")
    if find_spec("quixstreams") is None:
        raise StorageError("quixstreams is not installed")

    def start(group: str, topic: str, output: str) -> Program:
        variables = _variables(setting, group, topic, output)
        return Program([sys.executable, str(source)], variables, setting.folder / f"{group}.log")

    return start


def _build(folder: Path, *command: str) -> None:
    done = subprocess.run(  # noqa: S603 - the bench's own commands
        command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_BUILD_S, check=False
    )
    if done.returncode:
        raise StorageError(f"{command[0]} failed: {(done.stdout + done.stderr)[-400:]}")
