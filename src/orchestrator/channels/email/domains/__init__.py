"""Domains: whether the world believes a mail that comes in a domain's name, and what to publish so that it does.

    SPF      which servers may send     DKIM     the key that mails are signed by     DMARC     what to do with others

`records` judges what was found, `asking` asks DNS. Owns both. Must never send anything but questions.
"""
