package millrace.conformance;

import static millrace.conformance.Checks.equal;

import java.util.UUID;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.model.*;

/** The SDK makes its own exception classes of the answers. */
final class Errors {
  private final Calls calls;
  private final Checks checks;
  private final String prefix;
  private final String name = "conformance-java-errors-" + UUID.randomUUID();

  Errors(Calls calls, Checks checks, String prefix) {
    this.calls = calls;
    this.checks = checks;
    this.prefix = prefix;
  }

  void run() {
    CreateStreamRequest create = CreateStreamRequest.builder().streamName(name).shardCount(1).build();
    calls.createStream(create);
    calls.waitUntilExists(name);
    try {
      String account = calls.describe(DescribeStreamSummaryRequest.builder().streamName(name).build())
          .streamDescriptionSummary().streamARN().split(":")[4];
      expect(ResourceNotFoundException.class, "Stream no-such under account " + account + " not found.",
          () -> calls.describe(DescribeStreamSummaryRequest.builder().streamName("no-such").build()));
      expect(ResourceInUseException.class, "Stream " + name + " under account " + account + " already exists.",
          () -> calls.createStream(create));
      expect(InvalidArgumentException.class, "Invalid ShardIterator.",
          () -> calls.getRecords(GetRecordsRequest.builder().shardIterator("nonsense").build()));
      expect(ValidationException.class,
          "1 validation error detected: Value '' at 'partitionKey' failed to satisfy constraint: "
              + "Member must have length greater than or equal to 1",
          () -> calls.putRecord(PutRecordRequest.builder()
              .streamName(name).partitionKey("").data(SdkBytes.fromUtf8String("x")).build()));
    } finally {
      calls.deleteStream(DeleteStreamRequest.builder().streamName(name).build());
    }
  }

  private void expect(Class<? extends KinesisException> type, String message, Checks.Body call) {
    checks.check(prefix + " " + type.getSimpleName(), () -> {
      try {
        call.run();
      } catch (KinesisException error) {
        equal(error.getClass(), type, "class");
        equal(error.awsErrorDetails().errorMessage(), message, "message");
        equal(error.awsErrorDetails().errorCode(), type.getSimpleName(), "code");
        equal(error.statusCode(), 400, "status");
        equal(error.requestId() != null, true, "has a request id");
        return;
      }
      throw new AssertionError("nothing was thrown");
    });
  }
}
