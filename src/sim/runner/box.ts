// A machine on which containers are started and share its cores: what a job costs before its script runs. On a host of
// its own a job takes what it takes; forty on one small machine hold each other up.

import { createSeeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';

export type BoxOptions = {
  timeline: Timeline;
  seed: number;
  /** Infinite: nobody holds anybody up. */
  cores: number;
  /** Processor time until a job's script runs, in milliseconds: three containers, one core at a time. */
  startMs: number;
  /** Share by which it varies up and down, evenly, from 0 to 1. */
  spread: number;
};

export type Box = {
  /** `started` is called when the containers run. Returns how to give it up. */
  start(started: () => void): () => void;
};

/** What is that near its end is done: a clock of this century counts no smaller steps than a 4,000th of a millisecond. */
const NEARLY_MS = 0.01;

type Task = { left: number; started: () => void };

/** An idle machine. */
export function createBox(options: BoxOptions): Box {
  const { timeline, cores, startMs, spread } = options;
  // Steps of the golden ratio fill the range evenly however many jobs there are; the seed says where they begin.
  let place = createSeeded(options.seed).float();
  const draw = (): number => {
    place = (place + 0.618_033_988_749_895) % 1;
    return place;
  };
  const tasks = new Set<Task>();
  let since = timeline.now();
  let off = (): void => undefined;

  const share = (): number => Math.min(1, cores / tasks.size);

  /** Counts the work done since the last change. */
  const count = (): void => {
    const done = (timeline.now() - since) * share();
    for (const task of tasks) task.left -= done;
    since = timeline.now();
  };

  const plan = (): void => {
    off();
    if (tasks.size === 0) return;
    const least = Math.min(...[...tasks].map(({ left }) => left));
    off = timeline.after(Math.max(0, least) / share(), () => {
      count();
      const ready = [...tasks].filter(({ left }) => left < NEARLY_MS);
      for (const task of ready) tasks.delete(task);
      plan();
      for (const task of ready) task.started();
    });
  };

  return {
    start(started) {
      count();
      const task = { left: startMs * (1 + spread * (2 * draw() - 1)), started };
      tasks.add(task);
      plan();
      return () => {
        count();
        if (tasks.delete(task)) plan();
      };
    },
  };
}
