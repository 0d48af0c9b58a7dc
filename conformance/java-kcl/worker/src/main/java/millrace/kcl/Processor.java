package millrace.kcl;

import java.nio.charset.StandardCharsets;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * Says what it does, a line each, before it checkpoints: {@code record NANOS SHARD SEQUENCE DATA} with the time of the machine's
 * monotonic clock, which all processes share, {@code begun SHARD SEQUENCE}, {@code ended SHARD}, {@code lost SHARD}.
 */
final class Processor implements ShardRecordProcessor {
  private String shard;

  @Override
  public void initialize(InitializationInput input) {
    shard = input.shardId();
    say("begun " + shard + " " + input.extendedSequenceNumber().sequenceNumber());
  }

  @Override
  public void processRecords(ProcessRecordsInput input) {
    StringBuilder lines = new StringBuilder();
    for (KinesisClientRecord record : input.records()) {
      if (lines.length() > 0) lines.append('\n');
      lines.append("record ").append(System.nanoTime()).append(' ').append(shard).append(' ');
      lines.append(record.sequenceNumber()).append(' ').append(StandardCharsets.UTF_8.decode(record.data()));
    }
    if (lines.length() > 0) say(lines.toString());
    checkpoint(input.checkpointer());
  }

  @Override
  public void leaseLost(LeaseLostInput input) {
    say("lost " + shard);
  }

  @Override
  public void shardEnded(ShardEndedInput input) {
    say("ended " + shard);
    checkpoint(input.checkpointer());
  }

  @Override
  public void shutdownRequested(ShutdownRequestedInput input) {
    checkpoint(input.checkpointer());
  }

  private void checkpoint(RecordProcessorCheckpointer checkpointer) {
    try {
      checkpointer.checkpoint();
    } catch (ShutdownException e) {
      // Another worker has the lease, and what is behind the last checkpoint.
    } catch (InvalidStateException e) {
      throw new IllegalStateException(e);
    }
  }

  private static synchronized void say(String lines) {
    System.out.println(lines);
    System.out.flush();
  }
}
