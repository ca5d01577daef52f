"""What is counted for what, from the decisions of the production engine."""

import pytest

from orchestrator.model.decision import Decision
from orchestrator.views import figures
from orchestrator.views.tallies import Tallies
from shop import Customer, ask, goal, journey, message, project, prop, send, split, wait
from shop.lengths import ms


def tallied(*customers, window=None):
    tallies = Tallies(lambda journey, version: window)
    for customer in customers:
        for decision in customer.decisions:
            tallies.take(decision)
    return tallies.journeys


REMINDS = journey(
    wait("settle", "1h"),
    send("remind", "hello", "email"),
    wait("rest", "1d"),
    send("again", "hello", "push", "email"),
    goals=[goal("ordered", within="3d", value=prop("value"))],
    version=2,
)


def someone(name, *orders, flow=REMINDS, until="9d", **fields):
    customer = Customer(flow, name=name, **fields)
    customer.does("cart_updated")
    for at in orders:
        customer.does("ordered", at, value=40)
    customer.until(until)
    return customer


def test_entries_messages_exits_and_conversions_are_counted():
    customers = [
        someone("ana", "30m"),
        someone("ben", "2h"),
        someone("eva", "2d"),
        someone("flo"),
        someone("gil", "8d"),
    ]
    tally = tallied(*customers)["cart"]
    assert (tally.versions, tally.customers, tally.converted) == ({2}, 5, (3, 5))
    assert dict(tally.exited) == {"goal": 2, "completed": 3}
    assert {name: dict(step.sent) for name, step in tally.steps.items()} == {
        "remind": {"email": 4},
        "again": {"push": 3},
    }
    assert tally.value == 120


def test_a_decision_that_comes_again_counts_once():
    ana = someone("ana", until="10m")
    ana.does("cart_updated", "20m")
    again = [decision for decision in ana.decisions if decision.verdict == "not_entered"]
    tallies = Tallies(lambda journey, version: None)
    for decision in [*ana.decisions, *again]:
        tallies.take(decision)
    tally = tallies.journeys["cart"]
    assert (dict(tally.not_entered), tally.verdicts["not_entered"]) == ({"already_inside": 1}, 1)


def test_a_conversion_is_put_down_to_the_last_message_before_it():
    tally = tallied(someone("ana", "30m"), someone("ben", "2h"), someone("eva", "2d"), someone("flo", "26h"))["cart"]
    assert {name: step.credited for name, step in tally.steps.items()} == {"remind": 1, "again": 2}


def test_what_was_withheld_is_counted_with_its_reason_and_who_did_not_enter_too():
    ana = someone("ana", consents=())
    ana.does("cart_updated")
    tally = tallied(ana)["cart"]
    assert dict(tally.steps["remind"].withheld) == {"no_consent": 1}
    assert dict(tally.not_entered) == {"not_again": 1}


def test_answers_make_the_figure_that_a_survey_is_known_by():
    flow = journey(ask("survey", "nps", within="3d"))
    customers = []
    for number, score in enumerate([10, 9, 9, 8, 3]):
        customer = Customer(flow, name=f"c{number}", project=project(messages=(message("survey"),)))
        customer.does("cart_updated")
        customer.does("survey_answered", "1h", score=score)
        customers.append(customer)
    survey = tallied(*customers)["cart"].surveys["survey"]
    assert (survey.asked, dict(survey.groups)) == (5, {"promoter": 3, "passive": 1, "detractor": 1})
    assert figures.survey_figure(survey) == 40
    (told,) = [line for line in figures.lines(tallied(customers[0])["cart"]) if "NPS" in line]
    assert told == "  survey: NPS +100, 1 answer of 1 asked (1 promoter)"


def test_who_left_is_told_with_the_reasons():
    def told(*customers):
        return next(line for line in figures.lines(tallied(*customers)["cart"]) if "left" in line)

    assert told(someone("ana", until="1m")) == "  left: 0 entries"
    assert told(someone("ana")) == "  left: 1 entry (1 completed)"
    assert told(someone("ana"), someone("ben")) == "  left: 2 entries (2 completed)"


def test_where_there_is_no_goal_nothing_is_told_of_one():
    tally = tallied(someone("ana"))["cart"]
    told = "\n".join(figures.lines(tally))
    assert "reached the goal" in told
    assert "goals after it" in told
    assert [line for line in figures.lines(tally, has_goal=False) if "goal" in line or "%" in line] == []


def groups(experiment):
    return {group.name: (group.converted, group.customers) for group in experiment.groups}


DRAWS = journey(
    send("remind", "hello", "email"),
    wait("settle", "1d"),
    split("offer", ("coupon", 50, [send("give", "hello", "email")]), ("nothing", 50, [])),
    goals=[goal("ordered", within="3d", ends=False)],
    again="always",
)


def branch_of(customer):
    (saw,) = {one.saw["branch"] for one in customer.decisions if one.reason == "share"}
    return saw


def test_branches_are_compared_by_customer_over_one_window_for_all():
    customers = [someone(f"c{number}", "2d", flow=DRAWS) for number in range(30)]
    late = [someone(f"d{number}", "3d12h", flow=DRAWS) for number in range(30)]
    drawn = [branch_of(customer) for customer in customers]
    late_coupons = [branch_of(customer) for customer in late].count("coupon")
    # The journey counts a late order of those with a coupon: their last message is younger.
    tally = tallied(*customers, *late, window=ms("3d"))["cart"]
    assert tally.converted == (30 + late_coupons, 60)
    # To compare with those who got none, both are given the same three days from the message before the draw.
    found = groups(tally.splits()["offer"])
    assert found["coupon"] == (drawn.count("coupon"), drawn.count("coupon") + late_coupons)
    assert found["nothing"] == (drawn.count("nothing"), drawn.count("nothing") + 30 - late_coupons)


def test_a_customer_with_several_entries_is_one_observation():
    ana = Customer(DRAWS)
    for hour in range(3):
        ana.does("cart_updated", f"{hour + 1}h")
    ana.does("ordered", "2d")
    ana.until("9d")
    experiment = tallied(ana, window=ms("3d"))["cart"].splits()["offer"]
    assert groups(experiment) == {branch_of(ana): (1, 1)}


def test_what_was_reached_before_the_draw_says_nothing_about_it():
    ana = someone("ana", "12h", flow=DRAWS)
    assert groups(tallied(ana)["cart"].splits()["offer"]) == {branch_of(ana): (0, 1)}


@pytest.mark.parametrize("kind", ["journey", "universal"])
def test_who_is_held_out_is_compared_with_the_rest(kind):
    fields = {"holdout_percent": 50.0} if kind == "journey" else {}
    shop = project(holdout_percent=50.0) if kind == "universal" else project()
    flow = journey(send("remind", "hello", "email"), wait("rest", "1d"), goals=[goal("ordered", within="3d")], **fields)
    customers = [someone(f"c{number}", "2d", flow=flow, project=shop) for number in range(40)]
    held = sum(not customer.actions for customer in customers)
    ((name, experiment),) = tallied(*customers, window=ms("3d"))["cart"].uplifts().items()
    assert 10 < held < 30
    assert (name, groups(experiment)) == (kind, {"held out": (held, held), "treated": (40 - held, 40 - held)})


def test_who_is_held_out_counts_in_no_split():
    flow = journey(split("offer", ("a", 50, []), ("b", 50, [])), holdout_percent=100.0)
    assert tallied(someone("ana", flow=flow))["cart"].splits() == {}


def test_two_who_turn_out_to_be_one_are_one_customer():
    def entered(profile_id):
        return Decision("1" + profile_id, "2026-01-01T00:00:00.000Z", profile_id, "cart", 1, profile_id, None,
                        "entered", "event", "e1", {})  # fmt: skip

    merged = Decision("2", "2026-01-01T00:00:00.000Z", "ana", "", 0, None, None, "merged", "same_customer", "e2",
                      {"profile": "cookie"})  # fmt: skip
    tallies = Tallies()
    for decision in (entered("ana"), entered("cookie"), merged, entered("ben")):
        tallies.take(decision)
    assert tallies.journeys["cart"].customers == 2
