"""Waiters, paginators, descriptions, lists, tags, retention and single records."""

from checks import equal, fresh_name, new_stream


def check_control_plane(client, checks):
    with checks.check("waiters stream_exists and stream_not_exists"):
        with new_stream(client, "waiter", 1) as name:
            pass
        client.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    with checks.check("paginator of list_streams"):
        list_streams(client)
    with new_stream(client, "control", 5) as name:
        for check in (describe, paginate_description, list_shards, tags, resource_tags, retention, single_records):
            with checks.check(check.__name__.replace("_", " ")):
                check(client, name)
    with new_stream(client, "reshard", 1) as name:
        with checks.check("resharding"):
            resharding(client, name)
        with checks.check("fan-out"):
            fan_out(client, name)


def list_streams(client):
    prefix = fresh_name("pages")
    names = [f"{prefix}-{number}" for number in range(7)]
    for name in names:
        client.create_stream(StreamName=name, ShardCount=1)
    try:
        pages = client.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2})
        found = [name for page in pages for name in page["StreamNames"]]
        equal([name for name in found if name.startswith(prefix)], names)
    finally:
        for name in names:
            client.delete_stream(StreamName=name)


def describe(client, name):
    full = client.describe_stream(StreamName=name)["StreamDescription"]
    summary = client.describe_stream_summary(StreamARN=full["StreamARN"])["StreamDescriptionSummary"]
    equal((full["StreamStatus"], full["HasMoreShards"], len(full["Shards"])), ("ACTIVE", False, 5))
    equal((summary["StreamName"], summary["OpenShardCount"]), (name, 5))
    equal(summary["StreamCreationTimestamp"], full["StreamCreationTimestamp"])
    equal(client.describe_limits()["OpenShardCount"] >= 5, True)


def paginate_description(client, name):
    pages = client.get_paginator("describe_stream").paginate(StreamName=name, PaginationConfig={"PageSize": 2})
    equal([shard["ShardId"] for page in pages for shard in page["StreamDescription"]["Shards"]], shard_ids(5))


def list_shards(client, name):
    pages = client.get_paginator("list_shards").paginate(StreamName=name)
    equal([shard["ShardId"] for page in pages for shard in page["Shards"]], shard_ids(5))
    # The paginator repeats the name beside the token, which the service refuses; so pages are asked for by hand.
    page = client.list_shards(StreamName=name, MaxResults=2)
    shards = page["Shards"]
    while "NextToken" in page:
        page = client.list_shards(NextToken=page["NextToken"], MaxResults=2)
        shards += page["Shards"]
    equal([shard["ShardId"] for shard in shards], shard_ids(5))


def tags(client, name):
    client.add_tags_to_stream(StreamName=name, Tags={"team": "mill", "größe": "ü 1", "empty": ""})
    client.remove_tags_from_stream(StreamName=name, TagKeys=["team"])
    answer = client.list_tags_for_stream(StreamName=name)
    equal({tag["Key"]: tag["Value"] for tag in answer["Tags"]}, {"größe": "ü 1", "empty": ""})
    equal(answer["HasMoreTags"], False)
    client.remove_tags_from_stream(StreamName=name, TagKeys=["größe", "empty"])


def resource_tags(client, name):
    arn = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    client.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    client.untag_resource(ResourceARN=arn, TagKeys=["a"])
    equal(client.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "b", "Value": "2"}])


def retention(client, name):
    for change, hours in ((client.increase_stream_retention_period, 48), (client.decrease_stream_retention_period, 24)):
        change(StreamName=name, RetentionPeriodHours=hours)
        summary = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        equal(summary["RetentionPeriodHours"], hours)


def single_records(client, name):
    content = [bytes(range(256)), b"", b"x" * (1024 * 1024 - len("ключ".encode()))]
    previous = {}
    for data in content:
        put = client.put_record(StreamName=name, PartitionKey="ключ", Data=data, **previous)
        previous = {"SequenceNumberForOrdering": put["SequenceNumber"]}
    iterator = client.get_shard_iterator(
        StreamName=name, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = client.get_records(ShardIterator=iterator)["Records"]
    equal([(record["PartitionKey"], record["Data"]) for record in records] == [("ключ", data) for data in content], True)
    equal(records[-1]["SequenceNumber"], put["SequenceNumber"])


def resharding(client, name):
    active = client.get_waiter("stream_exists")
    put = client.put_record(StreamName=name, PartitionKey="k", Data=b"before")
    client.split_shard(StreamName=name, ShardToSplit=put["ShardId"], NewStartingHashKey=str(2**127))
    active.wait(StreamName=name, WaiterConfig={"Delay": 1})
    client.merge_shards(StreamName=name, ShardToMerge=shard_ids(3)[1], AdjacentShardToMerge=shard_ids(3)[2])
    active.wait(StreamName=name, WaiterConfig={"Delay": 1})
    answer = client.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    equal((answer["CurrentShardCount"], answer["TargetShardCount"]), (1, 2))
    iterator = client.get_shard_iterator(
        StreamName=name, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    last = client.get_records(ShardIterator=iterator)
    equal([record["Data"] for record in last["Records"]], [b"before"])
    equal("NextShardIterator" in last, False)
    equal([child["ShardId"] for child in last["ChildShards"]], shard_ids(3)[1:])
    equal([child["ParentShards"] for child in last["ChildShards"]], [[put["ShardId"]]] * 2)
    try:
        client.split_shard(StreamName=name, ShardToSplit=put["ShardId"], NewStartingHashKey=str(2**127))
        raise AssertionError("a closed shard was split")
    except client.exceptions.InvalidArgumentException:
        pass


def fan_out(client, name):
    summary = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    arn = summary["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    equal(client.list_stream_consumers(StreamARN=arn)["Consumers"], [consumer])
    shard = client.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"][0]
    low = shard["HashKeyRange"]["StartingHashKey"]
    client.put_record(StreamName=name, PartitionKey="k", ExplicitHashKey=low, Data=b"before")
    subscription = client.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"], ShardId=shard["ShardId"], StartingPosition={"Type": "TRIM_HORIZON"}
    )
    client.put_record(StreamName=name, PartitionKey="k", ExplicitHashKey=low, Data=b"after")
    middle = (int(low) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
    client.split_shard(StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
    events = [event["SubscribeToShardEvent"] for event in subscription["EventStream"]]
    equal([record["Data"] for event in events for record in event["Records"]], [b"before", b"after"])
    equal(len(events[-1]["ChildShards"]), 2)
    equal("ContinuationSequenceNumber" in events[-1], False)
    described = client.describe_stream_consumer(ConsumerARN=consumer["ConsumerARN"])["ConsumerDescription"]
    equal((described["ConsumerStatus"], described["StreamARN"]), ("ACTIVE", arn))
    client.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])


def shard_ids(count):
    return [f"shardId-{number:012}" for number in range(count)]
