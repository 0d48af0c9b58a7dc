"""Counts what held and what did not, a line each."""

import contextlib
import secrets


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        try:
            yield
        except Exception as error:  # whatever goes wrong in a check is its failure
            self.failed += 1
            reason = f"{type(error).__name__} {error}".replace("\n", " ")
            print(f"FAILED {name}: {reason[:2000]}", flush=True)
        else:
            self.passed += 1
            print(f"ok {name}", flush=True)

    @property
    def line(self):
        return f"{self.passed} passed, {self.failed} failed"


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what} {actual!r} is not {expected!r}")


def fresh_name(purpose):
    return f"conformance-boto3-{purpose}-{secrets.token_hex(5)}"


@contextlib.contextmanager
def new_stream(client, purpose, shards):
    """A stream that is removed afterwards."""
    name = fresh_name(purpose)
    client.create_stream(StreamName=name, ShardCount=shards)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    try:
        yield name
    finally:
        client.delete_stream(StreamName=name)
