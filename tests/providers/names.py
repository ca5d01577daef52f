"""A name server on this machine that knows what it is told, and nothing else.

Owns a thread and a socket. What it is told to keep silent about it does not answer at all.
"""

import socket
import threading
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """Answers questions for texts. `texts` are by name; `silent` names are never answered, `failing` badly."""

    def __init__(
        self,
        texts: dict[str, list[str]] | None = None,
        aliases: dict[str, str] | None = None,
        silent: tuple[str, ...] = (),
        failing: tuple[str, ...] = (),
    ) -> None:
        self.texts = texts or {}
        self.aliases = aliases or {}
        self.silent, self.failing = silent, failing
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    @property
    def setting(self) -> str:
        return "{}:{}".format(*self.address)

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.sendto(b"", self.address)  # an empty question ends it
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            raw, asker = self._socket.recvfrom(4096)
            if not raw:
                return
            question = dns.message.from_wire(raw)
            name = question.question[0].name.to_text(omit_final_dot=True)
            self.asked.append(name)
            if name not in self.silent:
                self._socket.sendto(self._answer(question, name).to_wire(), asker)

    def _answer(self, question: dns.message.Message, name: str) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if name in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        if name in self.aliases:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{self.aliases[name]}."))
            name = self.aliases[name]
        if name not in self.texts:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif self.texts[name]:
            # A text is written in pieces of at most 255 bytes.
            written = [
                " ".join(f'"{text[at : at + 200]}"' for at in range(0, max(len(text), 1), 200))
                for text in self.texts[name]
            ]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *written))
        return answer
