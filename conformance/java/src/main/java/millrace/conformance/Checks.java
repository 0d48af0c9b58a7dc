package millrace.conformance;

import java.util.Objects;

/** Counts what held and what did not, a line each. */
final class Checks {
  interface Body {
    void run() throws Exception;
  }

  private int passed;
  private int failed;

  void check(String name, Body body) {
    try {
      body.run();
      passed++;
      System.out.println("ok " + name);
    } catch (Exception | AssertionError error) {
      failed++;
      System.out.println("FAILED " + name + ": " + error.toString().replaceAll("\\s+", " "));
    }
  }

  void close() {
    System.out.println(passed + " passed, " + failed + " failed");
  }

  static void equal(Object actual, Object expected, String what) {
    if (!Objects.equals(actual, expected)) {
      throw new AssertionError(what + ": " + actual + " is not " + expected);
    }
  }
}
