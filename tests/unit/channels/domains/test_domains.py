"""What is published about a sender's domain, judged, and asked for at a name server on this machine."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.channels.email.domains import asking, records
from orchestrator.channels.email.domains.asking import Asker, Sender, examine
from orchestrator.errors import OrchestratorError
from providers.names import NameServer

SENDGRID = "smtp.sendgrid.net"
SPF = "v=spf1 include:sendgrid.net -all"
DMARC = "v=DMARC1; p=quarantine; rua=mailto:dmarc@shop.example"


def key_of(private, kind="rsa"):
    form = (Encoding.Raw, PublicFormat.Raw) if kind == "ed25519" else (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(private.public_key().public_bytes(*form)).decode()}"


KEY = key_of(rsa.generate_private_key(65537, 2048))
SHORT = key_of(rsa.generate_private_key(65537, 1024))  # noqa: S505 - that is what is to be noticed
EDWARDS = key_of(ed25519.Ed25519PrivateKey.generate(), "ed25519")


def judged(texts, relay=SENDGRID):
    found = records.spf_in(texts)
    lookups = records.lookups_in(found[0]) if found else []
    told = records.spf("shop.example", texts, relay, lookups)
    return told.level, told.found, told.publish


@pytest.mark.parametrize(
    ("texts", "level", "found"),
    [
        ([SPF], "fine", SPF),
        (["google-site-verification=x", SPF], "fine", SPF),
        ([SPF.upper().replace("SENDGRID.NET", "sendgrid.net")], "fine", None),
        (["v=spf1 include:sendgrid.net ~all"], "fine", None),
        (["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a:x.example/24//64 include:sendgrid.net -all"], "fine", None),
        ([], "problem", "no record says which servers may send"),
        (["v=spf10 -all"], "problem", "no record says which servers may send"),
        ([SPF, "v=spf1 mx -all"], "problem", "2 records, of which receivers take none; there may be one"),
        (["v=spf1 include:sendgrid.net +all"], "problem", "+all lets everybody send in this name"),
        (["v=spf1 include:sendgrid.net all"], "problem", "+all lets everybody send in this name"),
        (["v=spf1 ipv4:192.0.2.1 -all"], "problem", "'ipv4:192.0.2.1' is no term of SPF: receivers take none of it"),
        (["v=spf1 ip4:192.0.2.300 -all"], "problem", "'ip4:192.0.2.300' is no address: receivers take none of it"),
        (["v=spf1 ip4:2001:db8::1 -all"], "problem", None),
        (["v=spf1 include: -all"], "problem", None),
        (["v=spf1 include -all"], "problem", "'include' names no domain: receivers take none of it"),
        (["v=spf1 all:x"], "problem", None),
        (["v=spf1 " + "a " * 11 + "-all"], "problem", "it takes 11 look-ups, and receivers make 10: it is void"),
        (["v=spf1 include:sendgrid.net"], "warning", "it does not end in -all, so that others may send too"),
        (["v=spf1 include:sendgrid.net ?all"], "warning", "?all says nothing about others"),
        (["v=spf1 mx -all"], "warning", "nothing in it lets smtp.sendgrid.net send"),
    ],
)  # fmt: skip
def test_spf(texts, level, found):
    told = judged(texts)
    assert told[0] == level
    assert found is None or told[1] == found
    assert (told[2] is None) is (level == "fine")


def test_spf_says_what_to_publish():
    assert judged([])[2] == 'shop.example TXT "v=spf1 include:sendgrid.net -all"'
    assert judged([], "mail.own.example")[2] == 'shop.example TXT "v=spf1 a:mail.own.example -all"'
    assert judged([], "localhost")[2] == 'shop.example TXT "v=spf1 mx -all"'
    two = judged(["v=spf1 include:a.example ~all", "v=spf1 include:a.example mx -all"])[2]
    assert two == 'shop.example TXT "v=spf1 include:a.example mx -all"'
    assert judged(["v=spf1 mx ~all"])[2] == 'shop.example TXT "v=spf1 include:sendgrid.net mx -all"'
    assert judged(["v=spf1 redirect=_spf.x.example"], "mail.own.example")[0] == "fine"


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        ({"s1": [KEY]}, "fine"),
        ({"s1": [EDWARDS]}, "fine"),
        ({"s1": [KEY.replace("v=DKIM1; k=rsa; ", "")]}, "fine"),
        ({"s1": [SHORT]}, "warning"),
        ({"s1": [f"{KEY}; t=y"]}, "warning"),
        ({"s1": []}, "problem"),
        ({"s1": [KEY], "s2": []}, "problem"),
        ({"s1": [KEY, KEY]}, "problem"),
        ({"s1": ["v=DKIM1; p="]}, "problem"),
        ({"s1": ["v=DKIM2; p=x"]}, "problem"),
        ({"s1": ["v=DKIM1; k=rsa"]}, "problem"),
        ({"s1": [KEY[:-40]]}, "problem"),
        ({"s1": ["v=DKIM1; p=!!!"]}, "problem"),
        ({"s1": ["p=a; p=b"]}, "problem"),
        ({"s1": ["no record at all"]}, "problem"),
        ({"s1": [key_of(ec.generate_private_key(ec.SECP256R1()))]}, "problem"),
        ({"s1": ["v=DKIM1; k=ed25519; p=AAAA"]}, "problem"),
    ],
)
def test_dkim(texts, level):
    told = records.dkim("shop.example", texts, named=True)
    assert (told.level, told.publish is None) == (level, level == "fine")


def test_of_guessed_selectors_one_good_key_is_enough_and_none_is_no_proof():
    assert records.dkim("shop.example", {"s1": ["v=DKIM1; p="], "s2": [KEY], "k1": []}, named=False).level == "fine"
    told = records.dkim("shop.example", {"s1": [], "s2": []}, named=False)
    assert (told.level, "ORCHESTRATOR_DKIM_SELECTORS" in told.publish) == ("warning", True)


@pytest.mark.parametrize(
    ("texts", "level", "found"),
    [
        ([DMARC], "fine", DMARC),
        (["v=DMARC1;p=reject;rua=mailto:a@b.example"], "fine", None),
        (["spf or so", DMARC], "fine", DMARC),
        ([], "problem", "no record; large mailbox providers ask senders for one"),
        ([DMARC, DMARC], "problem", "2 records, of which receivers take none; there may be one"),
        (["v=DMARC1; rua=mailto:a@b.example"], "problem", "p=… is not none, quarantine or reject"),
        (["v=DMARC1; p=block"], "problem", "p=block is not none, quarantine or reject"),
        (["v=DMARC1; quarantine"], "problem", "the record cannot be read"),
        (["v=DMARC1; p=none"], "warning", "p=none only watches: who writes in this name gets through"),
        (["v=DMARC1; p=reject"], "warning", "no rua, so that nobody hears who writes in this name"),
        (["v=DMARC1; p=reject; pct=20; rua=mailto:a@b.example"], "warning", "it holds for 20 % of mails only"),
    ],
)  # fmt: skip
def test_dmarc(texts, level, found):
    told = records.dmarc("shop.example", texts)
    assert (told.level, told.publish is None) == (level, level == "fine")
    assert found is None or told.found == found


GOOD = {"shop.example": [SPF], "sendgrid.net": ["v=spf1 ip4:192.0.2.0/24 ~all"], "_dmarc.shop.example": [DMARC]}
SHOP = Sender("shop.example", "shop.example", SENDGRID)


async def levels(texts, *selectors, sender=SHOP, seconds=2.0, **options):
    with NameServer(texts, **options) as server:
        told = await examine([sender], Asker([server.address], seconds), selectors)
    [verdicts] = told.values()
    return [each.level for each in verdicts], [each.found for each in verdicts], server.asked


async def test_a_domain_as_it_should_be():
    keys = {"s1._domainkey.shop.example": [], "s1.domainkey.u1.wl.sendgrid.net": [KEY]}
    aliases = {"s1._domainkey.shop.example": "s1.domainkey.u1.wl.sendgrid.net"}
    assert (await levels(GOOD | keys, "s1", aliases=aliases))[0] == ["fine"] * 3


async def test_the_usual_selectors_are_tried_where_none_is_named():
    found, told, _ = await levels({**GOOD, "k2._domainkey.shop.example": [KEY]})
    assert (found, told[1]) == (["fine"] * 3, "k2._domainkey.shop.example: rsa, 2048 bits")


async def test_a_domain_that_nobody_knows():
    assert (await levels({}, "s1"))[0] == ["problem"] * 3


async def test_what_bounces_go_to_is_asked_for_spf_and_the_domain_above_for_dmarc():
    sender = Sender("news.shop.example", "bounces.shop.example", SENDGRID)
    found, _, asked = await levels({**GOOD, "bounces.shop.example": [SPF]}, "s1", sender=sender)
    assert found == ["fine", "problem", "fine"]
    assert "_dmarc.news.shop.example" in asked
    assert "_dmarc.example" not in asked


async def test_what_is_included_costs_look_ups_too_and_a_circle_ends():
    chain = {f"s{at}.example": [f"v=spf1 include:s{at + 1}.example -all"] for at in range(12)}
    found, told, _ = await levels({**chain, "shop.example": ["v=spf1 include:s0.example -all"]}, "s1")
    assert (found[0], "look-ups" in told[0]) == ("problem", True)
    found, told, _ = await levels({"shop.example": ["v=spf1 include:shop.example -all"]}, "s1")
    assert (found[0], "look-ups" in told[0]) == ("problem", True)
    macros = "v=spf1 include:sendgrid.net exists:%{i}.x.example include:%{d}.x.example -all"
    assert (await levels({**GOOD, "shop.example": [macros]}, "s1"))[0][0] == "fine"


async def test_where_dns_does_not_answer_nothing_is_said_to_be_wrong():
    found, told, _ = await levels(
        {}, "s1", failing=("shop.example", "s1._domainkey.shop.example", "_dmarc.shop.example")
    )
    assert found == ["unknown"] * 3
    assert told[0] == "DNS did not answer for shop.example"
    assert (await levels(GOOD, "s1", silent=("_dmarc.shop.example",), seconds=0.2))[0][2] == "unknown"


async def test_a_machine_without_name_servers_says_so(monkeypatch):
    def unset(self, *arguments, **options):
        raise asking.dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(asking.dns.asyncresolver.Resolver, "read_resolv_conf", unset)
    told = await examine([SHOP], Asker())
    assert [each.found for each in told["shop.example"]] == ["this machine names no name server"] * 3


async def test_all_of_it_takes_no_longer_than_it_may(monkeypatch):
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    with NameServer(silent=("shop.example",)) as server:
        told = await examine([SHOP], Asker([server.address], 30))
    assert [each.level for each in told["shop.example"]] == ["unknown"] * 3


def test_a_name_server_is_an_address_and_maybe_a_port():
    assert asking.read_nameserver("192.0.2.53") == ("192.0.2.53", 53)
    assert asking.read_nameserver("192.0.2.53:5353") == ("192.0.2.53", 5353)
    assert asking.read_nameserver("2001:db8::53") == ("2001:db8::53", 53)
    for wrong in ("", ":53", "192.0.2.53:x", "192.0.2.53:0", "192.0.2.53:99999"):
        with pytest.raises(OrchestratorError):
            asking.read_nameserver(wrong)
