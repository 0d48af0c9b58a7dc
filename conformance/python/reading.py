"""Many records over four shards, read back by each iterator type: in order, nothing missing, nothing twice."""

from checks import equal, new_stream

SHARDS = [f"shardId-{number:012}" for number in range(4)]
BATCH = 500


def check_reading(client, checks, count):
    with new_stream(client, "reading", len(SHARDS)) as name:
        Reading(client, checks, name).run(count)


class Reading:
    def __init__(self, client, checks, name):
        self.client = client
        self.checks = checks
        self.name = name
        # By shard, in order: (sequence number, record number).
        self.stored = {shard: [] for shard in SHARDS}

    def run(self, count):
        latest = {shard: self.iterator(shard, "LATEST") for shard in SHARDS}
        with self.checks.check(f"put_records of {count} records over {len(SHARDS)} shards"):
            self.put_all(count)
        arrivals = {}
        self.read_all("TRIM_HORIZON", lambda shard: self.iterator(shard, "TRIM_HORIZON"), arrivals=arrivals)
        self.read_all("LATEST, taken before the puts", latest.get)
        for kind, skipped in (("AT_SEQUENCE_NUMBER", 0), ("AFTER_SEQUENCE_NUMBER", 1)):
            for place, index in (("the first record", lambda shard: 0), ("the middle", self.middle)):
                self.read_all(
                    f"{kind} of {place}",
                    lambda shard: self.iterator(shard, kind, StartingSequenceNumber=self.stored[shard][index(shard)][0]),
                    lambda shard: index(shard) + skipped,
                )
        # botocore sends whole seconds.
        times = {shard: arrivals[shard][self.middle(shard)].replace(microsecond=0) for shard in SHARDS}
        self.read_all(
            "AT_TIMESTAMP of the middle",
            lambda shard: self.iterator(shard, "AT_TIMESTAMP", Timestamp=times[shard]),
            lambda shard: next(i for i, time in enumerate(arrivals[shard]) if time >= times[shard]),
        )

    def put_all(self, count):
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            records = [{"PartitionKey": f"key-{number}", "Data": data_of(number)} for number in numbers]
            answer = self.client.put_records(StreamName=self.name, Records=records)
            equal(answer["FailedRecordCount"], 0)
            for number, result in zip(numbers, answer["Records"], strict=True):
                self.stored[result["ShardId"]].append((result["SequenceNumber"], number))
        for entries in self.stored.values():
            entries.sort(key=lambda entry: int(entry[0]))
        equal(sum(map(len, self.stored.values())), count)
        equal(min(map(len, self.stored.values())) > 0, True, "every shard gets records")

    def read_all(self, what, start, first_of=lambda shard: 0, arrivals=None):
        with self.checks.check(f"reads {what}"):
            for shard in SHARDS:
                records = self.read_to_tip(start(shard))
                found = [(record["SequenceNumber"], record["PartitionKey"], record["Data"]) for record in records]
                entries = self.stored[shard][first_of(shard):]
                expected = [(sequence, f"key-{number}", data_of(number)) for sequence, number in entries]
                equal(len(found), len(expected), "count of records")
                equal(found == expected, True, "the records of the puts, in order")
                if arrivals is not None:
                    arrivals[shard] = [record["ApproximateArrivalTimestamp"] for record in records]

    def read_to_tip(self, iterator):
        records = []
        while True:
            page = self.client.get_records(ShardIterator=iterator, Limit=10_000)
            records += page["Records"]
            if not page["Records"] and page["MillisBehindLatest"] == 0:
                return records
            iterator = page["NextShardIterator"]

    def iterator(self, shard, kind, **start):
        answer = self.client.get_shard_iterator(StreamName=self.name, ShardId=shard, ShardIteratorType=kind, **start)
        return answer["ShardIterator"]

    def middle(self, shard):
        return len(self.stored[shard]) // 2


def data_of(number):
    return f"record {number} ".ljust(100, ".").encode()
