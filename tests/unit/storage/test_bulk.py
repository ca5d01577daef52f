"""Many rows in few statements: all of them, in their order, in as few steps as powers of two allow."""

import sqlite3

import pytest

from orchestrator.storage import bulk


@pytest.mark.parametrize(("count", "statements"), [(0, 0), (1, 1), (7, 3), (128, 1), (130, 2), (300, 2 + 3)])
def test_any_number_of_rows_takes_few_statements(count, statements):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE told (place INTEGER, word TEXT)")
    traced: list[str] = []
    connection.set_trace_callback(traced.append)
    told = [(place, f"it's {place}") for place in range(count)]
    bulk.execute(connection, "INSERT INTO told VALUES {rows}", told)
    connection.set_trace_callback(None)
    assert connection.execute("SELECT place, word FROM told ORDER BY rowid").fetchall() == told
    assert len([each for each in traced if each.startswith("INSERT")]) == statements


def test_rows_can_be_what_is_looked_for():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE told (place INTEGER)")
    bulk.execute(connection, "INSERT INTO told VALUES {rows}", [(place,) for place in range(9)])
    bulk.execute(connection, "DELETE FROM told WHERE place IN (VALUES {rows})", [(place,) for place in (1, 2, 8, 99)])
    assert [place for (place,) in connection.execute("SELECT place FROM told")] == [0, 3, 4, 5, 6, 7]
