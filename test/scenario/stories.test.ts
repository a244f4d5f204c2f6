// Stories about pools: each NAME.story is played over simulated time and its protocol compared with NAME.plan.
// After a wanted change of behaviour: `vitest run test/scenario -u`, then read the difference.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { playStory } from '../support/story/play.ts';

const folder = join(import.meta.dirname, 'stories');
const stories = readdirSync(folder)
  .filter((name) => name.endsWith('.story'))
  .toSorted();

describe('a story is planned as its golden file says', () => {
  test.each(stories)('%s', async (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    await expect(playStory(text)).toMatchFileSnapshot(join(folder, name.replace('.story', '.plan')));
  });
});
