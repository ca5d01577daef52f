"""Segments as authors write them: what is wrong with a file of them, and what a journey may say of them."""

import pytest

JOURNEY = """\
journey: hello
version: 1
purpose: service
enter: {segment: vip}
exit: [{segment_left: vip}]
steps:
  - {id: greet, send: welcome}
"""


def problems_of(found, segments: str, journey: str = JOURNEY) -> list[str]:
    return [
        f"{each.file}:{each.line}:{each.column} {each.code}" for each in found(journey, **{"segments.yaml": segments})
    ]


def test_the_shape_of_every_segment_is_checked(found):
    assert problems_of(found, "vip: {iff: profile.tier == 'gold'}\nBest Ones: {if: 1}\n") == [
        "segments.yaml:1:6 E201",
        "segments.yaml:1:7 E202",
        "segments.yaml:2:1 E206",
    ]


def test_a_sound_one_is_fine(found):
    assert problems_of(found, "vip: {if: \"count('bought', within='30d') > 2\", describe: The best}\n") == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("total > 3", "segments.yaml:1:11 E405"),
        ("entry.total > 3", "segments.yaml:1:11 E406"),
        ("in_segment('vp')", "segments.yaml:1:22 E330"),
        ("days_since(profile.since)", "segments.yaml:1:11 E412"),
    ],
)
def test_a_condition_is_about_the_customer_and_knows_its_moments(found, condition, expected):
    assert problems_of(found, f"vip: {{if: {condition}}}\n") == [expected]


def test_a_segment_that_asks_for_itself_is_told_by_which_way(found):
    segments = "vip: {if: in_segment('good')}\ngood: {if: in_segment('new')}\nnew: {if: not in_segment('vip')}\n"
    problems = found(JOURNEY, **{"segments.yaml": segments})
    assert [f"{each.line}:{each.column} {each.code} {each.message}" for each in problems] == [
        "1:11 E331 this segment asks for itself: vip -> good -> new -> vip"
    ]


def test_a_segment_that_is_not_there_is_named_with_the_nearest_that_is(found):
    problems = found(JOURNEY, **{"segments.yaml": "vips: {if: profile.tier == 'gold'}\n"})
    assert [(each.file, each.line, each.column, each.code, each.fix) for each in problems] == [
        ("hello.journey.yaml", 4, 18, "E330", "vips"),
        ("hello.journey.yaml", 5, 23, "E330", "vips"),
    ]


def test_a_file_that_cannot_be_read_makes_no_segment_missing(found):
    assert problems_of(found, "vip: [") == ["segments.yaml:1:7 E101"]
    assert problems_of(found, "- vip") == ["segments.yaml:1:1 E203"]


def test_a_condition_without_its_map_is_told_one_that_can_be_read(found, compiled):
    written = 'vip: count("bought", within="30d") >= 2\n'
    (problem,) = found(JOURNEY, **{"segments.yaml": written})
    assert problem.code == "E203"
    assert compiled(JOURNEY, **{"segments.yaml": f"vip: {problem.fix}\n"}).catalog.project.segments.keys() == {"vip"}


def test_segments_stand_behind_those_that_they_ask_for(compiled):
    segments = "vip: {if: in_segment('good')}\ngood: {if: profile.points > 3}\n"
    loaded = compiled(JOURNEY, **{"segments.yaml": segments})
    assert list(loaded.catalog.project.segments) == ["good", "vip"]


def test_another_condition_makes_it_another_segment(compiled):
    def key_of(condition: str) -> str:
        loaded = compiled(JOURNEY, **{"segments.yaml": f"vip: {{if: {condition}}}\n"})
        return loaded.catalog.project.segments["vip"].key

    assert key_of("profile.points > 3") == key_of("profile.points > 3") != key_of("profile.points > 4")


def test_only_what_somebody_counts_is_kept_and_no_longer_than_the_longest_window(compiled):
    steps = """\
journey: hello
version: 1
purpose: service
exit: [{segment: vip}]
enter: {event: came, where: "count('came', within='2d') > 1"}
steps:
  - {id: greet, choose: [{if: "count('came', within='30d') > 1", then: [{id: hi, send: welcome}]}]}
"""
    loaded = compiled(steps, **{"segments.yaml": "vip: {if: \"count('bought', within='1h') > 2\"}\n"})
    assert dict(loaded.catalog.audiences.asked.counts) == {"came": 30 * 86_400_000, "bought": 3_600_000}
    assert {"came", "bought"} <= loaded.catalog.wanted
    assert "viewed" not in loaded.catalog.wanted


SEGMENTS = "vip: {if: in_segment(\"good\")}\ngood: {if: \"count('came', within='2d') > 1\"}\nnew: {if: profile.fresh}\n"


@pytest.mark.parametrize(
    ("enter", "expected"),
    [
        ("{segment: vip}", ["good", "vip"]),
        ("{segment_left: good}", ["good"]),
        ("{event: x, where: in_segment('new')}", ["new"]),
        ("{schedule: {every: day, at: '09:00', segment: new}}", ["new"]),
        ("{event: segment_entered, where: segment == 'new'}", ["good", "vip", "new"]),
        ("{event: x}", []),
    ],
)
def test_only_segments_that_somebody_asks_for_are_worked_out(compiled, enter, expected):
    steps = "steps:\n  - {id: greet, send: welcome}\n"
    text = f"journey: hello\nversion: 1\npurpose: service\nstatus: live\nenter: {enter}\n{steps}"
    audiences = compiled(text, **{"segments.yaml": SEGMENTS}).catalog.audiences
    assert [segment.name for segment in audiences.segments] == expected if expected else audiences is None
    assert not expected or ("came" in audiences.hears) == ("good" in expected)


def test_a_project_that_asks_for_nothing_of_it_has_no_audiences(compiled):
    loaded = compiled(
        JOURNEY.replace("enter: {segment: vip}", "enter: {event: x}").replace("exit: [{segment_left: vip}]\n", "")
    )
    assert loaded.catalog.audiences is None
