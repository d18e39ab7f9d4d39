/** One reason to refuse a definition, in the shape ValidateStateMachineDefinition answers. */
export interface Diagnostic {
  readonly severity: 'ERROR';
  readonly code: string;
  readonly message: string;
  /** A JSON pointer into the definition, such as `/States/Plan/Next`. */
  readonly location: string;
}

/** The findings of one examination. All are collected, so that one deployment shows every mistake. */
export class Findings {
  readonly diagnostics: Diagnostic[] = [];
  /** Names of states seen so far, anywhere in the machine: they must differ even between branches. */
  readonly stateNames = new Set<string>();

  add(code: string, location: string, message: string): void {
    this.diagnostics.push({ severity: 'ERROR', code, message, location });
  }

  /** A value of the wrong type, range or form. */
  wrong(location: string, message: string): void {
    this.add('SCHEMA_VALIDATION_FAILED', location, message);
  }
}
