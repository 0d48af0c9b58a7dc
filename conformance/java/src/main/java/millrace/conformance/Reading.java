package millrace.conformance;

import static millrace.conformance.Checks.equal;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.model.*;
import software.amazon.awssdk.services.kinesis.model.Record;

/** Many records over four shards, read back by each iterator type: in order, nothing missing, nothing twice. */
final class Reading {
  private static final int BATCH = 500;
  private static final List<String> SHARDS =
      IntStream.range(0, 4).mapToObj(number -> String.format("shardId-%012d", number)).toList();

  private record Stored(BigInteger sequenceNumber, int number) {}

  private final Calls calls;
  private final Checks checks;
  private final String prefix;
  private final String name = "conformance-java-" + UUID.randomUUID();
  private final Map<String, List<Stored>> stored = new TreeMap<>();
  private final Map<String, List<Instant>> arrivals = new HashMap<>();

  Reading(Calls calls, Checks checks, String prefix) {
    this.calls = calls;
    this.checks = checks;
    this.prefix = prefix;
    SHARDS.forEach(shard -> stored.put(shard, new ArrayList<>()));
  }

  void run(int count) {
    calls.createStream(CreateStreamRequest.builder().streamName(name).shardCount(SHARDS.size()).build());
    calls.waitUntilExists(name);
    try {
      checkAll(count);
    } finally {
      calls.deleteStream(DeleteStreamRequest.builder().streamName(name).build());
    }
  }

  private void checkAll(int count) {
    Map<String, String> latest = new HashMap<>();
    SHARDS.forEach(shard -> latest.put(shard, iterator(shard, ShardIteratorType.LATEST, null, null)));
    Instant before = Instant.now();
    checks.check(prefix + " putRecords of " + count + " records over 4 shards", () -> putAll(count));
    readAll("TRIM_HORIZON", shard -> iterator(shard, ShardIteratorType.TRIM_HORIZON, null, null), shard -> 0, true);
    checks.check(prefix + " arrival times in milliseconds", () -> checkArrivals(before));
    readAll("LATEST, taken before the puts", latest::get, shard -> 0, false);
    readFromNumber(ShardIteratorType.AT_SEQUENCE_NUMBER, 0);
    readFromNumber(ShardIteratorType.AFTER_SEQUENCE_NUMBER, 1);
    Function<String, Instant> middleTime = shard -> arrivals.get(shard).get(middle(shard));
    readAll(
        "AT_TIMESTAMP of the middle",
        shard -> iterator(shard, ShardIteratorType.AT_TIMESTAMP, null, middleTime.apply(shard)),
        shard -> (int) arrivals.get(shard).stream().filter(time -> time.isBefore(middleTime.apply(shard))).count(),
        false);
  }

  private void readFromNumber(ShardIteratorType type, int skipped) {
    Map<String, ToIntFunction<String>> places = Map.of("the first record", shard -> 0, "the middle", this::middle);
    places.forEach((place, index) -> readAll(
        type + " of " + place,
        shard -> iterator(shard, type, stored.get(shard).get(index.applyAsInt(shard)).sequenceNumber.toString(), null),
        shard -> index.applyAsInt(shard) + skipped,
        false));
  }

  private void putAll(int count) {
    for (int start = 0; start < count; start += BATCH) {
      List<PutRecordsRequestEntry> entries = IntStream.range(start, Math.min(start + BATCH, count))
          .mapToObj(number -> PutRecordsRequestEntry.builder().partitionKey("key-" + number).data(dataOf(number)).build())
          .toList();
      PutRecordsResponse answer = calls.putRecords(PutRecordsRequest.builder().streamName(name).records(entries).build());
      equal(answer.failedRecordCount(), 0, "failed records");
      for (int index = 0; index < entries.size(); index++) {
        PutRecordsResultEntry result = answer.records().get(index);
        stored.get(result.shardId()).add(new Stored(new BigInteger(result.sequenceNumber()), start + index));
      }
    }
    stored.values().forEach(list -> list.sort(Comparator.comparing(Stored::sequenceNumber)));
    equal(stored.values().stream().mapToInt(List::size).sum(), count, "records stored");
  }

  private void readAll(String what, Function<String, String> start, ToIntFunction<String> firstOf, boolean keepsTimes) {
    checks.check(prefix + " reads " + what, () -> {
      for (String shard : SHARDS) {
        List<Record> records = readToTip(start.apply(shard));
        List<Stored> all = stored.get(shard);
        assertSame(records, all.subList(firstOf.applyAsInt(shard), all.size()));
        if (keepsTimes) {
          arrivals.put(shard, records.stream().map(Record::approximateArrivalTimestamp).toList());
        }
      }
    });
  }

  private static void assertSame(List<Record> records, List<Stored> expected) {
    equal(records.size(), expected.size(), "count of records");
    for (int index = 0; index < records.size(); index++) {
      Record record = records.get(index);
      Stored entry = expected.get(index);
      equal(new BigInteger(record.sequenceNumber()), entry.sequenceNumber, "sequence number");
      equal(record.partitionKey(), "key-" + entry.number, "partition key");
      equal(record.data(), dataOf(entry.number), "data");
    }
  }

  /** Times in another unit would be decades away. */
  private void checkArrivals(Instant before) {
    Instant now = Instant.now();
    boolean hasFraction = false;
    for (List<Instant> times : arrivals.values()) {
      Instant last = Instant.MIN;
      for (Instant time : times) {
        boolean isBetween = !time.isBefore(before.minusSeconds(60)) && !time.isAfter(now.plusSeconds(60));
        equal(isBetween, true, time + " lies between " + before + " and " + now);
        equal(time.isBefore(last), false, time + " is not before " + last);
        equal(time.getNano() % 1_000_000, 0, "nanoseconds beyond milliseconds of " + time);
        hasFraction |= time.getNano() != 0;
        last = time;
      }
    }
    equal(hasFraction, true, "some time is not of a whole second");
    Instant created = calls.describe(DescribeStreamSummaryRequest.builder().streamName(name).build())
        .streamDescriptionSummary().streamCreationTimestamp();
    equal(created.isBefore(now) && created.isAfter(before.minusSeconds(300)), true, "creation time " + created);
  }

  private List<Record> readToTip(String iterator) {
    List<Record> records = new ArrayList<>();
    for (String next = iterator; next != null; ) {
      GetRecordsResponse page = calls.getRecords(GetRecordsRequest.builder().shardIterator(next).limit(10_000).build());
      records.addAll(page.records());
      next = page.records().isEmpty() && page.millisBehindLatest() == 0 ? null : page.nextShardIterator();
    }
    return records;
  }

  private String iterator(String shard, ShardIteratorType type, String number, Instant time) {
    return calls.getShardIterator(GetShardIteratorRequest.builder()
        .streamName(name).shardId(shard).shardIteratorType(type).startingSequenceNumber(number).timestamp(time).build())
        .shardIterator();
  }

  private int middle(String shard) {
    return stored.get(shard).size() / 2;
  }

  private static SdkBytes dataOf(int number) {
    return SdkBytes.fromUtf8String(String.format("%-100s", "record " + number).replace(' ', '.'));
  }
}
