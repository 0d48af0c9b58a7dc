package millrace.conformance;

import static millrace.conformance.Checks.equal;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.*;

/** Enhanced fan-out as the Kinesis Client Library calls it: the asynchronous client on HTTP/2, events in JSON. */
final class FanOut {
  private static final int RECORDS = 1000;
  private static final String SHARD = "shardId-000000000000";
  private final KinesisAsyncClient client;
  private final Checks checks;
  private final String name = "conformance-java-fan-out-" + UUID.randomUUID();
  private final List<Integer> read = Collections.synchronizedList(new ArrayList<>());
  private final List<SubscribeToShardEvent> events = Collections.synchronizedList(new ArrayList<>());
  private final CountDownLatch first = new CountDownLatch(1);

  FanOut(KinesisAsyncClient client, Checks checks) {
    this.client = client;
    this.checks = checks;
  }

  void run() {
    client.createStream(request -> request.streamName(name).shardCount(1)).join();
    client.waiter().waitUntilStreamExists(request -> request.streamName(name)).join();
    try {
      checks.check("async client subscribeToShard gives every record in order, then the children", this::subscribe);
    } finally {
      client.deleteStream(request -> request.streamName(name).enforceConsumerDeletion(true)).join();
    }
  }

  private void subscribe() throws Exception {
    String stream = client.describeStreamSummary(request -> request.streamName(name)).join()
        .streamDescriptionSummary().streamARN();
    String consumer = client.registerStreamConsumer(request -> request.streamARN(stream).consumerName("reader")).join()
        .consumer().consumerARN();
    equal(client.describeStreamConsumer(request -> request.consumerARN(consumer)).join()
        .consumerDescription().consumerStatus(), ConsumerStatus.ACTIVE, "status of the consumer");
    SubscribeToShardResponseHandler handler = SubscribeToShardResponseHandler.builder()
        .subscriber(SubscribeToShardResponseHandler.Visitor.builder().onSubscribeToShardEvent(this::take).build())
        .build();
    CompletableFuture<Void> ended = client.subscribeToShard(request -> request
        .consumerARN(consumer)
        .shardId(SHARD)
        .startingPosition(position -> position.type(ShardIteratorType.TRIM_HORIZON)), handler);
    equal(first.await(30, TimeUnit.SECONDS), true, "the first event has come");
    for (int number = 0; number < RECORDS; number += 100) put(number);
    client.splitShard(request -> request.streamName(name).shardToSplit(SHARD)
        .newStartingHashKey("170141183460469231731687303715884105728")).join();
    ended.get(60, TimeUnit.SECONDS);
    equal(read.size(), RECORDS, "records");
    for (int number = 0; number < RECORDS; number++) equal(read.get(number), number, "record");
    SubscribeToShardEvent last = events.get(events.size() - 1);
    equal(last.continuationSequenceNumber(), null, "where the last event goes on");
    equal(last.childShards().stream().map(ChildShard::shardId).toList(),
        List.of("shardId-000000000001", "shardId-000000000002"), "children");
    equal(last.childShards().get(0).parentShards(), List.of(SHARD), "parents");
  }

  private void take(SubscribeToShardEvent event) {
    events.add(event);
    event.records().forEach(record -> read.add(Integer.parseInt(record.data().asUtf8String())));
    first.countDown();
  }

  private void put(int from) {
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (int number = from; number < from + 100; number++) {
      entries.add(PutRecordsRequestEntry.builder()
          .partitionKey("k").data(SdkBytes.fromUtf8String(Integer.toString(number))).build());
    }
    equal(client.putRecords(request -> request.streamName(name).records(entries)).join().failedRecordCount(), 0, "failed");
  }
}
