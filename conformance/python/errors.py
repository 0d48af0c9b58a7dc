"""The error classes that botocore makes of the answers, and their messages."""

from botocore.exceptions import ClientError

from checks import equal, new_stream


def check_errors(client, checks):
    with new_stream(client, "errors", 1) as name:
        arn = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        account = arn.split(":")[4]
        at = {"StreamName": name, "ShardId": "shardId-000000000000"}

        def expect(code, message, call, **arguments):
            with checks.check(f"{code} of {call.__name__}"):
                try:
                    call(**arguments)
                except ClientError as error:
                    equal(error.response["Error"]["Code"], code)
                    equal(error.response["Error"]["Message"], message)
                    equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
                    equal(isinstance(error, client.exceptions.from_code(code)), True, "class")
                else:
                    raise AssertionError("nothing was raised")

        expect(
            "ResourceNotFoundException",
            f"Stream no-such under account {account} not found.",
            client.describe_stream,
            StreamName="no-such",
        )
        expect(
            "ResourceInUseException",
            f"Stream {name} under account {account} already exists.",
            client.create_stream,
            StreamName=name,
            ShardCount=1,
        )
        expect(
            "InvalidArgumentException",
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP."
            " Current request has no timestamp parameter.",
            client.get_shard_iterator,
            ShardIteratorType="AT_TIMESTAMP",
            **at,
        )
        expect("InvalidArgumentException", "Invalid ShardIterator.", client.get_records, ShardIterator="nonsense")
        expect(
            "ValidationException",
            "1 validation error detected: Value 'k k' at 'streamName' failed to satisfy constraint:"
            " Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
            client.put_record,
            StreamName="k k",
            PartitionKey="k",
            Data=b"x",
        )
