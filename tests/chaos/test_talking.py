"""The check that every place which sends to Redis has a name sees such places in all their forms."""

from __future__ import annotations

import ast
import textwrap

import pytest

from tests.chaos.crash.source import unnamed_in

# Lines that send without a name are marked; nothing else is to be found.
SENDS = {
    "a client where it lives": """
        def f(self):
            self._redis.get("a")  # sent
            self._deps.ledger.redis.get("a")  # sent
    """,
    "under another name": """
        def f(ledger):
            redis, token = ledger.redis, "x"
            redis.get("a")  # sent
            again = redis
            again.get("a")  # sent
            if (third := again) is not None:
                third.get("a")  # sent
    """,
    "as a parameter": """
        async def f(client: redis.Redis, other: "redis.asyncio.Redis | None", plain: str):
            client.hset("a", "b", "c")  # sent
            await other.get("a")  # sent
            plain.strip()
    """,
    "as an attribute with a name of its own": """
        class C:
            field: redis.Redis

            def __init__(self, client: redis.Redis):
                self.line = client

            def f(self):
                self.line.get("a")  # sent
                self.field.get("a")  # sent
    """,
    "opened here": """
        def f():
            store = connect("redis://127.0.0.1")
            store.ping()  # sent
            with connect("redis://127.0.0.1") as other:
                other.ping()  # sent
    """,
    "pipelines": """
        def f(ledger, p: Pipeline):
            pipeline = ledger.redis.pipeline(transaction=False)
            pipeline.get("a")
            pipeline.execute()  # sent
            with ledger.redis.pipeline() as q:
                q.get("a")
                q.execute()  # sent
            p.execute()  # sent
            ledger.redis.pipeline().execute()  # sent
    """,
    "with the next command": """
        def f(ledger):
            later(ledger.redis, ("DEL", "a"))  # sent
            answers = answers_soon(ledger.redis, pipe)  # sent
    """,
    "a channel": """
        def f(ledger):
            with ledger.redis.pubsub() as channel:  # sent
                channel.subscribe("a")  # sent
    """,
    "in a function inside": """
        def f(client: redis.Redis):
            def g():
                client.get("a")  # sent
            return lambda: client.get("a")  # sent
    """,
}
SILENT = {
    "inside of a boundary": """
        @boundary("a.b")
        def f(client: redis.Redis):
            pipe = client.pipeline()
            pipe.execute()

        def g(ledger):
            redis = ledger.redis
            with boundary("a.b"):
                redis.get("a")
    """,
    "what sends nothing": """
        def f(client: redis.Redis):
            script = client.register_script("return 1")
            client.close()
    """,
    "what is no client": """
        def f(cursor, pipe):
            redis.Redis.from_url("redis://127.0.0.1")
            cursor.execute()
            pipe = subprocess.Popen([])
            pipe.execute()

        def g(client: redis.Redis):
            def h(client: str):
                client.strip()
    """,
}


@pytest.mark.parametrize("form", SENDS)
def test_what_is_sent_without_a_name_is_seen(form: str) -> None:
    text = textwrap.dedent(SENDS[form])
    marked = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# sent")]

    assert unnamed_in(ast.parse(text)) == marked


@pytest.mark.parametrize("form", SILENT)
def test_what_has_a_name_or_sends_nothing_is_let_be(form: str) -> None:
    assert unnamed_in(ast.parse(textwrap.dedent(SILENT[form]))) == []
