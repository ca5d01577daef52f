"""WhatsApp: Meta's Cloud API, and what every provider of it shares.

Owns the customer-service window as delivery sees it. Must never decide whether somebody may be written to.
"""
