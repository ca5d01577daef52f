"""The journeys topic: half a release is never in force, and older versions stay beside."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec

from orchestrator.language import compile_sources
from orchestrator.runtime.kafka.catalogs import (
    Catalogs,
    Published,
    Release,
    Source,
    _release_of,
    compile_published,
    keyed,
)
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

PROJECT = "project: shop\npurposes: {service: {consent: none}}\n"


def journey(version: int, wait: str = "1h") -> str:
    return (
        f"journey: cart\nversion: {version}\npurpose: service\nstatus: live\n"
        f"enter: {{event: cart_updated}}\nsteps:\n  - {{id: settle, wait: {wait}}}\n"
    )


def release(published: Published, revision: int, texts: dict[str, str]) -> None:
    sources = keyed(compile_sources(texts))
    for key, source in sources.items():
        assert not published.take(key, msgspec.json.encode(source))
    assert published.take("release", msgspec.json.encode(Release(revision, sorted(sources))))


def test_the_keys_name_versions_and_files():
    sources = keyed(compile_sources({"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(3)}))
    assert set(sources) == {"file/orchestrator.yaml", "journey/cart/3"}
    assert sources["journey/cart/3"] == Source("cart.journey.yaml", journey(3))


def test_an_older_version_stays_for_those_who_stand_on_it():
    published = Published()
    release(published, 1, {"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)})
    release(published, 2, {"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(2, "2h")})
    _, catalog = compile_published(published)
    assert [(each.id, each.version) for each in catalog.current] == [("cart", 2)]
    assert catalog.journey("cart", 1) is not None


def test_a_journey_left_out_of_a_release_is_in_force_no_longer():
    published = Published()
    release(published, 1, {"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)})
    release(published, 2, {"orchestrator.yaml": PROJECT})
    assert published.journeys() == {"cart"}
    _, catalog = compile_published(published)
    assert catalog.current == ()
    assert catalog.journey("cart", 1) is not None


def test_an_older_version_that_fits_the_project_no_longer_stands_alone_aside():
    published = Published()
    release(published, 1, {"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)})
    bare = PROJECT.replace("service", "care")
    release(published, 2, {"orchestrator.yaml": bare, "b.journey.yaml": journey(2).replace("service", "care")})
    _, catalog = compile_published(published)
    assert set(catalog.versions) == {("cart", 2)}


def test_read_again_an_old_release_does_not_come_back():
    published = Published()
    published.take("release", msgspec.json.encode(Release(2, ["file/b"])))
    published.take("release", msgspec.json.encode(Release(1, ["file/a"])))
    assert published.release == Release(2, ["file/b"])


def test_in_a_topic_that_was_made_anew_revisions_go_on_from_what_states_were_written_with():
    sources = keyed(compile_sources({"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)}))
    published = Published()
    assert _release_of(published, sources, 57, only_if_new=True) == Release(58, sorted(sources))
    release(published, 1, {"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)})
    assert _release_of(published, sources, 1, only_if_new=False) is None
    assert _release_of(published, sources, 57, only_if_new=False) == Release(58, sorted(sources))


async def test_what_nobody_published_is_told_and_passed_over(caplog):
    sources = keyed(compile_sources({"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)}))
    lines = [(key.encode(), msgspec.json.encode(source)) for key, source in sources.items()]
    lines = [(b"release", b"{"), *lines, (b"journey/x/1", b"test"), (b"\xff", b"{}")]
    lines.append((b"release", msgspec.json.encode(Release(1, sorted(sources)))))
    records = [SimpleNamespace(offset=at, key=key, value=value) for at, (key, value) in enumerate(lines)]
    settings = KafkaSettings.of({"app_id": "shop"})
    catalogs = Catalogs(settings, Topics.of(settings))

    async def getmany(**_):
        return {0: records}

    assert await catalogs._take(SimpleNamespace(getmany=getmany))
    await catalogs._compile()
    assert [each.id for each in catalogs.catalog.current] == ["cart"]
    assert caplog.text.count("holds what nobody published at") == 3


async def test_what_was_published_just_now_is_waited_for_until_it_may_be_seen(monkeypatch):
    """A transaction is committed before its mark stands in the log, and until then the topic seems to end before it."""
    sources = keyed(compile_sources({"orchestrator.yaml": PROJECT, "cart.journey.yaml": journey(1)}))
    lines = [(key.encode(), msgspec.json.encode(source)) for key, source in sources.items()]
    lines.append((b"release", msgspec.json.encode(Release(1, sorted(sources)))))
    records = [SimpleNamespace(key=key, value=value, offset=offset) for offset, (key, value) in enumerate(lines)]

    class Consumer:
        """Sees nothing at first, then all."""

        asked = 0

        async def end_offsets(self, tps):
            return dict.fromkeys(tps, 0)

        async def position(self, tp):
            return 0

        async def getmany(self, timeout_ms):
            self.asked += 1
            return {} if self.asked < 3 else {None: records}

    @asynccontextmanager
    async def consumer(self):
        yield Consumer()

    monkeypatch.setattr(Catalogs, "_consumer", consumer)
    settings = KafkaSettings.of({"app_id": "shop"})
    catalogs = Catalogs(settings, Topics.of(settings))
    await catalogs.read()
    assert catalogs.revision == 0
    await catalogs.read(1)
    assert catalogs.revision == 1
    assert [each.id for each in catalogs.catalog.current] == ["cart"]
