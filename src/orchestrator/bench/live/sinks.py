"""The other end of the wire: a mail server and a web server that say yes and forget.

    python -m orchestrator.bench.live.sinks smtp|http       prints its port, ends with its standard input

Owns just enough of both protocols to be faster than whatever is measured. Must never be put before real mail.
"""

import asyncio
import sys
from typing import Any

_ANSWERS = {b"MAIL": b"250 OK\r\n", b"RCPT": b"250 OK\r\n", b"RSET": b"250 OK\r\n", b"QUIT": b"221 bye\r\n"}
_GO_ON = b"354 go on\r\n"


class MailSink(asyncio.Protocol):
    """Takes every mail."""

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._transport = transport
        self._buffer = b""
        self._in_mail = False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer every command, and every mail at its end."""
        self._buffer += data
        while True:
            if self._in_mail:
                end = self._buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                self._buffer = self._buffer[end + 5 :]
                self._in_mail = False
                self._transport.write(b"250 queued\r\n")
                continue
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                return
            self._buffer = rest
            verb = line[:4].upper()
            self._in_mail = verb == b"DATA"
            self._transport.write(_GO_ON if self._in_mail else _ANSWERS.get(verb, b"250 sink\r\n"))


class WebSink(asyncio.Protocol):
    """Answers every request with an empty object."""

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or b"0")
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def _serve(kind: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(MailSink if kind == "smtp" else WebSink, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    # Whoever started it holds the other end of its standard input; when that goes, so does it.
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    """Serve what the argument names."""
    import uvloop

    uvloop.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
