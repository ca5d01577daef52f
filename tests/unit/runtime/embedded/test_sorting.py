"""Time order: the same as Python's own stable sort, in memory and on disk."""

import io
import json
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.embedded.sorting import in_time_order
from orchestrator.runtime.embedded.sources import Lines, lines_of

ARRIVED_MS = 50


def _line(time_ms: int | None, number: int) -> bytes:
    event = {"type": "seen", "customer_id": "ana", "id": str(number)}
    return json.dumps(event if time_ms is None else event | {"time": time_ms}).encode()


def _chunks(lines: list[bytes], per_chunk: int = 7) -> list[Lines]:
    chunks, offset = [], 0
    for start in range(0, len(lines), per_chunk):
        text = b"\n".join(lines[start : start + per_chunk])
        chunks.append(Lines("events", start + 1, offset, text))
        offset = chunks[-1].end_offset
    return chunks


def _sorted(lines: list[bytes], memory_bytes: int) -> list[bytes]:
    return [line for chunk in in_time_order(_chunks(lines), ARRIVED_MS, memory_bytes) for line in chunk.lines]


TIMES = st.lists(st.one_of(st.integers(0, 100), st.none()), max_size=60)


@given(TIMES, st.sampled_from([1, 500, 2000, 1 << 20]))
def test_records_come_by_time_and_of_one_time_as_they_came(times, memory_bytes):
    lines = [_line(time_ms, number) for number, time_ms in enumerate(times)]
    expected = sorted(zip(times, lines, strict=True), key=lambda pair: ARRIVED_MS if pair[0] is None else pair[0])
    assert _sorted(lines, memory_bytes) == [line for _, line in expected]


def test_many_runs_are_merged_in_several_passes_without_leaving_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    times = [number * 7919 % 1000 for number in range(5000)]
    lines = [_line(time_ms, number) for number, time_ms in enumerate(times)]
    seen = []
    for chunk in in_time_order(_chunks(lines), ARRIVED_MS, memory_bytes=1000):
        assert list(tmp_path.iterdir()) == []
        seen += chunk.lines
    assert seen == sorted(lines, key=lambda line: json.loads(line)["time"])


def test_a_record_that_cannot_be_read_stays_behind_the_one_before_it():
    lines = [_line(30, 0), b"broken", _line(10, 1), b"{}", _line(20, 2)]
    for memory_bytes in (1, 1 << 20):
        assert _sorted(lines, memory_bytes) == [lines[2], lines[3], lines[4], lines[0], lines[1]]


def test_blank_lines_are_left_out():
    assert _sorted([b"", _line(1, 0), b"  ", _line(0, 1)], 1 << 20) == [_line(0, 1), _line(1, 0)]


def test_every_record_keeps_the_place_it_came_from():
    first = list(lines_of(io.BytesIO(_line(2, 0) + b"\n" + _line(9, 1) + b"\n"), "a"))
    second = list(lines_of(io.BytesIO(_line(5, 2) + b"\n"), "b"))
    for memory_bytes in (1, 1 << 20):
        (chunk,) = in_time_order([*first, *second], ARRIVED_MS, memory_bytes)
        places = [chunk.origin(at) for at in range(3)]
        assert [(each.source, each.line, each.offset) for each in places] == [
            ("a", 1, 0),
            ("b", 1, 0),
            ("a", 2, len(_line(2, 0)) + 1),
        ]


def test_records_that_are_done_can_be_skipped():
    (chunk,) = in_time_order(_chunks([_line(time, time) for time in (3, 1, 2)]), ARRIVED_MS)
    assert chunk.skip(2) == 2
    assert chunk.lines == [_line(3, 3)]
    assert chunk.origin(0).line == 1
    assert chunk.skip(9) == 1
