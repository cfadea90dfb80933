// Waiting for what happens in other processes: for a condition, with a limit no healthy run comes near.

export const patienceMS = 30_000;

export async function until(what: string, condition: () => boolean, limitMS = patienceMS): Promise<void> {
  const end = performance.now() + limitMS;
  while (!condition()) {
    if (performance.now() > end) {
      throw new Error(`waited ${limitMS / 1000} s in vain until ${what}`);
    }
    await pause(10);
  }
}

/** For use between two looks at something; never instead of looking. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
