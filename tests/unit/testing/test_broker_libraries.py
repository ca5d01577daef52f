"""Kafka's libraries: found, or brought by Maven once, whole, and by one process at a time.

Maven and Java are shell scripts here that do what the real ones do, as far as we look.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.testing.brokers import BrokerError
from orchestrator.testing.brokers.libraries import KAFKA_VERSION, cache_folder, find_java, kafka_libraries

JAR = f"kafka_2.13-{KAFKA_VERSION}.jar"
BRINGS = f"""
echo "$@" >> "$CALLS"
for argument; do case "$argument" in -DoutputDirectory=*) folder="${{argument#*=}}";; esac; done
grep -q 'kafka_2.13' pom.xml && : > "$folder/{JAR}"
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return an environment whose programs are only those that a test writes into its bin folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def _write_program(machine: dict[str, str], name: str, script: str) -> Path:
    program = Path(machine["PATH"]) / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_the_libraries_are_brought_once_and_then_found(machine, tmp_path):
    _write_program(machine, "mvn", BRINGS)
    folder = kafka_libraries(machine)
    assert (folder / JAR).is_file()
    (Path(machine["PATH"]) / "mvn").unlink()
    assert kafka_libraries(machine) == folder == cache_folder(machine)
    assert len((tmp_path / "calls").read_text(encoding="utf-8").splitlines()) == 1


def test_of_many_that_ask_at_once_one_brings_the_libraries(machine, tmp_path):
    _write_program(machine, "mvn", f"/bin/sleep 0.2\n{BRINGS}")
    with ThreadPoolExecutor(max_workers=4) as pool:
        folders = set(pool.map(kafka_libraries, [machine] * 4))
    assert folders == {cache_folder(machine)}
    assert len((tmp_path / "calls").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'no such artifact'; exit 1", f"Maven could not bring Kafka {KAFKA_VERSION}: no such artifact"),
        ("exit 0", f"Maven ended well but brought no Kafka {KAFKA_VERSION}"),
    ],
)
def test_what_maven_did_not_finish_leaves_nothing_behind(machine, script, message):
    _write_program(machine, "mvn", script)
    with pytest.raises(BrokerError) as refusal:
        kafka_libraries(machine)
    assert str(refusal.value) == message
    folder = cache_folder(machine)
    assert [entry.name for entry in folder.parent.iterdir()] == [f"{folder.name}.lock"]
    _write_program(machine, "mvn", BRINGS)
    assert (kafka_libraries(machine) / JAR).is_file()


def test_without_maven_the_message_says_so(machine):
    with pytest.raises(BrokerError) as refusal:
        kafka_libraries(machine)
    assert str(refusal.value).startswith(f"no mvn in PATH to bring Kafka {KAFKA_VERSION} with")


def test_a_relative_cache_folder_is_ignored_as_its_specification_asks():
    assert cache_folder({"XDG_CACHE_HOME": "relative"}).is_relative_to(Path.home() / ".cache" / "orchestrator")


def test_a_java_that_is_new_enough_is_taken(machine):
    java = _write_program(machine, "java", """echo 'openjdk version "21.0.1" 2023-10-17' >&2""")
    assert find_java(machine) == str(java)


@pytest.mark.parametrize("said", ['openjdk version "11.0.2" 2019-01-15', 'java version "1.8.0_402"', "what version"])
def test_an_older_java_is_refused_by_what_it_says(machine, said):
    java = _write_program(machine, "java", f"echo '{said}' >&2")
    with pytest.raises(BrokerError) as refusal:
        find_java(machine)
    assert str(refusal.value) == f"{java} is not Java 17 or newer: {said}"


def test_java_home_goes_before_the_path(machine, tmp_path):
    _write_program(machine, "java", "exit 1")
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    with pytest.raises(BrokerError) as refusal:
        find_java({**machine, "JAVA_HOME": str(home)})
    assert str(refusal.value) == "no java in JAVA_HOME"
    os.rename(_write_program(machine, "java", """echo 'openjdk version "17"' >&2"""), home / "bin" / "java")
    assert find_java({**machine, "JAVA_HOME": str(home)}) == str(home / "bin" / "java")
