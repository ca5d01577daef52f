"""Catalogs: tables beside the project, what messages look up in them, and what is wrong with a broken one."""

import pytest

from orchestrator.model.project import Table

PROJECT = """\
project: shop
channels: {email: {address: profile.email}}
purposes: {service: {consent: none}}
catalogs: {products: {file: products.csv, key: sku}}
"""
PRODUCTS = "sku,title\nLM-07,Lamp\nTZ-02,Cups\n"
MESSAGE = 'message: welcome\nemail: {{subject: Hi, text: "{}"}}\n'


def test_a_catalog_is_a_table_by_its_key(compiled, sound):
    loaded = compiled(sound["hello.journey.yaml"], **{"orchestrator.yaml": PROJECT, "products.csv": PRODUCTS})
    rows = {"LM-07": {"sku": "LM-07", "title": "Lamp"}, "TZ-02": {"sku": "TZ-02", "title": "Cups"}}
    assert loaded.catalog.project.tables == {"products": Table("sku", rows, ("sku", "title"))}
    # It is published with the project, so that workers read the same.
    assert loaded.sources["products.csv"] == PRODUCTS


@pytest.mark.parametrize(
    ("products", "place"),
    [
        ("id,title\nLM-07,Lamp\n", "4:48 E322"),
        ("", "4:48 E322"),
        (PRODUCTS + "LM-07,Other\n", "4:29 E322"),
        (PRODUCTS + "TZ-03," + "x" * 200_000, "4:29 E322"),
    ],
)
def test_a_broken_table_is_the_authors_to_mend(found, products, place):
    problems = found(**{"orchestrator.yaml": PROJECT, "products.csv": products})
    assert [f"{each.line}:{each.column} {each.code}" for each in problems if not each.is_warning] == [place]


@pytest.mark.parametrize("products", [PRODUCTS.replace(",", sign) for sign in ";\t|"])
def test_a_table_without_commas_is_told_to_have_them(found, products):
    problems = found(**{"orchestrator.yaml": PROJECT, "products.csv": products})
    told = [f"{each.code} {each.fix}" for each in problems if not each.is_warning]
    assert told == ["E322 commas between the columns: sku,title"]


def test_spaces_around_the_names_of_columns_are_none_of_theirs(compiled, sound):
    files = {"orchestrator.yaml": PROJECT, "products.csv": PRODUCTS.replace("sku,title", "sku , title")}
    loaded = compiled(sound["hello.journey.yaml"], **files)
    assert loaded.catalog.project.tables["products"].columns == ("sku", "title")


AS_JSON = PROJECT.replace("products.csv", "products.json")


def test_a_catalog_may_be_a_list_of_maps(compiled, sound):
    products = '[{"sku": "LM-07", "title": "Lamp", "price": 19.90}, {"sku": 7, "new": true, "title": null}, {}]'
    loaded = compiled(sound["hello.journey.yaml"], **{"orchestrator.yaml": AS_JSON, "products.json": products})
    rows = {
        "LM-07": {"sku": "LM-07", "title": "Lamp", "price": "19.90"},
        "7": {"sku": "7", "new": "true", "title": ""},
    }
    assert loaded.catalog.project.tables == {"products": Table("sku", rows, ("sku", "title", "price", "new"))}


@pytest.mark.parametrize(
    ("products", "place"),
    [
        ('[{"sku": "LM-07",}]', "products.json:1:18 E322"),
        ('{"LM-07": {"title": "Lamp"}}', "products.json:1:1 E322"),
        ('[["LM-07"]]', "products.json:1:1 E322"),
        ('[{"sku": ["LM-07"]}]', "products.json:1:1 E322"),
        ("[" * 100_000, "products.json:1:1 E322"),
        ('[{"id": "LM-07"}]', "orchestrator.yaml:4:49 E322"),
        ('[{"sku": 7}, {"sku": "7"}]', "orchestrator.yaml:4:29 E322"),
        ("", "products.json:1:1 E322"),
    ],
)
def test_a_broken_list_is_the_authors_to_mend(found, products, place):
    problems = found(**{"orchestrator.yaml": AS_JSON, "products.json": products})
    assert [f"{each.file}:{each.line}:{each.column} {each.code}" for each in problems if not each.is_warning] == [place]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ entry.sku | lookup: 'products', 'title' }}", []),
        ("{{ entry.sku | lookup: 'product', 'title' }}", ["E506 there is no catalog product; write: products"]),
        (
            "{{ entry.sku | lookup: 'products' }}",
            ["E501 `lookup` needs the catalog and the column; write: lookup: 'products', 'title'"],
        ),
        (
            "{{ entry.sku | lookup: 'products', 'titel' }}",
            ["E506 the catalog products has no column titel; write: title"],
        ),
    ],
)
def test_a_template_looks_up_only_what_there_is(found, text, expected):
    files = {
        "orchestrator.yaml": PROJECT,
        "products.csv": PRODUCTS,
        "messages/welcome.message.yaml": MESSAGE.format(text),
    }
    told = [str(each).partition(": ")[2] for each in found(**files) if not each.is_warning]
    assert told == expected
