"""The roads to a customer: rendering a message, handing it to a provider, reading the receipt.

Owns templates, addresses, retries' reasons and each provider's manners.
Must never decide whether a message may go: that decision is made, and on record, before an action gets here.
"""
