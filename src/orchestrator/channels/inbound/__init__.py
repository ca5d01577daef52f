"""Inbound: what providers report and what customers write, read out of the requests that providers make.

    Request (headers, body, url, keys, now) ─► provider.read ─► [Reported | Written | Stated | Other]

One module a provider. Each checks who is speaking, as that provider lets it be checked, before it reads a word, and is
a pure function: the same request gives the same findings. Owns the providers' forms and what they mean in our words.
Must never answer HTTP, keep anything, or guess whom a report is about: it names a reference of ours (`references`), or
it is `Other`, which is counted.
"""
