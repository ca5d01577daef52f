"""A Faust agent that only passes through, for comparison: an answer to each order, one event in ten.

A program of its own: `python -m orchestrator.bench.kafka.pass_faust SERVERS GROUP INPUT OUTPUT FOLDER`. Owns no state.
Must never be imported by anything: Faust parses the process's arguments as soon as it is.
"""

import sys
from importlib import import_module
from typing import Any

COMMIT_S = 0.1


def application(servers: str, group: str, source: str, output: str, folder: str) -> Any:
    """Make the application with its agent."""
    faust = import_module("faust")
    app = faust.App(
        group,
        broker=f"kafka://{servers}",
        datadir=folder,
        topic_disable_leader=True,
        broker_commit_interval=COMMIT_S,
        web_enabled=False,
    )
    events = app.topic(source, key_type=bytes, value_serializer="json")
    answers = app.topic(output, key_type=bytes, value_serializer="json")

    async def answer(stream: Any) -> None:
        async for key, event in stream.items():
            if event["type"] == "order_placed":
                line = {"id": event["id"], "customer_id": event["customer_id"], "at": event["time"]}
                await answers.send(key=key, value=line)

    app.agent(events)(answer)
    return app


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.argv[1:] = ["worker", "-l", "warn", "--without-web"]
    application(*given).main()
