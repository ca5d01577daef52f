"""Comparisons as Markdown, whatever customers are called."""

import pytest

from orchestrator.views.comparisons import Line, Row, as_markdown, as_table

ROWS = [Row("cart/remind", 855, 881, 30, 4, 12), Row("all", 855, 881, 30, 4, 12)]


def test_a_table_has_a_column_for_each_count():
    assert as_table(ROWS) == [
        "step         before  after  more  less  else",
        "cart/remind     855    881    30     4    12",
        "all             855    881    30     4    12",
    ]


def test_markdown_folds_the_customers_away_and_says_how_many_are_left_out():
    told = as_markdown("new against old", ROWS, [Line("ana", "+", "hello by email")], 1_200)
    assert told == [
        "### new against old",
        "",
        "| step | before | after | more | less | else |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| `cart/remind` | 855 | 881 | 30 | 4 | 12 |",
        "| `all` | 855 | 881 | 30 | 4 | 12 |",
        "",
        "<details><summary>Customer by customer</summary>",
        "",
        "- `ana` + hello by email",
        "- and 1,200 customers more",
        "",
        "</details>",
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ana|<b>@x", "`ana|<b>@x`"),
        ("a`b", "`` a`b ``"),
        ("``", "``` `` ```"),
        ("two\nlines\n- [x](y)", "`two lines - [x](y)`"),
    ],
)
def test_a_customer_is_code_and_never_markup(name, written):
    assert f"- {written} + hello" in as_markdown("t", ROWS, [Line(name, "+", "hello")], 0)
