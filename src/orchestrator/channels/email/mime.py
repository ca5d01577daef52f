"""MIME: headers and parts as bytes.

Owns the form of a mail on the wire (RFC 5322, 2045 to 2047). Every header's value passes one function that lets no
control character through, so whatever a customer calls themselves stays inside its header. Written by hand because
the standard library's writer was measured at 13 ms a mail, and because it folds a long List-Unsubscribe into encoded
words, which no mail program can follow; what comes out is read back with that library in tests.
Must never know what a header means.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable, Sequence
from functools import lru_cache

import idna

from orchestrator.errors import Bounced, Refused

# An encoded word has at most 75 characters, 12 of them around the text: 45 bytes make 60 characters of base64.
_BYTES_A_WORD = 45
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
# One address, as narrow as mail servers are: no comments, no quoted local parts, no lists.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@.{{1,253}}$){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
# A line may have 998 bytes at most; servers refuse longer ones.
_MAX_LINE = 990
_LONGEST_PLAIN_NAME = 200


def clean(value: str) -> str:
    """Put one space where control characters stand, line ends among them."""
    return _CONTROLS.sub(" ", value).strip()


def text_header(value: str) -> str:
    """Write free text as a header's value: as it is where it is short ASCII, else as encoded words."""
    value = clean(value)
    if value.isascii() and len(value) < _MAX_LINE and "=?" not in value:
        return value
    return _encoded_words(value)


def _encoded_words(value: str) -> str:
    words, chunk = [], b""
    for character in value:
        encoded = character.encode(errors="replace")
        if len(chunk) + len(encoded) > _BYTES_A_WORD:
            words.append(chunk)
            chunk = b""
        chunk += encoded
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word).decode()}?=" for word in words)


@lru_cache(maxsize=256)
def mailbox_header(value: str) -> str:
    """Write `Name <address>` as a header's value; raises Refused when the address in it is none."""
    # What stands between the last < and > at the end is the address and all before it the name, whatever it holds:
    # a parser of address lists would let a name with an @ in it take the address's place.
    value = clean(value)
    name, bracket, address = value.rpartition("<")
    if not bracket:
        name, address = "", f"{value}>"
    if not address.endswith(">"):
        raise Refused(f"{value!r} is no sender; write it as name@domain, or Name <name@domain>")
    try:
        address = address_of(address[:-1])
    except Bounced as error:
        raise Refused(f"{value!r} is no sender; write it as name@domain, or Name <name@domain>") from error
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    if not name:
        return address
    if not name.isascii() or len(name) > _LONGEST_PLAIN_NAME:
        return f"{_encoded_words(name)} <{address}>"
    if not _PLAIN_NAME.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{escaped}"'
    return f"{name} <{address}>"


def address_of(value: str) -> str:
    """Give one address as servers take it, an international domain in its ASCII form; raises Bounced for others."""
    value = value.strip()
    local, at, domain = value.rpartition("@")
    try:
        # Not Python's own codec: by the rules of 2003 mail to straße.example would go to strasse.example.
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
        address = f"{local}{at}{ascii_domain}"
        if _ADDRESS.fullmatch(address):
            return address
    except UnicodeError:
        pass  # answered below, like every other text that is no address
    raise Bounced("what the customer is known by is no single mail address", True)


def part(kind: str, text: str) -> bytes:
    """Write a text part, quoted-printable: every line is short and ASCII whatever the text is."""
    body = b2a_qp(_with_crlf(text).encode(errors="replace"), istext=True)
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + body
        + b"\r\n"
    )


def mail(headers: Iterable[tuple[str, str]], parts: Sequence[bytes], key: str) -> bytes:
    """Put a mail together: its headers in order, and its parts, the plainest first."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii", errors="replace")
    lines += b"MIME-Version: 1.0\r\n"
    if len(parts) == 1:
        return lines + parts[0]
    # "=_" cannot occur in quoted-printable text, so the boundary is in no part.
    boundary = f"=_{key}".encode()
    pieces = [lines, b'Content-Type: multipart/alternative; boundary="', boundary, b'"\r\n']
    for each in parts:
        pieces += [b"\r\n--", boundary, b"\r\n", each]
    return b"".join([*pieces, b"\r\n--", boundary, b"--\r\n"])


def _with_crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n")
