// The closing line of a test run, from vitest's JSON report.

/** What is read of the report. */
export interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export interface Summary {
  readonly line: string;
  readonly isGood: boolean;
}

/**
 * @param report undefined where none was written
 * @param exitCode vitest's own: errors outside of any test show in it alone, and count as one failure
 */
export function summarize(report: TestReport | undefined, exitCode: number): Summary {
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  // A file that fails before its tests are known has none to count.
  const broken = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) =>
      status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  ).length;
  let failed = (report?.numFailedTests ?? 0) + broken;
  if (failed === 0 && exitCode !== 0) failed = 1;
  return {
    line: `${passed} passed, ${failed} failed, ${skipped} skipped`,
    isGood: failed === 0 && passed > 0,
  };
}
