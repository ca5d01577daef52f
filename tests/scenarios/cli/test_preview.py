"""`preview` and `redeliver`, as a person calls them."""

import json

import pytest

from orchestrator.storage import Batch, Pending, Settled, SqliteStore
from providers.live import JOURNEY, write_project

EXAMPLE = """
examples:
  - name: a cart left alone
    given:
      - {at: 0m, event: profile_updated, properties: {first_name: Bea}}
      - {at: 1m, event: cart_updated, properties: {cart_id: c1, total: 40}}
    until: 2h
    expect: {exit: null}
"""


@pytest.fixture
def call(tmp_path, orchestrator):
    write_project(tmp_path / "shop", JOURNEY + EXAMPLE)
    return orchestrator


def test_a_message_is_shown_with_an_examples_data_by_channel_and_language(call, tmp_path):
    done = call("preview", "cart-reminder", "shop", "--json", "--html", "mail.html")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert [(one["channel"], one["language"]) for one in shown] == [("email", "es"), ("push", "es")]
    assert shown[0]["headers"]["Subject"] == "Bea, tu cesta te espera"
    assert shown[0]["text"].startswith("Hola Bea: vuelve (https://casaolmo.example/cesta?a=1&b=2)")
    assert "<strong>Bea</strong>" in (tmp_path / "mail.html").read_text()
    for example in ("left alone", "abandoned-cart: a cart left alone"):
        assert call("preview", "cart-reminder", "shop", "--example", example).code == 0


def test_a_text_message_is_shown_with_the_parts_that_are_billed(call, tmp_path):
    shop = tmp_path / "shop"
    project = (shop / "orchestrator.yaml").read_text()
    (shop / "orchestrator.yaml").write_text(project.replace("  push:", "  sms: {address: profile.phone}\n  push:"))
    text = "{{ profile.first_name }}, tu cesta te espera desde ayer. ¿Y si te la guardamos aquí o la soltamos?"
    (shop / "messages/nudge.message.yaml").write_text(f'message: nudge\nsms: {{text: "{text}"}}\n')
    done = call("preview", "nudge", "shop", "--json")
    [shown] = json.loads(done.out)
    assert shown["parts"] == {"count": 2, "alphabet": "UCS-2", "units": 74, "strangers": ["í"]}
    assert "  2 parts: 74 units of UCS-2, because of í\n" in call("preview", "nudge", "shop").out


def test_a_preview_is_in_the_language_that_customers_get(call):
    for asked, got in (("fr", "es"), ("es-MX", "es"), ("es", "es")):
        done = call("preview", "cart-reminder", "shop", "--channel", "push", "--language", asked, "--json")
        assert [one["language"] for one in json.loads(done.out)] == [got]
        told = f"cart-reminder has no {asked} content; customers who speak it get {got}\n"
        assert done.err == ("" if asked == got else told)


def test_what_there_is_not_is_said(call):
    for words, told in (
        (["nope"], "there is no message nope; there are cart-reminder, thanks"),
        (["thanks", "--channel", "push"], "thanks has no content for push; it has email"),
        (["thanks", "--example", "left alone"], "no example whose name contains 'left alone' sends thanks"),
        (["thanks", "--customer", "ana"], "--state"),
        (["cart-remindr"], "there is no message cart-remindr; did you mean cart-reminder?"),
        (["thanks", "--html", "x.html"], "the e-mail of thanks is plain text; give it html, mjml or markdown"),
        (["cart-reminder", "--channel", "push", "--html", "x.html"], "only e-mails have HTML"),
        (["cart-reminder", "--send-to", "me@shop.example"], "choose one of email, push with --channel"),
        (["thanks", "--send-to", "me@shop.example"], "set ORCHESTRATOR_CHANNEL_EMAIL"),
    ):
        done = call("preview", words[0], "shop", *words[1:])
        assert done.code == 2
        assert told in done.err
        assert "--send-to" not in words or "thanks" in words or done.out == ""  # nobody reads beyond a screen of it


def test_a_preview_can_be_sent_by_the_channels_own_provider(call, tmp_path):
    done = call(
        "preview", "thanks", "shop", "--send-to", "me@shop.example", ORCHESTRATOR_CHANNEL_EMAIL=f"file:{tmp_path}/out"
    )
    assert done.code == 0
    [line] = (tmp_path / "out").read_text().splitlines()
    assert json.loads(line)["data"]["to"] == "me@shop.example"


def test_hosts_that_a_preview_may_reach_are_set_as_everywhere(call, tmp_path):
    (tmp_path / "hosts").write_text(" Localhost ,\n")
    for settings, told in (
        ({}, "localhost is not a public address"),
        ({"ORCHESTRATOR_ALLOWED_HOSTS_FILE": "hosts"}, "no connection: Cannot connect to host localhost"),
    ):
        # Nobody listens there.
        channel = {"ORCHESTRATOR_CHANNEL_EMAIL": "http://localhost:1/"}
        done = call("preview", "thanks", "shop", "--send-to", "me@shop.example", **channel, **settings)
        assert (done.code, told in done.err) == (2, True)


def test_what_was_given_up_on_is_shown_and_sent_again(call, tmp_path):
    pending = [Pending(name, "email", 1, "ana", b"{}") for name in ("a", "b", "c")]
    with SqliteStore(tmp_path / "state.db") as store:
        store.commit(Batch(pending=pending))
        gone = [Settled("a", reason="not_rendered", why="divided by 0"), Settled("b", reason="refused", why="no")]
        store.commit(Batch(settled=gone))
    shown = json.loads(call("redeliver", "--state", "state.db", "--dry-run", "--json").out)
    assert [(row["action_id"], row["reason"]) for row in shown["given_up"]] == [("a", "not_rendered"), ("b", "refused")]
    done = call("redeliver", "--state", "state.db", "--reason", "not_rendered")
    assert (done.code, done.err) == (0, "given up on: 1 not_rendered; 1 will be sent again\n")
    with SqliteStore(tmp_path / "state.db") as store:
        assert [each.action_id for each in store.due("email", 1 << 60, 9)] == ["c", "a"]
        assert [each.action_id for each in store.given_up()] == ["b"]
