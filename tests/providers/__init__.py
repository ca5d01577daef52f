"""Providers to test against: a mail server and a web server on this machine that behave, or misbehave, as told.

Owns what a provider can do to us. Must never be smarter than a provider is: what it got is kept as it came.
"""

from providers.deliveries import LINKS, SECRET, action, delivery, preparer
from providers.mail import MailServer
from providers.web import WebServer

__all__ = ["LINKS", "SECRET", "MailServer", "WebServer", "action", "delivery", "preparer"]
