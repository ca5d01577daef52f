"""What cannot be written in an expression: the code, and the very character it is about.

Each text holds a § before that character. Must never look at where the expression stands in a file.
"""

from dataclasses import replace

import pytest

from orchestrator.language.expressions import Mistake, Surroundings, compile_text

AROUND = Surroundings(
    steps={"settle": "wait", "remind": "send", "pause": "wait_until", "gone": "lost"},
    channels=frozenset({"email"}),
    purposes=frozenset({"marketing"}),
    segments=frozenset({"vip"}),
)


def mistake_of(text: str, around: Surroundings) -> Mistake:
    with pytest.raises(Mistake) as caught:
        compile_text(text, around)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("marked", "code"),
    [
        ("total §= 3", "E401"),
        ("total §=== 3", "E401"),
        ("total §<> 3", "E401"),
        ("count('x', §within=30d) > 1", "E401"),
        ("a §&& b", "E401"),
        ("a §|| b", "E401"),
        ("§!a", "E401"),
        ("a §AND b", "E401"),
        ("total > 3 §# big", "E401"),
        ("a§) or (b", "E401"),
        ("§((a", "E401"),
        ("a or §", "E401"),
        ("§a b", "E401"),
        ("x == §'abc", "E401"),
        ("§a\x00", "E401"),
        ("total >= §1,000", "E402"),
        ("total >= §30,50", "E402"),
        ("total §is greater than 30", "E401"),
        ("total>§1,050.50 and a", "E402"),
        ("a == §None", "E411"),
        ("§None", "E411"),
        ("a == §true", "E402"),
        ("a == §null", "E402"),
        ("a == §1j", "E402"),
        ("a == §b'x'", "E402"),
        ("a == §...", "E402"),
        ("a == §99999999999999999999", "E402"),
        ("a == §'\\ud800'", "E402"),
        ("§a is True", "E402"),
        ("§~a", "E402"),
        ("§a % 2", "E402"),
        ("§a // 2", "E402"),
        ("§a ** 2", "E402"),
        ("§a[0]", "E402"),
        ("§a[0].b", "E402"),
        ("§b if a else c", "E402"),
        ("§lambda: a", "E402"),
        ("§{'a': 1}", "E402"),
        ("§{1, 2}", "E402"),
        ("§f'{a}'", "E402"),
        ("§[x for x in a]", "E402"),
        ("§a, b", "E402"),
        ("[§*a]", "E402"),
        ("§a.b()", "E402"),
        ("§'a'.b", "E402"),
        ("§(a).b == 1", None),
        ("a == §open('x')", "E403"),
        ("§lenght(a)", "E403"),
        ("§exists()", "E404"),
        ("§exists(a, b)", "E404"),
        ("§lower(x=a)", "E404"),
        ("event.§total", "E407"),
        ("event.§propertys.total", "E407"),
        ("event.type.§x", "E407"),
        ("§event", "E407"),
        ("§profile == 1", "E407"),
        ("now.§x", "E407"),
        ("profile.§last_seen", "E407"),
        ("profile.§last_seen.a.b", "E407"),
        ("steps.settle.event.§total", "E407"),
        ("steps.settle.event.type.§x", "E407"),
        ("steps.settle.events.§x", "E407"),
        ("steps.§settled.event", "E408"),
        ("steps.§settle", "E409"),
        ("steps.§pause", "E409"),
        ("steps.pause.§event", "E409"),
        ("steps.remind.§state", "E409"),
        ("§" + "a" * 2001, "E410"),
        ("consents(§'fax', 'marketing')", "E305"),
        ("consents('email', §'news')", "E306"),
        ("§count('x')", "E404"),
        ("§count('x', '3d')", "E404"),
        ("§count('x', within='3d', since='1d')", "E404"),
        ("count(§x, within='3d')", "E413"),
        ("count(§' ', within='3d')", "E413"),
        ("count('x', within=§'3 days')", "E413"),
        ("count('x', within=§'0s')", "E413"),
        ("count('x', within=§30)", "E413"),
        ("in_segment(§'vp')", "E330"),
        ("in_segment(§tier)", "E413"),
        ("a == 'ñ' and §f(b)", "E403"),
        ("a\n  == §f(b)", "E403"),
    ],
)
def test_a_mistake_is_found_where_it_is(marked, code):
    text = marked.replace("§", "")
    if code is None:
        compile_text(text, AROUND.where())
        return
    mistake = mistake_of(text, AROUND.where())
    assert (mistake.code, mistake.offset) == (code, min(marked.index("§"), len(text.rstrip()) - 1))


@pytest.mark.parametrize(
    ("marked", "code"),
    [
        ("§days_since(profile.since)", "E412"),
        ("§hours_since(profile.since) * 2 > 3", "E412"),
        ("§days_since(profile.since) in [1, 2]", "E412"),
        ("days_since(profile.since) > §days_since(profile.until)", "E412"),
        ("days_since(§now) > 3", "E412"),
        ("length(§now) > 3", "E412"),
        ("lower(§profile.recency) == 'x'", "E412"),
        ("days_since(profile.since) > profile.cycle * 2 and profile.recency <= 30", None),
        ("now >= '2026-03-01' and 1 < hours_since(profile.since) < 5", None),
        ("profile.frequency + count('x', within='1d') * 2 > 3", None),
    ],
)
def test_a_segment_must_know_at_which_moment_time_changes_it(marked, code):
    around = replace(AROUND.limited_to("profile", "now").watched(), has_purchases=True)
    text = marked.replace("§", "")
    if code is None:
        assert compile_text(text, around).expression.moments
    else:
        mistake = mistake_of(text, around)
        assert (mistake.code, mistake.offset) == (code, marked.index("§"))


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        # YAML takes the quotes away from what is quoted as a whole, and only from that.
        ("gold", "E405", "\"'gold'\", or entry.gold, or profile.gold"),
        ("profile.tier == gold", "E405", "'gold', or entry.gold, or profile.gold"),
        ("profil.tier", "E405", "profile.tier"),
        ("total > 3", "E405", "'total', or entry.total, or profile.total"),
    ],
)
def test_a_bare_name_means_nothing_outside_of_a_where(text, code, fix):
    mistake = mistake_of(text, AROUND)
    assert (mistake.code, mistake.fix) == (code, fix)


@pytest.mark.parametrize(
    ("marked", "fix"),
    [
        ("§2026-12-24", "\"'2026-12-24'\""),
        ("§2026-12-24T09:30:00+01:00", "\"'2026-12-24T09:30:00+01:00'\""),
        ("profile.birthday < §2026-08-09", "'2026-08-09'"),
        ("profile.birthday < §9/8/2026", "the year first, in quotes: '2026-MM-DD'"),
        ("§{{ entry.total }}", "entry.total"),
        ("§{{ entry.total }} > 3", "entry.total"),
        ("entry.total > 3 and entry.city == §{{ profile.city }}", "profile.city"),
    ],
)
def test_a_date_and_a_template_are_refused_rather_than_reckoned_with(marked, fix):
    mistake = mistake_of(marked.replace("§", ""), AROUND)
    assert (mistake.code, mistake.offset, mistake.fix) == ("E402", marked.index("§"), fix)


def test_a_date_inside_of_a_text_and_a_plain_subtraction_are_let_pass():
    for text in ("profile.since > '2026-12-24'", "profile.total - 2026 - 12", "profile.total/12/2026"):
        compile_text(text, AROUND)


@pytest.mark.parametrize(
    ("text", "fix"), [("entry.total", "total"), ("steps.settle.event", "profile.NAME"), ("event.type", "profile.NAME")]
)
def test_a_namespace_means_nothing_where_it_cannot_be_known(text, fix):
    here = AROUND.limited_to("profile", "now").where()
    mistake = mistake_of(text, here)
    assert (mistake.code, mistake.offset, mistake.fix) == ("E406", 0, fix)


def test_what_is_said_of_a_step_that_was_too_broken_to_keep_is_let_pass():
    compile_text("steps.gone.anything == 1", AROUND)


def test_a_number_with_its_thousands_grouped_is_told_as_one():
    assert mistake_of("total >= 1,050.50", AROUND.where()).fix == "1050.50"
    assert mistake_of("total > 1,000,000", AROUND.where()).fix == "1000000"
    assert mistake_of("total > 30,50 and sku == 'a'", AROUND.where()).fix == "30.50"
    compile_text("total in [100,200] or note == '> 1,000'", AROUND.where())


@pytest.mark.parametrize(
    ("marked", "fix"),
    [
        ("total §=> 30", ">="),
        ("total §≥ 30", ">="),
        ("total§≤30 and paid", "<="),
        ("country §≠ 'ES'", "!="),
        ("total §=< 30", "<="),
        ("name §contains 'x'", "contains(name, 'text')"),
        ("name §starts with 'x'", "starts_with(name, 'text')"),
        ("total §between 3 and 5", "30 <= total <= 50"),
        ("§exists total", "exists(name)"),
        ("discount > 10§%", "the number alone"),
        ("total >= 30§€", "the number alone"),
        ("total >= §$30", "the number alone"),
        ("§$total >= 30", "the name alone"),
        ("country == §'ES", "close the quote"),
        ("total§\u00a0>= 30", "an ordinary space, or nothing"),
        ("to§\u200btal >= 30", "an ordinary space, or nothing"),
        ("§name.lower() == 'x'", "lower(name)"),
        ("§name.startswith('x')", "starts_with(name, 'x')"),
        ("§items[0].sku == 'x'", "a dot and a name, such as address.city"),
    ],
)
def test_what_other_languages_taught_an_author_is_told_in_ours(marked, fix):
    mistake = mistake_of(marked.replace("§", ""), AROUND.where())
    assert (mistake.offset, mistake.fix) == (marked.index("§"), fix)


@pytest.mark.parametrize(
    ("text", "around", "fix"),
    [
        ("user.name == 'Ana'", AROUND, "profile.name"),
        ("total", AROUND.at_event(), "\"'total'\", or event.properties.total, or entry.total, or profile.total"),
    ],
)
def test_a_bare_name_is_led_to_where_its_value_is(text, around, fix):
    assert mistake_of(text, around).fix == fix


@pytest.mark.parametrize(
    ("marked", "fix"),
    [
        ("§Order Id == 4", "order_id"),
        ("total > 3 and §Order Id == 4", "order_id"),
        ("§properties['Order Id'] == 4", "properties.order_id"),
        ("§event.properties['Order Id'] == 4", "event.properties.order_id"),
    ],
)
def test_a_property_whose_name_holds_a_space_cannot_be_asked_for_and_the_way_out_is_told(marked, fix):
    mistake = mistake_of(marked.replace("§", ""), AROUND.at_event())
    assert mistake.fix == f"{fix}, and have the event sent with its property called so"
    assert mistake.offset == marked.index("§")


@pytest.mark.parametrize(
    ("marked", "code", "fix"),
    [
        ("country == §ES", "W404", "'ES', or event.properties.ES"),
        ("lower(address.country) != §es", "W404", "'es', or event.properties.es"),
        ("vip == §yes", "W404", "'yes', or True"),
        ("profile.country == §ES", "W404", "'ES', or event.properties.ES"),
        ("profile.currency in ['EUR', §USD]", "W404", "'USD', or event.properties.USD"),
        ("profile.size == size", None, None),
        ("sku == entry.sku", None, None),
        ("price < old_price", None, None),
        ("price == event.properties.old_price", None, None),
        ("total - discount == paid", None, None),
        ("§now - profile.born > 3", "W405", "days_since(profile.born)"),
        ("3 + §now > 3", "W405", "days_since(...) or hours_since(...)"),
        ("now > profile.born", None, None),
        ("country == 'ES' or §'PT'", "W408", "country in ['ES', 'PT']"),
        ("country == 'ES' or §'PT' or 'FR' or total > 3", "W408", "country in ['ES', 'PT', 'FR']"),
        ("lower(address.country) != 'es' and §'pt'", "W408", "lower(address.country) not in ['es', 'pt']"),
        ("total > 30 or §50", "W408", "a comparison of its own"),
        ("total == 1 or §-1", "W408", "total in [1, -1]"),
        ("§'Order Id' == 4", "W411", "order_id, and have the event sent with its property called so"),
        ("total > 3 and §'country' in ['ES', 'PT']", "W411", "country"),
        ("§1 == 1", "W411", "a name without quotes, such as total"),
        ("'ES' in [event.properties.country]", None, None),
        ("total == 1 or False", None, None),
        ("country or 'ES'", None, None),
        ("total > 3 or country", None, None),
        ("exists(§'total')", "W411", "exists(total)"),
        ("total > 3 and not exists(§'address.city')", "W411", "exists(address.city)"),
        ("exists(§'two words')", "W411", "exists(NAME)"),
        ("exists(total)", None, None),
        ("§'abc'", "W411", "a comparison"),
        ("§0", "W411", "a comparison"),
        ("§yes", "W404", "True, or event.properties.yes"),
        ("True", None, None),
    ],
)
def test_what_reads_well_and_is_hardly_meant_is_doubted(marked, code, fix):
    doubts = compile_text(marked.replace("§", ""), AROUND.where()).doubts
    found = [(doubt.code, doubt.offset, doubt.fix) for doubt in doubts]
    assert found == ([] if code is None else [(code, marked.index("§"), fix)])
