"""Runs checkov with infra/checkov.yaml; a file it cannot read is as bad as a failed check."""

import json
import subprocess
import sys


def main(checkov: str) -> int:
    run = subprocess.run(
        [checkov, "--config-file", "infra/checkov.yaml", "--output", "json"], capture_output=True, text=True, check=False
    )
    try:
        report = json.loads(run.stdout)
        summary, results = report["summary"], report["results"]
    except (json.JSONDecodeError, KeyError, TypeError):
        print(run.stdout, run.stderr, "checkov gave no report", sep="\n", file=sys.stderr)
        return 1
    for check in results["failed_checks"]:
        lines = "-".join(str(line) for line in check["file_line_range"])
        print(f"infra{check['file_path']}:{lines}: {check['check_id']} {check['check_name']}")
    for file in results["parsing_errors"]:
        print(f"{file}: checkov cannot read it")
    print(f"bicep policy: {summary['passed']} passed, {summary['failed']} failed, {summary['parsing_errors']} unreadable files")
    return 1 if summary["failed"] or summary["parsing_errors"] or not summary["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
