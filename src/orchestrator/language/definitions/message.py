"""A message as its author writes it: content by channel, and by language.

Owns the fields that each channel has. Must never render them.
"""

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from orchestrator.language.definitions.fields import Id, Language, Model, Name, Text, nearest, refuse

# Channels whose content has fields of its own.
KINDS = ("email", "push", "sms", "whatsapp")


class Content(Model):
    """What all contents are: fields of text, each a Liquid template."""

    def fields(self) -> dict[str, Any]:
        """Give the fields that the author wrote, by their written names."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class EmailContent(Content):
    """An e-mail."""

    subject: Text | None = Field(None, description="The subject line.")
    text: Text | None = Field(None, description="The body as plain text, or a .txt file.")
    html: Text | None = Field(None, description="The body as HTML, or a .html file.")
    mjml: Text | None = Field(None, description="The body as MJML, or a .mjml file.")
    markdown: Text | None = Field(None, description="The body as Markdown, or a .md file.")
    preheader: Text | None = Field(None, description="What mail programs show after the subject.")
    from_: Text | None = Field(None, alias="from", description="The sender.")
    reply_to: Text | None = Field(None, description="Where answers go.")


class PushContent(Content):
    """A push notification."""

    title: Text | None = Field(None, description="The title.")
    body: Text | None = Field(None, description="The body.")
    url: Text | None = Field(None, description="What a tap opens.")
    image: Text | None = Field(None, description="A picture's address.")


class SmsContent(Content):
    """A text message."""

    text: Text | None = Field(None, description="The text.")


class WhatsappContent(Content):
    """A WhatsApp message."""

    text: Text | None = Field(None, description="The text, inside the 24 hours after the customer wrote.")
    template: Text | None = Field(None, description="The approved template's name, for outside of them.")
    parameters: list[Text] | None = Field(None, description="The template's parameters.")


class OtherContent(Content):
    """A message on any other channel: chat, in-app and so on."""

    text: Text | None = Field(None, description="The text.")
    title: Text | None = Field(None, description="The title.")
    url: Text | None = Field(None, description="What a tap opens.")


class Contents(Model):
    """Content by channel; a channel that is none of these has text, title and url."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OtherContent]

    email: EmailContent | None = Field(None, description="As an e-mail.")
    push: PushContent | None = Field(None, description="As a push notification.")
    sms: SmsContent | None = Field(None, description="As a text message.")
    whatsapp: WhatsappContent | None = Field(None, description="As a WhatsApp message.")

    @model_validator(mode="before")
    @classmethod
    def _not_misspelt(cls, value: Any) -> Any:
        """Take what has fields of an e-mail, and nearly its name, for one: all its fields would be unknown else."""
        for name, content in value.items() if isinstance(value, dict) else ():
            strange = isinstance(content, dict) and not OtherContent.known_keys().keys() >= content.keys()
            if name not in cls.known_keys() and strange and (close := nearest(name, KINDS)):
                refuse("E305", f"there is no channel {name}", close, key=name)
        return value

    def by_channel(self) -> dict[str, Content]:
        """Give the content by channel, as the author wrote it."""
        written = {name: getattr(self, name) for name in KINDS}
        return {name: content for name, content in written.items() if content is not None} | self.__pydantic_extra__


class MessageDefinition(Contents):
    """A message: content by channel in the project's first language, and what other languages replace."""

    message: Id = Field(description="The message's id, in lower-case words with dashes.")
    purpose: Name | None = Field(None, description="Why we speak; without it the journey's purpose.")
    languages: dict[Language, Contents] = Field(
        default_factory=dict, description="By language: what replaces the fields above, one by one."
    )
    meta: dict[str, Any] | None = Field(None, description="Anything; nobody reads it but you.")


# What a content must hold to be one: any of these fields.
ESSENTIAL: dict[str, tuple[str, ...]] = {
    "email": ("text", "html", "mjml", "markdown"),
    "push": ("title", "body"),
    "sms": ("text",),
    "whatsapp": ("text", "template"),
}
