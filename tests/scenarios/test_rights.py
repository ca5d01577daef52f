"""The rights of the person concerned: erased means nowhere, exported means everything, and a no outlives both.

Values are planted and then looked for, byte by byte, in every file that a store consists of.
"""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft7Validator
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from orchestrator.cli import customers
from orchestrator.language import load
from orchestrator.model.casework import CaseFile, Streamed
from orchestrator.model.instants import HOUR_MS
from orchestrator.runtime import rights
from orchestrator.runtime.embedded.run import RunOptions, run_events
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Placed, Records, Turns
from orchestrator.storage import MemoryStore, SqliteStore

ROOT = Path(__file__).parents[2]
START = 1_767_610_800_000
PLANTED = {
    "customer_id": "planted-customer-4711",
    "email": "planted.ana@example.com",
    "phone": "+34600112233",
    "cookie": "planted-cookie-0815",
    "first_name": "Plantina",
    "cart": "planted-cart-77",
}
WHO = {kind: PLANTED[kind] for kind in ("email", "phone", "cookie")}

PROJECT = """\
project: shop
channels:
  email: {address: profile.email, preferred_order: 1}
purposes:
  tips: {consent: opt_out}
identity: {identifiers: [customer_id, email, phone, cookie], region: ES}
"""
JOURNEY = """\
journey: tips
version: 1
purpose: tips
status: live
enter: {event: cart_updated, key: cart_id, again: always}
steps:
  - id: tip
    send: {message: tip, data: {cart: entry.cart_id}}
  - id: rest
    wait: 30d
examples:
  - name: told
    given: [{at: 0m, event: cart_updated, properties: {cart_id: c1}}]
    until: 1d
    expect: {waiting: rest}
"""
MESSAGE = """\
message: tip
email: {subject: "For {{ profile.first_name }}", text: "{{ data.cart }}"}
"""


@pytest.fixture
def folder(tmp_path):
    project = tmp_path / "shop"
    (project / "messages").mkdir(parents=True)
    (project / "orchestrator.yaml").write_text(PROJECT)
    (project / "tips.journey.yaml").write_text(JOURNEY)
    (project / "messages" / "tip.message.yaml").write_text(MESSAGE)
    return project


def line(number: int, type: str, properties: object = None, customer_id: str | None = None, **who: str) -> bytes:
    event = {"id": f"e{number}", "type": type, "time": START + number * 60_000, "identifiers": who}
    return json.dumps(
        {**event, "properties": properties or {}, **({"customer_id": customer_id} if customer_id else {})}
    ).encode()


OTHER = [line(8, "cart_updated", {"cart_id": "b1"}, customer_id="ben", email="ben@example.com")]
LIFE = [
    line(1, "cart_updated", {"cart_id": PLANTED["cart"]}, cookie=PLANTED["cookie"]),
    line(2, "profile_updated", {"first_name": PLANTED["first_name"]}, customer_id=PLANTED["customer_id"], **WHO),
    line(3, "cart_updated", {"cart_id": "c2"}, customer_id=PLANTED["customer_id"]),
    line(4, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, **WHO),
    line(5, "profile_updated", "odd " + PLANTED["first_name"], **WHO),
    line(7, "profile_updated", "odd", phone="600 11-22 33"),
    *OTHER,
]


def run(folder: Path, lines: list[bytes], state: Path) -> None:
    source = folder.parent / "events.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    out = folder.parent / "actions.jsonl"
    run_events(load(folder), RunOptions(events=[str(source)], state=state, actions=out))


def served(folder: Path, store, metrics: Metrics | None = None) -> Turns:
    return Turns(load(folder).catalog, store, metrics or Metrics(), 0)


def found_in(state: Path) -> dict[str, list[str]]:
    """Look for every planted value in every file that the store consists of."""
    files = {path.name: path.read_bytes().lower() for path in state.parent.glob(f"{state.name}*")}
    planted = [*PLANTED.values(), "600 11-22 33"]
    found = {value: [name for name, raw in files.items() if value.lower().encode() in raw] for value in planted}
    return {value: names for value, names in found.items() if names}


def profile_of(store, name: str) -> str:
    found = customers.find(store, name)
    assert found is not None
    return found.profile_id


def test_erased_by_command_nothing_planted_is_left_in_any_file_of_the_store(folder, tmp_path):
    state = tmp_path / "state" / "shop.db"
    state.parent.mkdir()
    run(folder, LIFE, state)
    assert PLANTED["email"] in found_in(state)  # the search finds what is there
    with SqliteStore(state) as store:
        receipt = rights.erase(store, load(folder).catalog.project, profile_of(store, PLANTED["customer_id"]), START)
        assert receipt.erased["profiles"] == 1
        assert receipt.objections == 1
        assert customers.find(store, f"cookie:{PLANTED['cookie']}") is None
        assert customers.find(store, "ben") is not None
        kept = store.positions("erased.")
    assert found_in(state) == {}
    text = json.dumps(msgspec.to_builtins(receipt)) + str(kept)
    assert [value for value in PLANTED.values() if value in text] == []


@pytest.mark.parametrize("name", ["customer_id:", "email:", "phone:", "loyalty_card:", "cookie: ", ":", ""])
def test_a_kind_without_its_value_is_nobodys_name(folder, tmp_path, name):
    run(folder, LIFE, tmp_path / "shop.db")
    with SqliteStore(tmp_path / "shop.db") as store:
        assert customers.find(store, name) is None


def test_what_several_are_known_by_is_the_name_of_none_of_them(folder, tmp_path):
    of = {"ana": "Madrid", "ben": "Madrid", "eva": "Soria"}
    lives = [
        line(number, "profile_updated", {"city": city}, customer_id=who)
        for number, (who, city) in enumerate(of.items())
    ]
    run(folder, lives, tmp_path / "shop.db")
    with SqliteStore(tmp_path / "shop.db") as store:
        assert profile_of(store, "city:Soria") == profile_of(store, "eva")
        with pytest.raises(customers.SeveralCustomers):
            customers.find(store, "city:Madrid")


def test_erased_by_an_event_in_the_stream_nothing_is_left_either_and_later_events_start_afresh(folder, tmp_path):
    state = tmp_path / "state" / "shop.db"
    state.parent.mkdir()
    request = line(9, "profile_erase_requested", cookie=PLANTED["cookie"])
    run(folder, [*LIFE, request], state)
    assert found_in(state) == {}
    run(folder, [line(20, "cart_updated", {"cart_id": PLANTED["cart"]}, cookie=PLANTED["cookie"])], state)
    with SqliteStore(state, writes=False) as store:
        found = customers.find(store, f"cookie:{PLANTED['cookie']}")
        assert found is not None
        assert found.state is not None
        assert found.state.profile.customer_id is None
        assert len(found.state.entries) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_serve_erases_with_what_is_on_its_way_and_dead_letters_and_whoever_comes_back_is_still_refused(
    folder, tmp_path, kind
):
    state = tmp_path / "state" / "shop.db"
    state.parent.mkdir()
    with MemoryStore() if kind == "memory" else SqliteStore(state) as store:
        turns = served(folder, store)
        turns.work([Records(LIFE, "http")], START)
        turns.work([Records([line(6, "cart_updated", {"cart_id": "c3"}, cookie=PLANTED["cookie"])], "http")], START)
        ana = profile_of(store, PLANTED["customer_id"])
        assert len(store.pending_of(ana)) == 2 or store.lanes()
        assert len(store.dead_letters()) == 2
        assert len(rights.export(store, ana, START).dead_letters) == 2
        erased = line(9, "profile_erase_requested", customer_id=PLANTED["customer_id"])
        back = line(10, "cart_updated", {"cart_id": "c9"}, email="Planted.Ana@Example.com")
        turns.work([Records([erased], "http")], START + 9)
        assert (store.pending_of(ana), store.dead_letters()) == ([], [])
        assert found_in(state) == {}
        turns.work([Records([back], "http")], START + 10)
        again = profile_of(store, f"email:{PLANTED['email']}")
        decided = [json.loads(each) for each in store.decisions_of(again)]
        assert [(one["verdict"], one["reason"]) for one in decided] == [
            ("entered", "event"),
            ("suppressed", "no_consent"),
            ("waited", "time"),
        ]


def test_what_a_channel_of_ours_had_in_hand_when_its_customer_was_erased_is_not_kept(folder):
    erased = line(9, "profile_erase_requested", customer_id=PLANTED["customer_id"])
    with MemoryStore() as store:
        turns = served(folder, store)
        turns.work([Records(LIFE, "http")], START)
        ana, ben = (profile_of(store, name) for name in (PLANTED["customer_id"], "ben"))
        messages = [Streamed(f"m-{who}", who, "in-app", START, START + HOUR_MS, b"{}") for who in (ana, ben)]
        calls = [CaseFile(f"c-{who}", "call", who, "care", START) for who in (ana, ben)]
        turns.work([Records([erased], "http"), Placed(messages, calls)], START + 9)
        assert [each.id for each in store.casework.every()] == [f"c-{ben}"]
        assert (store.casework.streamed_of(ana), len(store.casework.streamed_of(ben))) == ([], 1)


def test_no_value_of_a_person_is_in_any_metric_or_log_line(folder, caplog):
    metrics = Metrics()
    odd = [b'{"id": "' + PLANTED["email"].encode(), line(7, PLANTED["cookie"], customer_id=PLANTED["customer_id"])]
    erased = line(9, "profile_erase_requested", customer_id=PLANTED["customer_id"])
    with MemoryStore() as store, capture_logs() as logs, caplog.at_level("DEBUG"):
        turns = served(folder, store, metrics)
        turns.work([Records([*LIFE, *odd, erased], "http")], START)
        assert len(logs) == 1
    told = f"{generate_latest(metrics.registry).decode()} {logs} {caplog.text}"
    assert "orchestrator_events_total" in told
    assert [value for value in PLANTED.values() if value in told] == []


@pytest.mark.parametrize("devices", ["d1", ["d0", "d1"], [{"endpoint": "https://push.example/d1"}], 34600112233])
def test_a_no_holds_for_whoever_comes_back_with_one_of_several_devices_too(folder, devices):
    (folder / "orchestrator.yaml").write_text(
        PROJECT.replace("email: {address: profile.email", "email: {address: profile.device")
    )
    with MemoryStore() as store:
        turns = served(folder, store)
        no = line(2, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, customer_id="ana")
        gone = line(3, "profile_erase_requested", customer_id="ana")
        turns.work(
            [Records([line(1, "profile_updated", {"device": devices}, customer_id="ana"), no, gone], "http")], START
        )
        again = devices[-1:] if isinstance(devices, list) else devices
        back = [
            line(4, "profile_updated", {"device": again}, customer_id="zoe"),
            line(5, "cart_updated", {"cart_id": "c"}, "zoe"),
        ]
        turns.work([Records(back, "http")], START)
        decided = [json.loads(each)["reason"] for each in store.decisions_of(profile_of(store, "zoe"))]
        assert decided == ["event", "no_consent", "time"]


@pytest.mark.parametrize("kind", ["serve", "run"])
@pytest.mark.parametrize("address", ["profile.email", "lower(profile.email)", "profile.work or profile.email"])
def test_a_no_holds_for_whoever_a_journey_gives_the_address_too(folder, tmp_path, kind, address):
    (folder / "orchestrator.yaml").write_text(PROJECT.replace("{address: profile.email,", f"{{address: {address},"))
    form = (
        JOURNEY.partition("examples:")[0].replace("tips\n", "form\n", 1).replace("cart_updated, key: cart_id", "form")
    )
    form = form.replace(
        "steps:\n", "steps:\n  - {id: take, set: {profile.email: entry.email, profile.friend: entry.friend}}\n"
    )
    (folder / "form.journey.yaml").write_text(form.replace(", data: {cart: entry.cart_id}", ", data: {cart: \"'c'\"}"))
    no = line(2, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, customer_id="ana")
    gone = line(3, "profile_erase_requested", customer_id="ana")
    back = line(4, "form", {"email": "Ana@x.example"}, customer_id="zoe")
    # Who names her as somebody else's address is not her.
    friend = line(5, "form", {"email": "ben@x.example", "friend": "ana@x.example"}, customer_id="ben")
    events = [line(1, "profile_updated", {"email": "ana@x.example"}, customer_id="ana"), no, gone, back, friend]
    state = tmp_path / "shop.db"
    if kind == "run":
        run(folder, events, state)
    with SqliteStore(state) as store:
        if kind == "serve":
            served(folder, store).work([Records(events, "http")], START)
        decided = [[json.loads(each) for each in store.decisions_of(profile_of(store, who))] for who in ("zoe", "ben")]
    zoe, ben = ([one["reason"] for one in each if one["step"] == "tip"] for each in decided)
    assert (zoe, ben) == (["no_consent"], ["allowed"])


@pytest.mark.parametrize(
    ("address", "ana", "back"),
    [
        ("profile.customer_id", {}, {"customer_id": "ana"}),
        ("profile.id", {}, {"customer_id": "ana", "cookie": "k"}),
        ("profile.contact.email", {"contact": {"email": "ana@x.example"}}, {"customer_id": "zoe"}),
        ("profile.groups.home.email", {"groups": {"home": {"email": "ana@x.example"}}}, {"customer_id": "zoe"}),
        ("'app:' + profile.login", {"login": "ana"}, {"customer_id": "zoe"}),
    ],
)
def test_a_no_holds_for_whoever_comes_back_under_an_address_that_is_no_trait_by_itself(folder, address, ana, back):
    project = folder / "orchestrator.yaml"
    project.write_text(PROJECT.replace("{address: profile.email,", f'{{address: "{address}",'))
    events = [
        line(1, "profile_updated", ana, customer_id="ana"),
        line(2, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, customer_id="ana"),
        line(3, "profile_erase_requested", customer_id="ana"),
        line(4, "profile_updated", ana, **back),
        line(5, "cart_updated", {"cart_id": "c"}, **back),
    ]
    with MemoryStore() as store:
        served(folder, store).work([Records(events, "http")], START)
        decided = [json.loads(each)["reason"] for each in store.decisions_of(profile_of(store, back["customer_id"]))]
    assert decided == ["event", "no_consent", "time"]


def test_a_no_holds_under_an_address_with_its_dots_elsewhere_where_dots_do_not_count(folder):
    project = folder / "orchestrator.yaml"
    project.write_text(PROJECT.replace("region: ES}", "region: ES, dots: ignore}"))
    events = [
        line(1, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, email="a.na@x.example"),
        line(2, "profile_erase_requested", email="a.na@x.example"),
        line(3, "cart_updated", {"cart_id": "c"}, email="an.a@x.example"),
    ]
    with MemoryStore() as store:
        served(folder, store).work([Records(events, "http")], START)
        found = list(store.records())
        assert len(found) == 1
        decided = [json.loads(each)["reason"] for each in store.decisions_of(found[0][0])]
    assert decided == ["event", "no_consent", "time"]


def test_noes_on_two_channels_of_one_address_written_in_two_ways_both_hold(folder):
    project = folder / "orchestrator.yaml"
    channels = "  news: {address: profile.other}\npurposes:"
    project.write_text(PROJECT.replace("purposes:", channels).replace("profile.email", "profile.mail"))
    no = {"purpose": "tips", "granted": False}
    events = [
        line(1, "profile_updated", {"mail": "Ana@x.example", "other": "ana@X.example"}, customer_id="ana"),
        line(2, "consent_changed", {**no, "channel": "email"}, customer_id="ana"),
        line(3, "consent_changed", {**no, "channel": "news"}, customer_id="ana"),
        line(4, "profile_erase_requested", customer_id="ana"),
        line(5, "profile_updated", {"mail": "ana@x.example"}, customer_id="zoe"),
    ]
    with MemoryStore() as store:
        served(folder, store).work([Records(events, "http")], START)
        exported = rights.export(store, profile_of(store, "zoe"), START, load(folder).catalog.project)
    assert [said["channel"] for said in exported.objections] == ["email", "news"]
    assert sorted(said["channel"] for said in exported.profile["consents"]) == ["email", "news"]


def test_who_comes_back_by_their_customer_id_alone_is_known_by_it(folder):
    events = [
        line(1, "profile_updated", {"email": "ana@x.example"}, customer_id="ana"),
        line(2, "consent_changed", {"channel": "email", "purpose": "tips", "granted": False}, customer_id="ana"),
        line(3, "profile_erase_requested", customer_id="ana"),
        line(4, "profile_updated", {"email": "ana@x.example"}, customer_id="zoe"),
    ]
    with MemoryStore() as store:
        served(folder, store).work([Records(events, "http")], START)
        exported = rights.export(store, profile_of(store, "zoe"), START, load(folder).catalog.project)
    assert (exported.customer_id, exported.profile["customer_id"]) == ("zoe", "zoe")


def test_a_no_that_holds_again_is_nothing_that_anybody_said_now(folder):
    sorry = JOURNEY.partition("examples:")[0].replace("tips\n", "sorry\n", 1).replace("key: cart_id, ", "")
    sorry = sorry.replace("cart_updated", "consent_changed").replace(", data: {cart: entry.cart_id}", "")
    (folder / "sorry.journey.yaml").write_text(sorry)
    with MemoryStore() as store:
        turns = served(folder, store)
        turns.work([Records([*LIFE, line(9, "profile_erase_requested", cookie=PLANTED["cookie"])], "http")], START)
        turns.work([Records([line(31, "cart_updated", {"cart_id": "c9"}, **WHO)], "http")], START + 31 * 60_000)
        again = profile_of(store, f"email:{PLANTED['email']}")
        decided = [json.loads(each) for each in store.decisions_of(again)]
        assert {(one["journey"], one["reason"]) for one in decided} == {
            ("tips", "event"), ("tips", "no_consent"), ("tips", "time"),
        }  # fmt: skip
        exported = rights.export(store, again, START, load(folder).catalog.project)
        assert exported.profile["consents"][0]["source"] == "objection"
        no = {"channel": "email", "purpose": "tips", "at": "2026-01-05T11:00:00.000Z"}
        assert exported.objections == [no]


def test_a_yes_that_is_given_after_coming_back_decides(folder, tmp_path):
    with MemoryStore() as store:
        turns = served(folder, store)
        turns.work([Records([*LIFE, line(9, "profile_erase_requested", cookie=PLANTED["cookie"])], "http")], START)
        yes = line(30, "consent_changed", {"channel": "email", "purpose": "tips", "granted": True}, **WHO)
        cart = line(31, "cart_updated", {"cart_id": "c9"}, **WHO)
        turns.work([Records([yes, cart], "http")], START + 30 * 60_000)
        decided = [json.loads(each) for each in store.decisions_of(profile_of(store, f"email:{PLANTED['email']}"))]
        assert [one["verdict"] for one in decided] == ["entered", "sent", "waited"]


def test_an_export_is_one_document_after_its_schema_with_everything_that_is_kept(folder, tmp_path):
    state = tmp_path / "shop.db"
    run(folder, LIFE, state)
    with SqliteStore(state, writes=False) as store:
        document = msgspec.to_builtins(rights.export(store, profile_of(store, PLANTED["customer_id"]), START))
    schema = json.loads((ROOT / "schemas" / "export.schema.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(document)
    text = json.dumps(document, ensure_ascii=False)
    assert [value for value in PLANTED.values() if value not in text] == []
    assert {one["verdict"] for one in document["decisions"]} >= {"entered", "merged", "sent"}
    assert len(document["journeys"]) == 2
    assert document["profile"]["consents"][0]["granted"] is False
    assert document["profile"]["consents"][0]["at"] == "2026-01-05T11:04:00.000Z"


def test_whoever_only_did_not_enter_is_found_exported_and_erased_too(folder, tmp_path):
    journey = folder / "tips.journey.yaml"
    journey.write_text(JOURNEY.replace("key: cart_id,", "where: total > 30, key: cart_id,").partition("examples:")[0])
    state = tmp_path / "shop.db"
    run(folder, [line(1, "cart_updated", {"cart_id": "c1", "total": 3}, customer_id="zoe")], state)
    with SqliteStore(state) as store:
        zoe = profile_of(store, "zoe")
        assert store.read(zoe) is None
        assert [one["reason"] for one in rights.export(store, zoe, START).decisions] == ["condition_false"]
        receipt = rights.erase(store, load(folder).catalog.project, zoe, START)
        assert receipt.erased["decisions"] == 1
        assert customers.find(store, "zoe") is None


def test_a_receipt_is_after_its_schema_and_names_the_files_that_are_the_companys_own(folder, tmp_path):
    state = tmp_path / "shop.db"
    run(folder, LIFE, state)
    with SqliteStore(state) as store:
        receipt = rights.erase(store, load(folder).catalog.project, profile_of(store, "ben"), START)
    schema = json.loads((ROOT / "schemas" / "receipt.schema.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(msgspec.to_builtins(receipt))
    assert [(each.what, each.where) for each in receipt.remains] == [
        ("output files, which are the company's own", [str(tmp_path / "actions.jsonl")])
    ]


def test_an_erasure_that_is_asked_for_names_whoever_may_be_meant(folder):
    project = load(folder).catalog.project
    assert [customers.events_about(name, project) for name in ("ana", "email:a@b", "customer_id:7", "urn:7", "x:")] == [
        [("ana", {})],
        [(None, {"email": "a@b"})],
        [("customer_id:7", {}), ("7", {})],
        [("urn:7", {}), (None, {"urn": "7"})],
        [("x:", {})],
    ]
