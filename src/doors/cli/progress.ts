// How far a long calculation is: one line on stderr that is written over, on a terminal only. stdout stays the result's.
import type { CliIo } from './io.ts';

/** `parts`: how many things follow each other; with more than one each is named. */
export function createProgress(io: CliIo, parts: number) {
  let last = -1;
  return {
    tell(what: string, share: number): void {
      const percent = Math.floor(share * 100);
      if (!io.isTty || percent === last) return;
      last = percent;
      io.err(`\r\u001b[2K${parts > 1 ? `${what}, ` : ''}${percent} %`);
    },
    end(): void {
      if (last >= 0) io.err('\r\u001b[2K');
    },
  };
}
