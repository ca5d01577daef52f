"""Lines out of inputs: nothing lost, every line's place known, whatever it is cut or compressed by."""

import gzip
import io
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputError
from orchestrator.model.envelopes import MAX_RECORD_BYTES
from orchestrator.runtime.embedded.inputs import Input
from orchestrator.runtime.embedded.sources import Lines, Origin, lines_of, uncompressed


class Dribble:
    """A reader that gives as many bytes at a time as it pleases."""

    def __init__(self, text: bytes, sizes: list[int]) -> None:
        self._rest = text
        self._sizes = sizes

    def read1(self, size: int, /) -> bytes:
        size = min(size, self._sizes.pop(0) if self._sizes else size)
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


def _all(chunks: list[Lines]) -> list[tuple[bytes, Origin]]:
    return [(text, chunk.origin(at)) for chunk in chunks for at, text in enumerate(chunk.lines)]


def _expected(text: bytes) -> list[tuple[bytes, Origin]]:
    found, offset = [], 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        found.append((line.rstrip(b"\r\n"), Origin("events", number, offset)))
        offset += len(line)
    return found


TEXTS = st.lists(st.binary(max_size=9).map(lambda raw: raw.translate(None, b"\r\n\xef")), max_size=20)


@given(TEXTS, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.lists(st.integers(1, 7)))
def test_every_line_comes_once_with_its_place_however_it_is_read(lines, newline, ended, sizes):
    text = newline.join(lines) + (newline if ended else b"")
    assert _all(list(lines_of(Dribble(text, sizes), "events"))) == _expected(text)


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    chunks = list(lines_of(io.BytesIO(b"\xef\xbb\xbf{}\n[]\n"), "events"))
    assert _all(chunks) == [(b"{}", Origin("events", 1, 3)), (b"[]", Origin("events", 2, 6))]


@pytest.mark.parametrize("length", [MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1, 5 * MAX_RECORD_BYTES + 17])
def test_a_line_that_is_too_long_is_cut_and_the_next_one_is_whole(length):
    text = b"first\n" + b"x" * length + b"\nnext\nlast"
    found = _all(list(lines_of(io.BytesIO(text), "events")))
    assert [len(line) for line, _ in found] == [5, min(length, MAX_RECORD_BYTES + 1), 4, 4]
    assert [origin.offset for _, origin in found] == [0, 6, 7 + length, 12 + length]
    assert [origin.line for _, origin in found] == [1, 2, 3, 4]


def test_an_endless_line_is_never_held_whole():
    class Endless:
        blocks = 200

        def read1(self, size: int, /) -> bytes:
            self.blocks -= 1
            return b"x" * size if self.blocks > 0 else b""

    (chunk,) = lines_of(Endless(), "events")
    assert [len(line) for line in chunk.lines] == [MAX_RECORD_BYTES + 1]
    assert chunk.end_offset == 199 * MAX_RECORD_BYTES + 1


def _compressed(kind: str, parts: list[bytes]) -> bytes:
    if kind == "gzip":
        return b"".join(map(gzip.compress, parts))
    return b"".join(map(zstandard.ZstdCompressor().compress, parts))


DICE = random.Random(7)
TEXT = b"".join(b'{"n": %d}\n' % DICE.getrandbits(64) for _ in range(20_000))


@pytest.mark.parametrize("kind", ["gzip", "zstandard"])
@pytest.mark.parametrize("offset", [0, 5, 300_000])
def test_compressed_text_is_read_through_all_its_parts_from_any_offset(kind, offset):
    raw = _compressed(kind, [TEXT[:100], TEXT[100:200_000], TEXT[200_000:]])
    reader = uncompressed(io.BufferedReader(io.BytesIO(raw)), "events", offset)
    assert b"".join(iter(lambda: reader.read1(1 << 20), b"")) == TEXT[offset:]


@pytest.mark.parametrize("kind", ["gzip", "zstandard"])
def test_compressed_text_that_is_cut_short_is_an_error_and_not_an_end(kind):
    raw = _compressed(kind, [TEXT])
    reader = uncompressed(io.BufferedReader(io.BytesIO(raw[: len(raw) // 2])), "events")
    with pytest.raises(InputError, match="events cannot be read to its end"):
        list(lines_of(reader, "events"))


def test_lines_of_a_file_end_where_it_was_measured(tmp_path):
    path = tmp_path / "events"
    path.write_bytes(b"one\ntwo\nthree\n")
    with path.open("rb") as file:
        source = Input("events", file, 8)
        assert _all(list(source.lines(8, 1, 0))) == [(b"one", Origin("events", 1, 0)), (b"two", Origin("events", 2, 4))]
        assert _all(list(source.lines(14, 3, 8))) == [(b"three", Origin("events", 3, 8))]
        assert source.bytes_read == 14
        assert _all(list(source.lines(14, 4, 15))) == []


def test_a_file_is_known_by_its_content_at_every_length(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"one\n")
    new.write_bytes(b"one\ntwo\n")
    with old.open("rb") as before, new.open("rb") as after:
        first, second = Input("old", before, 4), Input("new", after, 8)
        first.measure([])
        second.measure([4, 6, 100])
    assert set(second.fingerprints) == {4, 6, 8}
    assert first.fingerprints[4] == second.fingerprints[4] != second.fingerprints[6]
