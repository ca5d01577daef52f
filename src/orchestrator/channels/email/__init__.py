"""E-mail: composing it, handing it to an SMTP server, and reading the reports that come back.

Owns everything that only mail has: MIME, HTML for mail programs, SMTP's answers, bounces and complaints.
Must never decide whether or when a mail may go.
"""
