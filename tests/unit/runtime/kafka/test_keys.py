"""Kafka's partitioner: the same answer as Java's, for every key."""

import pytest
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.keys import murmur2, partition_of, partitions_of


@given(st.binary(max_size=70))
def test_the_hash_is_the_clients_own(key):
    assert murmur2(key) & 0x7FFFFFFF == reference(key) & 0x7FFFFFFF


# From the Java client's own test of its hash.
@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_the_hash_is_javas(key, expected):
    assert murmur2(key) == expected % 2**32


def test_a_key_belongs_to_one_of_the_partitions():
    assert {partition_of(b"c%d" % number, 4) for number in range(100)} == {0, 1, 2, 3}


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.integers(1, 200))
def test_many_profiles_belong_where_each_belongs_by_itself(keys, partitions):
    assert list(partitions_of(keys, partitions)) == [partition_of(key, partitions) for key in keys]


def test_many_keys_of_any_length_belong_where_each_belongs_by_itself():
    keys = [b"c%d" % number for number in range(200)]
    assert list(partitions_of(keys, 7)) == [partition_of(key, 7) for key in keys]
