package millrace.kpl;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordFailedException;
import software.amazon.kinesis.producer.UserRecordResult;

/**
 * The Kinesis Producer Library as its users write it. Puts records with the texts "KEY NUMBER" and says what became of each: "put NUMBER
 * SHARD SEQUENCE-NUMBER" or "failed NUMBER REASON", and at the end "done".
 *
 * <p>Arguments: stream, host, port, certificate file (or "-", to verify none), folder for the library's own program, true to aggregate,
 * records, records a second.
 */
final class Producer {
  private static final int KEYS = 48;
  private static final int OUTSTANDING_MAX = 5_000;
  private static final int TICK_MILLIS = 10;

  public static void main(String[] args) throws InterruptedException {
    String stream = args[0];
    int records = Integer.parseInt(args[6]);
    int perTick = Math.max(1, Integer.parseInt(args[7]) * TICK_MILLIS / 1000);
    KinesisProducer producer = new KinesisProducer(configuration(args));
    CountDownLatch open = new CountDownLatch(records);
    for (int number = 0; number < records; number++) {
      while (producer.getOutstandingRecordsCount() >= OUTSTANDING_MAX) Thread.sleep(1);
      String key = "key-" + number % KEYS;
      ByteBuffer data = ByteBuffer.wrap((key + " " + number).getBytes(StandardCharsets.UTF_8));
      Futures.addCallback(producer.addUserRecord(stream, key, data), new Teller(number, open), Runnable::run);
      if (number % perTick == 0) Thread.sleep(TICK_MILLIS);
    }
    producer.flush();
    open.await();
    System.out.println("done");
    System.out.flush();
    producer.destroy();
    Runtime.getRuntime().halt(0);
  }

  private static KinesisProducerConfiguration configuration(String[] args) {
    long port = Long.parseLong(args[2]);
    KinesisProducerConfiguration configuration =
        new KinesisProducerConfiguration()
            .setRegion(System.getenv("AWS_REGION"))
            .setKinesisEndpoint(args[1])
            .setKinesisPort(port)
            // It asks who it is before it puts anything, and ends when nobody tells it.
            .setStsEndpoint(args[1])
            .setStsPort(port)
            .setMetricsLevel("none")
            .setTempDirectory(args[4])
            .setAggregationEnabled(Boolean.parseBoolean(args[5]))
            // A server that is killed is back long before.
            .setRecordTtl(120_000);
    return args[3].equals("-")
        ? configuration.setVerifyCertificate(false)
        : configuration.setCaCertFile(args[3]);
  }

  /** Says what became of one record. */
  private record Teller(int number, CountDownLatch open) implements FutureCallback<UserRecordResult> {
    @Override
    public void onSuccess(UserRecordResult result) {
      System.out.println("put " + number + " " + result.getShardId() + " " + result.getSequenceNumber());
      open.countDown();
    }

    @Override
    public void onFailure(Throwable error) {
      Object reason =
          error instanceof UserRecordFailedException failed ? failed.getResult().getAttempts() : error;
      System.out.println("failed " + number + " " + String.valueOf(reason).replace('\n', ' '));
      open.countDown();
    }
  }
}
