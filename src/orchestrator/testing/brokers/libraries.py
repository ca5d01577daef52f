"""Apache Kafka's own libraries, brought by Maven once into this user's cache.

Owns which version, where it is kept, and that several processes may ask at once.
Must never touch a set that is complete: brokers may be running from it.
"""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from orchestrator.testing.brokers.broker import BrokerError

_log = logging.getLogger(__name__)

KAFKA_VERSION = "4.1.1"
LEAST_JAVA = 17
LONGEST_RESOLVE_S = 900
# The whole name, with its version, so that what Maven itself thinks the newest plugin is does not matter.
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# Kafka's libraries log through SLF4J and leave the choice of a backend to the distribution: the last one is that.
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>orchestrator</groupId>
  <artifactId>test-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of this user's libraries; its name changes with the version and with what belongs to it."""
    # The XDG specification: a relative path there is invalid and to be ignored.
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    base = named if named.is_absolute() else Path.home() / ".cache"
    fingerprint = hashlib.sha256(POM.encode()).hexdigest()[:8]
    return base / "orchestrator" / f"kafka-{KAFKA_VERSION}-{fingerprint}"


def find_java(environment: Mapping[str, str]) -> str:
    """Return a Java program that is new enough, JAVA_HOME's before the path's, or raise BrokerError."""
    home = environment.get("JAVA_HOME")
    path = f"{home}/bin" if home else environment.get("PATH", "")
    java = shutil.which("java", path=path)
    if java is None:
        raise BrokerError(f"no java in {'JAVA_HOME' if home else 'PATH'}")
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - found above
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerError(f"{java} does not run: {error}") from error
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found[1]) < LEAST_JAVA:
        said = answer.stderr.partition("\n")[0]
        raise BrokerError(f"{java} is not Java {LEAST_JAVA} or newer: {said}")
    return java


def kafka_libraries(environment: Mapping[str, str]) -> Path:
    """Return a folder with Kafka's jars, resolving them if this is the first time; raise BrokerError if that fails.

    Safe to call from many processes: one resolves, the others wait for it. A folder by that name is complete,
    because it gets its name last.
    """
    folder = cache_folder(environment)
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():
                _resolve(folder, environment)
    except OSError as error:
        raise BrokerError(f"the cache {folder.parent} cannot be written: {error}") from error
    return folder


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that the operating system gives back if its holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _resolve(folder: Path, environment: Mapping[str, str]) -> None:
    maven = shutil.which("mvn", path=environment.get("PATH", ""))
    if maven is None:
        raise BrokerError(f"no mvn in PATH to bring Kafka {KAFKA_VERSION} with, and none in {folder.parent}")
    _log.info("Maven brings Kafka %s to %s, once", KAFKA_VERSION, folder)
    draft = Path(mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        (draft / "pom.xml").write_text(POM, encoding="utf-8")
        _run_maven([maven, "-q", "-B", "-f", "pom.xml", COPY, f"-DoutputDirectory={draft}"], draft)
        if not (draft / f"kafka_2.13-{KAFKA_VERSION}.jar").is_file():
            raise BrokerError(f"Maven ended well but brought no Kafka {KAFKA_VERSION}")
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run_maven(command: list[str], folder: Path) -> None:
    # Only what runs: neither provided nor test dependencies.
    command = [*command, "-DincludeScope=runtime"]
    try:
        result = subprocess.run(  # noqa: S603 - found on the path, our own arguments
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST_RESOLVE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BrokerError(f"Maven did not bring Kafka {KAFKA_VERSION} within {LONGEST_RESOLVE_S} s") from None
    if result.returncode != 0:
        raise BrokerError(f"Maven could not bring Kafka {KAFKA_VERSION}: {' '.join(result.stdout.split())[:600]}")
