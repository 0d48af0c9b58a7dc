import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Prints failures while they happen and ends with one plain line: `N passed, N failed`. */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      for (const error of module.errors()) {
        failed++;
        console.error(`FAIL ${module.relativeModuleId}\n${error.stack ?? error.message}`);
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed++;
        else if (result.state === 'failed') {
          failed++;
          console.error(`FAIL ${module.relativeModuleId} > ${test.fullName}`);
          for (const error of result.errors) console.error(error.stack ?? error.message);
        }
      }
    }
    for (const error of unhandled) console.error(`UNHANDLED ${error.stack ?? error.message}`);
    if (passed + failed === 0) {
      failed = 1;
      console.error('no test ran');
    }
    console.log(`${passed} passed, ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
  }
}
