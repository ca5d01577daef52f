"""Identifiers: one way to write each, values that name nobody, and names."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.model import ids
from orchestrator.model.identity import Identifier, Identity, Unnamed, compared, kept_form

SPAIN = Identity(kinds=("customer_id", "email", "phone", "cookie"), region="ES")


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("email", "  Ana@Example.COM ", "ana@example.com"),
        ("email", "a.na@example.com", "a.na@example.com"),
        ("email", "ana", None),
        ("email", "@example.com", None),
        ("email", "an a@example.com", None),
        ("email", "STRAßE@example.de", "straße@example.de"),
        ("email", "ana@STRAßE.de", "ana@straße.de"),
        ("email", "ana@xn--BCHER-kva.de", "ana@bücher.de"),
        ("email", "ana@bu\u0308cher.de", "ana@bücher.de"),
        ("email", "jose\u0301@example.com", "josé@example.com"),
        ("email", "ana@xn--zzzzz99999.de", "ana@xn--zzzzz99999.de"),
        ("email", "\ufeffana@example.com\u200b ", "ana@example.com"),
        ("email", "an\na@example.com", None),
        ("email", "an\u00a0a@example.com", None),
        ("email", "an\x00a@example.com", None),
        ("phone", "600 11 22 33", "+34600112233"),
        ("phone", "600 11 22 33 ext. 5", None),
        ("phone", "+34600112233;ext=5", None),
        ("phone", "+34 600-112-233", "+34600112233"),
        ("phone", "0034600112233", "+34600112233"),
        ("phone", "+1 202 555 0142", "+12025550142"),
        ("phone", "12", None),
        ("phone", "unknown", None),
        ("cookie", " AbC ", " AbC "),
        ("cookie", "", None),
        ("cookie", "x" * 513, None),
    ],
)
def test_a_value_is_written_one_way(kind, value, kept):
    assert kept_form(kind, value, "ES") == kept


def test_without_a_region_a_local_number_is_its_digits():
    assert kept_form("phone", "600 11-22-33", None) == "600112233"
    assert kept_form("phone", "٦٠٠ ١١٢ ٢٣٣", None) == "600112233"


@pytest.mark.parametrize("value", ["12", "ana 123456", "600112233 ext 5", "600112233 or 600112234", "+999123456"])
def test_without_a_region_what_is_more_or_less_than_digits_is_no_number(value):
    assert kept_form("phone", value, None) is None


def test_a_number_without_its_area_is_nobodys():
    assert kept_form("phone", "555-1234", "US") is None
    assert kept_form("phone", "(202) 555-0142", "US") == "+12025550142"


@given(st.text(max_size=30), st.sampled_from(["email", "phone", "cookie"]), st.sampled_from([None, "ES", "US"]))
@settings(max_examples=60)
@example("ana@\u0130.de", "email", None)
@example("\u200b \ufeffana@a.de", "email", None)
def test_what_is_kept_is_written_as_it_is_kept(value, kind, region):
    kept = kept_form(kind, value, region)
    assert kept is None or kept_form(kind, kept, region) == kept


def test_dots_count_unless_the_project_says_otherwise():
    lax = Identity(kinds=("email",), ignores_dots=True)
    assert SPAIN.read("email", "a.na@x.example").name != SPAIN.read("email", "ana@x.example").name
    assert lax.read("email", "a.na@x.example").name == lax.read("email", "ana@x.example").name
    assert lax.read("email", "a.na@x.example").value == "a.na@x.example"


def test_a_value_that_names_nobody_says_why():
    never = {"email": frozenset({"", "null", "test@example.com"}), "cookie": frozenset({"null"})}
    rules = Identity(kinds=("email", "cookie"), never=never)
    read = [
        rules.read("email", "TEST@example.com"),
        rules.read("email", "NULL"),
        rules.read("email", "x"),
        rules.read("cookie", "null"),
    ]
    assert read == [
        Unnamed("email", "never"),
        Unnamed("email", "never"),
        Unnamed("email", "unusable"),
        Unnamed("cookie", "never"),
    ]


def test_where_dots_do_not_count_a_value_that_names_nobody_has_none_either():
    never = {"email": frozenset(compared("email", "Shop.Test@x.example", None, ignores_dots=True))}
    lax = Identity(kinds=("email",), never=never, ignores_dots=True)
    for written in ("shop.test@x.example", "shoptest@x.example", "s.h.o.p.test@X.example"):
        assert lax.read("email", written) == Unnamed("email", "never")
    assert isinstance(lax.read("email", "shop.tests@x.example"), Identifier)


def test_identifiers_come_strongest_first_and_a_previous_id_is_one_more_anonymous_id():
    rules = Identity(kinds=("customer_id", "email", "anonymous_id"))
    read = rules.read_all("ana", {"previous_id": "b", "anonymous_id": "a", "session": "s", "email": "Ana@x.example"})
    assert [(each.kind, each.value) for each in read if isinstance(each, Identifier)] == [
        ("customer_id", "ana"),
        ("email", "ana@x.example"),
        ("anonymous_id", "b"),
        ("anonymous_id", "a"),
        ("session", "s"),
    ]
    assert read[0].name == ids.profile_id_of("customer_id", "ana")


def test_a_profile_is_known_by_all_that_it_keeps():
    names = SPAIN.names_of("ana", {"email": ["a@x.example", "b@x.example"]})
    assert names == {
        ids.profile_id_of("customer_id", "ana"): "customer_id",
        ids.profile_id_of("email", "a@x.example"): "email",
        ids.profile_id_of("email", "b@x.example"): "email",
    }


@pytest.mark.parametrize(
    ("rules", "is_direct"),
    [
        (Identity(), True),
        (Identity(kinds=("customer_id", "email")), True),
        (Identity(kinds=("email", "customer_id")), False),
        (Identity(limits={"customer_id": 2}), False),
        (Identity(never={"customer_id": frozenset({"null"})}), False),
    ],
)
def test_a_customer_id_leads_to_its_own_profile_unless_something_stronger_or_a_second_one_may(rules, is_direct):
    assert rules.is_direct is is_direct
