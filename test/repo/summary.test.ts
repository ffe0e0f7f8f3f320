import { expect, test } from "vitest";
import { summarize, type TestReport } from "../../scripts/summary.ts";

const good: TestReport = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [{ status: "passed", assertionResults: [{ status: "passed" }] }],
};

test("counts over all suites", () => {
  expect(summarize(good, 0)).toEqual({ line: "5 passed, 0 failed, 2 skipped", isGood: true });
});

test("fails with a failed test", () => {
  const testResults = [{ status: "failed", assertionResults: [{ status: "failed" }] }];
  const summary = summarize({ ...good, numFailedTests: 1, testResults }, 1);
  expect(summary).toEqual({ line: "5 passed, 1 failed, 2 skipped", isGood: false });
});

test("counts a suite that broke before its tests were known as failed", () => {
  const testResults = [{ status: "failed", assertionResults: [] }, ...good.testResults];
  expect(summarize({ ...good, testResults }, 1).line).toBe("5 passed, 1 failed, 2 skipped");
});

test("counts an error outside of any test as failed", () => {
  expect(summarize(good, 1)).toEqual({ line: "5 passed, 1 failed, 2 skipped", isGood: false });
});

test("fails where nothing ran", () => {
  expect(summarize(undefined, 1)).toEqual({ line: "0 passed, 1 failed, 0 skipped", isGood: false });
  expect(summarize({ ...good, numPassedTests: 0 }, 0).isGood).toBe(false);
});
