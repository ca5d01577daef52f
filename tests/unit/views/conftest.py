"""A compiled journey to draw, with every verb in it; drawing is tested without the language."""

import pytest

from orchestrator.model.expression import Expression
from orchestrator.model.journey import (
    Again,
    Ask,
    Branch,
    Call,
    Choose,
    Emit,
    Exit,
    ExitRule,
    GoalRule,
    Handoff,
    Journey,
    Repeat,
    Score,
    Send,
    SetValues,
    Split,
    SplitBranch,
    Trigger,
    Wait,
    WaitFor,
    WaitUntil,
)

HOUR = 3_600_000


def text(source):
    return Expression(source, lambda scope: None)


def on(*events, where=None):
    return Trigger(frozenset(events), None if where is None else text(where))


EVERY_VERB = [
    Wait(id="settle", after_ms=HOUR, restart_on=frozenset(["cart_updated"]), next="remind"),
    Send(
        id="remind",
        message="cart-reminder",
        channels=("preferred", "email"),
        purpose="marketing",
        expires_ms=12 * HOUR,
        next="answer",
    ),
    WaitFor(
        id="answer",
        branches=(
            Branch(name="clicked", trigger=on("message_clicked"), first="engaged"),
            Branch(name=None, trigger=on("message_opened", where="not machine"), first="pick"),
        ),
        within_ms=24 * HOUR,
        on_timeout="offer",
    ),
    Exit(id="engaged", reason="engaged"),
    Split(
        id="offer",
        branches=(
            SplitBranch(name="coupon", below=12.5, first="give-coupon"),
            SplitBranch(name="nothing", below=100.0, first="pick"),
        ),
    ),
    Send(id="give-coupon", message="cart-coupon", channels=("email",), purpose="marketing", next="pick"),
    Choose(id="pick", branches=((text("profile.tier == 'gold'"), "daily"), (text("entry.total > 9"), "mark"))),
    Repeat(
        id="daily",
        every_ms=24 * HOUR,
        at_most=10,
        first="nag",
        until=text("profile.carts > 3"),
        until_event=on("order_placed"),
        next="mark",
    ),
    Send(id="nag", message="nag", channels=("push",), purpose="marketing", next="pause", inside=("daily",)),
    WaitUntil(id="pause", minute=600, weekdays=frozenset([1, 3]), next="daily", inside=("daily",)),
    SetValues(id="mark", values=(("tier", text("'gold'")), ("carts", text("profile.carts + 1"))), next="day"),
    WaitUntil(id="day", date=text("profile.birthday"), offset_days=-3, minute=540, yearly=True, next="tell"),
    Emit(id="tell", event="cart_given_up", properties=(("cart_id", text("entry.cart_id")),), next="survey"),
    Ask(
        id="survey",
        survey="nps",
        message="how-was-it",
        channels=("email",),
        purpose="service",
        within_ms=72 * HOUR,
        first="judge",
    ),
    Score(id="judge", model="sentiment", input=text("steps.survey.comment"), save="mood", next="check"),
    Call(id="check", webhook="crm", payload=(("cart", text("entry.cart_id")),), within_ms=10_000, first="care"),
    Handoff(
        id="care",
        team="care",
        priority="high",
        pause=("marketing",),
        until_closed=True,
        within_ms=48 * HOUR,
        first="brief",
    ),
    Handoff(id="brief", team="sales"),
    Exit(id="nowhere", reason="nobody gets here"),
]


@pytest.fixture
def every_verb():
    return Journey(
        id="abandoned-cart",
        version=3,
        first="settle",
        steps={step.id: step for step in EVERY_VERB},
        enter=(on("cart_updated", where="total >= 30"), on("cart_shared")),
        exits=(ExitRule(on("order_placed"), "bought"), ExitRule(on("cart_emptied"))),
        goals=(GoalRule(on("order_placed"), within_ms=72 * HOUR, ends=False),),
        key="cart_id",
        again=Again("after", 7 * 24 * HOUR),
        title='Cart <b>"reminder"</b> & more',
        status="live",
    )
