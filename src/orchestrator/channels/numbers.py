"""Phone numbers as providers take them.

Owns one function. Must never guess a country: an operator says which, or the number does.
"""

import phonenumbers

from orchestrator.errors import Bounced


def number_of(to: str, region: str | None = None) -> str:
    """Write a phone number as E.164; Bounced when it is none, or lacks its country and no region says which."""
    try:
        number = phonenumbers.parse(to, region.upper() if region else None)
    except phonenumbers.NumberParseException as error:
        raise Bounced(f"the address is no phone number with its country: {error}", hard=True) from error
    if not phonenumbers.is_possible_number(number):
        raise Bounced("the address is no phone number: nobody has one of this length", hard=True)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
