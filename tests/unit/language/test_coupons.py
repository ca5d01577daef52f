"""Coupons: the codes of a project, what is wrong with a broken file of them, and which a template may name."""

import pytest

PROJECT = """\
project: shop
channels: {email: {address: profile.email}}
purposes: {service: {consent: none}}
coupons: {cart10: {codes: codes.txt}, vip: {codes: vip.csv}}
"""
FILES = {
    "orchestrator.yaml": PROJECT,
    "codes.txt": "AB-1\r\n\n  AB-2 \nAB-3",
    "vip.csv": "valid_until,code\n2026-12-31,V-1\n,V-2\n2027-01-31,\n",
}
MESSAGE = 'message: welcome\nemail: {{subject: Hi, text: "{}"}}\n'


def test_a_file_holds_one_code_a_line_or_is_a_table_with_a_column_of_codes(compiled, sound):
    loaded = compiled(sound["hello.journey.yaml"], **FILES)
    assert loaded.catalog.project.coupons == {"cart10": ("AB-1", "AB-2", "AB-3"), "vip": ("V-1", "V-2")}
    # They are published with the project, so that whoever delivers reads the same.
    assert loaded.sources["codes.txt"] == FILES["codes.txt"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"codes.txt": None}, ["orchestrator.yaml:4:27 E310"]),
        ({"codes.txt": "\n \n"}, ["orchestrator.yaml:4:27 E324"]),
        ({"vip.csv": "code\n"}, ["orchestrator.yaml:4:52 E324"]),
        ({"vip.csv": "codes\nV-1\n"}, ["vip.csv:1:1 E324"]),
        ({"vip.csv": 'code\nV-1\n"' + "x" * 200_000 + '"\n'}, ["vip.csv:3:1 E324"]),
        ({"vip.csv": ""}, ["vip.csv:1:1 E324"]),
        ({"codes.txt": "AB-1\nAB-2\n AB-1\n"}, ["codes.txt:3:2 E325"]),
        ({"codes.txt": "AB-1\nV-2\n"}, ["vip.csv:3:2 E325"]),
        ({"vip.csv": "code,note\nV-1,\"a\nb\"\nV-1,c\n"}, ["vip.csv:4:1 E325"]),
        ({"codes.txt": f"AB-1\n{'x' * 65}\n"}, ["codes.txt:2:1 E326"]),
        ({"codes.txt": "AB 1\nAB\t2\n"}, ["codes.txt:1:1 E326", "codes.txt:2:1 E326"]),
    ],
)  # fmt: skip
def test_a_broken_file_of_codes_is_the_authors_to_mend(found, sound, files, told):
    problems = found(**{name: text for name, text in {**FILES, **files}.items() if text is not None})
    assert [f"{each.file}:{each.line}:{each.column} {each.code}" for each in problems if not each.is_warning] == told


def test_a_table_of_codes_without_commas_is_told_to_have_them(found):
    problems = found(**{**FILES, "vip.csv": "code;note\nV-1;x\n"})
    told = [f"{each.code} {each.fix}" for each in problems if not each.is_warning]
    assert told == ["E324 commas between the columns: code,note"]


def test_a_file_that_is_wrong_in_every_line_says_so_a_few_times(found):
    assert len([each for each in found(**{**FILES, "codes.txt": "AB-1\n" * 1000}) if each.code == "E325"]) == 20


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ coupon.cart10 }}", []),
        ("{{ coupon.cart1 }}", ["E506 `coupon` has no `cart1`; write: coupon.cart10"]),
        (
            "{{ coupon.birthday }}",
            [
                "E506 `coupon` has no `birthday`; write: coupon.birthday,"
                " with coupons: {birthday: {codes: ...}} in orchestrator.yaml"
            ],
        ),
        ("{{ coupon }}", ["E506 `coupon` alone is no value; write: coupon.NAME"]),
    ],
)
def test_a_template_names_only_coupons_that_there_are(found, text, told):
    problems = found(**{**FILES, "messages/welcome.message.yaml": MESSAGE.format(text)})
    assert [str(each).partition(": ")[2] for each in problems if not each.is_warning] == told


def test_only_messages_have_codes(found):
    project = PROJECT + "teams: {care: {}}\n"
    journey = """\
journey: hello
version: 1
purpose: service
enter: {event: signed_up}
steps:
  - {id: ask, handoff: {to: care, summary: "{{ coupon.cart10 }} {{ entry.sku | lookup: 'products', 'title' }}"}}
"""
    problems = found(journey, **{**FILES, "orchestrator.yaml": project})
    assert [str(each).partition(": ")[2] for each in problems if not each.is_warning] == [
        "E506 only messages have codes (step ask); write: the code in a message",
        "E506 there is no catalog products (step ask); write: catalogs: {products: ...} in orchestrator.yaml",
    ]
