/** Compares a Python environment with its lock file. */
import { spawnSync } from 'node:child_process';

// pip belongs to the environment, and proxytune is installed from the folder. torch may add its build to its version.
// pip writes INSTALLER last: a package without it was only partly installed.
const COMPARE = `
import re, sys
from importlib.metadata import distributions
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
locked = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
installed = {
    normal(one.name): one.version.partition("+")[0] for one in distributions() if one.read_text("INSTALLER")
}
own = {"pip", "proxytune"}
same = {normal(name): version for name, version in locked.items()} == {
    name: version for name, version in installed.items() if name not in own
}
sys.exit(0 if same else 1)
`;

/**
 * Checks if exactly the locked packages are installed, in their versions: then nothing has to be downloaded.
 *
 * @param {string} python - the environment's interpreter
 * @param {string} lockFile - requirements.txt
 */
export function matchesLockFile(python, lockFile) {
  return spawnSync(python, ['-c', COMPARE, lockFile], { stdio: 'ignore' }).status === 0;
}
