"""Coupons on Kafka: what follows from the log, for everybody who reads it alike."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.ids import derive
from orchestrator.runtime.kafka.coupons import Claim, LogClaims, Reckoning, Stock, digest_of
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

json_of = msgspec.json.encode
ENTRIES = [digest_of(derive("entry", str(number))) for number in range(8)]
CODES = [f"C{number}" for number in range(12)]
records = st.one_of(
    st.builds(Claim, st.sampled_from(ENTRIES), st.lists(st.sampled_from(["gift", "tea"]), min_size=1, max_size=2)),
    st.builds(
        Stock,
        st.sampled_from(["gift", "tea"]),
        st.integers(0, 5),
        st.lists(st.sampled_from(CODES), max_size=6, unique=True),
    ),
)


def reckoned(log):
    reckoning = Reckoning()
    for record in log:
        reckoning.take(record)
    return reckoning


def held(reckoning):
    return {(entry, coupon): code for entry in ENTRIES for coupon, code in reckoning.of(entry).items()}


def test_claims_get_the_codes_in_the_order_of_the_log_and_a_second_wish_changes_nothing():
    one, two, three = ENTRIES[:3]
    stock = Stock("gift", 1, ["A", "B"])
    reckoning = reckoned(
        [Claim(three, ["gift"]), stock, Claim(one, ["gift"]), Claim(two, ["gift"]), Claim(one, ["gift"])]
    )
    assert [reckoning.of(each) for each in (one, two, three)] == [{"gift": "A"}, {"gift": "B"}, {}]
    assert reckoning.pool.left == {"gift": 0}


def test_a_newer_release_brings_codes_and_an_older_one_nothing():
    reckoning = reckoned([Stock("gift", 3, ["A", "B"]), Claim(ENTRIES[0], ["gift"]), Stock("gift", 2, ["Z"])])
    assert (reckoning.revision_of("gift"), reckoning.codes_of("gift")) == (3, ["A", "B"])
    reckoning.take(Stock("gift", 4, ["A", "C"]))
    reckoning.take(Claim(ENTRIES[1], ["gift"]))
    assert reckoning.of(ENTRIES[1]) == {"gift": "C"}


def test_the_log_names_no_entry():
    assert digest_of("entry-1") == digest_of("entry-1") != digest_of("entry-2")
    assert "entry" not in digest_of("entry-1")


@given(st.lists(records, max_size=40))
def test_whoever_reads_the_log_reckons_alike_no_code_is_given_twice_and_none_is_taken_back(log):
    reckoning, so_far = Reckoning(), {}
    for record in log:
        reckoning.take(record)
        now = held(reckoning)
        assert so_far.items() <= now.items()
        so_far = now
    assert max(Counter(so_far.values()).values(), default=1) == 1
    assert held(reckoned(log)) == so_far


@given(st.lists(records, max_size=30), st.data())
def test_a_claim_that_is_written_again_changes_nothing(log, data):
    claims = [number for number, record in enumerate(log) if isinstance(record, Claim)]
    if not claims:
        return
    again = log[data.draw(st.sampled_from(claims))]
    before = reckoned(log)
    if set(again.coupons) <= before.of(again.entry).keys():
        assert held(reckoned([*log, again])) == held(before)


@pytest.mark.parametrize("coupons", [["gift"], ["gift", "tea"]])
def test_what_cannot_be_had_whole_is_not_had_in_part(coupons):
    reckoning = reckoned([Stock("gift", 1, ["A"]), Claim(ENTRIES[0], coupons)])
    assert reckoning.of(ENTRIES[0]) == ({"gift": "A"} if coupons == ["gift"] else {})


async def test_what_is_neither_a_claim_nor_a_stock_is_passed_over_by_everybody_who_reads():
    settings = KafkaSettings.of({"app_id": "shop"})
    claims = LogClaims(settings, Topics.of(settings), Metrics())
    values = [b"{", None, b'{"kind": "gift"}', json_of(Stock("gift", 1, ["A"])), json_of(Claim(ENTRIES[0], ["gift"]))]
    log = Log([SimpleNamespace(offset=offset, value=value) for offset, value in enumerate(values)])
    with pytest.raises(asyncio.CancelledError):
        await claims._read(log)
    assert (claims._reckoning.of(ENTRIES[0]), claims._position) == ({"gift": "A"}, 5)


class Log:
    """A log whose reader is stopped once it has read everything."""

    def __init__(self, records):
        self.records = records

    def assign(self, tps):
        pass

    def seek(self, tp, offset):
        pass

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, len(self.records))

    async def getmany(self, *tps, **_):
        if not self.records:
            raise asyncio.CancelledError
        found, self.records = self.records, []
        return {"the only one": found}


async def test_where_no_broker_answers_nothing_has_begun_and_it_may_be_tried_again():
    settings = KafkaSettings.of({"app_id": "shop", "kafka_bootstrap_servers": "127.0.0.1:1"})
    claims = LogClaims(settings, Topics.of(settings), Metrics())
    for _ in range(2):
        with pytest.raises(KafkaConnectionError):
            await claims.start()
    assert [task.get_name() for task in asyncio.all_tasks()] == [asyncio.current_task().get_name()]
    await claims.stop()
