import { createContext, Script } from 'node:vm';

/** Time that an expression may take, and all searches of one of its regular expressions: none may block the service. */
export const LONGEST_MS = 5000;

/** Runs an action that the limit of `node:vm` can interrupt, even inside one search of a regular expression. */
const vmContext: { action?: () => void } = createContext({});
const vmScript = new Script('action()');

/** A search for the next match: where it started, what it found, and where the one after it starts. */
interface Search {
  readonly from: number;
  readonly found: RegExpExecArray | null;
  readonly next: number;
}

/**
 * A regular expression whose searches end together after a time: some texts take one longer than a lifetime.
 *
 * Each interruptible call starts a thread, so matches are looked up ahead: one at first, then twice as many each time.
 */
export class LimitedRegExp extends RegExp {
  #spent = 0;
  #text = '';
  #ahead: Search[] = [];
  #count = 1;

  override exec(text: string): RegExpExecArray | null {
    if (text !== this.#text || this.#ahead[0]?.from !== this.lastIndex) this.#search(text);
    const search = this.#ahead.shift();
    if (search === undefined)
      throw new Error(`The regular expression ${this} took more than ${LONGEST_MS} ms`);
    this.lastIndex = search.next;
    return search.found;
  }

  /** Looks up the next matches, as far as the time allows. */
  #search(text: string): void {
    const count = text === this.#text ? this.#count : 1;
    this.#text = text;
    this.#ahead = [];
    this.#count = 2 * count;
    vmContext.action = () => {
      for (let last: Search | undefined; this.#ahead.length < count && last?.found !== null; ) {
        const from = this.lastIndex;
        const found = super.exec(text);
        last = { from, found, next: this.lastIndex };
        this.#ahead.push(last);
      }
    };
    const start = performance.now();
    try {
      vmScript.runInContext(vmContext, { timeout: Math.max(1, Math.ceil(LONGEST_MS - this.#spent)) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
    this.#spent += performance.now() - start;
  }
}
