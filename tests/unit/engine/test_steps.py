"""Choose, split, set, repeat and exit: where an entry goes, and what it leaves behind."""

import pytest

from shop import (
    KEEPS_ALL,
    Customer,
    choose,
    const,
    journey,
    leave,
    on,
    prop,
    repeat,
    says,
    send,
    set_to,
    split,
    step_field,
    trait,
    value,
    wait,
    wait_for,
)


def ended_as(ana):
    return [told[1] for told in ana.told if told[0] == "exited"]


# Choose


@pytest.mark.parametrize(("tier", "reason"), [("gold", "rich"), ("silver", "fine"), ("tin", "other"), (None, "other")])
def test_choose_takes_the_first_branch_that_holds_or_else(tier, reason):
    flow = journey(
        choose(
            "pick",
            (says("tier", "gold"), [leave("a", "rich")]),
            (says("tier", "silver"), [leave("b", "fine")]),
            (None, [leave("c", "other")]),
        )
    )
    ana = Customer(flow, profile={"tier": tier})
    ana.does("cart_updated")
    assert ended_as(ana) == [reason]


def test_choose_carries_on_where_no_branch_holds():
    ana = Customer(journey(choose("pick", (says("tier", "gold"), [leave("a", "rich")])), leave("end", "after")))
    ana.does("cart_updated")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("branched", "none_true", "pick", "0m"),
        ("exited", "after", "end", "0m"),
    ]


def test_a_choice_says_which_condition_held_and_what_it_looked_at():
    flow = journey(choose("pick", (says("tier", "gold"), []), (says("tier", "tin"), []), (None, [])))
    ana = Customer(flow, profile={"tier": "tin"})
    ana.does("cart_updated")
    assert ana.told[1] == ("branched", "condition_true", "pick", "0m")
    assert ana.saw[1] == {"profile.tier": "tin", "if": "profile.tier == 'tin'"}


def test_the_branches_of_a_choice_join_again_after_it():
    flow = journey(
        choose("pick", (says("tier", "gold"), [set_to("mark", gold=const(1))]), (None, [])), leave("end", "joined")
    )
    for tier in ("gold", "tin"):
        ana = Customer(flow, profile={"tier": tier})
        ana.does("cart_updated")
        assert ended_as(ana) == ["joined"]


def test_else_is_on_record_as_otherwise():
    ana = Customer(journey(choose("pick", (None, []))))
    ana.does("cart_updated")
    assert ana.told[1] == ("branched", "otherwise", "pick", "0m")


# Split


def branches_of(flow, name):
    ana = Customer(flow, name=name)
    ana.does("cart_updated")
    return [one.saw["branch"] for one in ana.decisions if one.verdict == "branched"]


HALVES = split("offer", ("coupon", 50, [leave("a", "coupon")]), ("nothing", 50, [leave("b", "nothing")]))


def test_a_split_is_sticky_over_entries_and_versions():
    for number in range(20):
        name = f"customer-{number}"
        drawn = branches_of(journey(HALVES), name)
        assert branches_of(journey(wait_nothing(), HALVES, version=7), name) == drawn
        ana = Customer(journey(HALVES, again="always"), name=name)
        ana.does("cart_updated")
        ana.does("cart_updated", "1h")
        assert [one.saw["branch"] for one in ana.decisions if one.verdict == "branched"] == drawn * 2


def wait_nothing():
    return set_to("nothing", nothing=trait("nothing"))


def test_splits_of_other_names_and_journeys_draw_for_themselves():
    other_step = split("other", ("coupon", 50, []), ("nothing", 50, []))
    names = [f"customer-{number}" for number in range(64)]
    drawn = [branches_of(journey(HALVES), name) for name in names]
    assert [branches_of(journey(other_step), name) for name in names] != drawn
    assert [branches_of(journey(HALVES, id="other"), name) for name in names] != drawn


def test_shares_are_kept_to():
    flow = journey(split("offer", ("a", 10, []), ("b", 30, []), ("c", 60, [])))
    drawn = [branches_of(flow, f"customer-{number}")[0] for number in range(1000)]
    counts = {name: drawn.count(name) for name in "abc"}
    # Sticky draws are the same on every machine: these counts can only change when who gets what changes.
    assert counts == {name: pytest.approx(expected, abs=40) for name, expected in (("a", 100), ("b", 300), ("c", 600))}


def test_shares_that_do_not_quite_add_up_leave_nobody_without_a_branch():
    thirds = split("offer", *((name, 33.3, []) for name in "ab"), ("c", 0.0, []))
    assert {branches_of(journey(thirds), f"customer-{number}")[0] for number in range(60)} == {"a", "b", "c"}


def test_the_name_of_the_branch_can_be_asked_for():
    flow = journey(split("offer", ("coupon", 100, [])), set_to("mark", branch=step_field("offer", "name")))
    ana = Customer(flow, profile={})
    ana.does("cart_updated")
    assert ana.state.profile.traits == {"branch": "coupon"}
    assert ana.told[1] == ("branched", "share", "offer", "0m")


def test_a_split_whose_branch_is_empty_carries_on():
    ana = Customer(journey(split("offer", ("all", 100, [])), leave("end", "joined")))
    ana.does("cart_updated")
    assert ended_as(ana) == ["joined"]


# Set


def test_set_puts_values_on_the_profile():
    ana = Customer(journey(set_to("mark", tier=const("gold"), carts=const(1))), profile={})
    ana.does("cart_updated")
    assert ana.state.profile.traits == {"tier": "gold", "carts": 1}
    assert ana.told[1:3] == [("changed", "set", "mark", "0m")] * 2
    assert ana.saw[1:3] == [{"field": "tier"}, {"field": "carts"}]


def test_a_missing_result_changes_nothing_and_says_so():
    ana = Customer(journey(set_to("mark", tier=trait("nothing"))), profile={"tier": "tin"})
    ana.does("cart_updated")
    assert ana.state.profile.traits == {"tier": "tin"}
    assert (ana.told[1], ana.saw[1]) == (("changed", "value_missing", "mark", "0m"), {"field": "tier"})


# Repeat


def test_the_first_round_is_at_once_and_the_others_count_from_the_start_of_the_last():
    ana = Customer(journey(repeat("daily", wait("think", "5h"), send("say", "hello", "email"), every="1d", at_most=3)))
    ana.does("cart_updated")
    ana.until("9d")
    assert [told for told in ana.told if told[2] == "daily"] == [
        ("branched", "round", "daily", "0m"),
        ("waited", "next_round", "daily", "5h"),
        ("branched", "round", "daily", "1d"),
        ("waited", "next_round", "daily", "1d5h"),
        ("branched", "round", "daily", "2d"),
        ("branched", "at_most", "daily", "2d5h"),
    ]
    assert [at for _, _, at in ana.messages] == ["5h", "1d5h", "2d5h"]
    assert ana.told[-1] == ("exited", "completed", None, "2d5h")


def test_a_round_that_takes_longer_than_the_pause_is_followed_by_the_next_at_once():
    ana = Customer(journey(repeat("daily", wait("think", "30h"), every="1d", at_most=2)))
    ana.does("cart_updated")
    ana.until("9d")
    assert [told[3] for told in ana.told if told[1] == "round"] == ["0m", "1d6h"]


def test_until_is_asked_before_each_round():
    ana = Customer(journey(repeat("daily", send("say", "hello", "email"), every="1d", at_most=9, until=trait("done"))))
    ana.does("cart_updated")
    ana.does("profile_updated", "1d12h", done=True)
    ana.until("9d")
    assert [at for _, _, at in ana.messages] == ["0m", "1d"]
    assert ana.told[-2:] == [("branched", "until_true", "daily", "2d"), ("exited", "completed", None, "2d")]
    assert ana.saw[-2] == {"rounds": 2, "profile.done": True}


def test_until_that_holds_from_the_beginning_leaves_no_round():
    flow = journey(repeat("daily", send("say", "hello", "email"), every="1d", at_most=9, until=trait("done")))
    ana = Customer(flow, profile={"done": True})
    ana.does("cart_updated")
    assert (ana.messages, ana.told[-1]) == ([], ("exited", "completed", None, "0m"))


@pytest.mark.parametrize("at", ["2h", "12h"], ids=["inside a round", "between rounds"])
def test_an_until_event_ends_the_repeat_the_moment_it_happens(at):
    flow = journey(
        repeat("daily", wait("think", "5h"), send("say", "hello"), every="1d", at_most=9, until_event=on("ordered")),
        leave("end", "after"),
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("ordered", at)
    assert ana.told[-2:] == [("resumed", "until_event", "daily", at), ("exited", "after", "end", at)]
    assert ana.state.entries == []


def test_an_until_event_whose_condition_is_false_is_on_record_and_ends_nothing():
    paid = on("ordered", where=prop("paid"))
    ana = Customer(journey(repeat("daily", wait("think", "5h"), every="1d", at_most=9, until_event=paid)))
    ana.does("cart_updated")
    ana.forget()
    ana.does("ordered", "1h")
    assert ana.told == [("waited", "condition_false", "think", "1h")]


def test_an_until_event_concerns_the_entries_of_its_key():
    flow = journey(repeat("daily", wait("t", "5h"), every="1d", at_most=9, until_event=on("ordered")), key="cart_id")
    ana = Customer(flow)
    ana.does("cart_updated", cart_id=1)
    ana.does("cart_updated", "1m", cart_id=2)
    ana.does("ordered", "1h", cart_id=1)
    assert [entry.key for entry in ana.state.entries] == ["2"]


def test_an_event_that_ends_a_repeat_is_not_taken_by_the_wait_behind_it():
    flow = journey(
        repeat("daily", wait("t", "5h"), every="1d", at_most=9, until_event=on("ping")),
        wait_for("more", on("ping"), within="1d"),
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("ping", "1h")
    assert [entry.step for entry in ana.state.entries] == ["more"]


def test_an_until_event_outside_of_its_repeat_ends_nothing():
    flow = journey(
        repeat("daily", wait("t", "5h"), every="1d", at_most=1, until_event=on("ping")),
        wait("calm", "1d", restart_on=["ping"]),
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("ping", "6h")
    assert ana.told[-1] == ("waited", "restarted", "calm", "6h")


def test_the_event_that_ended_a_repeat_is_kept_for_who_reads_it():
    flow = journey(
        repeat("daily", wait("t", "5h"), every="1d", at_most=9, until_event=on("ordered"), kept=KEEPS_ALL),
        set_to("mark", total=value("steps.daily.event", lambda s: s.step_event("daily").properties["total"])),
    )
    ana = Customer(flow, profile={})
    ana.does("cart_updated")
    ana.does("ordered", "1h", total=40)
    assert ana.state.profile.traits == {"total": 40}


def test_repeats_inside_each_other_count_their_rounds_apart():
    inner = repeat("hourly", send("say", "hello", "email"), every="1h", at_most=2)
    ana = Customer(journey(repeat("daily", inner, every="1d", at_most=2)))
    ana.does("cart_updated")
    ana.until("9d")
    assert [at for _, _, at in ana.messages] == ["0m", "1h", "1d", "1d1h"]
    assert len({action.id for action in ana.actions}) == 4


def test_an_until_event_of_the_outer_repeat_leaves_the_inner_one_too():
    inner = repeat("hourly", wait("t", "10m"), every="1h", at_most=3)
    outer = repeat("daily", inner, every="1d", at_most=2, until_event=on("ordered"))
    ana = Customer(journey(outer, wait("calm", "1d")))
    ana.does("cart_updated")
    ana.does("ordered", "1h5m")
    (entry,) = ana.state.entries
    assert (entry.step, entry.rounds) == ("calm", {})


def test_a_repeat_without_steps_counts_its_rounds():
    ana = Customer(journey(repeat("daily", every="1d", at_most=3)))
    ana.does("cart_updated")
    ana.until("9d")
    assert [told[3] for told in ana.told if told[1] == "round"] == ["0m", "1d", "2d"]
    assert ana.told[-1] == ("exited", "completed", None, "2d")


def test_an_exit_inside_containers_ends_the_whole_entry():
    inside = choose("pick", (None, [split("offer", ("all", 100, [leave("stop", "enough")]))]))
    ana = Customer(journey(repeat("daily", inside, every="1d", at_most=3), leave("end", "after")))
    ana.does("cart_updated")
    assert (ended_as(ana), ana.state.entries) == (["enough"], [])
