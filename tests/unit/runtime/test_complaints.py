"""Complaints are said at once, and again only now and then."""

import logging

from orchestrator.runtime.complaints import EVERY_S, Complaint


def test_a_state_that_lasts_is_told_at_once_and_then_now_and_then(caplog):
    now = [5.0]
    complaint = Complaint(logging.getLogger("shop"), lambda: now[0])
    for seconds, count in ((0, 1), (1, 1), (EVERY_S, 2), (EVERY_S, 2), (1, 3)):
        now[0] += seconds
        complaint.say("source %d is silent", 7)
        assert caplog.messages == ["source 7 is silent"] * count
    assert {(each.name, each.levelname) for each in caplog.records} == {("shop", "ERROR")}


def test_one_complaint_does_not_keep_another_from_being_said(caplog):
    log = logging.getLogger("shop")
    for text in ("the clock", "the sources"):
        Complaint(log).say(text)
    assert caplog.messages == ["the clock", "the sources"]
