"""Cases for people: what another system, or a mailbox, is told of one.

A webhook's template is JSON whose texts are Liquid over the case's data; without one the data is told as it is. Two
come with the product, each in the form that its system documents, with the case's id in it so that what comes back
names the case:

    zendesk    POST /api/v2/tickets.json                          external_id
    chatwoot   POST /api/v1/accounts/ID/conversations             custom_attributes.case_id

Owns those templates and the letter that a mailbox gets. Must never send.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.channels.rendering import Rendered
from orchestrator.model.project import Team

_STORY = (
    "{{ summary }}\n\nReason: {{ reason }}\nCustomer: {{ customer_id }}\nLast channel: {{ channels.last }}\n"
    "{% for message in sent %}Sent {{ message.message }} by {{ message.channel }} at {{ message.at }}\n{% endfor %}"
    "Journey: {{ journey }}\nCase: {{ case_id }}"
)
TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "zendesk": {
        "ticket": {
            "subject": "{{ summary | truncate: 140 }}",
            "comment": {"body": _STORY, "public": False},
            # Zendesk knows low, normal, high and urgent, as we do.
            "priority": "{{ priority }}",
            "external_id": "{{ case_id }}",
            "requester": {
                "name": "{{ customer.traits.first_name | default: customer_id | default: 'Customer' }}",
                "email": "{{ customer.identifiers.email | last | default: customer.traits.email }}",
            },
            "tags": ["{{ team }}", "{{ skill | default: 'any' }}", "{{ reason | default: 'case' }}"],
        }
    },
    "chatwoot": {
        "inbox_id": "{{ settings.inbox_id }}",
        # Who the customer is in that inbox: the company keeps it as a trait.
        "source_id": "{{ customer.traits.chatwoot_source_id }}",
        "status": "open",
        "custom_attributes": {"case_id": "{{ case_id }}", "priority": "{{ priority }}", "reason": "{{ reason }}"},
        "message": {"content": _STORY},
    },
}


def template_of(team: Team) -> Mapping[str, Any] | None:
    """Give the template of a team's webhook; None where the data is told as it is."""
    return TEMPLATES[team.template] if isinstance(team.template, str) else team.template


def letter(data: Mapping[str, Any], summary: str | None, link: str | None) -> Rendered:
    """Write the mail that tells a team of a case: what is known, in words, and where to answer."""
    channels = data.get("channels") or {}
    lines = [
        summary or "",
        "",
        f"Priority: {data.get('priority')}",
        f"Reason: {data.get('reason') or 'not given'}",
        f"Customer: {data.get('customer_id') or data.get('profile_id')}",
        f"Last channel: {channels.get('last') or 'unknown'}",
        f"Journey: {data.get('journey')}",
        *(f"Sent {one['message']} by {one['channel']} at {one['at']}" for one in data.get("sent") or ()),
        f"Case: {data.get('case_id')}",
    ]
    if link is not None:
        lines += ["", f"Answer it here: {link}"]
    first = (summary or str(data.get("reason") or "a case")).splitlines()[0][:140]
    return Rendered("email", "en", {"subject": f"[{data.get('priority')}] {first}", "text": "\n".join(lines)})
