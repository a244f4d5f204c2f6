// Installs what is missing before an npm script runs: `npm ci` when node_modules is absent or older than the
// lock file. Runs on the system's Node (20 or newer), so it uses builtins only.
// Trap: newer npm versions refuse `ci` when the registry in use lacks a foreign platform's optional package;
// `install --no-save` honours the lock file as well and does not.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const lock = join(root, 'package-lock.json');
const stamp = join(root, 'node_modules', '.package-lock.json');
const fresh = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;

/**
 * npm's own words never go to stdout: that belongs to the script that follows (`demo --json`).
 * @param {'said' | 'kept'} words said at once on stderr, or kept for the case that nothing else helps
 * @param {string[]} args
 */
function npm(words, ...args) {
  const cli = process.env['npm_execpath'];
  const [command, head] = cli ? [process.execPath, [cli]] : ['npm', []];
  const run = spawnSync(command, [...head, ...args], {
    cwd: root,
    stdio: ['ignore', words === 'said' ? 2 : 'pipe', words === 'said' ? 2 : 'pipe'],
    encoding: 'utf8',
  });
  return { ok: run.status === 0, words: run.stderr ?? '' };
}

if (!fresh) {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--no-update-notifier'];
  console.error('hostler: installing its packages');
  const strict = npm('kept', 'ci', ...quiet);
  if (!strict.ok && !npm('said', 'install', '--no-save', ...quiet).ok) {
    console.error(strict.words);
    console.error('hostler: could not install its packages; see the lines above, then try `npm ci` by hand');
    rmSync(stamp, { force: true });
    process.exit(1);
  }
}
