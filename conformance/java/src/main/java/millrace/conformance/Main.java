package millrace.conformance;

/** The AWS SDK for Java 2 against an endpoint: {@code Main ENDPOINT CERTIFICATE_FILE|- RECORDS}. */
public final class Main {
  /** Records of the asynchronous client, which shares all but the transport with the other. */
  private static final int ASYNC_RECORDS_MAX = 20_000;

  public static void main(String[] args) throws Exception {
    int records = Integer.parseInt(args[2]);
    Checks checks = new Checks();
    try (Clients clients = Clients.open(args[0], args[1])) {
      runAll(Calls.of(clients.sync()), checks, "sync client", records);
      runAll(Calls.of(clients.async()), checks, "async client", Math.min(records, ASYNC_RECORDS_MAX));
      checks.check("async client fan-out runs to its end", () -> new FanOut(clients.async(), checks).run());
    }
    checks.close();
    System.exit(0);
  }

  private static void runAll(Calls calls, Checks checks, String prefix, int records) {
    checks.check(prefix + " runs to its end", () -> {
      new Reading(calls, checks, prefix).run(records);
      new Errors(calls, checks, prefix).run();
    });
  }

  private Main() {}
}
