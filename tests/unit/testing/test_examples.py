"""Examples: the setting, the clock, every key of `expect`, and what a failing one shows."""

import dataclasses

import pytest

from orchestrator.language.definitions.example import Example
from orchestrator.model.catalog import Catalog
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Call, Handoff, Score
from orchestrator.testing import run_example, run_examples

REMIND = """
- id: settle
  wait: {for: 1h, restart_on: cart_updated}
- id: remind
  send: {message: cart-reminder, channels: [preferred, email, push]}
"""
CART = {"at": "0m", "event": "cart_updated", "properties": {"cart_id": "c1", "total": 40}}


def example(expect, given=(CART,), **more):
    return Example.model_validate({"name": "it holds", "given": list(given), "expect": expect, **more})


@pytest.fixture
def outcome(project):
    """Run one example over the steps and return its differences' texts."""

    def run(expect, given=(CART,), steps=REMIND, journey="abandoned-cart", more="", **setting):
        result = run_example(project(steps, more), journey, example(expect, given, **setting))
        assert result.passed == (not result.differences)
        return [difference.text for difference in result.differences]

    return run


def order(at):
    return {"at": at, "event": "order_placed", "properties": {"cart_id": "c1"}}


class TestSetting:
    def test_by_default_the_customer_is_reachable_and_has_consented(self, outcome):
        assert outcome({"messages": [{"channel": "email"}], "withheld": []}) == []

    def test_a_field_set_to_null_is_absent(self, outcome):
        expect = {
            "messages": [{"channel": "push"}],
            "withheld": [{"step": "remind", "channel": "email", "reason": "unreachable"}],
            "profile": {"email": None},
        }
        assert outcome(expect, profile={"email": None}) == []

    def test_consents_are_given_except_where_the_example_says_so(self, outcome):
        expect = {
            "messages": [{"channel": "push"}],
            "withheld": [{"step": "remind", "channel": "email", "reason": "no_consent"}],
        }
        assert outcome(expect, consents={"email": {"marketing": False}}) == []

    def test_the_customer_prefers_what_the_example_says(self, outcome):
        assert outcome({"messages": [{"channel": "push"}]}, prefers=["push", "email"]) == []

    def test_local_times_are_the_customers(self, outcome):
        expect = {"messages": [{"at": "2026-07-01T10:00"}]}
        for zone in ("America/Mexico_City", "Europe/Madrid", "Asia/Kolkata"):
            assert outcome(expect, start="2026-07-01T09:00", profile={"timezone": zone}) == []

    def test_the_start_is_a_monday_in_the_projects_zone(self, outcome):
        assert outcome({"messages": [{"at": "2026-01-05T11:00"}]}) == []

    def test_a_message_is_written_in_the_customers_language(self, outcome):
        expect = {"messages": [{"language": "en", "text": {"contains": "Your cart of 40 is"}}]}
        assert outcome(expect, profile={"language": "en"}) == []
        expect = {"messages": [{"language": "es", "text": {"contains": "Tu cesta de 40 te"}}]}
        assert outcome(expect, profile={"language": "fr"}) == []

    def test_the_journey_runs_whatever_its_status_and_the_others_do_not(self, outcome):
        for status in ("draft", "live", "paused", "draining"):
            assert outcome({"messages": [{"channel": "email"}]}, more=f"status: {status}\n") == []

    def test_other_journeys_are_live_where_the_example_says_so(self, outcome):
        expect = {"messages": [{"channel": "push", "at": "2026-01-05T10:00"}, {"channel": "email"}], "entries": 1}
        assert outcome(expect, others=["welcome"]) == []

    def test_a_splits_outcome_is_fixed(self, outcome):
        steps = """
        - id: offer
          split:
            - {name: one, share: 1, then: [{exit: the_one}]}
            - {name: other, share: 99, then: [{exit: the_other}]}
        """
        for name in ("one", "other"):
            assert outcome({"exit": f"the_{name}", "path": ["offer"]}, steps=steps, split={"offer": name}) == []

    def test_a_split_that_is_not_there_is_said(self, outcome):
        assert outcome({}, split={"gone": "one"}) == ["split: there is no gone: one"]


class TestOdd:
    def test_an_event_that_nobody_can_take_fails_its_example_and_says_why(self, outcome):
        odd = {"at": "20m", "event": "consent_changed", "properties": {"channel": ["email", "push"], "granted": True}}
        (told,) = outcome({"messages": [{"channel": "email"}]}, [CART, odd])
        assert told.startswith("given: consent_changed is refused: bad_properties: `channel` is ['email', 'push']")

    def test_who_is_erased_is_nobody_any_more(self, outcome):
        erase = {"at": "20m", "event": "profile_erase_requested"}
        expect = {"messages": [], "waiting": None, "exit": None, "profile": {"email": None}}
        assert outcome(expect, [CART, erase]) == []
        again = {**CART, "at": "3h", "properties": {"cart_id": "c2", "total": 50}}
        assert outcome({"entries": 2, "waiting": "settle"}, [CART, erase, again], until="3h30m") == []

    def test_who_is_silent_for_longer_than_profiles_are_kept_is_erased(self, project):
        written = project(REMIND).sources["orchestrator.yaml"]
        kept = project(REMIND, **{"orchestrator.yaml": written + "retention: {inactive: 30d}\n"})
        result = run_example(kept, "abandoned-cart", example({"messages": [{}], "waiting": None}, until="60d"))
        assert result.passed


class TestTime:
    def test_given_may_be_lengths_or_local_times_in_any_order(self, outcome):
        given = [order("2026-01-05T10:30"), CART]
        assert outcome({"messages": [], "exit": "bought"}, given) == []

    def test_a_timer_before_an_event_fires_first_and_at_the_same_instant_the_event(self, outcome):
        assert outcome({"messages": [{}], "exit": "completed"}, [CART, order("61m")]) == []
        assert outcome({"messages": [], "exit": "bought"}, [CART, order("1h")]) == []

    def test_until_is_when_to_look(self, outcome):
        assert outcome({"messages": [], "waiting": "settle", "exit": None}, until="59m") == []
        assert outcome({"messages": [{}], "waiting": None}, until="1h") == []
        assert outcome({"exit": None}, [CART, order("30m")], until="29m") == []

    def test_by_default_it_goes_on_until_nothing_waits_a_year_at_most(self, outcome):
        steps = """
        - id: long
          wait: 360d
        - id: longer
          wait: 10d
        """
        assert outcome({"path": ["long", "longer"], "waiting": "longer", "exit": None}, steps=steps) == []
        assert outcome({"waiting": None, "exit": "completed"}, steps="- {id: long, wait: 360d}\n") == []

    def test_a_local_time_that_does_not_exist_moves_forward_by_the_gap(self, outcome):
        # The clocks of Madrid go from 02:00 to 03:00 on 29 March 2026.
        expect = {"messages": [{"at": "2026-03-29T04:30"}]}
        assert outcome(expect, start="2026-03-29T02:30") == []


class TestExpect:
    @pytest.mark.parametrize(
        ("expect", "said"),
        [
            ({"messages": []}, "messages, item 1: expected nothing more, found "),
            ({"messages": [{}, {"message": "x"}]}, 'messages, item 2: expected {"message": "x"}, found nothing more'),
            ({"messages": [{"message": "x"}]}, 'messages, item 1: message should be "x" and is "cart-reminder"'),
            ({"messages": [{"at": "2026-01-05T11:01"}]}, "messages, item 1: at should be"),
            ({"messages": [{"purpose": "service"}]}, "messages, item 1: purpose should be"),
            ({"messages": [{"language": "en"}]}, "messages, item 1: language should be"),
            (
                {"messages": [{"text": {"contains": "nope"}}]},
                'messages, item 1: text should be a text that contains "nope" and is "Tu cesta de 40 te espera"',
            ),
            ({"withheld": [{"step": "remind"}]}, "withheld, item 1: expected"),
            ({"path": ["settle"]}, 'path, item 2: expected nothing more, found "remind"'),
            ({"path": ["remind"]}, 'path, item 1: expected "remind", found "settle"'),
            ({"waiting": "settle"}, 'waiting: expected "settle", found null'),
            ({"exit": "bought"}, 'exit: expected "bought", found "completed"'),
            ({"exit": None}, 'exit: expected null, found "completed"'),
            ({"exit": ["completed", None]}, "exit, item 2: expected null, found nothing more"),
            ({"entries": 2}, "entries: expected 2, found 1"),
            ({"not_entered": ["not_again"]}, 'not_entered, item 1: expected "not_again", found nothing more'),
            ({"converted": True}, "converted: expected true, found false"),
            ({"profile": {"tier": "gold"}}, 'profile.tier: expected "gold", found null'),
            ({"events": ["cart_lost"]}, 'events, item 1: expected {"event": "cart_lost"}, found nothing more'),
            ({"calls": [{"webhook": "crm"}]}, "calls, item 1: expected"),
            ({"cases": [{"to": "care"}]}, "cases, item 1: expected"),
        ],
    )
    def test_what_is_not_as_expected_is_said(self, outcome, expect, said):
        (text,) = outcome(expect)
        assert text.startswith(said)

    def test_everything_that_holds_is_silent(self, outcome):
        expect = {
            "messages": [{"message": "cart-reminder", "channel": "email", "purpose": "marketing"}],
            "withheld": [],
            "path": ["settle", "remind"],
            "waiting": None,
            "exit": "completed",
            "entries": 1,
            "not_entered": [],
            "converted": False,
            "profile": {"email": "customer@example.com"},
            "events": [],
            "calls": [],
            "cases": [],
        }
        assert outcome(expect) == []

    def test_several_entries_exit_by_age(self, outcome):
        other = {"at": "10m", "event": "cart_updated", "properties": {"cart_id": "c2", "total": 50}}
        given = [CART, other, order("20m")]
        assert outcome({"entries": 2, "exit": ["bought", "completed"]}, given) == []
        assert outcome({"exit": "bought"}, given) == ['exit: expected "bought", found ["bought", "completed"]']

    def test_refusals_to_enter_are_in_order(self, outcome):
        small = {"at": "0m", "event": "cart_updated", "properties": {"cart_id": "c1", "total": 12}}
        keyless = {"at": "1m", "event": "cart_updated", "properties": {"total": 40}}
        again = {**CART, "at": "2m"}
        expect = {"not_entered": ["condition_false", "key_missing", "already_inside"], "entries": 1}
        given = [small, keyless, {**CART, "at": "1m"}, again]
        assert outcome(expect, given) == []

    def test_a_conversion_counts_after_the_exit_too(self, outcome):
        assert outcome({"exit": "completed", "converted": True}, [CART, order("2d")]) == []
        assert outcome({"converted": False}, [CART, order("4d")]) == []

    def test_a_path_lists_containers_first_and_a_repeat_once_for_all_rounds(self, outcome):
        steps = """
        - id: which
          choose:
            - if: entry.total > 10
              then:
                - id: nag
                  repeat:
                    every: 1d
                    at_most: 2
                    steps:
                      - id: note
                        set: {profile.nagged: "True", profile.times: "2"}
                      - id: pause
                        wait: 1h
        - id: tell
          emit: {event: cart_lost, properties: {cart_id: entry.cart_id}}
        """
        expect = {
            "path": ["which", "nag", "note", "pause", "note", "pause", "tell"],
            "events": [{"event": "cart_lost", "properties": {"cart_id": "c1"}}],
            "profile": {"nagged": True, "times": 2.0},
        }
        assert outcome(expect, steps=steps) == []
        assert outcome({"profile": {"nagged": 1}}, steps=steps) == ["profile.nagged: expected 1, found true"]

    @pytest.mark.parametrize(
        "report",
        [
            {"event": "message_bounced", "channel": "email"},
            {"event": "message_failed", "channel": "email", "properties": {"reason": "stale"}},
        ],
    )
    @pytest.mark.parametrize("at", ["1h", "2d"])
    def test_a_path_leads_to_a_step_once_though_something_comes_back_about_it_later(self, outcome, report, at):
        steps = """
        - id: remind
          send: {message: cart-reminder, channels: [email, push]}
        - id: pause
          wait: 1d
        """
        assert outcome({"path": ["remind", "pause"]}, [CART, {"at": at, **report}], steps=steps) == []

    def test_a_held_message_is_withheld_once_and_then_sent(self, project):
        loaded = project("- id: remind\n  send: {message: cart-reminder, purpose: night, channels: [email]}\n")
        expect = {
            "messages": [{"at": "2026-03-03T08:30"}],
            "withheld": [{"step": "remind", "channel": "email", "reason": "quiet_hours"}],
            "path": ["remind"],
        }
        result = run_example(loaded, "abandoned-cart", example(expect, start="2026-03-02T22:00"))
        assert result.differences == ()


class TestReport:
    def test_the_timeline_is_whole_and_the_first_difference_is_marked(self, project):
        expect = {"exit": "bought", "messages": [{"channel": "push"}]}
        report = run_example(project(REMIND), "abandoned-cart", example(expect)).report()
        assert report == (
            "abandoned-cart: it holds\n"
            '  messages, item 1: channel should be "push" and is "email"\n'
            '  exit: expected "bought", found "completed"\n'
            "\n"
            '  2026-01-05T10:00     → cart_updated {"cart_id": "c1", "total": 40}\n'
            '  2026-01-05T10:00     Entered abandoned-cart (total = 40, key = "c1").\n'
            "  2026-01-05T10:00     Waits at settle until Mon 5 Jan 2026, 11:00.\n"
            "  2026-01-05T11:00     Went on from settle: the time was over.\n"
            "> 2026-01-05T11:00     Sent cart-reminder (marketing) by email at remind: "
            "reachable, consented and allowed.\n"
            "                         subject: Hola\n"
            "                         text: Tu cesta de 40 te espera\n"
            '>                      ! messages, item 1: channel should be "push" and is "email"\n'
            "  2026-01-05T11:00     Left abandoned-cart: all steps are done.\n"
            '                       ! exit: expected "bought", found "completed"\n'
        ).removesuffix("\n")

    def test_a_missing_message_is_marked_at_the_refusal_that_kept_it_back(self, project):
        consents = {"email": {"marketing": False}, "push": {"marketing": False}}
        loaded = project(REMIND)
        result = run_example(loaded, "abandoned-cart", example({"messages": [{}]}, consents=consents))
        (difference,) = result.differences
        assert (difference.decision.verdict, difference.decision.reason) == ("suppressed", "no_consent")

    def test_events_that_change_nothing_are_shown_as_such(self, project):
        given = [{**CART, "id": "e1"}, {**CART, "id": "e1", "at": "1m"}, {"at": "2m", "event": "page_viewed"}]
        report = run_example(project(REMIND), "abandoned-cart", example({"entries": 3}, given)).report()
        assert "→ cart_updated" in report
        assert "[duplicate]" in report
        assert "→ page_viewed  [ignored]" in report


class TestReceipts:
    """A receipt without the id of its action, which no author can know."""

    STEPS = """
- {id: remind, send: {message: cart-reminder, channels: [email]}}
- {id: pause, wait: 1h}
- {id: again, send: {message: cart-reminder, channels: [push]}}
- {id: look, wait: 1d}
- choose:
    - {if: steps.remind.status == 'clicked', then: [{exit: first}]}
    - {if: steps.again.status == 'clicked', then: [{exit: second}]}
"""

    @pytest.mark.parametrize(
        ("click", "ended"),
        [
            ({}, "second"),
            ({"properties": {"step": "remind"}}, "first"),
            ({"properties": {"message": "cart-reminder"}}, "second"),
            ({"properties": {"channel": "email"}}, "first"),
            ({"channel": "email"}, "first"),
            ({"properties": {"step": "elsewhere"}}, "completed"),
            ({"properties": {"action_id": "of another"}}, "completed"),
            ({"at": "30m"}, "first"),
            ({"at": "0m"}, "first"),
        ],
    )
    def test_is_about_the_newest_message_that_fits(self, outcome, click, ended):
        clicked = {"at": "2h", "event": "message_clicked", **click}
        assert outcome({"exit": ended}, [CART, clicked], self.STEPS) == []

    def test_is_about_none_of_two_entries_unless_it_names_the_step(self, outcome):
        other = {**CART, "at": "1m", "properties": {"cart_id": "c2", "total": 40}}
        clicked = {"at": "2h", "event": "message_clicked"}
        assert outcome({"exit": ["completed", "completed"]}, [CART, other, clicked], self.STEPS) == []
        named = {**clicked, "properties": {"step": "remind"}}
        assert outcome({"exit": ["completed", "first"]}, [CART, other, named], self.STEPS) == []

    def test_of_nothing_sent_is_about_nothing(self, outcome):
        clicked = {"at": "2h", "event": "message_clicked"}
        refused = {"email": {"marketing": False}, "push": {"marketing": False}}
        assert outcome({"exit": "completed"}, [CART, clicked], self.STEPS, consents=refused) == []


def test_all_examples_of_a_project_are_run(project):
    more = """
    examples:
      - {name: first, given: [], expect: {entries: 0}}
      - {name: second, given: [], expect: {entries: 1}}
    """
    results = list(run_examples(project(REMIND, more)))
    assert [(result.journey, result.example, result.passed) for result in results] == [
        ("abandoned-cart", "first", True),
        ("abandoned-cart", "second", False),
    ]
    assert list(run_examples(project(REMIND, more), "welcome")) == []


class TestWorld:
    """What others answer: systems, scorers and people. The steps are built by hand; the language learns them later."""

    @pytest.fixture
    def loaded(self, project):
        """Put verbs that ask others into a project's journey."""
        plain = project(REMIND)
        journey = next(one for one in plain.catalog.current if one.id == "abandoned-cart")
        steps = [
            Score(id="mood", model="sentiment", save="mood", next="check"),
            Call(
                id="check",
                webhook="crm",
                payload=(("cart", Expression("entry.cart_id", lambda scope: "c1")),),
                within_ms=10_000,
                first="care",
                on_timeout=None,
            ),
            Handoff(id="care", team="care", priority="high", reason="angry"),
        ]
        changed = dataclasses.replace(journey, first="mood", steps={step.id: step for step in steps})
        return dataclasses.replace(plain, catalog=Catalog(plain.catalog.project, [changed]))

    def test_a_call_a_score_and_a_case_are_answered_and_checked(self, loaded):
        expect = {
            "calls": [{"webhook": "crm", "payload": {"cart": "c1"}, "step": "check"}],
            "cases": [{"to": "care", "priority": "high", "reason": "angry"}],
            "profile": {"mood": "negative"},
            "path": ["mood", "check", "care"],
            "exit": "completed",
        }
        setting = {
            "scores": {"mood": {"label": "negative"}},
            "responses": {"check": {"status": 200, "body": {"vip": True}}},
        }
        result = run_example(loaded, "abandoned-cart", example(expect, **setting))
        assert result.report().count("!") == 0, result.report()
        assert result.passed

    def test_a_call_that_nobody_answers_times_out(self, loaded):
        expect = {"path": ["mood", "check"], "cases": [], "exit": "completed"}
        scores = {"mood": {"value": 0.5}}
        result = run_example(loaded, "abandoned-cart", example(expect, scores=scores))
        assert result.differences == ()


def test_a_message_that_cannot_be_rendered_does_not_leave(project):
    message = (
        'message: cart-reminder\nemail: {subject: S, text: "{{ 10 | divided_by: entry.parts }}"}\npush: {title: T}\n'
    )
    loaded = project("- {id: m, send: cart-reminder}", **{"messages/cart-reminder.message.yaml": message})

    def told(parts, **expect):
        cart = {**CART, "properties": {"cart_id": "c1", "total": 40, "parts": parts}}
        done = run_example(loaded, "abandoned-cart", example(expect, [cart]))
        return [difference.text for difference in done.differences]

    assert told(2, messages=[{"message": "cart-reminder"}]) == []
    [text] = told(0, messages=[{"message": "cart-reminder"}])
    assert text.startswith("messages, item 1: cannot be rendered: message cart-reminder, email.text:")
    # What is not named is not checked.
    assert told(0, exit="completed") == []
