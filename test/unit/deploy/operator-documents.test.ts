// The operators' documents against what they speak of: every message that troubleshooting.md explains is one that hostler
// prints, and every link between the documents leads somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../../src/domain/error.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** All of hostler's own sentences: its sources, with sentences that are written in several pieces put together. */
function spokenText(): string {
  const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\/src\/(emulator|demo|sim)\b/.test(entry.parentPath))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  return [...sources, read('bin/docker-machine'), read('bin/hostler')]
    .join('\n')
    .replaceAll(/['`] \+\s*['`]/g, '')
    .replaceAll("\\'", "'");
}

/** Messages in the first column of the tables below a heading. */
function messagesBelow(document: string, headings: readonly string[]): string[] {
  const sections = document
    .split(/^## /m)
    .filter((section) => headings.includes(section.split('\n', 1)[0] ?? ''));
  expect(sections.length).toBe(headings.length);
  return sections
    .flatMap((section) => section.split('\n'))
    .flatMap((line) => /^\| `([^`]+)`/.exec(line)?.[1] ?? []);
}

describe('docs/troubleshooting.md', () => {
  const messages = messagesBelow(read('docs/troubleshooting.md'), [
    "In the runner's log",
    'When a command answers',
    'When the daemon does not start',
    "In the daemon's log",
  ]);

  test('explains messages that hostler prints word for word', () => {
    const text = spokenText();
    expect(messages.length).toBeGreaterThan(40);
    const unknown = messages.flatMap((message) =>
      message
        .replace(/ \(([a-z-]+)\)$/, '')
        .split(/…|: /)
        .map((piece) => piece.trim())
        .filter((piece) => piece.length > 3 && !text.includes(piece))
        .map((piece) => `${message}: ${piece}`),
    );
    expect(unknown).toEqual([]);
  });

  test('names error codes that exist', () => {
    const codes = messages.flatMap((message) => / \(([a-z-]+)\)$/.exec(message)?.[1] ?? []);
    expect(codes.length).toBeGreaterThan(15);
    const ofEc2 = ['amazonec2-ami'];
    expect(codes.filter((code) => !Object.hasOwn(errorCodes, code) && !ofEc2.includes(code))).toEqual([]);
  });
});

describe('links', () => {
  /** As the usual renderers make them: lower case, no punctuation, dashes for blanks. */
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  const anchorsOf = (document: string) =>
    new Set([...document.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading)));

  test.each(['install.md', 'behind-my-runner.md', 'operations.md', 'troubleshooting.md'])(
    'of docs/%s lead somewhere',
    (name) => {
      const links = [...read(`docs/${name}`).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
      expect(links.length).toBeGreaterThan(5);
      const broken = links.filter((link) => {
        const [path = '', part] = link.split('#');
        const file = path === '' ? join(root, 'docs', name) : join(root, 'docs', path);
        if (!existsSync(file)) return true;
        return part !== undefined && !anchorsOf(readFileSync(file, 'utf8')).has(part);
      });
      expect(broken).toEqual([]);
    },
  );
});
