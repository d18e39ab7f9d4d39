/** Whether a Python environment holds what the lock file says. */
import { spawnSync } from 'node:child_process';

// pip is the environment's own, and proxytune is installed from the folder. torch may name what it was built for.
// pip writes INSTALLER last: a package without it was cut off.
const COMPARE = `
import re, sys
from importlib.metadata import distributions
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
locked = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
held = {
    normal(one.name): one.version.partition("+")[0] for one in distributions() if one.read_text("INSTALLER")
}
own = {"pip", "proxytune"}
same = {normal(name): version for name, version in locked.items()} == {
    name: version for name, version in held.items() if name not in own
}
sys.exit(0 if same else 1)
`;

/**
 * Whether exactly the locked packages are there, in their versions: then nothing has to be downloaded.
 *
 * @param {string} python - the environment's
 * @param {string} lockFile - requirements.txt
 */
export function holdsTheLock(python, lockFile) {
  return spawnSync(python, ['-c', COMPARE, lockFile], { stdio: 'ignore' }).status === 0;
}
