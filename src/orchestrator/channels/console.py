"""The console and a file, for trying out: messages that go no further than this machine.

    console:                  to standard output, to be read by people
    file:outbox/email.jsonl   appended as JSON lines, to be read by programs

Owns how a message looks there. Must never be what a channel falls back to silently.
"""

import sys
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.webhook import payload_of
from orchestrator.errors import OrchestratorError, Unavailable


class ConsoleChannel:
    """Writes each message for people to read."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, delivery: Delivery) -> Receipt:
        """Write one message."""
        lines = [f"── {delivery.rendered.channel} to {delivery.to} ({delivery.key})"]
        for name, value in delivery.rendered.fields.items():
            first, *others = str(value).splitlines() or [""]
            lines += [f"   {name}: {first}", *(f"      {line}" for line in others)]
        if delivery.unsubscribing is not None:
            lines.append(f"   {delivery.unsubscribing.words}: {delivery.unsubscribing.url}")
        # A terminal obeys control characters; a customer's name has none to give.
        shown = "\n".join("".join(each if each.isprintable() else " " for each in line) for line in lines)
        stream = self._stream or sys.stdout
        stream.write(f"{shown}\n")
        stream.flush()
        return Receipt()

    async def close(self) -> None:
        """Do nothing: standard output is not ours."""


class FileChannel:
    """Appends each message to a file, as one JSON line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise OrchestratorError(f"{path} cannot be written: {error.strerror}") from error

    async def send(self, delivery: Delivery) -> Receipt:
        """Append one message."""
        try:
            self._file.write(payload_of(delivery) + b"\n")
            self._file.flush()
        except (OSError, ValueError) as error:
            raise Unavailable(None, f"{self._path} cannot be written: {error}") from error
        return Receipt()

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_console(setup: Setup) -> ConsoleChannel:
    """Make the channel that `console:` names."""
    return ConsoleChannel()


def open_file(setup: Setup) -> FileChannel:
    """Make the channel that a `file:` URL names."""
    path = unquote(urlsplit(setup.url).path)
    if not path:
        raise OrchestratorError(f"channel {setup.name}: the URL names no file; write file:outbox.jsonl")
    return FileChannel(Path(path))
