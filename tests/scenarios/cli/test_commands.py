"""Every command on the project that `init` writes: what it prints, for people and for programs."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from providers.names import NameServer

ANSI = "\x1b["
SVG = "{http://www.w3.org/2000/svg}"


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def ran(orchestrator, shop):
    """Run the starter's events, keeping everything there is to keep."""
    ended = orchestrator(
        "run", shop, "--events", shop / "events.jsonl", "--state", shop / "shop.db",
        "--actions", shop / "actions.jsonl", "--decisions", shop / "decisions.jsonl",
        "--until", "2026-03-02T12:00:00Z",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return ended


class TestInit:
    def test_it_writes_a_project_that_validates_and_whose_examples_hold(self, orchestrator, shop):
        validated = orchestrator("validate", shop, "--strict")
        assert (validated.code, validated.out) == (0, "")
        tested = orchestrator("test", shop)
        assert tested.code == 0, tested.out
        assert tested.out.endswith("passed, 0 failed\n")

    def test_it_names_what_it_wrote_and_what_to_do_next(self, orchestrator, tmp_path):
        ended = orchestrator("init", "new")
        written = [tmp_path / line for line in ended.out.splitlines()]
        assert all(path.is_file() for path in written)
        assert tmp_path / "new/orchestrator.yaml" in written
        assert "orchestrator test new" in ended.err

    def test_it_overwrites_nothing(self, orchestrator, shop):
        change(shop / "orchestrator.yaml", "project: shop", "project: mine")
        ended = orchestrator("init", shop)
        assert ended.code == 2
        assert "orchestrator.yaml" in ended.err
        assert "project: mine" in (shop / "orchestrator.yaml").read_text()

    def test_it_works_in_the_folder_itself(self, orchestrator, tmp_path):
        assert orchestrator("init").code == 0
        assert orchestrator("test").code == 0
        assert (tmp_path / "schemas").is_dir()

    def test_the_schemas_that_its_files_name_are_there(self, shop):
        for path in [*shop.rglob("*.yaml")]:
            first = path.read_text(encoding="utf-8").splitlines()[0]
            schema = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
            assert schema, path
            assert json.loads((path.parent / schema[1]).read_text(encoding="utf-8"))["$schema"]


class TestValidate:
    def test_every_mistake_is_a_line_with_its_place(self, orchestrator, shop):
        change(shop / "abandoned-cart.journey.yaml", "  where: total >= 30", "  where: total >=")
        change(shop / "abandoned-cart.journey.yaml", "wait: {for: 1h,", "wait: {for: 1 fortnight,")
        ended = orchestrator("validate", shop)
        assert ended.code == 1
        lines = ended.out.splitlines()
        assert len(lines) == 2
        places = [re.fullmatch(r"(.+):(\d+):(\d+): ([EW]\d+) \S.*", line) for line in lines]
        assert all(places)
        assert [place[1] for place in places] == [f"{shop}/abandoned-cart.journey.yaml"] * 2
        assert [int(place[2]) for place in places] == sorted(int(place[2]) for place in places)
        assert ANSI not in ended.out

    def test_for_a_program(self, orchestrator, shop):
        change(shop / "abandoned-cart.journey.yaml", "status: live", "status: alive")
        ended = orchestrator("validate", shop, "--json")
        found = json.loads(ended.out)
        assert ended.code == 1
        assert found["ok"] is False
        assert found["warnings"] == []
        (error,) = found["errors"]
        assert set(error) == {"file", "line", "column", "code", "message", "step", "fix"}
        assert error["file"] == "abandoned-cart.journey.yaml"
        assert "alive" in error["message"]

    def test_warnings_fail_only_when_asked(self, orchestrator, shop):
        # A step that could be found by its id is given none: inserting another would move it.
        change(shop / "abandoned-cart.journey.yaml", "  - id: settle\n    wait: {", "  - wait: {")
        change(shop / "abandoned-cart.journey.yaml", "examples:", "meta: {}\nexamples:")
        for name in ("cart-reminder",):
            path = shop / f"messages/{name}.message.yaml"
            path.write_text(path.read_text().replace("steps.settle", "steps.wait_1"), encoding="utf-8")
        lax = orchestrator("validate", shop)
        strict = orchestrator("validate", shop, "--strict")
        assert (lax.code, strict.code) == (0, 1), lax.out + lax.err
        assert lax.out == strict.out
        assert re.search(r": W\d+ ", lax.out)


class TestTest:
    def test_a_failing_example_shows_the_timeline_with_the_first_difference_marked(self, orchestrator, shop):
        change(shop / "abandoned-cart.journey.yaml", 'at: "2026-01-05T11:30"', 'at: "2026-01-05T11:00"')
        ended = orchestrator("test", shop)
        assert ended.code == 1
        assert 'at should be "2026-01-05T11:00" and is "2026-01-05T11:30"' in ended.out
        told = next(line for line in ended.out.splitlines() if line.startswith("FAIL"))
        example = (
            (shop / "abandoned-cart.journey.yaml").read_text().splitlines()[int(re.findall(r":(\d+)\)$", told)[0]) - 1]
        )
        assert example.removeprefix("  - name: ") in told
        marked = [line for line in ended.out.splitlines() if line.strip().startswith(">")]
        assert "Sent cart-reminder" in marked[0]
        assert ended.out.splitlines()[-1] == "3 passed, 1 failed"
        assert ANSI not in ended.out

    def test_a_filter_runs_some(self, orchestrator, shop):
        assert orchestrator("test", shop, "-k", "CONSENT").out.endswith("1 passed, 0 failed\n")
        nothing = orchestrator("test", shop, "-k", "no such thing")
        assert nothing.code == 2
        assert "no such thing" in nothing.err

    def test_junit_has_every_example(self, orchestrator, shop):
        change(shop / "abandoned-cart.journey.yaml", "exit: completed", "exit: bought")
        ended = orchestrator("test", shop, "--junit", shop / "build/examples.xml")
        assert ended.code == 1
        suite = ET.parse(shop / "build/examples.xml").getroot().find("testsuite")  # noqa: S314 - our own file
        assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("abandoned-cart", "4", "1")
        failure = suite.find("testcase/failure")
        assert failure.get("message") == 'exit: expected "bought", found "completed"'
        assert "Sent cart-reminder" in failure.text

    def test_for_a_program(self, orchestrator, shop):
        found = json.loads(orchestrator("test", shop, "--json").out)
        assert (found["ok"], found["passed"], found["failed"]) == (True, 4, 0)
        assert {example["journey"] for example in found["examples"]} == {"abandoned-cart"}

    def test_a_project_with_mistakes_is_not_run(self, orchestrator, shop):
        change(shop / "abandoned-cart.journey.yaml", "status: live", "status: alive")
        ended = orchestrator("test", shop)
        assert ended.code == 2
        assert "abandoned-cart.journey.yaml:" in ended.err


class TestRun:
    def test_actions_are_json_lines_on_standard_output(self, orchestrator, shop):
        ended = orchestrator("run", shop, "--events", shop / "events.jsonl", "--drain")
        assert ended.code == 0, ended.err
        (action,) = [json.loads(line) for line in ended.out.splitlines()]
        assert (action["customer_id"], action["message"], action["to"]) == ("ana", "cart-reminder", "ana@example.com")
        assert "11 events" in ended.err

    def test_what_was_read_before_is_not_read_again_and_that_is_said(self, orchestrator, shop):
        asked = (
            "run",
            shop,
            "--events",
            shop / "events.jsonl",
            "--state",
            shop / "s.db",
            "--actions",
            shop / "a.jsonl",
        )
        assert orchestrator(*asked).err.startswith("11 events (11 applied)")
        assert orchestrator(*asked).err.startswith("no event that was not read before\n0 actions")

    def test_it_reads_a_pipe(self, orchestrator_process, shop):
        events = (shop / "events.jsonl").read_text(encoding="utf-8")
        ended = orchestrator_process("run", shop, "--events", "-", "--drain", "--json", stdin=events)
        assert len(ended.out.splitlines()) == 1
        summary = json.loads(ended.err)
        assert summary["actions"] == {"message": 1}
        assert sum(summary["events"].values()) == 11

    def test_a_file_of_something_else_is_told_what_is_wanted(self, orchestrator, shop):
        (shop / "events.csv").write_text("customer,event\nana,cart_updated\n", encoding="utf-8")
        hint = "none of these is an event: one JSON object on each line is wanted, CSV and JSON arrays are not\n"
        assert orchestrator("run", shop, "--events", shop / "events.csv").err.endswith(hint)
        assert hint not in orchestrator("run", shop, "--events", shop / "events.csv", shop / "events.jsonl").err

    def test_a_name_that_is_nearly_one_that_journeys_ask_for_is_told(self, orchestrator, shop):
        (shop / "other.jsonl").write_text('{"type": "Cart Updated", "customer_id": "ana"}\n')
        ran = orchestrator("run", str(shop), "--events", str(shop / "other.jsonl"))
        assert "events come as 'Cart Updated', and journeys ask for 'cart_updated', another name" in ran.err

    def test_many_files_may_follow_one_option(self, orchestrator, shop):
        lines = (shop / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        for name, part in (("a", lines[::2]), ("b", lines[1::2])):
            (shop / f"{name}.jsonl").write_text("".join(part), encoding="utf-8")
        ended = orchestrator("run", "--events", shop / "a.jsonl", shop / "b.jsonl", "--drain", cwd=shop)
        assert ended.code == 0, ended.err
        assert len(ended.out.splitlines()) == 1

    def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(self, orchestrator, shop):
        with (shop / "events.jsonl").open("a", encoding="utf-8") as events:
            events.write("no json\n")
        ended = orchestrator(
            "run", shop, "--events", shop / "events.jsonl", "--drain", "--dead-letters", shop / "dead.jsonl"
        )
        assert ended.code == 0
        assert "1 dead letter (1 not_json)" in ended.err
        assert json.loads((shop / "dead.jsonl").read_text())["reason"] == "not_json"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "no events"),
            (["--events", "gone.jsonl"], "gone.jsonl"),
            (["--events", "events.jsonl", "--until", "teatime"], "teatime"),
            (["--events", "events.jsonl", "--until", "2026-03-03T00:00:00Z", "--drain"], "exclude each other"),
            (
                ["--events", "events.jsonl", "messages", "schemas"],
                "messages and schemas are folders: one is the project's",
            ),
        ],
    )
    def test_wrong_use_is_one_line_and_2(self, orchestrator, shop, arguments, said):
        ended = orchestrator("run", *arguments, cwd=shop)
        assert ended.code == 2
        assert ended.out == ""
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
    @pytest.mark.parametrize("option", ["--actions", "--decisions"])
    def test_an_output_without_space_is_named(self, orchestrator, shop, option):
        ended = orchestrator("run", shop, "--events", shop / "events.jsonl", option, "/dev/full")
        assert ended.code == 2
        assert ended.err.startswith("error: /dev/full cannot be written: No space left on device; ")


class TestExplain:
    def test_why_a_message_was_sent_and_what_they_wait_for(self, orchestrator, shop, ran):
        ended = orchestrator("explain", "ana", "--state", shop / "shop.db")
        assert ended.code == 0, ended.err
        lines = ended.out.splitlines()
        assert lines[0] == "ana, local times of Europe/Madrid"
        assert any("Mon 2 Mar 2026, 11:20   Sent cart-reminder (marketing) by email" in line for line in lines)
        assert lines[-1] == (
            "  abandoned-cart (c1): waits at answer for message_clicked, until Tue 3 Mar 2026, 11:20 at the latest."
        )
        assert ANSI not in ended.out

    def test_why_another_was_not_sent(self, orchestrator, shop, ran):
        ended = orchestrator("explain", "cleo", "--state", shop / "shop.db")
        assert "Did not send cart-reminder (marketing) by email at remind: they have not consented to it." in ended.out

    def test_a_customer_is_found_by_any_identifier(self, orchestrator, shop, ran):
        assert orchestrator("explain", "email:ben@example.com", "--state", shop / "shop.db").code == 0

    @pytest.mark.parametrize("written", ["phone:600 111 222", "phone:+34600111222", "email:an.a@Example.com"])
    def test_an_identifier_is_read_as_the_project_reads_it(self, orchestrator, shop, written):
        identity = "identity: {identifiers: [customer_id, email, phone], region: ES, dots: ignore}\n"
        (shop / "orchestrator.yaml").write_text((shop / "orchestrator.yaml").read_text() + identity)
        named = {"customer_id": "zoe", "identifiers": {"phone": "600111222", "email": "ana@example.com"}}
        event = {"id": "z1", "type": "cart_updated", "time": 1767607200000, "properties": {"cart_id": "c", "total": 40}}
        (shop / "one.jsonl").write_text(json.dumps({**event, **named}) + "\n")
        orchestrator("run", shop, "--events", shop / "one.jsonl", "--state", shop / "one.db")
        assert orchestrator("explain", written, "--state", shop / "one.db").code == 0

    def test_a_time_zone_that_nobody_knows_is_the_projects(self, orchestrator, shop):
        event = {"id": "z1", "type": "profile_updated", "customer_id": "zoe", "time": 1767607200000}
        said = {**event, "properties": {"timezone": "Mars/Olympus"}}
        (shop / "one.jsonl").write_text(json.dumps(said) + "\n")
        orchestrator("run", shop, "--events", shop / "one.jsonl", "--state", shop / "one.db")
        ended = orchestrator("explain", "zoe", "--state", shop / "one.db")
        assert ended.out.startswith("zoe, local times of Europe/Madrid\n")

    def test_one_journey_only(self, orchestrator, shop, ran):
        text = (shop / "abandoned-cart.journey.yaml").read_text()
        (shop / "other.journey.yaml").write_text(text.replace("journey: abandoned-cart", "journey: other", 1))
        ended = orchestrator("explain", "ana", shop, "--state", shop / "shop.db", "--journey", "other")
        assert ended.code == 0, ended.err
        assert "Nothing has been decided about them in other." in ended.out
        assert "waiting for nothing" in ended.out

    def test_a_journey_that_nothing_knows_is_refused(self, orchestrator, shop, ran):
        ended = orchestrator("explain", "ana", "--state", shop / "shop.db", "--journey", "abandoned_cart")
        said = f"error: no journey 'abandoned_cart' in {shop / 'shop.db'}; did you mean 'abandoned-cart'?\n"
        assert (ended.code, ended.out, ended.err) == (2, "", said)

    def test_a_journey_of_which_decisions_alone_say_nothing_is_doubted(self, orchestrator, shop, ran):
        file = shop / "decisions.jsonl"
        ended = orchestrator("explain", "ana", "--decisions", file, "--journey", "abandoned_cart")
        doubt = f"warning: nothing in {file} is about a journey 'abandoned_cart'; did you mean 'abandoned-cart'?\n"
        assert (ended.code, ended.err) == (0, doubt)
        assert "Nothing has been decided about them in abandoned_cart." in ended.out

    def test_from_a_file_of_decisions(self, orchestrator, shop, ran):
        ended = orchestrator("explain", "ana", shop, "--decisions", shop / "decisions.jsonl")
        assert ended.code == 0, ended.err
        assert "Mon 2 Mar 2026, 11:20   Sent cart-reminder" in ended.out
        assert ended.out.splitlines()[-1].startswith("  abandoned-cart (c1): Waits at answer for an event, until Tue")

    def test_for_a_program(self, orchestrator, shop, ran):
        found = json.loads(orchestrator("explain", "ana", "--state", shop / "shop.db", "--json").out)
        assert (found["customer_id"], found["timezone"]) == ("ana", "Europe/Madrid")
        (sent,) = [decision for decision in found["decisions"] if decision["verdict"] == "sent"]
        assert sent["local_at"] == "2026-03-02T11:20"
        assert sent["sentence"].startswith("Sent cart-reminder")
        (waiting,) = found["waiting"]
        assert (waiting["step"], waiting["events"]) == ("answer", ["message_clicked"])

    def test_of_several_entries_without_a_key_each_line_says_whose_it_is(self, orchestrator, shop):
        (shop / "visits.journey.yaml").write_text(
            "journey: visits\nversion: 1\nstatus: live\nenter: {event: visited, again: always}\n"
            "steps: [{id: pause, wait: 1h}]\n"
        )
        event = {"type": "visited", "customer_id": "zoe"}
        times = ("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z", "2026-03-02T10:15:00Z")
        (shop / "visits.jsonl").write_text("".join(json.dumps({**event, "time": time}) + "\n" for time in times))
        orchestrator("run", shop, "--events", shop / "visits.jsonl", "--state", shop / "visits.db")
        lines = orchestrator("explain", "zoe", "--state", shop / "visits.db", "--journey", "visits").out.splitlines()
        told = [line[26:].strip() for line in lines if line.startswith("  Mon")]
        assert told[2:6] == [
            "Entered visits. [entry 2]",
            "Waits at pause until Mon 2 Mar 2026, 11:30. [entry 2]",
            "Went on from pause: the time was over. [entry 1]",
            "Left visits: all steps are done. [entry 1]",
        ]
        assert lines[-1] == "  visits: waits at pause until Mon 2 Mar 2026, 12:15. [entry 3]"

    def test_an_address_that_bounced_is_named(self, orchestrator, shop):
        event = {"customer_id": "zoe", "time": "2026-03-02T09:00:00Z", "identifiers": {"email": "zoe@example.com"}}
        gone = {"channel": "email", "addresses": ["zoe@example.com"]}
        lines = [{**event, "type": "address_unreachable", "properties": gone}]
        (shop / "gone.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        orchestrator("run", shop, "--events", shop / "gone.jsonl", "--state", shop / "gone.db")
        told = orchestrator("explain", "zoe", "--state", shop / "gone.db")
        assert told.out.splitlines()[-1] == ("  email does not reach zoe@example.com: the address bounced, or is gone.")
        told = orchestrator("explain", "zoe", "--state", shop / "gone.db", "--json")
        assert json.loads(told.out)["unreachable"] == {"email": ["zoe@example.com"]}

    def test_somebody_nobody_knows_is_1(self, orchestrator, shop, ran):
        ended = orchestrator("explain", "zoe", "--state", shop / "shop.db")
        assert (ended.code, ended.out) == (1, "")
        assert "'zoe'" in ended.err

    def test_nothing_to_explain_from_is_wrong_use(self, orchestrator, shop):
        assert orchestrator("explain", "ana").code == 2
        assert orchestrator("explain", "ana", "--state", shop / "gone.db").code == 2
        (shop / "odd.jsonl").write_text("{}\n", encoding="utf-8")
        odd = orchestrator("explain", "ana", "--decisions", shop / "odd.jsonl")
        assert odd.code == 2
        assert "odd.jsonl:1:" in odd.err


class TestMap:
    def test_it_draws_a_picture(self, orchestrator, shop):
        ended = orchestrator("map", "abandoned-cart", shop)
        assert ended.code == 0, ended.err
        svg = ET.fromstring(ended.out)  # noqa: S314 - our own drawing
        assert svg.find(f"{SVG}title").text == "Abandoned cart reminder"

    def test_the_files_name_says_the_format(self, orchestrator, shop):
        for name, begins in (("a.svg", "<svg "), ("a.mmd", "---\ntitle: "), ("a.json", "{")):
            ended = orchestrator("map", "abandoned-cart", shop, "-o", shop / name)
            assert (ended.code, ended.out) == (0, "")
            assert (shop / name).read_text(encoding="utf-8").startswith(begins)

    def test_with_live_counts(self, orchestrator, shop, ran):
        ended = orchestrator("map", "abandoned-cart", shop, "--json", "--state", shop / "shop.db")
        nodes = json.loads(ended.out)["nodes"]
        assert {node["id"]: node["waiting"] for node in nodes if node["waiting"]} == {"answer": 2}

    def test_a_journey_that_is_not_there_is_named_with_those_that_are(self, orchestrator, shop):
        ended = orchestrator("map", "cart", shop)
        assert (ended.code, ended.err) == (2, f"error: no journey 'cart' in {shop}; there is abandoned-cart\n")

    def test_a_format_that_there_is_not_is_refused_with_those_there_are(self, orchestrator, shop):
        ended = orchestrator("map", "abandoned-cart", shop, "-o", shop / "a.png")
        assert (ended.code, (shop / "a.png").exists()) == (2, False)
        assert "a.png is no kind of drawing; end it in one of .svg, .mmd, .mermaid, .json" in ended.err
        ended = orchestrator("map", "abandoned-cart", shop, "--format", "png")
        assert ended.code == 2
        assert "'--format': 'png' is not one of 'svg', 'mermaid', 'json'." in ended.err


class TestSchema:
    def test_it_writes_one_file_for_each_thing_people_write_and_programs_read(self, orchestrator, tmp_path):
        ended = orchestrator("schema")
        assert ended.code == 0, ended.err
        names = {path.name.removesuffix(".schema.json") for path in (tmp_path / "schemas").iterdir()}
        assert names >= {"journey", "message", "project", "event", "action", "decision"}
        assert set(json.loads(orchestrator("schema", "--json").out)) == names


class TestDoctor:
    def test_it_shows_what_is_in_force_and_where_it_is_from_but_no_secret(self, orchestrator, shop):
        (shop / "o.toml").write_text('partitions = 3\ntopic_prefix = "x-"\n', encoding="utf-8")
        environment = {"ORCHESTRATOR_PARTITIONS": "5", "ORCHESTRATOR_KAFKA_SASL_PASSWORD": "hush"}
        ended = orchestrator("doctor", shop, "--config", shop / "o.toml", **environment)
        assert ended.code == 0, ended.err
        assert re.search(r"app_id +shop +default", ended.out)
        assert re.search(r"partitions +5 +environment ORCHESTRATOR_PARTITIONS", ended.out)
        assert re.search(r"topic_prefix +x- +\S+o\.toml", ended.out)
        assert "hush" not in ended.out + ended.err

    def test_for_a_program_and_what_cannot_be(self, orchestrator, shop):
        ended = orchestrator("doctor", shop, "--json", ORCHESTRATOR_PARTITIONS="none", ORCHESTRATOR_PARTITION="1")
        assert ended.code == 1
        found = json.loads(ended.out)
        assert len(found["problems"]) == 2
        values = {setting["name"]: setting["value"] for setting in found["settings"]}
        assert (values["app_id"], values["partitions"]) == ("shop", "none")

    def test_it_asks_dns_about_the_domains_that_mails_come_from(self, orchestrator, shop):
        settings = {"ORCHESTRATOR_CHANNEL_EMAIL": "smtps://me:hush@smtp.sendgrid.net?from=Shop <hi@Shop.example>"}
        texts = {"shop.example": ["v=spf1 mx -all"], "_dmarc.shop.example": ["v=DMARC1; p=none"]}
        with NameServer(texts) as server:
            settings |= {"ORCHESTRATOR_NAMESERVERS": server.setting, "ORCHESTRATOR_DKIM_SELECTORS": "s1, s2"}
            settings |= {"ORCHESTRATOR_HOOK_SENDGRID_SECRET_FILE": "key", "ORCHESTRATOR_WRITE_KEYS": "hush"}
            ended = orchestrator("doctor", shop, **settings)
            found = json.loads(orchestrator("doctor", shop, "--json", **settings).out)
            assert orchestrator("doctor", shop, "--no-dns", **settings).code == 0
        assert (ended.code, ended.err) == (1, "")
        assert "mails from shop.example" in ended.out
        assert re.search(r"SPF +warning +nothing in it lets smtp.sendgrid.net send", ended.out)
        assert 'publish: shop.example TXT "v=spf1 include:sendgrid.net mx -all"' in ended.out
        assert re.search(r"DKIM +problem +no key under s1, s2", ended.out)
        assert re.search(r"DMARC +warning +p=none only watches", ended.out)
        assert "hush" not in ended.out
        levels = [(each["record"], each["level"]) for each in found["domains"]["shop.example"]]
        assert levels == [("SPF", "warning"), ("DKIM", "problem"), ("DMARC", "warning")]

    def test_where_dns_cannot_be_asked_it_says_so_and_nothing_is_wrong(self, orchestrator, shop):
        settings = {"ORCHESTRATOR_CHANNEL_DEFAULT": "smtp://localhost?tls=off&from=hi@shop.example"}
        with NameServer(failing=("shop.example", "s1._domainkey.shop.example", "_dmarc.shop.example")) as server:
            settings |= {"ORCHESTRATOR_NAMESERVERS": server.setting, "ORCHESTRATOR_DKIM_SELECTORS": "s1"}
            ended = orchestrator("doctor", shop, **settings)
        assert ended.code == 0
        assert len(re.findall(r"unknown +DNS did not answer for", ended.out)) == 3

    def test_it_reads_each_channels_url_and_secret_and_asks_nobody(self, orchestrator, shop, tmp_path):
        (tmp_path / "vapid").write_text("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n")
        settings = {
            "ORCHESTRATOR_CHANNEL_EMAIL": "twilio:?account=AC1",
            "ORCHESTRATOR_CHANNEL_EMAIL_SECRET": "hush",
            "ORCHESTRATOR_CHANNEL_PUSH": "push:",
            "ORCHESTRATOR_CHANNEL_PUSH_WEBPUSH": "webpush:?subject=mailto:ops@shop.example",
            "ORCHESTRATOR_CHANNEL_PUSH_WEBPUSH_SECRET_FILE": str(tmp_path / "vapid"),
        }
        ended = orchestrator("doctor", shop, "--json", "--no-dns", **settings)
        found = json.loads(ended.out)
        roads = {each["name"]: each for each in found["channels"]}
        assert roads["push"]["provider"] == "push"
        # What a page needs to ask a browser for a subscription: the public point of that secret.
        assert len(roads["push"]["public_key"]) == 87
        assert (ended.code, found["problems"]) == (1, [roads["email"]["problem"]])
        assert "one of from and service" in roads["email"]["problem"]
        assert "hush" not in ended.out + ended.err
        shown = orchestrator("doctor", shop, "--no-dns", **settings).out
        assert f"channel push  push, applicationServerKey {roads['push']['public_key']}" in shown
        shown = orchestrator("doctor", shop, "--no-dns").out
        assert "channel email  no provider: ORCHESTRATOR_CHANNEL_EMAIL names one\n" in shown

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            ({"ORCHESTRATOR_CHANNEL_EMAIL": "stream:?keep=7d", "ORCHESTRATOR_CHANNEL_PUSH": "inbox:care"}, None),
            ({"ORCHESTRATOR_CHANNEL_EMAIL": "stream:?keep=long"}, "keep=long"),
            ({"ORCHESTRATOR_CHANNEL_PUSH": "https://127.0.0.1/x"}, "127.0.0.1 is not a public address"),
            (
                {
                    "ORCHESTRATOR_CHANNEL_PUSH": "https://127.0.0.1/x",
                    "ORCHESTRATOR_ALLOWED_HOSTS": "crm.example, 127.0.0.1",
                },
                None,
            ),
            ({"ORCHESTRATOR_CHANNEL_EMAIL": "console:#rate=fast"}, "no number"),
            # That a mail server's URL cannot be used hides nothing else, though DNS is not asked about its sender then.
            (
                {"ORCHESTRATOR_CHANNEL_EMAIL": "smtp://mail.example:587?tls=always&from=hi@shop.example"},
                "tls is one of",
            ),
        ],
    )
    def test_it_finds_the_faults_that_serve_would_and_no_others(self, orchestrator, shop, settings, problem):
        ended = orchestrator("doctor", shop, **settings)
        assert ended.code == (0 if problem is None else 1)
        assert re.search(r"app_id +shop +default", ended.out)
        assert ended.err == "" if problem is None else problem in ended.err

    def test_a_setting_of_a_channel_that_there_is_not_is_no_setting(self, orchestrator, shop):
        ended = orchestrator("doctor", shop, ORCHESTRATOR_CHANNEL_EMIAL="smtp://x", ORCHESTRATOR_HOOK_TWILO_SECRET="x")
        assert ended.code == 1
        assert "channel_emial is no setting" in ended.err
        assert "hook_twilo_secret is no setting; hook_twilio_secret is" in ended.err
