"""Waits: what wakes an entry, and what it takes along."""

from shop import Customer, journey, on, send, wait, wait_for


def test_an_event_taken_by_a_wait_for_moves_the_entry_to_the_next_wait():
    ana = Customer(journey(wait_for("answer", on("clicked"), within="1d"), wait("calm", "2h")))
    ana.does("cart_updated")
    ana.does("clicked", "1h")
    ana.until("1d")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("waited", "for_event", "answer", "0m"),
        ("resumed", "event_came", "answer", "1h"),
        ("waited", "time", "calm", "1h"),
        ("resumed", "time_passed", "calm", "3h"),
        ("exited", "completed", None, "3h"),
    ]


def test_a_reminder_goes_out_an_hour_after_the_cart():
    ana = Customer(journey(wait("settle", "1h"), send("remind", "cart-reminder", "email")))
    ana.does("cart_updated")
    ana.until("1h")
    assert ana.messages == [("cart-reminder", "email", "1h")]
