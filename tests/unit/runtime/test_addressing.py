"""Who is reached at an address, and which message somebody answers from there."""

import pytest

from orchestrator.model import codec
from orchestrator.model.effects import Action
from orchestrator.model.identity import Identity
from orchestrator.model.profile import Profile
from orchestrator.model.project import Channel, Project
from orchestrator.model.state import Entry, Sent, State
from orchestrator.runtime import addressing
from orchestrator.runtime.addressing import Reached, answered, reached
from orchestrator.storage import Batch, MemoryStore, SqliteStore
from providers.deliveries import trait

DAY = 86_400_000
SHOP = Project("shop", channels={name: Channel(name, trait(kind)) for name, kind in {
    "sms": "phone", "whatsapp": "phone", "telegram": "chat", "push": "device_token"}.items()})  # fmt: skip


def customer(name: str, *sent: Sent, **traits) -> State:
    state = State(Profile(name, name, traits=traits))
    state.history.sent += sent
    return state


def message(number: int, named: str = "", address: str = "+34600000001", **fields) -> Sent:
    about = (f"a{number}", number, "cart", f"e{number}", "remind", "hello", "sms", "marketing", address)
    return Sent(*about, named=named, **fields)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    with MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state.db") as opened:
        yield opened


def keep(store, *states: State, project: Project = SHOP) -> None:
    store.commit(Batch(records={each.profile_id: codec.encode(each) for each in states}))
    store.commit(Batch(positions={addressing.INDEXED: None}))
    addressing.index(store, project)


def whom(store, channel: str, address: str, project: Project = SHOP) -> list[str]:
    return [each.state.profile_id for each in reached(store, project, channel, address)]


def test_an_index_is_made_in_portions_and_anew_where_addresses_are_read_otherwise(store, monkeypatch):
    monkeypatch.setattr(addressing, "_AT_ONCE", 2)
    keep(store, *(customer(f"c{number}", phone=f"+3460000000{number}") for number in range(1, 8)))
    assert [whom(store, "sms", f"+3460000000{number}") for number in range(1, 8)] == [[f"c{n}"] for n in range(1, 8)]
    assert store.position(addressing.INDEXED) == addressing.indexed_by(SHOP)
    spain = Project("shop", channels=SHOP.channels, identity=Identity(region="ES"))
    store.commit(Batch(records={"ana": codec.encode(customer("ana", phone="611 000 000"))}))
    addressing.index(store, spain)
    assert whom(store, "sms", "+34611000000", spain) == ["ana"]


def test_an_address_is_a_channels_own(store):
    keep(store, customer("ana", phone="+34 600 000 001", chat=4242, device_token=["t1", "t2"]), customer("ben"))
    assert whom(store, "sms", "+34600000001") == whom(store, "whatsapp", "+34600000001") == ["ana"]
    assert whom(store, "telegram", "4242") == ["ana"]
    assert whom(store, "telegram", "+34600000001") == whom(store, "sms", "4242") == whom(store, "carrier", "4242") == []
    assert whom(store, "push", "t1") == whom(store, "push", "t1\nt2") == whom(store, "sms", "") == []


def test_where_messages_went_counts_after_the_trait_has_changed(store):
    keep(store, customer("ana", message(1), message(2, address="600 2", reached="+34600000002"), phone="+34611000000"))
    assert [whom(store, "sms", number) for number in ("+34600000001", "+34600000002", "+34611000000")] == [["ana"]] * 3
    assert whom(store, "whatsapp", "+34600000001") == []  # nothing went there by that


def test_only_one_address_is_a_persons():
    def of(to):
        return addressing.of_action(SHOP, Action("a", "message", "p", None, "j", 1, "e", "s", "", "push", to=to))

    assert (len(of("+34600000001")), of(["t1"]), of(None)) == (1, [], [])


def test_what_is_answered_is_named_or_the_latest_text_from_that_number_whose_journey_goes_on():
    ours, other = "+15550000001", "+15550000002"
    sent = [message(1, ours), message(2, ours), message(3, other), message(4), message(5, "wamid.5")]
    ana = Reached(customer("ana", *sent), sent)

    def of(answers="", ours=None, now_ms=10, found=ana):
        which = answered(found, answers, ours, None, now_ms)
        return which and which.action_id

    assert (of("wamid.5"), of("wamid.9"), of("wamid.9", (ours,)), of()) == ("a5", None, None, None)
    assert (of(ours=(ours,)), of(ours=(other,)), of(ours=(ours, other)), of(ours=("+15550000003",))) == (
        "a2", "a3", "a3", None,
    )  # fmt: skip
    assert of(ours=(ours,), now_ms=addressing.ANSWERED_WITHIN_MS + 1) == "a2"
    assert of(ours=(ours,), now_ms=addressing.ANSWERED_WITHIN_MS + 2) is None
    ana.state.entries.append(Entry("e1", "cart", 1, None, 0, "remind"))
    assert of(ours=(ours,)) == "a1"  # the later one's journey has ended: nobody waits for an answer to it
    gateway = [message(1, "sms")]
    assert of(ours=(ours,), found=Reached(customer("ben", *gateway), gateway)) == "a1"  # its number is not ours to know
