"""What STS tells clients that make ARNs of names, at the endpoint of the streams."""

from botocore.exceptions import ClientError

from checks import equal, new_stream


def check_caller_identity(client, sts, checks):
    with checks.check("the account of get_caller_identity is that of the streams' ARNs"):
        with new_stream(client, "account", 1) as name:
            found = sts.get_caller_identity()
            arn = f"arn:aws:kinesis:{client.meta.region_name}:{found['Account']}:stream/{name}"
            client.describe_stream_summary(StreamARN=arn)
            equal(found["Arn"].split(":")[4], found["Account"])
            equal(bool(found["UserId"]), True)
    with checks.check("InvalidAction of an operation of STS that is not there"):
        try:
            sts.get_session_token()
        except ClientError as error:
            equal(error.response["Error"]["Code"], "InvalidAction")
            equal("GetSessionToken" in error.response["Error"]["Message"], True)
            equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        else:
            raise AssertionError("nothing was raised")
