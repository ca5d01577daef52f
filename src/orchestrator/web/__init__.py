"""HTTP: events in, customers' pages, receipts, lookups, health.

    server, writing                 the socket, its limits, and the order of ending
    app                             which path is answered by what
    answers, bodies, keys           the form of answers, what requests may carry, who gets in
    ingestion                       events in
    hooks, whose, receipts, case_hooks
                                    what providers, customers and teams' systems say, and who is meant
    customers, pages                customers' pages: what comes of them, and how they look
    inbox, inbox_pages, inbox_words, dossier, sessions
                                    the inbox, for people and programs
    lookup, streams                 what desks, tills and apps read
    openapi/                        all of it described, for programs

Owns the wire: paths, keys, limits, status codes, pages. Must never decide anything about a customer, nor keep
anything: what comes in goes to the runtime, which answers once it is durable.
"""
