"""Check golden files: print the largest error of each tensor.

Exit 1 when one is too large, 2 when a file cannot be checked; the others still are.

    python containers/dev/tools/check_golden.py FILE.json [FILE.json ...]

The kind of a file is the end of its name: see dev.golden.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Before these imports, so that the package need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from safetensors import SafetensorError  # noqa: E402

from dev.golden import check_golden_file  # noqa: E402
from dev.kernels import use_stored_kernels  # noqa: E402


def main(arguments: list[str]) -> int:
    """Check the files named in `arguments`; return the exit code."""
    if not arguments or any(argument.startswith("-") for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    use_stored_kernels()
    wrong = unchecked = 0
    for argument in arguments:
        try:
            findings = check_golden_file(Path(argument))
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
            print(f"{argument}: {error}", file=sys.stderr)
            unchecked += 1
            continue
        print(argument)
        for finding in findings:
            print(f"  {finding}")
        failed = sum(not finding.holds for finding in findings)
        print(f"  {len(findings) - failed} hold, {failed} too large")
        wrong += failed
    if unchecked:
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
