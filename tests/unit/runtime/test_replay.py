"""What counts as the same, and what is told of the rest."""

from orchestrator.runtime.replay import Changed, Got, Total, compare


def got(step="remind", at="10:00", what="cart-reminder", channel="email", journey="cart", kind="message"):
    return Got(at, journey, step, kind, what, channel)


def test_what_is_the_same_in_both_is_no_difference():
    found = compare([("ana", got()), ("ana", got(at="11:00"))], [("ana", got(at="11:00")), ("ana", got())])
    assert found.customers == {}
    assert found.totals == {("cart", "remind"): Total(before=2, after=2)}
    assert found.compared == 1


def test_a_thing_got_twice_is_not_the_same_as_once():
    found = compare([("ana", got()), ("ana", got())], [("ana", got())])
    assert found.customers["ana"].less == [got()]
    assert found.totals == {("cart", "remind"): Total(before=2, after=1, less=1)}


def test_the_same_step_at_another_time_or_by_another_channel_is_changed():
    early, late, push = got(at="10:00"), got(at="12:00"), got(at="12:00", channel="push")
    found = compare([("ana", early), ("ben", late)], [("ana", late), ("ben", push)])
    assert found.customers["ana"].changed == [Changed(early, late)]
    assert found.customers["ben"].changed == [Changed(late, push)]
    assert found.totals == {("cart", "remind"): Total(before=2, after=2, changed=2)}


def test_what_one_more_message_moves_is_not_blamed_on_those_that_stay():
    # Paired by order alone, one message at the front would make all the others look changed.
    stays = [("ana", got(at=f"1{hour}:00")) for hour in range(5)]
    found = compare(stays, [("ana", got(at="09:00")), *stays])
    assert found.customers["ana"].more == [got(at="09:00")]
    assert found.customers["ana"].changed == []


def test_different_steps_are_more_and_less_and_never_changed():
    found = compare([("ana", got("remind"))], [("ana", got("offer", what="coupon"))])
    assert (found.customers["ana"].less, found.customers["ana"].more) == (
        [got("remind")],
        [got("offer", what="coupon")],
    )
    assert found.totals == {
        ("cart", "offer"): Total(after=1, more=1),
        ("cart", "remind"): Total(before=1, less=1),
    }


def test_customers_stand_in_the_order_of_their_names():
    found = compare([(name, got()) for name in ("zoe", "ana", "ben")], [])
    assert list(found.customers) == ["ana", "ben", "zoe"]
