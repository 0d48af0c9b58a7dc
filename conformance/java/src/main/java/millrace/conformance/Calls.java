package millrace.conformance;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.*;

/** The operations the checks use, whichever client makes them. */
interface Calls {
  CreateStreamResponse createStream(CreateStreamRequest request);

  DeleteStreamResponse deleteStream(DeleteStreamRequest request);

  DescribeStreamSummaryResponse describe(DescribeStreamSummaryRequest request);

  GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request);

  GetRecordsResponse getRecords(GetRecordsRequest request);

  PutRecordResponse putRecord(PutRecordRequest request);

  PutRecordsResponse putRecords(PutRecordsRequest request);

  void waitUntilExists(String name);

  static Calls of(KinesisClient client) {
    return new Calls() {
      public CreateStreamResponse createStream(CreateStreamRequest request) {
        return client.createStream(request);
      }

      public DeleteStreamResponse deleteStream(DeleteStreamRequest request) {
        return client.deleteStream(request);
      }

      public DescribeStreamSummaryResponse describe(DescribeStreamSummaryRequest request) {
        return client.describeStreamSummary(request);
      }

      public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
        return client.getShardIterator(request);
      }

      public GetRecordsResponse getRecords(GetRecordsRequest request) {
        return client.getRecords(request);
      }

      public PutRecordResponse putRecord(PutRecordRequest request) {
        return client.putRecord(request);
      }

      public PutRecordsResponse putRecords(PutRecordsRequest request) {
        return client.putRecords(request);
      }

      public void waitUntilExists(String name) {
        client.waiter().waitUntilStreamExists(request -> request.streamName(name));
      }
    };
  }

  static Calls of(KinesisAsyncClient client) {
    return new Calls() {
      public CreateStreamResponse createStream(CreateStreamRequest request) {
        return resultOf(client.createStream(request));
      }

      public DeleteStreamResponse deleteStream(DeleteStreamRequest request) {
        return resultOf(client.deleteStream(request));
      }

      public DescribeStreamSummaryResponse describe(DescribeStreamSummaryRequest request) {
        return resultOf(client.describeStreamSummary(request));
      }

      public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
        return resultOf(client.getShardIterator(request));
      }

      public GetRecordsResponse getRecords(GetRecordsRequest request) {
        return resultOf(client.getRecords(request));
      }

      public PutRecordResponse putRecord(PutRecordRequest request) {
        return resultOf(client.putRecord(request));
      }

      public PutRecordsResponse putRecords(PutRecordsRequest request) {
        return resultOf(client.putRecords(request));
      }

      public void waitUntilExists(String name) {
        resultOf(client.waiter().waitUntilStreamExists(request -> request.streamName(name)));
      }
    };
  }

  /** Throws what the synchronous client would throw. */
  private static <T> T resultOf(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException error) {
      if (error.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw error;
    }
  }
}
