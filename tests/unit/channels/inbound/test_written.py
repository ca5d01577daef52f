"""What customers write, by every road: who, what, in which conversation, and which message of ours they answer."""

import base64
import json
import time
from email.message import EmailMessage

import pytest

from orchestrator.channels.inbound import mail, mailgun, meta, postmark, sendgrid, ses, standard, telegram, twilio
from orchestrator.channels.inbound.findings import Other, Reported, Stated, Unreadable, Written
from orchestrator.channels.receipts import Report
from providers import hooks
from providers.hooks import ACTION, MESSAGE_ID, PROFILE, REFERENCE, SECRET, request

QUOTED = "No me llegó.\n\nEl lun, 5 ene 2026 a las 10:00, Tienda (<hola@shop.example>) escribió:\n> Hola Ana\n"
ABOUT = (ACTION, PROFILE)


def of_twilio(**fields):
    named = {"MessageSid": "SM1", "From": "+34600000001", "To": "+34911111111", "Body": "Hola", **fields}
    body, headers = hooks.twilio(named)
    [found] = twilio.read(request(body, headers, channel="sms", path="/hooks/sms/twilio", secret=SECRET))
    return found


def test_a_text_message():
    found = of_twilio()
    assert (found.id, found.sender, found.kind, found.text) == ("SM1", "+34600000001", "phone", "Hola")
    assert found.conversation_id == of_twilio(MessageSid="SM2", Body="¿Y?").conversation_id
    assert found.conversation_id != of_twilio(To="+34922222222").conversation_id
    assert "34600000001" not in found.conversation_id
    assert (found.reference, found.is_public, found.word, found.properties) == (None, False, None, {})


def test_a_whatsapp_message_by_twilio():
    found = of_twilio(From="whatsapp:+34600000001", To="whatsapp:+34911111111", Body="", ButtonText="Sí")
    assert (found.sender, found.text) == ("+34600000001", "Sí")


def test_pictures_are_named_by_where_they_are():
    found = of_twilio(Body="", NumMedia="1", MediaUrl0="https://api.twilio.com/m/1", MediaContentType0="image/jpeg")
    assert (found.text, found.properties) == ("", {"media": ["https://api.twilio.com/m/1"]})


@pytest.mark.parametrize(("said", "word"), [("STOP", "stop"), ("START", "start"), ("HELP", None), ("", None)])
def test_what_twilios_own_opt_out_heard(said, word):
    assert of_twilio(Body="Salir", OptOutType=said).word == word


def of_whatsapp(**message):
    named = {"from": "34600000001", "id": "wamid.1", "timestamp": "1767607200", **message}
    body, headers = hooks.whatsapp(messages=[named])
    [found] = meta.read(request(body, headers, channel="whatsapp", secret=SECRET, token=""))
    return found


@pytest.mark.parametrize(
    ("message", "text", "properties"),
    [
        ({"type": "text", "text": {"body": "Hola"}}, "Hola", {}),
        ({"type": "button", "button": {"text": "Sí", "payload": "yes"}}, "Sí", {}),
        ({"type": "interactive", "interactive": {"button_reply": {"id": "1", "title": "Luego"}}}, "Luego", {}),
        ({"type": "interactive", "interactive": {"list_reply": {"id": "1", "title": "Uno"}}}, "Uno", {}),
        ({"type": "image", "image": {"id": "1", "caption": "Rota"}}, "Rota", {}),
        ({"type": "audio", "audio": {"id": "1"}}, "", {"media": "audio"}),
    ],
    ids=str,
)
def test_whatsapp_messages(message, text, properties):
    found = of_whatsapp(**message)
    assert isinstance(found, Written)
    assert (found.id, found.sender, found.kind) == ("wamid.1", "+34600000001", "phone")
    assert (found.text, found.properties) == (text, properties)


@pytest.mark.parametrize(
    "message", [{"type": "system"}, {"type": "reaction"}, {"from": "", "type": "text"}, {"from": []}]
)
def test_what_is_no_message_on_whatsapp_is_let_pass(message):
    assert of_whatsapp(**message) == Other("passing")


@pytest.mark.parametrize(("value", "granted"), [("stop", False), ("resume", True)])
def test_whatsapps_own_switch_for_marketing(value, granted):
    said = {"wa_id": "34600000001", "value": value, "timestamp": 1, "detail": "d"}
    change = {"field": "user_preferences", "value": {"user_preferences": [said]}}
    body, headers = hooks.meta({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})
    [found] = meta.read(request(body, headers, channel="whatsapp", secret=SECRET, token=""))
    assert found == Stated(found.id, "+34600000001", "phone", granted, "d", "whatsapp settings")


def of_page(channel="facebook", **entry):
    body, headers = hooks.meta({"object": "page", "entry": [{"id": "PAGE", **entry}]})
    return meta.read(request(body, headers, channel=channel, secret=SECRET, token=""))


def test_a_comment_on_a_pages_post_and_an_answer_below_it():
    comment = {
        "item": "comment", "verb": "add", "comment_id": "POST_1", "post_id": "POST", "parent_id": "POST",
        "message": "¡Fatal!", "from": {"id": "77", "name": "Ana"},
    }  # fmt: skip
    [found] = of_page(changes=[{"field": "feed", "value": comment}])
    assert (found.id, found.sender, found.kind, found.text) == ("POST_1", "77", "facebook_id", "¡Fatal!")
    assert (found.conversation_id, found.is_public) == ("POST", True)
    assert found.properties == {"comment_id": "POST_1", "post_id": "POST"}
    for change in ({"verb": "remove"}, {"item": "reaction"}, {"from": {"id": "PAGE"}}, {"from": None}, {"message": ""}):
        assert of_page(changes=[{"field": "feed", "value": {**comment, **change}}]) == [Other("passing")]


def test_a_comment_on_instagram():
    comment = {"id": "c1", "text": "Bonita", "from": {"id": "88", "username": "ana"}, "media": {"id": "m1"}}
    [found] = of_page("instagram", changes=[{"field": "comments", "value": comment}])
    assert (found.id, found.sender, found.kind, found.conversation_id) == ("c1", "88", "instagram_id", "c1")
    assert found.properties == {"comment_id": "c1", "post_id": "m1"}


def test_a_message_to_a_page_and_our_own_echo():
    said = {"sender": {"id": "77"}, "recipient": {"id": "PAGE"}, "message": {"mid": "m1", "text": "Hola"}}
    [found] = of_page(messaging=[said])
    assert (found.id, found.sender, found.text, found.is_public) == ("m1", "77", "Hola", False)
    echo = {**said, "message": {"mid": "m2", "text": "Hola", "is_echo": True}}
    assert of_page(messaging=[echo, {**said, "sender": {"id": "PAGE"}}, {"read": {}}]) == [Other("passing")] * 3


def test_many_changes_in_one_request_go_their_own_ways():
    comment = {"item": "comment", "verb": "add", "comment_id": "1", "message": "Hola", "from": {"id": "77"}}
    found = of_page(changes=[{"field": "leadgen", "value": {}}, {"field": "feed", "value": comment}, "nonsense"])
    assert [type(each) for each in found] == [Other, Written]


def of_telegram(**update):
    body, headers = hooks.telegram({"update_id": 9, **update})
    [found] = telegram.read(request(body, headers, channel="telegram", secret=SECRET))
    return found


CHAT = {"chat": {"id": 555, "type": "private"}, "from": {"id": 555, "is_bot": False}}


def test_telegram_messages():
    found = of_telegram(message={**CHAT, "message_id": 3, "text": "Hola"})
    assert (found.id, found.sender, found.kind, found.text) == ("telegram 9", "555", "telegram_id", "Hola")
    assert found.conversation_id == "telegram 555"
    assert of_telegram(message={**CHAT, "photo": [{}], "caption": "Rota"}).text == "Rota"
    assert of_telegram(message={**CHAT, "voice": {}}).properties == {"media": "voice"}
    pressed = of_telegram(callback_query={"id": "1", "from": {"id": 555}, "message": CHAT, "data": "sí"})
    assert (pressed.text, pressed.properties) == ("sí", {"pressed": True})


@pytest.mark.parametrize(
    "update",
    [
        {"message": {**CHAT, "new_chat_members": [{}]}},
        {"message": {**CHAT, "from": {"id": 1, "is_bot": True}, "text": "bip"}},
        {"message": {"chat": {"id": -5, "type": "group"}, "text": "hola"}},
        {"edited_message": {**CHAT, "text": "hola"}},
        {"my_chat_member": {**CHAT, "new_chat_member": {"status": "member"}}},
    ],
    ids=str,
)
def test_what_is_no_message_to_the_bot_is_let_pass(update):
    assert of_telegram(**update) == Other("passing")


def test_blocking_the_bot_withdraws():
    found = of_telegram(my_chat_member={**CHAT, "new_chat_member": {"status": "kicked"}})
    assert found == Stated("telegram 9", "555", "telegram_id", False, "", "bot blocked")


def of_standard(kind="message.received", **data):
    body, headers = hooks.standard({"type": kind, "data": {"id": "1", "from": "ana", "text": "Hola", **data}})
    [found] = standard.read(request(body, headers, channel="chat", secret=hooks.STANDARD_KEY))
    return found


def test_a_live_chat_and_any_other_system():
    found = of_standard(reference=REFERENCE, conversation_id="c1", identifier="customer_id")
    assert found == Written("1", "ana", "customer_id", "Hola", "c1", ABOUT, ours=())
    assert of_standard("comment.received").is_public
    assert of_standard().kind == "chat_id"


def a_mail(text=QUOTED, html=None, **headers):
    made = EmailMessage()
    named = {"From": "Ana <Ana@Example.com>", "Message_ID": "<r1@example.com>", "Subject": "Re: Tu cesta", **headers}
    for name, value in named.items():
        if value is not None:
            made[name.replace("_", "-")] = value
    if text is not None:
        made.set_content(text)
    if html is not None:
        made.add_alternative(html, subtype="html") if text is not None else made.set_content(html, subtype="html")
    # Its lines are let be long: the library folds a long Message-ID into encoded words, as no mail program does.
    return made.as_bytes(policy=made.policy.clone(max_line_length=990))


def read_mail(**options):
    [found] = mail.read(request(b""), a_mail(**options))
    return found


def check_answer(found):
    assert (found.sender, found.kind, found.text) == ("Ana@Example.com", "email", "No me llegó.")
    assert (found.reference, found.conversation_id) == (ABOUT, ACTION)
    assert found.properties == {"subject": "Re: Tu cesta"}


def test_a_mail_that_answers_one_of_ours():
    check_answer(read_mail(In_Reply_To=MESSAGE_ID))
    check_answer(read_mail(References=f"<first@x> {MESSAGE_ID} <later@y>"))


def test_a_mail_that_answers_nothing():
    found = read_mail(text="Hola\n")
    assert (found.id, found.text, found.reference) == ("<r1@example.com>", "Hola", None)
    further = read_mail(text="Y más", Message_ID="<r2@x>", References="<r1@example.com>")
    assert found.conversation_id == further.conversation_id


def test_html_alone_is_read_as_text():
    html = (
        "<div>No me llegó.</div><br><div>On Mon, 5 Jan 2026 at 10:00, Shop &lt;a@b.c&gt; wrote:<br></div>"
        "<blockquote>Hola Ana</blockquote>"
    )
    assert read_mail(text=None, html=html).text == "No me llegó."


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated (vacation)"},
        {"Precedence": "bulk"},
        {"X_Autoreply": "yes"},
        {"List_Id": "<news.example.com>"},
        {"Return_Path": "<>"},
    ],
    ids=str,
)
def test_what_answers_by_itself_is_no_customer(headers):
    assert read_mail(**headers) == Other("automatic")
    assert isinstance(read_mail(Auto_Submitted="no"), Written)


def test_a_mail_from_nobody_or_from_several_cannot_be_read():
    for sender in (None, "", "Ana", "a@example.com, b@example.com"):
        with pytest.raises(Unreadable):
            read_mail(From=sender)


def test_a_wrong_charset_and_wrong_bytes_are_read_as_far_as_they_go():
    raw = b"From: a@example.com\r\nContent-Type: text/plain; charset=klingon\r\n\r\nHola \xff"
    [found] = mail.read(request(b""), raw)
    assert found.text == "Hola \ufffd"
    [found] = mail.read(request(b""), b"From: =?klingon?B?!!!?= <a@example.com>\r\nSubject: =?x?Q?=\r\n\r\nHola")
    assert (found.sender, found.text) == ("a@example.com", "Hola")


def test_sendgrids_inbound_parse_raw_and_taken_apart():
    raw = a_mail(In_Reply_To=MESSAGE_ID)
    headers = raw.partition(b"\n\n")[0].decode()
    for fields in (
        {"email": raw.decode()},
        {"headers": headers, "text": QUOTED, "html": "<p>x</p>", "attachments": "0"},
    ):
        body, http = hooks.multipart(fields)
        [found] = sendgrid.read(request(body, {**http, **hooks.basic()}, password=hooks.PASSWORD, secret=""))
        check_answer(found)


def test_mailguns_routes_raw_and_taken_apart():
    raw = a_mail(In_Reply_To=MESSAGE_ID)
    pairs = [["From", "Ana <Ana@Example.com>"], ["In-Reply-To", MESSAGE_ID], ["Subject", "Re: Tu cesta"], ["X", 1, 2]]
    for fields in ({"body-mime": raw.decode()}, {"message-headers": json.dumps(pairs), "body-plain": QUOTED}):
        body, http = hooks.multipart({**hooks.mailgun_signature(), **fields})
        [found] = mailgun.read(request(body, http, secret=SECRET))
        check_answer(found)


def test_postmarks_inbound_stream():
    headers = [{"Name": "In-Reply-To", "Value": MESSAGE_ID}]
    body, http = hooks.postmark(
        {
            "FromFull": {"Email": "ana@example.com"},
            "From": "Ana@Example.com",
            "MessageID": "p1",
            "Subject": "Re: Tu cesta",
            "TextBody": QUOTED,
            "HtmlBody": "",
            "Headers": headers,
        }
    )
    [found] = postmark.read(request(body, http, password=hooks.PASSWORD))
    check_answer(found)
    assert found.id == "<p1@postmark>"


def test_a_mail_taken_apart_in_another_charset_and_a_raw_one_in_its_own():
    apart = {"headers": b"From: a@example.com", "text": "adiós".encode("latin-1"), "charsets": b'{"text":"iso-8859-1"}'}
    raw = {"email": b"From: a@example.com\r\nContent-Type: text/plain; charset=latin-1\r\n\r\nadi\xf3s"}
    for fields in (apart, raw):
        body, http = hooks.multipart(fields)
        [found] = sendgrid.read(request(body, {**http, **hooks.basic()}, password=hooks.PASSWORD, secret=""))
        assert found.text == "adiós"


def test_a_bounce_that_comes_where_answers_do_is_a_receipt():
    raw = (
        'From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        "Final-Recipient: rfc822; ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {MESSAGE_ID}\r\n\r\n--b--\r\n"
    )
    [found] = mail.read(request(b""), raw.encode())
    assert found == Reported(Report("bounced", ACTION, PROFILE, "email", {"kind": "hard", "status": "5.1.1"}))
    assert mail.read(request(b""), raw.replace(MESSAGE_ID, "<x@y>").encode()) == [Other("not_ours")]
    assert mail.read(request(b""), raw.replace("failed", "delayed").encode()) == [Other("passing")]


def test_comments_in_html_are_not_read_and_cost_nothing():
    html = "<p>Hola<!-- <b>no</b> --> Ana</p>" + "<!--" * 20_000
    began = time.process_time()
    assert read_mail(text=None, html=html).text == "Hola Ana"
    assert time.process_time() - began < 2  # read as they stand, they would take ten times as long


@pytest.mark.parametrize("encoding", ["UTF8", "BASE64"])
def test_mails_that_ses_receives(encoding):
    raw = a_mail(In_Reply_To=MESSAGE_ID)
    content = base64.b64encode(raw).decode() if encoding == "BASE64" else raw.decode()
    notice = {"notificationType": "Received", "content": content, "receipt": {"action": {"encoding": encoding}}}
    [found] = ses.read_envelope(request(b"", topics="t"), {"Type": "Notification", "Message": json.dumps(notice)})
    check_answer(found)


def test_a_mail_that_ses_left_elsewhere_says_what_to_change():
    notice = {"notificationType": "Received", "receipt": {"action": {"type": "S3"}}}
    with pytest.raises(Unreadable, match="SNS action"):
        ses.read_envelope(request(b"", topics="t"), {"Type": "Notification", "Message": json.dumps(notice)})
