// The console, as loud as setLogLevel says: 0 everything, 1 what happens, 2 warnings, 3 errors, 4 nothing.

export class Log {
  level = 2;

  debug(...words: unknown[]): void {
    if (this.level <= 0) console.debug("[porchlight]", ...words);
  }

  info(...words: unknown[]): void {
    if (this.level <= 1) console.info("[porchlight]", ...words);
  }

  warn(...words: unknown[]): void {
    if (this.level <= 2) console.warn("[porchlight]", ...words);
  }

  error(...words: unknown[]): void {
    if (this.level <= 3) console.error("[porchlight]", ...words);
  }
}
