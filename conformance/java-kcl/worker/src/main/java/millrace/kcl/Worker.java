package millrace.kcl;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Kinesis Client Library as its users write one; what it processes goes to standard output, see {@link Processor}. Only
 * times are shorter than the library's own, so that a run of minutes sees workers die and shards move. It ends when its input does,
 * and with status 1 when the library gives up. SIGTERM ends it, too.
 *
 * <p>Compiled for the newest version, it also runs with the jars of 3.0.
 *
 * <p>Arguments: stream, application, worker, polling or fan-out, endpoint of Kinesis, endpoint of DynamoDB.
 */
final class Worker {
  private static final long FAILOVER_MILLIS = 4_000;

  public static void main(String[] args) {
    String stream = args[0];
    boolean isPolling = args[3].equals("polling");
    KinesisAsyncClient kinesis =
        KinesisClientUtil.createKinesisAsyncClient(
            KinesisAsyncClient.builder().endpointOverride(URI.create(args[4])));
    DynamoDbAsyncClient dynamo = DynamoDbAsyncClient.builder().endpointOverride(URI.create(args[5])).build();
    // Never called, since there are no metrics; the library wants one all the same.
    CloudWatchAsyncClient cloudWatch = CloudWatchAsyncClient.builder().endpointOverride(URI.create(args[5])).build();
    InitialPositionInStreamExtended start =
        InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
    ConfigsBuilder configs =
        new ConfigsBuilder(
            new SingleStreamTracker(stream, start), args[1], kinesis, dynamo, cloudWatch, args[2], Processor::new);
    RetrievalConfig retrieval = configs.retrievalConfig();
    if (isPolling) {
      PollingConfig polling = new PollingConfig(stream, kinesis);
      polling.idleTimeBetweenReadsInMillis(250);
      retrieval.retrievalSpecificConfig(polling);
    }
    LeaseManagementConfig leases = configs.leaseManagementConfig().failoverTimeMillis(FAILOVER_MILLIS);
    hastenLeaders(leases);
    // Shards are assigned to a worker that has died until it has missed two reports.
    leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(FAILOVER_MILLIS / 2);
    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            configs.coordinatorConfig().parentShardPollIntervalMillis(500),
            leases,
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
            configs.processorConfig(),
            retrieval);
    new Thread(() -> endWithInput(scheduler), "input").start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> endGracefully(scheduler), "end"));
    try {
      scheduler.run();
    } finally {
      // It could not start, or gave up: whoever runs workers starts another.
      if (!scheduler.hasGracefulShutdownStarted()) Runtime.getRuntime().halt(1);
    }
  }

  /** Before 3.2 a leader is followed after two minutes, whatever one wants. */
  private static void hastenLeaders(LeaseManagementConfig leases) {
    try {
      leases
          .dynamoDbLockBasedLeaderLeaseDurationInMillis(3 * FAILOVER_MILLIS)
          .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(FAILOVER_MILLIS / 2);
    } catch (NoSuchMethodError e) {
      // So it is two minutes.
    }
  }

  private static void endWithInput(Scheduler scheduler) {
    try {
      while (System.in.read() >= 0) {}
    } catch (IOException e) {
      // As good as its end.
    }
    endGracefully(scheduler);
  }

  private static void endGracefully(Scheduler scheduler) {
    try {
      scheduler.startGracefulShutdown().get(6, TimeUnit.SECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      // It waits on and on for some shards: then without a word to them, but no longer as the leader.
      scheduler.shutdown();
    }
    Runtime.getRuntime().halt(0);
  }
}
