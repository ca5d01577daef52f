"""Links: signed, with an end, each good for one thing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.links import LIFETIMES_MS, About, Kind, LinkError, Links, _as_base64
from orchestrator.errors import OrchestratorError

SECRET = "x" * 32
NOW_MS = 1_767_261_600_000
ABOUT = About("ab" * 16, "cd" * 16, "email", "marketing", "es")


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_link_tells_whom_and_what_it_is_about():
    links = Links("https://shop.example/", (SECRET,))
    url = links.make(Kind.SURVEY, ABOUT, NOW_MS, "nps")
    assert url.startswith("https://shop.example/s/")
    token = links.read(token_of(url), NOW_MS, Kind.SURVEY)
    assert (token.profile_id, token.action_id) == (ABOUT.profile_id, ABOUT.action_id)
    assert (token.channel, token.purpose, token.language, token.detail) == ("email", "marketing", "es", "nps")


def test_ids_that_are_not_hexadecimal_survive_too():
    links = Links("https://shop.example", (SECRET,))
    url = links.make(Kind.OPEN, About("Profile-1", "ABCD", "email", "", "es"), NOW_MS)
    token = links.read(token_of(url), NOW_MS, Kind.OPEN)
    assert (token.profile_id, token.action_id) == ("Profile-1", "ABCD")


@pytest.mark.parametrize("kind", Kind)
def test_a_link_ends(kind):
    links = Links("https://shop.example", (SECRET,))
    token = token_of(links.make(kind, ABOUT, NOW_MS))
    assert links.read(token, NOW_MS + LIFETIMES_MS[kind] - 1000, kind).kind is kind
    with pytest.raises(LinkError) as caught:
        links.read(token, NOW_MS + LIFETIMES_MS[kind], kind)
    assert caught.value.expired


def test_a_link_is_good_for_its_own_kind_only():
    links = Links("https://shop.example", (SECRET,))
    token = token_of(links.make(Kind.UNSUBSCRIBE, ABOUT, NOW_MS))
    with pytest.raises(LinkError):
        links.read(token, NOW_MS, Kind.CONFIRM)


@given(st.data())
def test_a_changed_link_is_nobodys(data):
    links = Links("https://shop.example", (SECRET,))
    token = token_of(links.make(Kind.UNSUBSCRIBE, ABOUT, NOW_MS))
    at = data.draw(st.integers(0, len(token) - 2))  # the last character holds bits that base64 does not read
    other = data.draw(st.sampled_from("Aa0-_.z").filter(lambda each: each != token[at]))
    with pytest.raises(LinkError):
        links.read(token[:at] + other + token[at + 1 :], NOW_MS, Kind.UNSUBSCRIBE)


@pytest.mark.parametrize("behind", [".", ",", ")", ">", "]", "!", "?", ").", "»", "”"])
def test_what_a_mail_program_takes_for_a_part_of_a_link_is_none(behind):
    links = Links("https://shop.example", (SECRET,))
    token = token_of(links.make(Kind.UNSUBSCRIBE, ABOUT, NOW_MS))
    assert links.read(token + behind, NOW_MS, Kind.UNSUBSCRIBE).profile_id == ABOUT.profile_id


@given(st.text())
def test_any_text_is_no_link(text):
    with pytest.raises(LinkError):
        Links("https://shop.example", (SECRET,)).read(text, NOW_MS, *Kind)


def test_a_secret_is_changed_without_breaking_links_that_are_out():
    old = Links("https://shop.example", (SECRET,))
    new = Links("https://shop.example", (SECRET, "y" * 32))
    assert new.read(token_of(old.make(Kind.OPEN, ABOUT, NOW_MS)), NOW_MS, Kind.OPEN)
    with pytest.raises(LinkError):
        old.read(token_of(new.make(Kind.OPEN, ABOUT, NOW_MS)), NOW_MS, Kind.OPEN)


def test_a_short_secret_is_refused():
    with pytest.raises(OrchestratorError):
        Links("https://shop.example", ("short",))


def test_only_the_link_to_leave_by_holds_the_hash_of_where_it_was_sent():
    links = Links("https://shop.example", (SECRET,), {"ana@example.com": "ef" * 16}.__getitem__)
    about = About("ab" * 16, "cd" * 16, "email", "marketing", "es", "ana@example.com")
    found = {kind: links.read(token_of(links.make(kind, about, NOW_MS)), NOW_MS, kind).address for kind in Kind}
    assert found == {**dict.fromkeys(Kind, b""), Kind.UNSUBSCRIBE: b"\xef" * 16}


def test_a_link_of_a_release_that_knew_no_hashes_is_read():
    links = Links("https://shop.example", (SECRET,))
    content = _as_base64(
        msgspec.msgpack.encode(["click", NOW_MS // 1000 + 9, b"hp", b"ha", "email", "", "es", "https://a"])
    )
    token = links.read(links._signer.sign(content).decode(), NOW_MS, Kind.CLICK)
    assert (token.detail, token.address) == ("https://a", b"")
