"""HTTP: events in, customers' pages, receipts, lookups, health.

Owns the wire: paths, keys, limits, status codes, pages. Must never decide anything about a customer, nor keep
anything: what comes in goes to the runtime, which answers once it is durable.
"""
